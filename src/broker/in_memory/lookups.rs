//! How often agents looked something up: a restart forgets it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::domain::{Time, facts::history::ASK_COUNTS, id::AgentId, len_u64};

/// The moments of each agent's look-ups within the last minute.
#[derive(Debug, Default)]
pub(in crate::broker) struct Lookups(Mutex<BTreeMap<AgentId, Vec<Time>>>);

impl Lookups {
    /// Counts one more, where there are less than `most`; whether there were.
    pub(in crate::broker) fn note(&self, agent: AgentId, now: Time, most: u64) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.entry(agent).or_default();
        own.retain(|at| now - *at < ASK_COUNTS);
        let has_room = len_u64(own.len()) < most;
        if has_room {
            own.push(now);
        }
        has_room
    }
}
