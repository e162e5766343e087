//! Which sites people see. Cedar is asked once about each, until something about the person changes.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::{
    domain::{actor::Person, site::Site},
    policy::{CedarAnswer, EvalError, Set},
};

/// So many answers are kept; then all are asked for again.
const KEPT_MAX: usize = 100_000;

/// The answers that were given.
#[derive(Debug, Default)]
pub(in crate::policy) struct SiteAnswers(Mutex<HashMap<Person, HashMap<Site, bool>>>);

impl SiteAnswers {
    /// Whether a person may see what is at a site. Any error means no.
    pub(in crate::policy) fn may_view(&self, set: &Set, person: &Person, site: &Site) -> bool {
        let known =
            |kept: &HashMap<Person, HashMap<Site, bool>>| kept.get(person)?.get(site).copied();
        if let Some(known) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return known;
        }
        let answer = set.view(person, site).is_ok_and(|answer| answer.allowed);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.values().map(HashMap::len).sum::<usize>() >= KEPT_MAX {
            kept.clear();
        }
        kept.entry(person.clone()).or_default().insert(site.clone(), answer);
        answer
    }
}

impl Set {
    fn view(&self, person: &Person, site: &Site) -> Result<CedarAnswer, EvalError> {
        let (query, context, entities) = self.entities.site_request(person, site)?;
        self.evaluate(&query, context, &entities)
    }
}
