//! The endpoints at which an agent may ask for something, and what can be done there.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    broker::{Broker, BrokerError, requests::evaluate::criticality, signed_in::active_agent},
    connector::{Connector, asked_by},
    domain::{
        Time,
        action::{Action, ActionKind, Term},
        actor::Agent,
        decision::Tally,
        endpoint::{Candidate, Endpoint, EndpointId, Inventory, Platform, Selection, SkipReason},
        facts::{AlertFacts, EndpointFacts, PolicyQuestion, TargetFacts, history::AgentHistory},
        len_u64,
        proposal::{Claim, InvalidField},
    },
};

/// No manager has a timeout so short: asked for it, one names all that it has.
const LEAST: Term = Term::Seconds(1);

/// Which endpoints are looked for. What is left out finds all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointFilter {
    /// Part of the id or name, in whatever case.
    pub query: String,
    /// Their platform.
    pub platform: Option<Platform>,
    /// A group that they are in, by its whole name.
    pub group: Option<String>,
    /// Their manager.
    pub manager: Option<String>,
}

/// An endpoint, and what an agent can ask for there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointOption {
    /// Its manager.
    pub manager: String,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Why it could not take part now; none where it could.
    pub away: Option<String>,
    /// What can be asked for, in the order of the catalogue; nothing while it is away.
    pub responses: Vec<ResponseOption>,
}

/// A response that an endpoint can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseOption {
    /// Which.
    pub kind: ActionKind,
    /// For how long, in seconds, the shortest first.
    pub durations: Vec<u32>,
    /// Whether it can last until somebody undoes it.
    pub permanent: bool,
    /// Whether one that ends by itself can be undone before.
    pub undo_timed: bool,
    /// Whether one that does not can be undone.
    pub undo_permanent: bool,
}

/// Endpoints by manager and id.
type Found = BTreeMap<(String, EndpointId), EndpointOption>;

impl Broker {
    /// The endpoints that match and at which policy lets the agent ask for something, in the order of
    /// managers and ids. They rest on the managers' lists: no endpoint is asked.
    pub async fn endpoints_for_agent(
        &self,
        agent: &Agent,
        filter: &EndpointFilter,
    ) -> Result<Vec<EndpointOption>, BrokerError> {
        let _place = self.lookup_slot(agent)?;
        if let Some(name) = &filter.manager
            && self.manager(name).is_none()
        {
            let names: Vec<_> = self.managers().iter().map(|one| one.name()).collect();
            let (field, problem) = ("manager".to_owned(), format!("there is no manager `{name}`"));
            return Err(InvalidField { field, problem, allowed: names.join(", ") }.into());
        }
        let agent = &active_agent(&mut self.store().reader().await?, agent).await?;
        let (mut found, now) = (Found::new(), self.clock().now());
        let mut kinds = self.engine().catalogue().responses().to_vec();
        kinds.retain(|kind| agent.scopes.contains(kind));
        let named = |one: &&Connector| filter.manager.as_ref().is_none_or(|n| n == one.name());
        for connector in self.managers().iter().filter(named) {
            for &kind in &kinds {
                let look = self.add_options(agent, (connector, kind), (filter, &mut found), now);
                asked_by(agent.id, look).await?;
            }
        }
        Ok(found.into_values().collect())
    }

    async fn add_options(
        &self,
        agent: &Agent,
        (connector, kind): (&Connector, ActionKind),
        (filter, found): (&EndpointFilter, &mut Found),
        now: Time,
    ) -> Result<(), BrokerError> {
        let Some(action) = Action::example(kind) else { return Ok(()) };
        let all = connector.resolve(&Selection::All, &action, LEAST, now).await?;
        let open = self.open_to(agent, &action, &all, now);
        let undo = action.undo();
        let mut undoes: BTreeMap<(Platform, bool), bool> = BTreeMap::new();
        for candidate in all.candidates.iter().filter(|one| filter.matches(&one.endpoint)) {
            let endpoint = &candidate.endpoint;
            if !open.contains(&endpoint.id) {
                continue;
            }
            let place = (connector.name().to_owned(), endpoint.id.clone());
            let option = found.entry(place).or_insert_with(|| EndpointOption {
                manager: connector.name().to_owned(),
                endpoint: endpoint.clone(),
                away: away(candidate),
                responses: Vec::new(),
            });
            let there =
                all.other_terms.iter().filter(|one| one.commands.contains_key(&endpoint.id));
            let there: Vec<_> = there.collect();
            let terms: Vec<_> = there.iter().map(|one| one.term).collect();
            if terms.is_empty() {
                continue;
            }
            let by_companion = |term| {
                let of_term = there.iter().find(|one| one.term == term);
                let command = of_term.and_then(|one| one.commands.get(&endpoint.id));
                command.is_some_and(|command| kind.entry().companion_in(command).is_some())
            };
            let mut can_undo = async |term| {
                if by_companion(term) {
                    return undo.is_some();
                }
                let key = (endpoint.platform, term == Term::Permanent);
                if let (Some(action), None) = (&undo, undoes.get(&key)) {
                    let can = connector.can_run(action, term, endpoint.platform, now).await.is_ok();
                    undoes.insert(key, can);
                }
                undoes.get(&key).copied().unwrap_or_default()
            };
            let durations: Vec<_> = terms.iter().filter_map(|term| term.seconds()).collect();
            let permanent = terms.contains(&Term::Permanent);
            let first = durations.first().copied();
            option.responses.push(ResponseOption {
                kind,
                permanent,
                undo_timed: match first {
                    Some(seconds) => can_undo(Term::Seconds(seconds)).await,
                    None => false,
                },
                undo_permanent: permanent && can_undo(Term::Permanent).await,
                durations,
            });
        }
        Ok(())
    }

    /// Where policy lets the agent ask for this at all, with whatever target.
    fn open_to(
        &self,
        agent: &Agent,
        action: &Action,
        all: &Inventory,
        now: Time,
    ) -> BTreeSet<EndpointId> {
        let facts = |Candidate { endpoint, .. }: &Candidate| EndpointFacts {
            id: endpoint.id.clone(),
            platform: endpoint.platform,
            groups: endpoint.groups.clone(),
            criticality: criticality(self.settings(), &endpoint.groups),
            unknown_outcome: false,
        };
        let endpoints: Vec<_> = all.candidates.iter().map(facts).collect();
        self.engine().may_ask_at(&PolicyQuestion {
            agent: agent.clone(),
            asked_by: None,
            action: action.clone(),
            term: LEAST,
            claim: Claim { reason: String::new(), alert_id: None, confidence: None },
            target: TargetFacts::default(),
            alert: AlertFacts::default(),
            scope: len_u64(endpoints.len()),
            when_back: false,
            fleet_wide: true,
            reach: len_u64(endpoints.len()),
            endpoints,
            history: AgentHistory::default(),
            lifted_seconds_ago: None,
            automatic_last_day: 0,
            already_active: false,
            would_shorten: false,
            manager_changed: false,
            now,
            business_hours: false,
            tally: Tally::NONE,
        })
    }
}

impl EndpointFilter {
    fn matches(&self, endpoint: &Endpoint) -> bool {
        let query = self.query.to_lowercase();
        let named =
            endpoint.name.to_lowercase().contains(&query) || endpoint.id.as_str().contains(&query);
        named
            && self.platform.is_none_or(|platform| platform == endpoint.platform)
            && self.group.as_ref().is_none_or(|group| endpoint.groups.contains(group))
    }
}

/// Why it could not take part now, whatever is asked for.
pub(in crate::broker) fn away(candidate: &Candidate) -> Option<String> {
    match &candidate.command {
        Ok(_)
        | Err(SkipReason::NoCommand(_) | SkipReason::NotConfigured(_) | SkipReason::Policy(_)) => {
            candidate.silent.then(|| "the manager has not heard of it lately".to_owned())
        }
        Err(
            why @ (SkipReason::NotActive(_)
            | SkipReason::Unreadable(_)
            | SkipReason::TooOld(_)
            | SkipReason::SwitchedOff(_)),
        ) => Some(why.to_string()),
    }
}
