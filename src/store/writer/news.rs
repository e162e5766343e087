//! Who wakes up after a commit: each for what concerns it, so that a change costs the same however
//! many wait.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio::sync::watch;

use crate::domain::id::RequestId;

/// Counts what is new, for all who wait for it.
#[derive(Debug, Default)]
pub(in crate::store) struct News {
    /// Everything that a page may show.
    pub(in crate::store) pages: Counter,
    /// What may let the worker send something.
    pub(in crate::store) work: Counter,
    /// What is no request's: accounts, the kill switch, policies.
    pub(in crate::store) system: Counter,
    requests: Mutex<HashMap<RequestId, Counter>>,
}

/// A number that grows with each change.
#[derive(Debug)]
pub(in crate::store) struct Counter(watch::Sender<u64>);

impl Default for Counter {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Counter {
    pub(in crate::store) fn count(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(in crate::store) fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

impl News {
    /// Changes with a request.
    pub(in crate::store) fn of_request(&self, id: RequestId) -> watch::Receiver<u64> {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.retain(|_, counter| counter.0.receiver_count() > 0);
        requests.entry(id).or_default().subscribe()
    }

    /// Wakes those who wait for a request.
    pub(in crate::store) fn of_request_changed(&self, id: RequestId) {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = requests.get(&id) {
            counter.count();
        }
    }
}
