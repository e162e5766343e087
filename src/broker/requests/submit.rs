//! An agent proposes: validate, recognise repetition, freeze the endpoints, decide, store.

use serde_json::{Map, Value};

use super::evaluate::criticality;
use crate::{
    broker::{Broker, BrokerError},
    connector::Connector,
    domain::{
        Time,
        action::{ActionKind, Term, duration_text},
        actor::Agent,
        decision::{Decision, NOTHING_LEFT, Reason, Tally, Verdict},
        digest::Digest,
        endpoint::{Candidate, EndpointId, Inventory, Selection, SkipReason},
        facts::AlertFacts,
        id::RequestId,
        proposal::{InvalidField, Proposal},
        request::{Request, Skipped, State, Target},
    },
    store::{
        Read, StoreError, Tx, accounts,
        requests::{self, AskKey},
    },
};

impl Broker {
    /// Takes the arguments of an action tool and answers with the stored request: new, or the one
    /// that the agent asked for before.
    pub async fn submit(
        &self,
        agent: &Agent,
        kind: ActionKind,
        arguments: &Map<String, Value>,
    ) -> Result<Request, BrokerError> {
        match self.try_submit(agent, kind, arguments).await {
            Ok(request) => Ok(request),
            Err(error) => Err(self.refuse_proposal(agent, kind, error).await),
        }
    }

    async fn try_submit(
        &self,
        agent: &Agent,
        kind: ActionKind,
        arguments: &Map<String, Value>,
    ) -> Result<Request, BrokerError> {
        let _place = self.acquire_slot(agent).await?;
        let proposal = &Proposal::parse(kind, arguments)?;
        let only = if let [only] = self.managers() { Some(only.name()) } else { None };
        let ask = proposal.ask_digest(proposal.manager.as_deref().or(only));
        let now = self.clock().now();
        let mut reader = self.store().reader().await?;
        if let Some(same) = find_repeated(&mut reader, agent, (proposal, ask)).await? {
            return load(&mut reader, same).await;
        }
        self.check_open_limit(&mut reader, agent, now).await?;
        drop(reader);
        let connector = self.choose_manager(proposal).await?;
        let inventory =
            connector.resolve(&proposal.selection, &proposal.action, proposal.term, now).await?;
        check_endpoints(connector, proposal, &inventory).await?;
        let alert = find_alert(connector, proposal, now).await;
        let draft = &Draft {
            request: self.draft(agent, proposal, inventory, (connector.name(), alert)),
            proposal: proposal.digest(),
            ask: proposal.ask_digest(Some(connector.name())),
            idempotency_key: proposal.idempotency_key.clone(),
        };
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    // Somebody may have asked the same in the meantime.
                    if let Some(same) = find_repeated(tx, agent, (proposal, draft.ask)).await? {
                        return load(tx, same).await;
                    }
                    self.store_draft(tx, agent, draft).await
                })
            })
            .await
    }

    /// The manager that a proposal is for: the one it names, the only one, or the only one that
    /// has all the endpoints that it names.
    async fn choose_manager(&self, proposal: &Proposal) -> Result<&Connector, BrokerError> {
        let names = || {
            let names: Vec<_> = self.managers().iter().map(|manager| manager.name()).collect();
            names.join(", ")
        };
        let refused = |field: &str, problem: String| InvalidField {
            field: field.to_owned(),
            problem,
            allowed: format!("one of the managers {}", names()),
        };
        if let Some(name) = &proposal.manager {
            let unknown = || refused("manager", format!("there is no manager `{name}`"));
            return Ok(self.manager(name).ok_or_else(unknown)?);
        }
        if let [only] = self.managers() {
            return Ok(only);
        }
        let Selection::Ids(ids) = &proposal.selection else {
            let problem = "all_agents means those of one manager, and none is named";
            return Err(refused("manager", problem.to_owned()).into());
        };
        let (mut having, now) = (Vec::new(), self.clock().now());
        for manager in self.managers() {
            let inventory =
                manager.resolve(&proposal.selection, &proposal.action, proposal.term, now).await?;
            if inventory.unknown.is_empty() {
                having.push(manager);
            }
        }
        let named: Vec<_> = ids.iter().map(EndpointId::as_str).collect();
        let named = named.join(", ");
        match having.as_slice() {
            [only] => Ok(only),
            [] => Err(refused("agent_ids", format!("no manager has {named}")).into()),
            several => {
                let with = |id| several.iter().map(move |one| format!("{}/{id}", one.name()));
                let full: Vec<_> = ids.first().into_iter().flat_map(with).collect();
                let full = full.join(" or ");
                let problem = format!("more than one manager has {named}: write {full}");
                Err(refused("agent_ids", problem).into())
            }
        }
    }

    /// The request as it would be stored, but for policy's answer.
    pub(in crate::broker) fn draft(
        &self,
        agent: &Agent,
        proposal: &Proposal,
        inventory: Inventory,
        (manager, alert): (&str, AlertFacts),
    ) -> Request {
        let now = self.clock().now();
        let (mut targets, mut skipped) = (Vec::new(), Vec::new());
        for Candidate { endpoint, command, .. } in inventory.candidates {
            match command {
                Err(reason) => skipped.push(Skipped { endpoint, reason }),
                Ok(command) => {
                    let criticality = criticality(self.settings(), &endpoint.groups);
                    targets.push(Target::new(endpoint, criticality, command));
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
            asked_by: None,
            action: proposal.action.clone(),
            term: proposal.term,
            claim: proposal.claim.clone(),
            fleet_wide: proposal.selection == Selection::All,
            manager: manager.to_owned(),
            targets,
            skipped,
            alert,
            digest: Digest::ZERO,
            asked_at: now,
            deadline: now + self.settings().decide_within,
            state: State::Pending,
            votes: Vec::new(),
            decision: placeholder_decision(now),
            attempts: Vec::new(),
            held_because: None,
            review: None,
        }
    }

    /// Decides about a draft and stores it.
    pub(in crate::broker) async fn store_draft(
        &self,
        tx: &mut Tx<'_>,
        agent: &Agent,
        draft: &Draft,
    ) -> Result<Request, BrokerError> {
        // The token may be revoked or replaced by now; what a person asks for does not rest on it.
        let by_person = draft.request.asked_by.is_some();
        let agent = accounts::agent_by_id(tx, agent.id)
            .await?
            .filter(|now| by_person || (!now.revoked && now.issued_at == agent.issued_at))
            .ok_or(BrokerError::NotFound)?;
        let now = draft.request.asked_at;
        if !by_person {
            // Others of its asks may have been stored in the meantime.
            self.check_rate(tx, &agent, now).await?;
            self.check_open_limit(tx, &agent, now).await?;
        }
        let mut request = draft.request.clone();
        let decision = self.decide_first(tx, &request, &agent, now).await?;
        exclude_denied(&mut request, &decision);
        request.decision = decision;
        if request.targets.is_empty() && request.decision.verdict != Verdict::Deny {
            request.decision.verdict = Verdict::Deny;
        }
        if request.targets.is_empty() && request.decision.errors.is_empty() {
            request.decision.reasons = vec![nothing_left(&request)];
        }
        request.digest = request.computed_digest();
        let asked = request.submit(self.use_by(now), now);
        let origin = AskKey {
            proposal: draft.proposal,
            ask: draft.ask,
            idempotency_key: draft.idempotency_key.as_deref(),
        };
        requests::insert(tx, &asked, origin, now).await?;
        Ok(asked.into_request())
    }
}

/// A request that is not stored yet, and how it is recognised when it is asked for again.
pub(in crate::broker) struct Draft {
    pub(in crate::broker) request: Request,
    /// The digest of what was proposed.
    pub(in crate::broker) proposal: Digest,
    /// The digest of what was asked for, whatever the words.
    pub(in crate::broker) ask: Digest,
    pub(in crate::broker) idempotency_key: Option<String>,
}

/// What names endpoints that do not exist, or a time that no endpoint asked for can keep, is no
/// sound proposal.
async fn check_endpoints(
    connector: &Connector,
    proposal: &Proposal,
    inventory: &Inventory,
) -> Result<(), BrokerError> {
    if !inventory.unknown.is_empty() {
        let ids: Vec<_> = inventory.unknown.iter().map(EndpointId::as_str).collect();
        return Err(InvalidField {
            field: "agent_ids".to_owned(),
            problem: format!("there is no endpoint {}", ids.join(", ")),
            allowed: format!("ids of endpoints of the manager `{}`", connector.name()),
        }
        .into());
    }
    let Term::Seconds(seconds) = proposal.term else { return Ok(()) };
    let configured = connector.durations(proposal.action.kind(), inventory.read_at).await?;
    let offered = |candidate: &Candidate| configured.get(&candidate.endpoint.platform);
    let fits = |candidate: &Candidate| offered(candidate).is_some_and(|s| s.contains(&seconds));
    if inventory.candidates.is_empty() || inventory.candidates.iter().any(fits) {
        return Ok(());
    }
    let mut others: Vec<u32> =
        inventory.candidates.iter().filter_map(offered).flatten().copied().collect();
    others.sort_unstable();
    others.dedup();
    let others = others.iter().map(|s| format!("{s} ({})", duration_text(*s)));
    let others: Vec<_> = others.chain(["permanent: true".to_owned()]).collect();
    let why = inventory.candidates.iter().find_map(|candidate| match &candidate.command {
        Err(reason @ SkipReason::NotConfigured(_)) => Some(format!(": {reason}")),
        Ok(_) | Err(_) => None,
    });
    let why = why.unwrap_or_default();
    Err(InvalidField {
        field: "duration_seconds".to_owned(),
        problem: format!("no manager command ends by itself after {seconds} seconds there{why}"),
        allowed: others.join(", "),
    }
    .into())
}

async fn find_alert(connector: &Connector, proposal: &Proposal, now: Time) -> AlertFacts {
    match &proposal.claim.alert_id {
        Some(id) => connector.find_alert(id, &proposal.action, now).await,
        None => AlertFacts { summary: "the agent named no alert".to_owned(), ..Default::default() },
    }
}

/// The agent's request of the same key, or its open request of the same ask.
async fn find_repeated(
    read: &mut impl Read,
    agent: &Agent,
    (proposal, ask): (&Proposal, Digest),
) -> Result<Option<RequestId>, BrokerError> {
    let of_key = match &proposal.idempotency_key {
        None => None,
        Some(key) => requests::same_key(read, agent.id, key).await?.map(|found| (key, found)),
    };
    match of_key {
        // A new key does not make it another question.
        None => Ok(requests::same_open_ask(read, agent.id, ask).await?),
        Some((_, (id, digest))) if digest == proposal.digest() => Ok(Some(id)),
        Some((key, (id, _))) => Err(InvalidField {
            field: "idempotency_key".to_owned(),
            problem: format!("`{key}` is the key of {id}, which asks for something else"),
            allowed: "a new key for a new proposal".to_owned(),
        }
        .into()),
    }
}

pub(in crate::broker) async fn load(
    read: &mut impl Read,
    id: RequestId,
) -> Result<Request, BrokerError> {
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

/// Why a request without endpoints is denied.
fn nothing_left(request: &Request) -> Reason {
    let mut reasons: Vec<_> = request.skipped.iter().map(|s| s.reason.to_string()).collect();
    reasons.sort();
    reasons.dedup();
    let why = match reasons.as_slice() {
        [] => "the manager has no endpoint".to_owned(),
        reasons => format!("no endpoint is left: {}", reasons.join("; ")),
    };
    Reason { policy: NOTHING_LEFT.to_owned(), why }
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
