//! Places that each of many may take, a few at a time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many places each has taken. Cheap to clone: clones count together.
#[derive(Debug)]
pub(crate) struct Slots<K> {
    most: u32,
    taken: Arc<Mutex<BTreeMap<K, u32>>>,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot<K: Ord> {
    slots: Slots<K>,
    of: K,
}

impl<K> Clone for Slots<K> {
    fn clone(&self) -> Self {
        Self { most: self.most, taken: Arc::clone(&self.taken) }
    }
}

impl<K: Ord + Clone> Slots<K> {
    /// So many places for each.
    pub(crate) fn new(most: u32) -> Self {
        Self { most, taken: Arc::default() }
    }

    /// A place for this one; none where it has all of its own.
    pub(crate) fn acquire(&self, of: K) -> Option<Slot<K>> {
        let mut taken = self.taken();
        let own = taken.entry(of.clone()).or_default();
        if *own >= self.most {
            return None;
        }
        *own += 1;
        drop(taken);
        Some(Slot { slots: self.clone(), of })
    }
}

impl<K> Slots<K> {
    fn taken(&self) -> MutexGuard<'_, BTreeMap<K, u32>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord> Drop for Slot<K> {
    fn drop(&mut self) {
        let mut taken = self.slots.taken();
        match taken.get_mut(&self.of) {
            Some(own) if *own > 1 => *own -= 1,
            Some(_) | None => drop(taken.remove(&self.of)),
        }
    }
}
