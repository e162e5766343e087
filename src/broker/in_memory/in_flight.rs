//! The asks of agents that are being looked into.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::domain::id::AgentId;

/// At most this many asks of one agent are handled at the same time.
pub(in crate::broker) const AT_ONCE_MAX: u32 = 4;

/// The asks that are being looked into.
#[derive(Debug, Clone, Default)]
pub(in crate::broker) struct InFlight(Arc<Mutex<BTreeMap<AgentId, u32>>>);

/// One ask that is being looked into, until it is dropped.
#[derive(Debug)]
pub(in crate::broker) struct Slot {
    asking: InFlight,
    agent: AgentId,
}

impl InFlight {
    pub(in crate::broker) fn acquire(&self, agent: AgentId) -> Option<Slot> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(agent).or_default();
        if *count >= AT_ONCE_MAX {
            return None;
        }
        *count += 1;
        Some(Slot { asking: self.clone(), agent })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut all = self.asking.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(&self.agent) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(all.remove(&self.agent)),
        }
    }
}
