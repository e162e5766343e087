//! What tells requests apart for policy.

use std::collections::BTreeSet;

use crate::domain::{
    decision::Tier,
    facts::RequestFacts,
    id::{AgentId, PersonId},
    site::Site,
};

/// All that policy is told of a stored request, its id apart. Two that are equal get the same answer,
/// unless a policy names a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestLook {
    pub(super) agent: AgentId,
    pub(super) owners: [PersonId; 2],
    pub(super) barred: Vec<PersonId>,
    pub(super) action: &'static str,
    pub(super) criticality: u8,
    pub(super) tier: Tier,
    pub(super) sites: BTreeSet<Site>,
}

impl RequestLook {
    pub(in crate::policy) fn of(facts: &RequestFacts) -> Self {
        let owners = [facts.owner_then, facts.agent.owner];
        let issuers = [facts.issuer_then, facts.agent.issuer];
        let barred = owners.into_iter().chain(issuers.into_iter().flatten()).chain(facts.asker);
        Self {
            agent: facts.agent.id,
            owners,
            barred: barred.collect(),
            action: facts.action.kind().name(),
            criticality: facts.criticality,
            tier: facts.tier,
            sites: facts.sites.clone(),
        }
    }
}
