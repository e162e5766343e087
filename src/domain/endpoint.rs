//! Endpoints: the machines a response acts on, and why one is left out.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
    fmt,
};

use serde::{Deserialize, Serialize};
use strum::{EnumCount, EnumDiscriminants, EnumString, IntoStaticStr, VariantArray};

use super::{Time, action::Term, all_variants};

/// The id of an endpoint: three or more digits, as its manager counts. 999 comes before 1000.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EndpointId(String);

impl TryFrom<String> for EndpointId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or(Self::GRAMMAR)
    }
}

impl From<EndpointId> for String {
    fn from(id: EndpointId) -> Self {
        id.0
    }
}

impl Ord for EndpointId {
    /// The order in which endpoints are stored, and with it the digest's.
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for EndpointId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl EndpointId {
    /// What an id must look like.
    pub const GRAMMAR: &'static str = "three to ten digits, such as 001";

    /// Reads an id.
    pub fn parse(text: &str) -> Option<Self> {
        let sound = (3..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        sound.then(|| Self(text.to_owned()))
    }

    /// The digits, with leading zeros as the manager writes them.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which endpoints an agent asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// These, in this order, without repetition.
    Ids(Vec<EndpointId>),
    /// All that the manager has at the moment of asking.
    All,
}

/// The kinds of system that responses differ by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[derive(EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum Platform {
    /// Any Linux distribution.
    Linux,
    /// Any version of macOS.
    MacOs,
    /// Any version of Windows.
    Windows,
    /// Anything else, or not known.
    Other,
}

impl Platform {
    /// All platforms.
    pub const ALL: [Self; Self::COUNT] = all_variants(Self::VARIANTS);

    /// The word used in configuration, policy, store and page.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// The word in sentences for people and models.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Other => "unknown",
            Self::Linux | Self::MacOs | Self::Windows => self.name(),
        }
    }

    /// The platform of that name; anything else is [`Platform::Other`].
    pub fn parse(name: &str) -> Self {
        name.parse().unwrap_or(Self::Other)
    }
}

/// An endpoint as its manager describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id: unique at its manager only.
    pub id: EndpointId,
    /// Its name, as it registered: text from outside.
    pub name: String,
    /// When it was added to the manager, as the manager writes it. With id and name it is the
    /// identity: another date means another machine under an old id.
    pub date_added: String,
    /// What responses it can run.
    pub platform: Platform,
    /// Its groups, as the manager names them.
    pub groups: Vec<String>,
    /// Its address, where the manager knows one.
    pub address: Option<String>,
}

impl Endpoint {
    /// Whether two descriptions speak of the same machine.
    pub fn same_machine(&self, other: &Self) -> bool {
        self.machine() == other.machine()
    }

    /// What tells the machine from others, whatever its manager is called: its id, its name and
    /// when it was added.
    pub fn machine(&self) -> [String; 3] {
        [self.id.to_string(), self.name.clone(), self.date_added.clone()]
    }
}

/// Why an endpoint takes no part, known before the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
#[derive(IntoStaticStr, EnumDiscriminants)]
#[strum(serialize_all = "snake_case", const_into_str)]
#[strum_discriminants(name(SkipCode), vis(), derive(EnumString))]
#[strum_discriminants(strum(serialize_all = "snake_case"))]
pub enum SkipReason {
    /// It is not connected: the manager's word for its state.
    NotActive(String),
    /// What its manager says of it cannot be read: which field, and what is wrong with it.
    Unreadable(String),
    /// Its agent is too old to understand a response: its version.
    TooOld(String),
    /// Responses are switched off on it.
    SwitchedOff(String),
    /// There is no command for this action, platform and term: why, in words.
    NoCommand(String),
    /// The manager has no command of the name that is needed: what to configure.
    NotConfigured(String),
    /// Policy keeps it out of a fleet-wide request: the policy's reasons.
    Policy(String),
}

impl SkipReason {
    /// How [`SkipReason::NotActive`] begins in words, and what a connector writes before the words of a
    /// manager that refused because an endpoint was not connected.
    pub const NOT_ACTIVE: &str = "not active";

    /// A short stable word, for the store and for programs.
    pub const fn code(&self) -> &'static str {
        self.into_str()
    }

    /// The part that [`SkipReason::code`] does not say.
    pub fn detail(&self) -> &str {
        match self {
            Self::NotActive(detail)
            | Self::Unreadable(detail)
            | Self::TooOld(detail)
            | Self::SwitchedOff(detail)
            | Self::NoCommand(detail)
            | Self::NotConfigured(detail)
            | Self::Policy(detail) => detail,
        }
    }

    /// Puts a stored reason together again.
    pub fn from_parts(code: &str, detail: String) -> Option<Self> {
        Some(match code.parse().ok()? {
            SkipCode::NotActive => Self::NotActive(detail),
            SkipCode::Unreadable => Self::Unreadable(detail),
            SkipCode::TooOld => Self::TooOld(detail),
            SkipCode::SwitchedOff => Self::SwitchedOff(detail),
            SkipCode::NoCommand => Self::NoCommand(detail),
            SkipCode::NotConfigured => Self::NotConfigured(detail),
            SkipCode::Policy => Self::Policy(detail),
        })
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotActive(status) => write!(f, "{} ({status})", Self::NOT_ACTIVE),
            Self::TooOld(version) => write!(f, "agent {version} is too old for responses"),
            Self::Unreadable(why)
            | Self::SwitchedOff(why)
            | Self::NoCommand(why)
            | Self::NotConfigured(why) => f.write_str(why),
            Self::Policy(why) => write!(f, "kept out by policy: {why}"),
        }
    }
}

/// An endpoint that was asked for, with the command it would be sent or the reason it cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The endpoint as its manager describes it now.
    pub endpoint: Endpoint,
    /// The manager's command name, or why there is none.
    pub command: Result<String, SkipReason>,
    /// It counts as connected but has not been heard of for a while. A call that names it may
    /// take long and end without an answer, so it gets one of its own.
    pub silent: bool,
    /// What it would be sent once it is connected again; none where it is connected, was never
    /// connected, or nobody can say.
    pub when_back: Option<String>,
}

/// What the manager knows of the endpoints asked for, and when it said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// Each endpoint that exists, in the order of ids.
    pub candidates: Vec<Candidate>,
    /// Ids that were asked for and do not exist.
    pub unknown: Vec<EndpointId>,
    /// The terms for which some endpoint has a command, the shortest first; only where no endpoint
    /// has one for the term asked for.
    pub other_terms: Vec<OtherTerm>,
    /// When this was read.
    pub read_at: Time,
}

impl Inventory {
    /// The endpoints that exist.
    pub fn by_id(&self) -> HashMap<&EndpointId, &Candidate> {
        self.candidates.iter().map(|candidate| (&candidate.endpoint.id, candidate)).collect()
    }
}

/// A term that was not asked for and would be possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherTerm {
    /// How long the response would last.
    pub term: Term,
    /// The endpoints that would run it, each with its command.
    pub commands: BTreeMap<EndpointId, String>,
}
