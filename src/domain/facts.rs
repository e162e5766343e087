//! The facts that policy decides on. All but [`super::proposal::Claim`] is computed by the broker; a fact that
//! is not known has its strictest value.

pub mod history;
pub mod protected;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray};

use super::{
    Time,
    action::{Action, Term},
    actor::{Agent, Person, Role},
    all_variants,
    decision::{Tally, Tier},
    endpoint::{EndpointId, Platform},
    id::{PersonId, RequestId},
    proposal::Claim,
    site::Site,
};
use history::AgentHistory;

/// The question whether a request may run: asked at the proposal, after every vote, at the claim.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own in the schema")]
pub struct PolicyQuestion {
    /// The agent that asks, as it is now.
    pub agent: Agent,
    /// The role of the person who asked, where it was not the agent.
    pub asked_by: Option<Role>,
    /// The response and what it acts on.
    pub action: Action,
    /// For how long. Of an undo: how long what it takes back lasts.
    pub term: Term,
    /// What the agent says.
    pub claim: Claim,
    /// What the broker knows of the thing acted on.
    pub target: TargetFacts,
    /// The alert that the agent named, as the broker found it.
    pub alert: AlertFacts,
    /// How many endpoints were asked for, skipped ones included.
    pub scope: u64,
    /// Whether the agent asked for all endpoints. Then a denied endpoint is kept out; a named one
    /// denies the request.
    pub fleet_wide: bool,
    /// Whether endpoints that are away get it once they are back.
    pub when_back: bool,
    /// Where it would run.
    pub endpoints: Vec<EndpointFacts>,
    /// What this agent did before it asked.
    pub history: AgentHistory,
    /// How long ago people put an end to the same action on the same target, whoever had asked and
    /// on whatever endpoint: lifted it, took it back or rejected it, in seconds by now; none where
    /// nobody did, and of an undo.
    pub lifted_seconds_ago: Option<u64>,
    /// On how many endpoints the target is, or was within the last hour, or would be active, over
    /// all requests and agents. At least [`PolicyQuestion::scope`].
    pub reach: u64,
    /// How many other requests of all agents were sent without people in the last 24 hours.
    pub automatic_last_day: u64,
    /// The same is active on one of the endpoints already, or may be.
    pub already_active: bool,
    /// It would end something on an endpoint earlier than was decided, or would itself end early,
    /// because an endpoint keeps one rule and one timer for a target.
    pub would_shorten: bool,
    /// A manager is gone or stands for another installation, while something that was sent under
    /// its name may be active or is unknown.
    pub manager_changed: bool,
    /// The time of the decision, by the broker's clock.
    pub now: Time,
    /// Whether now is within business hours.
    pub business_hours: bool,
    /// Who approved so far.
    pub tally: Tally,
}

/// What the broker knows of the address or account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own in the schema")]
pub struct TargetFacts {
    /// The address lies in one of the networks that the configuration calls own.
    pub own_network: bool,
    /// The address belongs to the manager, the indexer or this broker, or the configuration
    /// protects it; the account does not belong to a person but to a service; or anything else that
    /// the configuration protects.
    pub protected: bool,
    /// The address is, or was lately, that of an endpoint of a manager.
    pub of_endpoint: bool,
    /// The account has special rights.
    pub privileged: bool,
    /// One of the endpoints is never cut off from the network.
    pub keeps_network: bool,
}

/// An alert as the broker itself found it in the indexer.
///
/// The store keeps it as JSON: another name or order of the fields is another text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AlertFacts {
    /// The broker found it. False too when no indexer is configured or it did not answer.
    pub found: bool,
    /// It names the very address or account that the request acts on.
    pub names_target: bool,
    /// The level of its rule, 0 to 16; 0 when unknown.
    pub level: u8,
    /// Its age in seconds; the longest possible when unknown.
    // With a function, serde does not take a missing field for `null`.
    #[serde(deserialize_with = "Option::deserialize")]
    pub age_seconds: Option<u64>,
    /// What to tell a person: the rule's description, or why the alert was not found.
    pub summary: String,
    /// What a person sees of it; none where it was not found, or was stored by a version that did
    /// not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Box<AlertShown>>,
    /// Whether the indexer kept up when it was asked.
    #[serde(default, skip_serializing_if = "IndexerState::is_unknown")]
    pub indexer: IndexerState,
    /// The field that names the target holds what a stock decoder took from the peer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_peer: bool,
    /// The endpoint that it was made about; none where it is not known for sure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Box<AlertEndpoint>>,
}

/// The endpoint that an alert was made about.
///
/// The store keeps it as JSON: another name or order of the fields is another text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertEndpoint {
    /// Its id at the manager of the request.
    pub id: EndpointId,
    /// Its name. Managers that share an indexer have the same ids.
    pub name: String,
    /// Its groups, as the manager said when the request was asked.
    pub groups: Vec<String>,
}

/// The group that every endpoint is in until it gets another. It says nothing of an endpoint.
const DEFAULT_GROUP: &str = "default";

impl AlertFacts {
    /// Whether each of these endpoints is the one that it was made about.
    pub fn is_on(&self, endpoints: &[EndpointFacts]) -> bool {
        let Some(own) = &self.endpoint else { return false };
        !endpoints.is_empty() && endpoints.iter().all(|one| one.id == own.id)
    }

    /// Whether each of these endpoints is the one that it was made about, or in a group with it.
    pub fn is_in_group_of(&self, endpoints: &[EndpointFacts]) -> bool {
        let Some(own) = &self.endpoint else { return false };
        let shared = |group: &String| group != DEFAULT_GROUP && own.groups.contains(group);
        let near = |one: &EndpointFacts| one.id == own.id || one.groups.iter().any(shared);
        !endpoints.is_empty() && endpoints.iter().all(near)
    }

    /// The groups of its rule.
    pub fn rule_groups(&self) -> &[String] {
        self.shown.as_ref().map_or(&[], |shown| shown.groups.as_slice())
    }

    /// The field that names the target; empty where none does.
    pub fn field(&self) -> &str {
        let named = self.shown.as_ref().and_then(|shown| shown.named_in.as_ref());
        named.filter(|_| self.names_target).map_or("", |named| &named.field)
    }
}

/// What a person sees of an alert. All of it is text from outside.
///
/// The store keeps it as JSON: another name or order of the fields is another text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AlertShown {
    /// The field that names the target; none where none of those that were looked at does.
    pub named_in: Option<NamedIn>,
    /// The start of the line in the log that led to it; none where it holds none.
    pub log: Option<String>,
    /// Whether that line goes on.
    pub log_cut: bool,
    /// The number of its rule; none where it does not say.
    pub rule: Option<String>,
    /// The groups of its rule.
    pub groups: Vec<String>,
    /// The techniques of MITRE ATT&CK that its rule names, such as `T1110`.
    pub mitre: Vec<String>,
    /// When it was made, as it says; none where it does not say.
    #[serde(with = "chrono::serde::ts_microseconds_option")]
    pub at: Option<Time>,
    /// Wazuh's id of it; empty where it has none.
    pub id: String,
    /// The index that holds it.
    pub index: String,
    /// Its id in that index.
    pub document: String,
}

/// A field of an alert that names the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedIn {
    /// The field, dotted.
    pub field: String,
    /// What it holds.
    pub value: String,
    /// What stands in the log line, where the name goes on there: the field holds a part of
    /// another name, and does not count.
    pub goes_on: Option<String>,
}

/// Whether the indexer can say what the endpoints do at the moment.
///
/// The store keeps it as JSON: another name or order of the fields is another text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexerState {
    /// There is none, or it was not asked.
    #[default]
    Unknown,
    /// Its newest document is recent.
    Current,
    /// It is behind, answers only in part, or does not answer: why.
    Behind(String),
}

impl IndexerState {
    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }

    /// Why it cannot say what the endpoints do; none where it can, or nothing is known.
    pub fn behind(&self) -> Option<&str> {
        match self {
            Self::Unknown | Self::Current => None,
            Self::Behind(why) => Some(why),
        }
    }
}

/// What policy may know of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EndpointFacts {
    /// Its id at the manager of the request.
    pub id: EndpointId,
    /// As the manager described it when the request was asked.
    pub platform: Platform,
    /// The manager's groups that it is in.
    pub groups: Vec<String>,
    /// How critical it is, 1 to 5; 5 when not known.
    pub criticality: u8,
    /// The same action with the same target has an unknown outcome there.
    pub unknown_outcome: bool,
}

/// What a person or an agent does with a request, or with the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[derive(EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Vote for it.
    Approve,
    /// End it without sending anything.
    Reject,
    /// Withdraw an own vote.
    Retract,
    /// End it, as the one who asked.
    Cancel,
    /// Ask for the request that undoes it.
    Undo,
    /// Say what happened where the outcome is unknown.
    Resolve,
    /// Say something about it without voting.
    Comment,
    /// Let it run without the approvals that are missing.
    BreakGlass,
    /// Review a break glass afterwards.
    Review,
    /// See it.
    View,
    /// Read the audit.
    ViewAudit,
    /// Make another policy set the active one.
    ActivatePolicy,
    /// Throw the kill switch.
    Freeze,
    /// Release the kill switch.
    Unfreeze,
    /// Add and disable people, set their roles and passwords.
    ManagePeople,
    /// Add agents, issue and revoke their tokens.
    ManageAgents,
}

impl Verb {
    /// All verbs.
    pub const ALL: [Self; Self::COUNT] = all_variants(Self::VARIANTS);

    /// Cedar's action of that verb.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// The verb of that name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

/// How a person proved who they are, for one act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authentication {
    /// How long ago the password was given to sign in, in seconds; 0 where a proof came with the act.
    pub age_seconds: u64,
    /// How long ago the last proof was given in this session, for any act, in seconds.
    pub proof_age_seconds: u64,
    /// What came with the act itself.
    pub proof: ActProof,
}

impl Authentication {
    /// The best there is.
    pub const BEST: Self = Self { age_seconds: 0, proof_age_seconds: 0, proof: ActProof::Passkey };
    /// None, ever: of an agent, a token, and what is asked whoever signed in how.
    pub const NONE: Self =
        Self { age_seconds: u64::MAX, proof_age_seconds: u64::MAX, proof: ActProof::None };
}

/// What came with an act to prove who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum ActProof {
    /// Nothing: the session alone.
    None,
    /// The password.
    Password,
    /// The identity provider asked again who it is, for this very form.
    Provider,
    /// A passkey's signature of this very act.
    Passkey,
}

impl ActProof {
    /// What policy is told.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// Who acts.
#[derive(Debug, Clone)]
pub enum Principal {
    /// A person, and how they proved who they are.
    Person(Person, Authentication),
    /// An agent, by its token.
    Agent(Agent),
}

/// What is acted on.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "made for one question and gone after it")]
pub enum Resource {
    /// A stored request.
    Request(RequestFacts),
    /// The system as a whole.
    System,
}

/// What policy may know of a stored request.
#[derive(Debug, Clone)]
pub struct RequestFacts {
    /// Its id.
    pub id: RequestId,
    /// The agent that asked, as it is now.
    pub agent: Agent,
    /// Who owned the agent when it asked; [`Agent::owner`] is the owner now.
    pub owner_then: PersonId,
    /// Who issued the agent's token, as known when it asked.
    pub issuer_then: Option<PersonId>,
    /// The person who asked, where it was not the agent.
    pub asker: Option<PersonId>,
    /// The response and what it acts on.
    pub action: Action,
    /// The highest criticality among its endpoints; 5 when it has none.
    pub criticality: u8,
    /// How much it still asks of people: low where nobody is asked any more.
    pub tier: Tier,
    /// Where its endpoints are. Empty where whoever read it was shown nothing but what they may see.
    pub sites: BTreeSet<Site>,
}
