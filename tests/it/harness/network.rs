//! A network without a network: its names mean what a test says.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use countersign::connector::{BoxFuture, Network};
use tokio::sync::watch;

/// Names, gateways and resolvers that a test changes.
#[derive(Debug, Default)]
pub(crate) struct FakeNetwork {
    names: Mutex<BTreeMap<String, Vec<IpAddr>>>,
    neighbours: Mutex<Vec<IpAddr>>,
    looked_up: watch::Sender<u64>,
}

fn parsed(addresses: &[&str]) -> Vec<IpAddr> {
    addresses.iter().map(|address| address.parse().unwrap()).collect()
}

impl FakeNetwork {
    /// From now on a name has these addresses; none where it is not found.
    pub(crate) fn set(&self, name: &str, addresses: &[&str]) {
        self.names.lock().unwrap().insert(name.to_owned(), parsed(addresses));
    }

    pub(crate) fn set_neighbours(&self, addresses: &[&str]) {
        *self.neighbours.lock().unwrap() = parsed(addresses);
    }

    /// Ends once names were looked up so often.
    pub(crate) async fn looked_up(&self, times: u64) {
        self.looked_up.subscribe().wait_for(|count| *count >= times).await.unwrap();
    }
}

impl Network for FakeNetwork {
    fn look_up<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Vec<IpAddr>> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let found = names.get(name).cloned().unwrap_or_default();
        self.looked_up.send_modify(|count| *count += 1);
        Box::pin(std::future::ready(found))
    }

    fn neighbours(&self) -> Vec<IpAddr> {
        self.neighbours.lock().unwrap().clone()
    }
}
