//! What is active already on the endpoints of a request, in as many lines as there are different
//! ones.

use crate::{
    domain::{
        Time,
        action::ActionKind,
        active_response::{AlreadyActive, RestsOn},
    },
    text::{
        active_response::{RULE_RESPONSE, condition, cuts_short, effect_text},
        endpoint, request,
    },
};

/// Endpoints on which the same is active.
#[derive(Debug)]
pub(in crate::web) struct ActiveGroup {
    /// The names of the endpoints, or of the first few.
    pub(in crate::web) names: String,
    pub(in crate::web) condition: String,
    pub(in crate::web) since: Option<Time>,
    pub(in crate::web) ends: Option<Time>,
    pub(in crate::web) rests_on: Vec<RestsOn>,
    /// Whether nothing but a response that is not ours is active.
    pub(in crate::web) only_rule: bool,
    /// Whether approving ends earlier what others decided.
    pub(in crate::web) cuts_short: bool,
    /// What approving does there, after "approving".
    pub(in crate::web) effect: String,
}

/// The groups, in the order of their first endpoints.
pub(in crate::web) fn groups(kind: ActionKind, active: &[AlreadyActive]) -> Vec<ActiveGroup> {
    let mut groups: Vec<(&AlreadyActive, Vec<String>)> = Vec::new();
    for met in active {
        let name = endpoint::name_and_id(&met.name, &met.endpoint);
        match groups.iter_mut().find(|(first, _)| same(first, met)) {
            Some((_, names)) => names.push(name),
            None => groups.push((met, vec![name])),
        }
    }
    let shown = |(met, names): (&AlreadyActive, Vec<String>)| {
        let only_rule = met.rule_response.is_some() && met.rests_on.is_empty();
        let certain = only_rule || met.rests_on.iter().any(|one| one.certain);
        let perhaps = if certain { "Already" } else { "Perhaps already" };
        let by = if only_rule { format!(" by {RULE_RESPONSE}") } else { String::new() };
        ActiveGroup {
            names: request::some(names.iter().map(String::as_str)),
            condition: format!("{perhaps} {}{by}", condition(kind)),
            since: met.since,
            ends: met.ends,
            rests_on: met.rests_on.clone(),
            only_rule,
            cuts_short: cuts_short(met),
            effect: effect_text(met),
        }
    };
    groups.into_iter().map(shown).collect()
}

/// Whether one line says it of both.
fn same(one: &AlreadyActive, other: &AlreadyActive) -> bool {
    (one.since, one.ends, one.forecast, one.rule_response, &one.rests_on)
        == (other.since, other.ends, other.forecast, other.rule_response, &other.rests_on)
}
