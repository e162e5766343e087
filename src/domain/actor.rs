//! Who does things: people, agents, the system itself.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};
use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray};

use api_token::UsedToken;

use super::{
    Time,
    action::ActionKind,
    all_variants,
    id::{AgentId, ApiTokenId, PersonId},
};

pub mod api_token;
pub mod quiet_hours;
pub mod sign_in;

/// How many teams a person can be in.
pub const TEAMS_MAX: usize = 16;
/// The shortest password, in characters.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// The longest password, in characters: hashing longer ones costs more than it gives.
pub const PASSWORD_CHARS_MAX: usize = 128;

/// Whether a password has a length that is allowed.
pub fn password_length_allowed(password: &str) -> bool {
    (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&password.chars().count())
}

/// What a person may be. Voting roles are ordered; auditor and admin never vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[derive(EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase", const_into_str)]
#[strum(parse_err_ty = String, parse_err_fn = not_a_role)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The first voting role.
    Analyst,
    /// Votes, and counts as an analyst too.
    Senior,
    /// Votes, and counts as a senior and an analyst too.
    Lead,
    /// Reads everything, changes nothing.
    Auditor,
    /// Keeps people, agents and policy.
    Admin,
}

impl Role {
    /// All roles, weakest vote first.
    pub const ALL: [Self; Self::COUNT] = all_variants(Self::VARIANTS);

    /// The word used everywhere: command line, page, Cedar, store.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// How high this role counts in a vote: none for those who never vote.
    pub const fn vote_rank(self) -> Option<u8> {
        match self {
            Self::Analyst => Some(1),
            Self::Senior => Some(2),
            Self::Lead => Some(3),
            Self::Auditor | Self::Admin => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

fn not_a_role(text: &str) -> String {
    format!("`{text}` is not a role; allowed: {}", Role::ALL.map(Role::name).join(", "))
}

/// A person who signs in on the page.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact that an admin or a provider sets"
)]
pub struct Person {
    /// Stays when the person is disabled.
    pub id: PersonId,
    /// The name used to sign in: 1 to 32 of `a-z 0-9 . _ -`.
    pub name: String,
    /// What the person may be.
    pub role: Role,
    /// Set by an admin's reset: the person may do nothing but change the password.
    pub must_change_password: bool,
    /// May not sign in, does not count, for ever.
    pub disabled: bool,
    /// As disabled, until the identity provider names a role for the person again.
    pub suspended: bool,
    /// On duty now: a lead on call may use break glass.
    pub on_call: bool,
    /// The address that notifications are mailed to; without one none are.
    pub mail: Option<String>,
    /// The teams, at most [`TEAMS_MAX`]: policy says what each of them sees. Who is in none is
    /// restricted by none.
    pub teams: BTreeSet<String>,
}

impl Person {
    /// Somebody new, who may do what the role may.
    pub const fn new(id: PersonId, name: String, role: Role) -> Self {
        Self {
            id,
            name,
            role,
            must_change_password: false,
            disabled: false,
            suspended: false,
            on_call: false,
            mail: None,
            teams: BTreeSet::new(),
        }
    }

    /// Whether the person may sign in, and counts.
    pub const fn is_active(&self) -> bool {
        !self.disabled && !self.suspended
    }

    /// How the account stands, in words.
    pub const fn state(&self) -> &'static str {
        if self.disabled {
            "disabled"
        } else if self.suspended {
            "suspended: in no group that may sign in"
        } else if self.must_change_password {
            "must change the password"
        } else {
            "active"
        }
    }
}

/// An LLM client that calls over MCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Stays when the token is replaced.
    pub id: AgentId,
    /// The name that people see: 1 to 32 of `a-z 0-9 . _ -`.
    pub name: String,
    /// The person who answers for it; never counts as an approver of its requests.
    pub owner: PersonId,
    /// The person who made its token, where one did (the command line may have); never counts.
    pub issuer: Option<PersonId>,
    /// Its token is no longer accepted: it was revoked, or its owner is disabled.
    pub revoked: bool,
    /// The responses that it may ask for, and to be taken back.
    pub scopes: Vec<ActionKind>,
    /// When its present token was issued.
    pub issued_at: Time,
}

/// What a name for a person, an agent or a team is made of, in words.
pub const NAME_GRAMMAR: &str =
    "1 to 32 of a-z, 0-9, `.`, `_`, `-`, starting with a letter or digit";

/// Whether text is a name for a person, an agent or a team.
pub fn valid_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

/// Who caused an audit event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[derive(IntoStaticStr)]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum Actor {
    /// An LLM client.
    Agent {
        /// The agent whose token was used.
        id: AgentId,
        /// Its name then.
        name: String,
    },
    /// A signed-in person.
    Person {
        /// The person whose session was used.
        id: PersonId,
        /// The name then.
        name: String,
    },
    /// A program that somebody answers for, by a token for the API.
    Service {
        /// The token that was used.
        id: ApiTokenId,
        /// The service's name.
        name: String,
    },
    /// A caller without an identity, such as a failed sign-in.
    Unknown {
        /// The name as typed, cut to 64 characters.
        claimed: String,
    },
    /// The command line: anyone who may read the data folder.
    #[strum(serialize = "command line")]
    CommandLine,
    /// The broker: time passed, the worker acted, it started.
    System,
}

impl Actor {
    /// `agent`, `person`, `service`, `unknown`, `command line`, `system`.
    pub const fn kind(&self) -> &'static str {
        self.into_str()
    }

    /// Who acts with a token for the API, or without one: a service acts in its own name.
    pub fn with_token(person: &Person, token: Option<&UsedToken>) -> Self {
        match token {
            Some(UsedToken { id, name, owner: Some(_) }) => {
                Self::Service { id: *id, name: name.clone() }
            }
            Some(UsedToken { owner: None, .. }) | None => Self::from(person),
        }
    }

    /// The name, where there is one; else the kind.
    pub fn name(&self) -> &str {
        match self {
            Self::Agent { name, .. } | Self::Person { name, .. } | Self::Service { name, .. } => {
                name
            }
            Self::Unknown { claimed } => claimed,
            Self::CommandLine => "command line",
            Self::System => "countersign",
        }
    }

    /// The id, where there is one.
    pub fn id(&self) -> Option<String> {
        match self {
            Self::Agent { id, .. } => Some(id.to_string()),
            Self::Person { id, .. } => Some(id.to_string()),
            Self::Service { id, .. } => Some(id.to_string()),
            Self::Unknown { .. } | Self::CommandLine | Self::System => None,
        }
    }
}

impl From<&Person> for Actor {
    fn from(person: &Person) -> Self {
        Self::Person { id: person.id, name: person.name.clone() }
    }
}

impl From<&Agent> for Actor {
    fn from(agent: &Agent) -> Self {
        Self::Agent { id: agent.id, name: agent.name.clone() }
    }
}
