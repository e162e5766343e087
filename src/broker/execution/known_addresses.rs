//! Which addresses are ours, and which are those of endpoints: names are looked up, managers are
//! asked, and what was once known stays known.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use tokio::task::JoinSet;

use crate::{
    broker::{Broker, BrokerError},
    domain::address::known::AddressOwner,
    store::known_addresses::{known_addresses, store_known_addresses},
};

impl Broker {
    /// Recalls what earlier runs learned of the hosts and managers that are still configured.
    pub async fn recall_addresses(&self) -> Result<(), BrokerError> {
        let stored = known_addresses(&mut self.store().reader().await?).await?;
        let names = self.own_names();
        let mut known = self.known_addresses_mut();
        for (owner, address, seen_at) in stored {
            let counts = match &owner {
                AddressOwner::Host(name) => names.contains(name),
                AddressOwner::Neighbour => true,
                AddressOwner::Endpoint(manager) => self.manager(manager).is_some(),
            };
            if counts {
                known.learn(&owner, address, seen_at);
            }
        }
        Ok(())
    }

    /// Looks up the names of our hosts, and this machine's gateways and resolvers. The names that
    /// were not found; they keep the addresses that they had.
    pub async fn look_up_own_addresses(&self) -> Result<Vec<String>, BrokerError> {
        let mut lookups = JoinSet::new();
        for name in self.own_names() {
            let network = Arc::clone(self.network());
            lookups.spawn(async move {
                let found = network.look_up(&name).await;
                (name, found)
            });
        }
        let neighbours = self.network().neighbours();
        let mut found: Vec<_> =
            neighbours.into_iter().map(|address| (AddressOwner::Neighbour, address)).collect();
        let mut missing = Vec::new();
        for (name, addresses) in lookups.join_all().await {
            if addresses.is_empty() {
                missing.push(name);
                continue;
            }
            let owner = AddressOwner::Host(name);
            found.extend(addresses.into_iter().map(|address| (owner.clone(), address)));
        }
        missing.sort();
        self.learn(found).await?;
        Ok(missing)
    }

    /// Asks a manager for the addresses of its endpoints.
    pub async fn read_endpoint_addresses(&self, manager: &str) -> Result<(), BrokerError> {
        let connector = self.manager(manager).ok_or(BrokerError::NotFound)?;
        let addresses = connector.endpoint_addresses(self.clock().now()).await?;
        let owner = AddressOwner::Endpoint(manager.to_owned());
        self.learn(addresses.into_iter().map(|address| (owner.clone(), address)).collect()).await
    }

    /// The names among the hosts that are ours.
    fn own_names(&self) -> BTreeSet<String> {
        self.own_hosts().into_iter().filter(|host| host.parse::<IpAddr>().is_err()).collect()
    }

    /// It counts from now on, stored or not: a full disk must not unprotect anything.
    async fn learn(&self, found: Vec<(AddressOwner, IpAddr)>) -> Result<(), BrokerError> {
        let now = self.clock().now();
        let mut news = Vec::new();
        for (owner, address) in found {
            if self.known_addresses_mut().learn(&owner, address, now) {
                news.push((owner, address, now));
            }
        }
        if news.is_empty() {
            return Ok(());
        }
        let news = &news;
        self.store()
            .write_quietly(|tx| {
                Box::pin(async move { Ok(store_known_addresses(tx, news, now).await?) })
            })
            .await
    }
}
