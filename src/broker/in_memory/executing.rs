//! The requests that this process is sending just now. Whatever else is found half sent was left by
//! an earlier run, or by a step that failed.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::domain::id::RequestId;

/// The requests being sent. Cheap to clone: clones know the same ones.
#[derive(Debug, Clone, Default)]
pub(in crate::broker) struct Executing(Arc<Mutex<BTreeSet<RequestId>>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(in crate::broker) struct ExecutionGuard {
    executing: Executing,
    id: RequestId,
}

impl Executing {
    /// Takes a request for whoever asks first.
    pub(in crate::broker) fn begin(&self, id: RequestId) -> Option<ExecutionGuard> {
        let new = self.ids().insert(id);
        new.then(|| ExecutionGuard { executing: self.clone(), id })
    }

    pub(in crate::broker) fn holds(&self, id: RequestId) -> bool {
        self.ids().contains(&id)
    }

    fn ids(&self) -> MutexGuard<'_, BTreeSet<RequestId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ExecutionGuard {
    fn drop(&mut self) {
        self.executing.ids().remove(&self.id);
    }
}
