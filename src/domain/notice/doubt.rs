//! When people hear that something may not have worked.

use std::collections::HashMap;

use crate::domain::request::{Outcome, Request, Target};

/// Whether something was learnt that a person has to look after.
pub(super) fn newly_doubtful(request: &Request, before: &[Target]) -> bool {
    let open = |target: &Target| {
        target.outcome.as_ref().filter(|outcome| outcome.needs_person()).map(Outcome::name)
    };
    let before: HashMap<_, _> = before.iter().map(|one| (&one.endpoint.id, one)).collect();
    request.targets.iter().any(|target| {
        let earlier = before.get(&target.endpoint.id).copied();
        let unsure = open(target).is_some() && open(target) != earlier.and_then(open);
        let failed = target.doubt.is_some() && earlier.is_none_or(|one| one.doubt.is_none());
        unsure || failed
    })
}
