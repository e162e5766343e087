//! One request beside the list, to be read. It is decided on its own page, so that no form stands
//! twice.

use crate::{
    broker::queries::{
        inbox::{RiskLevel, risk},
        view::{Permission, RequestView},
    },
    domain::{Time, action::with_count, decision::Reason, facts::Verb, len_u64},
    text::{endpoint, request},
};

/// So many endpoints are named.
const PLACES_MAX: usize = 20;

/// A request beside the list.
#[derive(Debug)]
pub(in crate::web) struct RequestBeside {
    pub(in crate::web) id: String,
    pub(in crate::web) effect: String,
    pub(in crate::web) risk: (RiskLevel, String),
    /// Where it stands, in one sentence.
    pub(in crate::web) status: String,
    /// Endpoints by name with their criticality, and how many more there are.
    pub(in crate::web) places: Vec<(String, u8)>,
    pub(in crate::web) more: String,
    pub(in crate::web) alert: String,
    /// What the agent wrote.
    pub(in crate::web) reason: String,
    /// Why policy asks people.
    pub(in crate::web) policies: Vec<Reason>,
    pub(in crate::web) needed: String,
    pub(in crate::web) left: String,
    pub(in crate::web) deadline: Time,
    /// Why this person may not approve it.
    pub(in crate::web) why_not: String,
}

impl RequestBeside {
    pub(in crate::web) fn new(view: &RequestView, several: bool, now: Time) -> Self {
        let RequestView { request, agent, .. } = view;
        let (level, why) = risk(request);
        let votes = request.votes.iter().filter(|vote| request.counts(vote, agent));
        let names: Vec<_> = votes.map(|vote| vote.person.name.as_str()).collect();
        let places = request.targets.iter().take(PLACES_MAX);
        let more = request.targets.len().saturating_sub(PLACES_MAX);
        let found = if request.alert.found {
            format!("level {}: {}", request.alert.level, request.alert.summary)
        } else {
            format!("not found: {}", request.alert.summary)
        };
        Self {
            id: request.id.to_string(),
            effect: endpoint::effect(request, several),
            risk: (level, why.join(", ")),
            status: request::status(request),
            places: places.map(|one| (endpoint::named(&one.endpoint), one.criticality)).collect(),
            more: if more > 0 { with_count(len_u64(more), "more endpoint") } else { String::new() },
            alert: found,
            reason: request.claim.reason.clone(),
            policies: request.decision.reasons.clone(),
            needed: request::needed(&request.decision, &names),
            left: request::time_left(request.deadline, now),
            deadline: request.deadline,
            why_not: match view.permission(Verb::Approve) {
                Permission::Now
                | Permission::WithPassword
                | Permission::WithProvider
                | Permission::WithPasskey => String::new(),
                Permission::Denied(why) => why,
            },
        }
    }
}
