//! The requests that this process is sending just now, and what was claimed for a sender that is free.
//! Whatever else is found half sent was left by an earlier run, or by a step that failed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::mpsc;

use crate::domain::{
    endpoint::Inventory, id::RequestId, permit::ExecutionPermit, request::Request,
};

/// The requests being sent.
#[derive(Debug, Default)]
pub(in crate::broker) struct Executing(Arc<Mutex<InFlight>>);

#[derive(Debug, Default)]
struct InFlight {
    /// Each with its manager.
    requests: BTreeMap<RequestId, String>,
    /// The senders of each manager, while they take what is claimed for them.
    senders: BTreeMap<String, Senders>,
}

#[derive(Debug)]
struct Senders {
    number: usize,
    line: mpsc::Sender<Claimed>,
    claims: Claims,
}

/// What is claimed for the senders of a manager.
pub(in crate::broker) type Claims = Arc<tokio::sync::Mutex<mpsc::Receiver<Claimed>>>;

/// One of the requests being sent, until it is dropped.
#[derive(Debug)]
pub(in crate::broker) struct ExecutionGuard {
    executing: Weak<Mutex<InFlight>>,
    id: RequestId,
}

/// A free sender, kept for a request that is being claimed.
#[derive(Debug)]
pub(in crate::broker) struct Reserved {
    guard: ExecutionGuard,
    place: mpsc::OwnedPermit<Claimed>,
}

/// A request whose first attempt is stored, and that nobody sends yet.
#[derive(Debug)]
pub(in crate::broker) struct Claimed {
    pub(in crate::broker) permit: ExecutionPermit,
    pub(in crate::broker) request: Request,
    /// The endpoints as the manager described them before the claim.
    pub(in crate::broker) inventory: Inventory,
    pub(in crate::broker) guard: ExecutionGuard,
}

impl Executing {
    /// Takes a request for a sender of its manager: whoever asks first, while one is free.
    pub(in crate::broker) fn begin(&self, manager: &str, id: RequestId) -> Option<ExecutionGuard> {
        self.lock().take(manager, id).then(|| self.guard(id))
    }

    /// Keeps a sender for a request that is being claimed. None where all are busy, or none runs.
    pub(in crate::broker) fn reserve(&self, manager: &str, id: RequestId) -> Option<Reserved> {
        let mut in_flight = self.lock();
        let place = in_flight.senders.get(manager)?.line.clone().try_reserve_owned().ok()?;
        let taken = in_flight.take(manager, id);
        drop(in_flight);
        taken.then(|| Reserved { guard: self.guard(id), place })
    }

    pub(in crate::broker) fn holds(&self, id: RequestId) -> bool {
        self.lock().requests.contains_key(&id)
    }

    /// From now on this many senders of a manager take what is claimed for them.
    pub(in crate::broker) fn open(&self, manager: &str, number: usize) {
        let (line, claims) = mpsc::channel(number.max(1));
        let claims = Arc::new(tokio::sync::Mutex::new(claims));
        let senders = Senders { number, line, claims };
        // What was there is dropped without the lock, which its guards take.
        let before = self.lock().senders.insert(manager.to_owned(), senders);
        drop(before);
    }

    /// What is claimed for the senders of a manager; none where they never began.
    pub(in crate::broker) fn claims(&self, manager: &str) -> Option<Claims> {
        self.lock().senders.get(manager).map(|senders| Arc::clone(&senders.claims))
    }

    fn guard(&self, id: RequestId) -> ExecutionGuard {
        ExecutionGuard { executing: Arc::downgrade(&self.0), id }
    }

    fn lock(&self) -> MutexGuard<'_, InFlight> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight {
    /// Where the senders are stepped by hand, each step is one.
    fn take(&mut self, manager: &str, id: RequestId) -> bool {
        let busy = self.requests.values().filter(|other| *other == manager).count();
        let free = self.senders.get(manager).is_none_or(|senders| busy < senders.number);
        if !free || self.requests.contains_key(&id) {
            return false;
        }
        self.requests.insert(id, manager.to_owned());
        true
    }
}

impl Reserved {
    /// Gives the claimed request to the sender.
    pub(in crate::broker) fn hand_over(
        self,
        permit: ExecutionPermit,
        request: Request,
        inventory: Inventory,
    ) {
        drop(self.place.send(Claimed { permit, request, inventory, guard: self.guard }));
    }
}

impl Drop for ExecutionGuard {
    fn drop(&mut self) {
        let Some(executing) = self.executing.upgrade() else { return };
        executing.lock().unwrap_or_else(PoisonError::into_inner).requests.remove(&self.id);
    }
}
