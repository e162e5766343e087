//! What a case may say. Whatever it leaves out is as in a plain situation: a block of ten minutes
//! on one unimportant endpoint, for a fresh alert that the broker found.

use serde::Deserialize;

use super::alert::{AlertForm, endpoint_id};
use crate::domain::{
    Time,
    action::{Action, ActionKind, Catalogue, Term, names},
    actor::Agent,
    decision::Tally,
    endpoint::Platform,
    facts::{EndpointFacts, PolicyQuestion, TargetFacts, history::AgentHistory},
    len_u64,
    proposal::Claim,
};

/// The numbers of the people who own the agent and issued its token.
pub(super) const OWNER: u8 = 2;
pub(super) const ISSUER: u8 = 4;

/// What an agent asks for, and what the broker knows about it.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "one flat list of facts reads best in a case")]
pub(super) struct ProposalForm {
    action: String,
    target: Option<String>,
    seconds: u32,
    permanent: bool,
    reason: String,
    confidence: Option<u8>,
    alert_id: Option<String>,
    own_network: bool,
    protected: bool,
    of_endpoint: bool,
    privileged: bool,
    keeps_network: bool,
    alert: AlertForm,
    scope: Option<u64>,
    fleet_wide: bool,
    when_back: bool,
    endpoints: Vec<EndpointForm>,
    ran_last_hour: u64,
    refused_last_day: u64,
    open_requests: u64,
    asks_last_minute: u64,
    rejected_seconds_ago: Option<u64>,
    lifted_seconds_ago: Option<u64>,
    /// The scope where it is left out.
    reach: Option<u64>,
    automatic_last_day: u64,
    already_active: bool,
    would_shorten: bool,
    manager_changed: bool,
    now: String,
    business_hours: bool,
    votes: Vec<String>,
    agent_revoked: bool,
    /// The responses it may ask for; all where it is left out.
    agent_scopes: Option<Vec<String>>,
    asked_by: Option<String>,
}

impl Default for ProposalForm {
    fn default() -> Self {
        Self {
            action: usual_action().to_owned(),
            target: None,
            seconds: 600,
            permanent: false,
            reason: "brute force".to_owned(),
            confidence: None,
            alert_id: Some("1771238435.1".to_owned()),
            own_network: false,
            protected: false,
            of_endpoint: false,
            privileged: false,
            keeps_network: false,
            alert: AlertForm::default(),
            scope: None,
            fleet_wide: false,
            when_back: false,
            endpoints: vec![EndpointForm::default()],
            ran_last_hour: 0,
            refused_last_day: 0,
            open_requests: 0,
            asks_last_minute: 0,
            rejected_seconds_ago: None,
            lifted_seconds_ago: None,
            reach: None,
            automatic_last_day: 0,
            already_active: false,
            would_shorten: false,
            manager_changed: false,
            now: "2026-02-16T12:00:00Z".to_owned(),
            business_hours: true,
            votes: Vec::new(),
            agent_revoked: false,
            agent_scopes: None,
            asked_by: None,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct EndpointForm {
    id: String,
    platform: String,
    groups: Vec<String>,
    criticality: u8,
    unknown_outcome: bool,
}

impl Default for EndpointForm {
    fn default() -> Self {
        Self {
            id: "001".to_owned(),
            platform: Platform::Linux.name().to_owned(),
            groups: vec!["default".to_owned()],
            criticality: 1,
            unknown_outcome: false,
        }
    }
}

impl ProposalForm {
    pub(super) fn question(&self, catalogue: &Catalogue) -> Result<PolicyQuestion, String> {
        let endpoints: Vec<_> =
            self.endpoints.iter().map(EndpointForm::facts).collect::<Result<_, _>>()?;
        let mut tally = Tally::NONE;
        for role in &self.votes {
            tally = tally.and(role.parse()?);
        }
        let scope = self.scope.unwrap_or(len_u64(endpoints.len()));
        Ok(PolicyQuestion {
            agent: Agent { scopes: self.scopes(catalogue)?, ..agent(self.agent_revoked)? },
            asked_by: self.asked_by.as_deref().map(str::parse).transpose()?,
            action: action(catalogue, &self.action, self.target.as_deref())?,
            term: if self.permanent { Term::Permanent } else { Term::Seconds(self.seconds) },
            claim: Claim {
                reason: self.reason.clone(),
                alert_id: self.alert_id.clone(),
                confidence: self.confidence,
            },
            target: TargetFacts {
                own_network: self.own_network,
                protected: self.protected,
                of_endpoint: self.of_endpoint,
                privileged: self.privileged,
                keeps_network: self.keeps_network,
            },
            alert: self.alert.facts()?,
            scope,
            fleet_wide: self.fleet_wide,
            when_back: self.when_back,
            endpoints,
            history: AgentHistory {
                ran_last_hour: self.ran_last_hour,
                refused_last_day: self.refused_last_day,
                open_requests: self.open_requests,
                asks_last_minute: self.asks_last_minute,
                rejected_seconds_ago: self.rejected_seconds_ago,
                limit: None,
            },
            lifted_seconds_ago: self.lifted_seconds_ago,
            reach: self.reach.unwrap_or(scope),
            automatic_last_day: self.automatic_last_day,
            already_active: self.already_active,
            would_shorten: self.would_shorten,
            manager_changed: self.manager_changed,
            now: self.now.parse().map_err(|error| format!("`now`: {error}"))?,
            business_hours: self.business_hours,
            tally,
        })
    }
}

impl ProposalForm {
    fn scopes(&self, catalogue: &Catalogue) -> Result<Vec<ActionKind>, String> {
        let Some(scopes) = &self.agent_scopes else { return Ok(catalogue.responses().to_vec()) };
        let known =
            |name: &String| catalogue.get(name).ok_or_else(|| format!("`{name}` is not an action"));
        scopes.iter().map(known).collect()
    }
}

impl EndpointForm {
    fn facts(&self) -> Result<EndpointFacts, String> {
        Ok(EndpointFacts {
            id: endpoint_id(&self.id)?,
            platform: Platform::parse(&self.platform),
            groups: self.groups.clone(),
            criticality: self.criticality,
            unknown_outcome: self.unknown_outcome,
        })
    }
}

pub(super) fn agent(revoked: bool) -> Result<Agent, String> {
    Ok(Agent {
        id: id("agt", 1)?,
        name: "responder".to_owned(),
        owner: id("per", OWNER)?,
        issuer: Some(id("per", ISSUER)?),
        revoked,
        scopes: Catalogue::built_in().responses().to_vec(),
        issued_at: Time::UNIX_EPOCH,
    })
}

/// What is asked for where a case does not say: the first of the catalogue.
pub(super) fn usual_action() -> &'static str {
    Catalogue::built_in().responses().first().map_or("", |kind| kind.name())
}

pub(super) fn action(
    catalogue: &Catalogue,
    kind: &str,
    target: Option<&str>,
) -> Result<Action, String> {
    let known = || names(catalogue.all());
    let kind = catalogue
        .get(kind)
        .ok_or_else(|| format!("`{kind}` is not an action; allowed: {}", known()))?;
    match target {
        Some(target) => Action::parse(kind, target)
            .map_err(|allowed| format!("the target of {kind} is {allowed}")),
        None => Action::example(kind).ok_or_else(|| format!("{kind} needs a target")),
    }
}

pub(super) fn id<T: std::str::FromStr<Err = crate::domain::id::NotAnId>>(
    kind: &str,
    number: u8,
) -> Result<T, String> {
    format!("{kind}_{number:032x}").parse().map_err(|error: T::Err| error.to_string())
}
