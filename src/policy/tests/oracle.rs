//! The whole set, asked about each endpoint alone, about every tally in turn, and against the schema:
//! slow, and plain to see that it is right. The engine must always say the same.

use std::collections::BTreeMap;

use cedar_policy::{Authorizer, Context, Decision as CedarDecision, Entities, Request};

use super::super::{
    Set,
    entities::{Contexts, Query},
    votes::{EVERYBODY, tallies},
};
use crate::domain::{
    decision::{Tally, Verdict},
    facts::{EndpointFacts, PolicyQuestion, Principal, Resource, Verb},
};

/// Allowed or not, and the ids of the policies that say so.
pub(super) type Answer = (bool, Vec<String>);

/// The verdict, the policies that decide, and those of each endpoint that is kept out.
pub(super) type Said = (Verdict, Vec<String>, BTreeMap<String, Vec<String>>);

pub(super) fn may(set: &Set, who: &Principal, verb: Verb, on: &Resource) -> Option<Answer> {
    let (query, context, entities) = set.entities.person_request(who, verb, on).ok()?;
    evaluated(set, &query, context, &entities)
}

/// None where the schema knows no such request.
fn evaluated(set: &Set, query: &Query, context: Context, entities: &Entities) -> Option<Answer> {
    let Query { principal, action, resource } = query.clone();
    let schema = Some(set.entities.schema());
    let request = Request::new(principal, action, resource, context, schema).ok()?;
    let response = Authorizer::new().is_authorized(&request, &set.cedar, entities);
    assert_eq!(response.diagnostics().errors().count(), 0);
    let reasons = response.diagnostics().reason().map(ToString::to_string).collect();
    Some((response.decision() == CedarDecision::Allow, sorted(reasons)))
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids.dedup();
    ids
}

struct Site<'a> {
    set: &'a Set,
    question: &'a PolicyQuestion,
    endpoint: &'a EndpointFacts,
}

impl Site<'_> {
    fn stage(&self, name: &str, votes: Option<Tally>) -> Answer {
        let (set, question) = (self.set, self.question);
        let agent = set.entities.agent(&question.agent).unwrap();
        let endpoint = set.entities.endpoint(self.endpoint).unwrap();
        let query = Query {
            principal: agent.uid(),
            action: set.entities.action_uid(&format!("{name}:{}", question.action.kind())),
            resource: endpoint.uid(),
        };
        let entities = set.entities.with([agent, endpoint]).unwrap();
        let contexts = Contexts::new(set.entities.version(), question).unwrap();
        let contexts = votes.map_or_else(|| contexts.ask(), |votes| contexts.run(votes)).unwrap();
        let answers: Vec<_> = contexts
            .into_iter()
            .map(|context| evaluated(set, &query, context, &entities).unwrap())
            .collect();
        let allowed = answers.iter().all(|(allowed, _)| *allowed);
        let deciding = answers.into_iter().filter(|answer| answer.0 == allowed);
        (allowed, sorted(deciding.flat_map(|(_, ids)| ids).collect()))
    }

    fn run(&self, votes: Tally) -> Answer {
        self.stage("run", Some(votes))
    }

    fn said(&self) -> (Verdict, Vec<String>) {
        let (may_ask, ids) = self.stage("ask", None);
        if !may_ask {
            return (Verdict::Deny, ids);
        }
        let (may_wait, waits) =
            if self.question.when_back { self.stage("wait", None) } else { (true, Vec::new()) };
        if !may_wait {
            let nobody = vec!["broker.may_not_wait".to_owned()];
            return (Verdict::Deny, if waits.is_empty() { nobody } else { waits });
        }
        let (now, ids) = self.run(self.question.tally);
        if now {
            return (Verdict::Run, sorted(ids.into_iter().chain(waits).collect()));
        }
        match tallies().find(|tally| self.run(*tally).0) {
            None => (Verdict::Deny, self.run(EVERYBODY).1),
            Some(least) if ids.is_empty() => (Verdict::Approval(least), self.run(least).1),
            Some(least) => (Verdict::Approval(least), ids),
        }
    }
}

/// What policy says to a question.
pub(super) fn decide(set: &Set, question: &PolicyQuestion) -> Said {
    let site = |endpoint| Site { set, question, endpoint };
    let said: Vec<_> = question.endpoints.iter().map(|one| (one, site(one).said())).collect();
    let (denied, open): (Vec<_>, Vec<_>) =
        said.into_iter().partition(|(_, (verdict, _))| *verdict == Verdict::Deny);
    let kept_out: BTreeMap<_, _> =
        denied.into_iter().map(|(one, (_, ids))| (one.id.to_string(), ids)).collect();
    let of_denied = sorted(kept_out.values().flatten().cloned().collect());
    if !question.fleet_wide && !kept_out.is_empty() {
        return (Verdict::Deny, of_denied, BTreeMap::new());
    }
    if open.is_empty() {
        return (Verdict::Deny, of_denied, kept_out);
    }
    let waits = |verdict: &Verdict| matches!(verdict, Verdict::Approval(_));
    let any = open.iter().any(|(_, (verdict, _))| waits(verdict));
    let deciding = open.iter().filter(|(_, (verdict, _))| waits(verdict) == any);
    let ids = sorted(deciding.flat_map(|(_, (_, ids))| ids.clone()).collect());
    if !any {
        return (Verdict::Run, ids, kept_out);
    }
    let all = |tally: &Tally| open.iter().all(|(one, _)| site(one).run(*tally).0);
    (tallies().find(all).map_or(Verdict::Deny, Verdict::Approval), ids, kept_out)
}
