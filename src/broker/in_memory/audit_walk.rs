//! How far the walk along the audit has come.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::{domain::Time, store::audit::Verified};

/// The walk along the audit, one at a time.
#[derive(Debug, Default)]
pub(in crate::broker) struct AuditWalk {
    found: Mutex<Walked>,
    walking: Arc<tokio::sync::Mutex<()>>,
}

/// What the walk has found.
#[derive(Debug, Clone, Default)]
pub struct Walked {
    /// The rows up to the last verified place.
    pub verified: Verified,
    /// When it set out from the first row.
    pub began: Option<Time>,
    /// When it last came to an end: to the newest row, or to a bad one. None while it goes on.
    pub ended: Option<Time>,
}

impl AuditWalk {
    /// The place of the one who walks; none while somebody does.
    pub(in crate::broker) fn set_out(&self) -> Option<OwnedMutexGuard<()>> {
        Arc::clone(&self.walking).try_lock_owned().ok()
    }

    pub(in crate::broker) fn found(&self) -> Walked {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(in crate::broker) fn note(&self, walked: &Walked) {
        walked.clone_into(&mut self.found.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walk_is_one_at_a_time() {
        let walk = AuditWalk::default();
        let first = walk.set_out();
        assert!(first.is_some() && walk.set_out().is_none());
        drop(first);
        assert!(walk.set_out().is_some());
    }
}
