//! An agent proposes: validate, recognise repetition, freeze the endpoints, decide, store.

use serde_json::{Map, Value};

use super::{
    draft::{Draft, load},
    rate_limit::proposal_refused,
};
use crate::{
    broker::{Broker, BrokerError},
    connector::{Connector, asked_by},
    domain::{
        Time,
        action::{ActionKind, Term, duration_text, with_count},
        actor::Agent,
        decision::Verdict,
        digest::Digest,
        endpoint::{Candidate, EndpointId, Inventory, OtherTerm, Selection, SkipReason},
        facts::AlertFacts,
        id::RequestId,
        proposal::{InvalidField, Proposal},
        request::Request,
    },
    store::{Read, audit, requests},
};

mod dry_run;
mod endpoint_names;
pub mod plan;

use dry_run::Survey;

/// What became of a proposal.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The stored request: new, or the one that the agent asked for before.
    pub request: Request,
    /// What was asked for is active already, and rests on this request. Nothing was stored.
    pub stands: bool,
}

impl Submitted {
    const fn request(request: Request) -> Self {
        Self { request, stands: false }
    }
}

impl Broker {
    /// Takes the arguments of an action tool and answers with the request that is stored for them.
    pub async fn submit(
        &self,
        agent: &Agent,
        kind: ActionKind,
        arguments: &Map<String, Value>,
    ) -> Result<Submitted, BrokerError> {
        let began = self.clock().now();
        match asked_by(agent.id, self.try_submit(agent, kind, arguments)).await {
            Ok(submitted) => {
                let took = self.clock().now() - began;
                self.measures().decision_seconds.observe(took.as_seconds_f64());
                Ok(submitted)
            }
            Err(error) => Err(self.refuse_proposal(agent, kind, error).await),
        }
    }

    async fn try_submit(
        &self,
        agent: &Agent,
        kind: ActionKind,
        arguments: &Map<String, Value>,
    ) -> Result<Submitted, BrokerError> {
        let since = self.read_point();
        let _place = self.acquire_slot(agent).await?;
        let proposal = &self.read_proposal(kind, arguments).await?;
        let only = if let [only] = self.managers() { Some(only.name()) } else { None };
        let ask = proposal.ask_digest(proposal.manager.as_deref().or(only));
        let now = self.clock().now();
        let mut reader = self.store().reader().await?;
        if let Some(same) = find_repeated(&mut reader, agent, (proposal, ask)).await? {
            return load(&mut reader, same).await.map(Submitted::request);
        }
        self.check_open_limit(&mut reader, agent, (1, now)).await?;
        drop(reader);
        let draft = &self.frozen_draft(agent, proposal, Survey::Asked).await?;
        let ahead = &self.decide_ahead(agent, draft, since).await?;
        self.store()
            .for_agents()
            .write(|tx| {
                Box::pin(async move {
                    let decided = match ahead {
                        Some(ahead) => self.first_decision(tx, ahead, &draft.request).await?,
                        None => None,
                    };
                    // What was looked for on a reader is not there by now either.
                    if decided.is_some() {
                        let stored = self.store_draft(tx, agent, draft, decided).await;
                        return stored.map(Submitted::request);
                    }
                    // Somebody may have asked the same in the meantime.
                    if let Some(same) = find_repeated(tx, agent, (proposal, draft.ask)).await? {
                        return load(tx, same).await.map(Submitted::request);
                    }
                    if let Some(request) = self.standing(tx, &draft.request, now).await? {
                        // It counts as an ask: the manager was asked about its endpoints.
                        self.check_rate(tx, agent, (1, now)).await?;
                        let why = format!("it is active already and rests on {}", request.id);
                        audit::append(tx, &proposal_refused(agent, kind, why), now).await?;
                        return Ok(Submitted { request, stands: true });
                    }
                    self.store_draft(tx, agent, draft, None).await.map(Submitted::request)
                })
            })
            .await
    }

    /// What would be stored for a proposal but for policy's answer, with the endpoints as their
    /// manager describes them now.
    async fn frozen_draft(
        &self,
        agent: &Agent,
        proposal: &Proposal,
        survey: Survey,
    ) -> Result<Draft, BrokerError> {
        let now = self.clock().now();
        let connector = self.choose_manager(proposal, survey).await?;
        let inventory = survey.of(connector, proposal, now).await?;
        check_endpoints(connector, &inventory)?;
        let alert = find_alert(connector, proposal, now).await;
        let alert = with_groups(connector, proposal, alert, (&inventory, survey)).await;
        let found = (connector.name(), &alert);
        self.check_term(agent, proposal, &inventory, found).await?;
        Ok(Draft {
            request: self.draft(agent, proposal, &inventory, (connector.name(), alert)),
            inventory,
            proposal: proposal.digest(),
            ask: proposal.ask_digest(Some(connector.name())),
            idempotency_key: proposal.idempotency_key.clone(),
        })
    }

    /// A time that no endpoint can keep is no sound proposal where another time is: where neither the
    /// manager nor policy would refuse it. Else the stored request says why of each endpoint.
    async fn check_term(
        &self,
        agent: &Agent,
        proposal: &Proposal,
        inventory: &Inventory,
        (manager, alert): (&str, &AlertFacts),
    ) -> Result<(), BrokerError> {
        let (Term::Seconds(seconds), false) = (proposal.term, inventory.other_terms.is_empty())
        else {
            return Ok(());
        };
        let (mut reader, mut offers) = (self.store().reader().await?, Vec::new());
        for other in &inventory.other_terms {
            let proposal = &Proposal { term: other.term, ..proposal.clone() };
            let inventory = for_term(inventory, other);
            let request = self.draft(agent, proposal, &inventory, (manager, alert.clone()));
            let now = request.asked_at;
            let first = self.decide_first(&mut reader, &request, agent, now).await?;
            if first.decision.verdict != Verdict::Deny {
                offers.push(match other.term {
                    Term::Seconds(seconds) => format!("{seconds} ({})", duration_text(seconds)),
                    Term::Permanent => "permanent: true".to_owned(),
                });
            }
        }
        if offers.is_empty() {
            return Ok(());
        }
        let why = inventory.candidates.iter().find_map(|candidate| match &candidate.command {
            Err(reason @ SkipReason::NotConfigured(_)) => Some(format!(": {reason}")),
            Ok(_) | Err(_) => None,
        });
        let why = why.unwrap_or_default();
        Err(InvalidField {
            field: "duration_seconds".to_owned(),
            problem: format!(
                "no manager command ends by itself after {} there{why}",
                with_count(seconds.into(), "second"),
            ),
            allowed: offers.join(", "),
        }
        .into())
    }

    /// The manager that a proposal is for: the one it names, the only one, or the only one that
    /// has all the endpoints that it names.
    async fn choose_manager(
        &self,
        proposal: &Proposal,
        survey: Survey,
    ) -> Result<&Connector, BrokerError> {
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
            let inventory = survey.of(manager, proposal, now).await?;
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
}

/// What names endpoints that do not exist is no sound proposal.
fn check_endpoints(connector: &Connector, inventory: &Inventory) -> Result<(), InvalidField> {
    if inventory.unknown.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = inventory.unknown.iter().map(EndpointId::as_str).collect();
    Err(InvalidField {
        field: "agent_ids".to_owned(),
        problem: format!("there is no endpoint {}", ids.join(", ")),
        allowed: format!("ids of endpoints of the manager `{}`", connector.name()),
    })
}

/// The endpoints as they would be for another term.
fn for_term(inventory: &Inventory, other: &OtherTerm) -> Inventory {
    let candidate = |candidate: &Candidate| match other.commands.get(&candidate.endpoint.id) {
        Some(command) => Candidate { command: Ok(command.clone()), ..candidate.clone() },
        None => candidate.clone(),
    };
    Inventory {
        candidates: inventory.candidates.iter().map(candidate).collect(),
        unknown: Vec::new(),
        other_terms: Vec::new(),
        read_at: inventory.read_at,
    }
}

/// The alert that the agent names, and whether the indexer can say what will happen.
async fn find_alert(connector: &Connector, proposal: &Proposal, now: Time) -> AlertFacts {
    let found = match &proposal.claim.alert_id {
        Some(id) => connector.find_alert(id, &proposal.action, now).await,
        None => AlertFacts { summary: "the agent named no alert".to_owned(), ..Default::default() },
    };
    AlertFacts { indexer: connector.indexer_state(now).await, ..found }
}

/// An alert whose endpoint is one of the manager's, with the groups of that one. What the manager
/// does not know by this id and name is none of its endpoints.
async fn with_groups(
    connector: &Connector,
    proposal: &Proposal,
    mut alert: AlertFacts,
    (inventory, survey): (&Inventory, Survey),
) -> AlertFacts {
    let Some(mut own) = alert.endpoint.take().filter(|_| alert.names_target) else { return alert };
    let listed = |inventory: &Inventory| {
        let found = inventory.candidates.iter().find(|one| one.endpoint.id == own.id);
        found.map(|candidate| candidate.endpoint.clone())
    };
    let mut known = listed(inventory);
    if known.is_none() {
        let selection = Selection::Ids(vec![own.id.clone()]);
        let only = Proposal { selection, ..proposal.clone() };
        let found = survey.of(connector, &only, inventory.read_at).await;
        // An endpoint that the manager cannot be asked about shares no group.
        known = found.ok().as_ref().and_then(listed);
    }
    if let Some(endpoint) = known.filter(|endpoint| endpoint.name == own.name) {
        own.groups = endpoint.groups;
        alert.endpoint = Some(own);
    }
    alert
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
