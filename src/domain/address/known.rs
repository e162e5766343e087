//! The addresses that Countersign learned: its own surroundings, and the endpoints.

use std::{collections::BTreeMap, net::IpAddr};

use chrono::TimeDelta;
use ipnet::IpNet;

use super::forms;
use crate::domain::Time;

/// How long the address of an endpoint counts after its manager named it last. Endpoints move, and
/// nobody else should have to be spared for it for ever.
pub const ENDPOINT_COUNTS: TimeDelta = TimeDelta::days(30);
/// What was seen again this soon is not news.
const NEWS_AFTER: TimeDelta = TimeDelta::days(1);

/// Whose an address is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressOwner {
    /// The host of that name, which the configuration names.
    Host(String),
    /// A default gateway or a resolver of this machine.
    Neighbour,
    /// An endpoint of the manager of that name.
    Endpoint(String),
}

/// What is known. A name that has other addresses by now keeps those that it had.
#[derive(Debug, Default)]
pub struct KnownAddresses {
    seen: BTreeMap<(AddressOwner, IpAddr), Time>,
    /// In all forms, with the time at which each was last seen.
    ours: BTreeMap<IpAddr, Time>,
    endpoints: BTreeMap<IpAddr, Time>,
}

/// The network in which addresses are neighbours: the smallest that is routed on the Internet, a /24 of
/// IPv4 (RIPE-399), and the /64 of one link of IPv6 (RFC 4291, 2.5.4).
pub fn network_of(address: IpAddr) -> Option<IpNet> {
    let bits = if address.is_ipv4() { 24 } else { 64 };
    IpNet::new(address, bits).ok().map(|network| network.trunc())
}

impl KnownAddresses {
    /// Learns that this is the address of somebody. Whether that is worth storing.
    pub fn learn(&mut self, owner: &AddressOwner, address: IpAddr, at: Time) -> bool {
        let by_form = match owner {
            AddressOwner::Host(_) | AddressOwner::Neighbour => &mut self.ours,
            AddressOwner::Endpoint(_) => &mut self.endpoints,
        };
        for form in forms(address) {
            let seen = by_form.entry(form).or_insert(at);
            *seen = at.max(*seen);
        }
        let before = self.seen.get(&(owner.clone(), address));
        let news = before.is_none_or(|before| at - *before >= NEWS_AFTER);
        if news {
            self.seen.insert((owner.clone(), address), at);
        }
        news
    }

    /// Whether one of these addresses was ever that of a host, a gateway or a resolver of ours.
    pub fn is_ours(&self, forms: &[IpAddr]) -> bool {
        forms.iter().any(|form| self.ours.contains_key(form))
    }

    /// Of addresses that were ever ours, one in the network of this address; not the address itself.
    pub fn neighbour(&self, address: IpAddr) -> Option<IpAddr> {
        let network = network_of(address)?;
        let first = self.ours.range(network.network()..).map(|(known, _)| *known);
        let mut inside = first.take_while(|known| network.contains(known));
        inside.find(|known| *known != address)
    }

    /// Whether a network holds an address that was ever ours or an endpoint's.
    pub fn lie_in(&self, network: &IpNet) -> bool {
        self.ours.keys().chain(self.endpoints.keys()).any(|known| network.contains(known))
    }

    /// Whether one of these addresses was that of an endpoint lately.
    pub fn is_endpoints(&self, forms: &[IpAddr], now: Time) -> bool {
        let seen = forms.iter().filter_map(|form| self.endpoints.get(form));
        seen.max().is_some_and(|seen| now - *seen < ENDPOINT_COUNTS)
    }
}
