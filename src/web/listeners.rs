//! How many pages of one session wait for news.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::domain::digest::Digest;

/// So many pages of one session wait for news at once. A page that nobody looks at does not wait.
const LISTENERS_MAX: usize = 16;

/// How many pages of each session wait, by the hash of its token.
#[derive(Debug, Default)]
pub(super) struct Listeners(Mutex<BTreeMap<Digest, usize>>);

/// One page that waits.
pub(super) struct Listening {
    of: Arc<Listeners>,
    session: Digest,
}

impl Listeners {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Digest, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a page of a session; none where it has as many as it may.
    pub(super) fn enter(self: &Arc<Self>, token: &str) -> Option<Listening> {
        let session = Digest::of(token.as_bytes());
        let mut sessions = self.lock();
        let pages = sessions.entry(session).or_default();
        if *pages >= LISTENERS_MAX {
            return None;
        }
        *pages += 1;
        Some(Listening { of: Arc::clone(self), session })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut sessions = self.of.lock();
        let Some(pages) = sessions.get_mut(&self.session) else { return };
        *pages -= 1;
        if *pages == 0 {
            sessions.remove(&self.session);
        }
    }
}
