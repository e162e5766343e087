//! What looks for evidence leave out, for people.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::{domain::action::with_count, store::requests::Wanted};

/// How many requests one look takes in of each kind.
pub(in crate::broker) const REQUESTS_MAX: u32 = 100;

/// What was wrong with the last look at each manager's evidence, for people.
#[derive(Debug, Default)]
pub(in crate::broker) struct LookProblems(Mutex<BTreeMap<String, String>>);

impl LookProblems {
    pub(in crate::broker) fn note(&self, manager: &str, problem: Option<String>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match problem {
            Some(problem) => all.insert(manager.to_owned(), problem),
            None => all.remove(manager),
        };
    }

    pub(in crate::broker) fn of(&self, manager: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(manager).cloned()
    }
}

/// That more requests wait than one look takes in; none where all have their turn each time.
pub(in crate::broker) fn crowd(wanted: Wanted, waiting: u64) -> Option<String> {
    if waiting <= u64::from(REQUESTS_MAX) {
        return None;
    }
    let what = match wanted {
        Wanted::Start => "to be seen starting",
        Wanted::End => "to be seen ending",
    };
    let waiting = with_count(waiting, "request");
    Some(format!("{waiting} wait {what}, and one look takes in {REQUESTS_MAX}, in turn"))
}
