//! The addresses of the outside systems: what must never be blocked.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{net::lookup_host, time::timeout};

use super::client::BaseUrl;

/// How long one name may take.
const LOOK_UP_DEADLINE: Duration = Duration::from_secs(2);

/// Hosts with the addresses that they have, or had when they were last looked up.
#[derive(Debug)]
pub(in crate::connector) struct Addresses {
    hosts: Vec<BaseUrl>,
    known: Mutex<BTreeMap<String, Vec<IpAddr>>>,
}

impl Addresses {
    pub(in crate::connector) fn new(hosts: Vec<BaseUrl>) -> Self {
        let literal = |at: &BaseUrl| Some((at.host.clone(), vec![at.host.parse().ok()?]));
        let known = Mutex::new(hosts.iter().filter_map(literal).collect());
        Self { hosts, known }
    }

    pub(in crate::connector) fn all(&self) -> Vec<IpAddr> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().flatten().copied().collect()
    }

    /// Looks up the hosts that are names. One that is not found keeps its addresses.
    pub(in crate::connector) async fn look_up(&self) {
        for BaseUrl { host, port, .. } in &self.hosts {
            if host.parse::<IpAddr>().is_ok() {
                continue;
            }
            let found = timeout(LOOK_UP_DEADLINE, lookup_host((host.as_str(), *port))).await;
            let Ok(Ok(found)) = found else { continue };
            let found = found.map(|address| address.ip()).collect();
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(host.clone(), found);
        }
    }
}
