//! A request before it is stored: built from what the manager says, decided, recorded.

use std::{cmp::Reverse, collections::BTreeMap};

use super::evaluate::{Ahead, ReadPoint, criticality};
use crate::{
    broker::{Broker, BrokerError, signed_in::active_agent},
    domain::{
        Time,
        action::with_count,
        actor::Agent,
        decision::{Decision, NOTHING_LEFT, Reason, Tally, Verdict},
        digest::Digest,
        endpoint::{Candidate, EndpointId, Inventory, Selection, SkipReason},
        facts::{AlertFacts, history::AgentHistory},
        id::RequestId,
        len_u64,
        lifecycle::Transition,
        proposal::Proposal,
        request::{Request, Skipped, State, Target, Wait},
    },
    store::{
        Read, StoreError, Tx, accounts,
        requests::{self, AskKey},
    },
};

/// How many reasons why no endpoint is left are given, and how many endpoints of each are named.
const REASONS_MAX: usize = 8;
const NAMED_MAX: usize = 5;

/// A request that is not stored yet, and how it is recognised when it is asked for again.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) request: Request,
    /// The endpoints as the manager just described them.
    pub(super) inventory: Inventory,
    /// The digest of what was proposed.
    pub(super) proposal: Digest,
    /// The digest of what was asked for, whatever the words.
    pub(super) ask: Digest,
    pub(super) idempotency_key: Option<String>,
}

impl Broker {
    /// The request as it would be stored, but for policy's answer.
    pub(super) fn draft(
        &self,
        agent: &Agent,
        proposal: &Proposal,
        inventory: &Inventory,
        (manager, alert): (&str, AlertFacts),
    ) -> Request {
        let now = self.clock().now();
        let (mut targets, mut skipped) = (Vec::new(), Vec::new());
        for Candidate { endpoint, command, when_back, .. } in &inventory.candidates {
            let (endpoint, away) = (endpoint.clone(), command.is_err());
            let later = when_back.clone().filter(|_| proposal.when_back);
            match command.clone().or_else(|reason| later.ok_or(reason)) {
                Err(reason) => skipped.push(Skipped { endpoint, reason }),
                Ok(command) => {
                    let criticality = criticality(self.settings(), &endpoint.groups);
                    targets.push(Target { away, ..Target::new(endpoint, criticality, command) });
                }
            }
        }
        Request {
            id: self.clock().id(),
            version: 1,
            agent: agent.id,
            agent_name: agent.name.clone(),
            owner: agent.owner,
            issuer: agent.issuer,
            undoes: None,
            plan: None,
            asked_by: None,
            action: proposal.action.clone(),
            term: proposal.term,
            claim: proposal.claim.clone(),
            fleet_wide: proposal.selection == Selection::All,
            manager: manager.to_owned(),
            targets,
            skipped,
            alert,
            history: None,
            digest: Digest::ZERO,
            asked_at: now,
            deadline: now + self.settings().decide_within,
            state: State::Pending,
            votes: Vec::new(),
            decision: placeholder_decision(now),
            attempts: Vec::new(),
            held_because: None,
            review: None,
            wait: proposal.when_back.then(|| self.wait()),
        }
    }

    fn wait(&self) -> Wait {
        let seconds = self.settings().wait_within.as_secs();
        Wait { seconds: u32::try_from(seconds).unwrap_or(u32::MAX), parent: None }
    }

    /// Decides about a draft on a reader. None where it may be no new request: the transaction says.
    pub(super) async fn decide_ahead(
        &self,
        agent: &Agent,
        draft: &Draft,
        since: ReadPoint,
    ) -> Result<Option<Ahead>, BrokerError> {
        if !self.is_recent(since) {
            return Ok(None);
        }
        let (request, mut reader) = (&draft.request, self.store().reader().await?);
        let agent = active_agent(&mut reader, agent).await?;
        // By now it is known which manager the ask is for.
        let same = requests::same_open_ask(&mut reader, agent.id, draft.ask).await?;
        let now = request.asked_at;
        if same.is_some() || self.standing(&mut reader, request, now).await?.is_some() {
            return Ok(None);
        }
        let first = self.decide_first(&mut reader, request, &agent, now).await?;
        Ok(Some(Ahead { since, first }))
    }

    /// Stores a draft with the decision that was made ahead and holds, or else decides now.
    pub(super) async fn store_draft(
        &self,
        tx: &mut Tx<'_>,
        agent: &Agent,
        draft: &Draft,
        ahead: Option<(Decision, AgentHistory)>,
    ) -> Result<Request, BrokerError> {
        let (decision, history) = match ahead {
            Some(decided) => decided,
            None => self.decide_now(tx, agent, &draft.request).await?,
        };
        let now = draft.request.asked_at;
        let asked = self.decided(draft.request.clone(), decision, history);
        let origin = AskKey {
            proposal: draft.proposal,
            ask: draft.ask,
            idempotency_key: draft.idempotency_key.as_deref(),
        };
        requests::insert(tx, &asked, origin, now).await?;
        self.claim_at_once(tx, asked.into_request(), &draft.inventory).await
    }

    /// What becomes of a draft with this decision.
    pub(super) fn decided(
        &self,
        mut request: Request,
        decision: Decision,
        history: AgentHistory,
    ) -> Transition {
        let now = request.asked_at;
        request.history = Some(history);
        exclude_denied(&mut request, &decision);
        request.decision = decision;
        if request.targets.is_empty() && request.decision.verdict != Verdict::Deny {
            request.decision.verdict = Verdict::Deny;
        }
        if request.targets.is_empty() && request.decision.errors.is_empty() {
            request.decision.reasons = vec![nothing_left(&request)];
        }
        request.digest = request.computed_digest();
        let use_by = match request.plan {
            Some(step) if step.number > 1 => self.latest_use_by(&request),
            Some(_) | None => self.use_by(now),
        };
        request.submit(use_by, now)
    }

    /// Decides about a draft in the transaction that stores it, if its agent may ask for more.
    async fn decide_now(
        &self,
        tx: &mut Tx<'_>,
        agent: &Agent,
        request: &Request,
    ) -> Result<(Decision, AgentHistory), BrokerError> {
        // The token may be revoked or replaced by now; what a person asks for does not rest on it.
        let by_person = request.asked_by.is_some();
        let agent = if by_person {
            accounts::agent_by_id(tx, agent.id).await?.ok_or(BrokerError::NotFound)?
        } else {
            active_agent(tx, agent).await?
        };
        if !by_person {
            // Others of its asks may have been stored in the meantime, later ones among them.
            let read_at = self.clock().now();
            self.check_rate(tx, &agent, (1, read_at)).await?;
            self.check_open_limit(tx, &agent, (1, read_at)).await?;
        }
        let first = self.decide_first(tx, request, &agent, request.asked_at).await?;
        Ok((first.decision, first.history))
    }
}

/// A request that was found a moment ago, in the same transaction.
pub(super) async fn load(read: &mut impl Read, id: RequestId) -> Result<Request, BrokerError> {
    let missing = || StoreError::Inconsistent {
        table: "request",
        id: id.to_string(),
        why: "it was there a moment ago".to_owned(),
    };
    Ok(requests::load(read, id).await?.ok_or_else(missing)?)
}

/// Endpoints that policy keeps out of a fleet-wide request join those that are skipped.
fn exclude_denied(request: &mut Request, decision: &Decision) {
    let targets = std::mem::take(&mut request.targets);
    for target in targets {
        match decision.kept_out.iter().find(|(id, _)| *id == target.endpoint.id) {
            None => request.targets.push(target),
            Some((_, reasons)) => {
                let why: Vec<_> = reasons.iter().map(|reason| reason.why.as_str()).collect();
                let reason = SkipReason::Policy(why.join("; "));
                request.skipped.push(Skipped { endpoint: target.endpoint, reason });
            }
        }
    }
}

/// Why a request without endpoints is denied: each reason after its endpoints, the most common
/// first. It goes to the agent, the page and the audit, so it is short however many there are.
fn nothing_left(request: &Request) -> Reason {
    let mut reasons: BTreeMap<String, Vec<&EndpointId>> = BTreeMap::new();
    for Skipped { endpoint, reason } in &request.skipped {
        reasons.entry(reason.to_string()).or_default().push(&endpoint.id);
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, ids)| Reverse(ids.len()));
    let others = reasons.split_off(reasons.len().min(REASONS_MAX));
    let mut said: Vec<_> =
        reasons.iter().map(|(why, ids)| format!("{}: {why}", first_named(ids))).collect();
    if !others.is_empty() {
        let endpoints = others.iter().map(|(_, ids)| ids.len()).sum();
        said.push(format!(
            "{} for {}",
            with_count(len_u64(others.len()), "more reason"),
            with_count(len_u64(endpoints), "more endpoint"),
        ));
    }
    let why = match said.as_slice() {
        [] => "the manager has no endpoint".to_owned(),
        said => format!("no endpoint is left: {}", said.join("; ")),
    };
    Reason { policy: NOTHING_LEFT.to_owned(), why }
}

/// "011, 012", or where they are many "1000 endpoints (001, 002, 003, …)".
fn first_named(ids: &[&EndpointId]) -> String {
    let named: Vec<_> = ids.iter().take(NAMED_MAX).map(|id| id.as_str()).collect();
    let named = named.join(", ");
    if ids.len() <= NAMED_MAX {
        return named;
    }
    format!("{} ({named}, …)", with_count(len_u64(ids.len()), "endpoint"))
}

fn placeholder_decision(at: Time) -> Decision {
    Decision {
        verdict: Verdict::Deny,
        reasons: Vec::new(),
        errors: Vec::new(),
        kept_out: Vec::new(),
        policy_hash: Digest::ZERO,
        tally: Tally::NONE,
        break_glass: false,
        at,
    }
}
