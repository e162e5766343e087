//! Which sites people see. Cedar is asked once about each, for all people whom it cannot tell apart.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use crate::{
    domain::{
        actor::{Person, Role},
        id::PersonId,
        site::Site,
    },
    policy::{CedarAnswer, EvalError, Set},
};

/// So many answers are kept; then all are asked for again.
const KEPT_MAX: usize = 100_000;
/// All that policy is told of a person.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PersonLook {
    id: PersonId,
    name: String,
    role: Role,
    teams: BTreeSet<String>,
    /// Active, must change the password, on call.
    is: [bool; 3],
}

/// The answers that were given.
#[derive(Debug, Default)]
pub(in crate::policy) struct SiteAnswers(Mutex<HashMap<PersonLook, HashMap<Site, bool>>>);

impl PersonLook {
    fn of(person: &Person) -> Self {
        let Person { id, name, role, teams, .. } = person.clone();
        let is = [person.is_active(), person.must_change_password, person.on_call];
        Self { id, name, role, teams, is }
    }
}

impl SiteAnswers {
    /// Whether a person may see what is at a site. Any error means no.
    pub(in crate::policy) fn may_view(&self, set: &Set, person: &Person, site: &Site) -> bool {
        let look = PersonLook::of(person);
        let known = |kept: &HashMap<_, HashMap<Site, bool>>| kept.get(&look)?.get(site).copied();
        if let Some(known) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return known;
        }
        let answer = set.view(person, site).is_ok_and(|answer| answer.allowed);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.values().map(HashMap::len).sum::<usize>() >= KEPT_MAX {
            kept.clear();
        }
        kept.entry(look).or_default().insert(site.clone(), answer);
        answer
    }
}

impl Set {
    fn view(&self, person: &Person, site: &Site) -> Result<CedarAnswer, EvalError> {
        let (query, context, entities) = self.entities.site_request(person, site)?;
        self.evaluate(&query, context, &entities)
    }
}
