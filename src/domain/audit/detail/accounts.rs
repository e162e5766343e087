//! The facts of what happens to people, agents and their sessions. Never a password or a token.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::stored_form::full_time;
use crate::domain::{
    Time,
    action::{ActionKind, names},
    actor::{Role, sign_in::SignInOrigin},
    id::{AgentId, PersonId},
};

/// Who, when and on what say everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoFacts {}

/// A person signed in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SignInFacts {
    /// In a session that goes on, for one act that requires a recent password.
    #[serde(default, skip_serializing_if = "is_false")]
    pub password_given_again: bool,
    /// With a passkey, and no password.
    #[serde(default, skip_serializing_if = "is_false")]
    pub passkey: bool,
    /// The issuer at which the person signed in; empty where they signed in here.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub provider: String,
    /// In a session that goes on, for one act: the provider asked again who it is.
    #[serde(default, skip_serializing_if = "is_false")]
    pub confirmed: bool,
    /// What was given beside the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside_password: Option<BesidePassword>,
    /// The address it came from, as text. Rows of the first version have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// What the browser said it is: text from outside. Rows of the first version have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub device: String,
}

impl SignInFacts {
    /// A session begins, with a passkey or the password.
    pub fn of_session(origin: &SignInOrigin, passkey: bool) -> Self {
        let (source, device) = (origin.source.to_string(), origin.device.clone());
        Self { passkey, source, device, ..Self::default() }
    }
}

/// What is given beside the password where that alone does not sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BesidePassword {
    /// A passkey.
    Passkey,
    /// A recovery code.
    RecoveryCode,
}

/// Sign-ins of one source failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedSignInFacts {
    /// The code for the set-up was wrong.
    #[serde(default, skip_serializing_if = "is_false")]
    pub set_up: bool,
    /// The address they came from, as text. Rows of the first version have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// What the browser of the last said it is: text from outside. Rows of the first version have
    /// none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub device: String,
    /// How many there were since the last such entry about this source. Each row of the first
    /// version is one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub tries: u64,
}

/// A person was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPersonFacts {
    /// The role.
    pub role: Role,
    /// The id.
    pub id: PersonId,
    /// The address for notifications.
    pub mail: Option<String>,
    /// Who the person is at an identity provider; none for who is kept here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityFacts>,
    /// The teams; rows of earlier versions have none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub teams: BTreeSet<String>,
}

/// Who somebody is at an identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityFacts {
    /// The provider.
    pub issuer: String,
    /// What it calls the person for ever.
    pub subject: String,
}

/// A person was disabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisabledPersonFacts {
    /// The role; none in rows of the first version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// A person got another role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleFacts {
    /// The new role.
    pub role: Role,
    /// The old role.
    pub before: Role,
    /// How many sessions ended with it.
    pub sessions: u64,
}

/// A person went on call, or off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnCallFacts {
    /// Whether the person is on call now.
    pub on_call: bool,
    /// Whether the person was on call before.
    pub before: bool,
}

/// A person was put into other teams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamsFacts {
    /// The teams now.
    pub teams: BTreeSet<String>,
    /// The teams before.
    pub before: BTreeSet<String>,
}

/// A person's address for notifications changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailFacts {
    /// The new address.
    pub mail: Option<String>,
    /// The old address.
    pub before: Option<String>,
}

/// A person said when notifications that can wait are not mailed to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHoursFacts {
    /// From when until when, as `22:00 to 06:30`.
    pub hours: Option<String>,
    /// The same before.
    pub before: Option<String>,
}

/// A person's sessions were ended by an admin, by themself, or by what the identity provider says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionsFacts {
    /// How many there were.
    pub sessions: u64,
}

/// An agent was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAgentFacts {
    /// The name of the person who owns it.
    pub owner: String,
    /// The id.
    pub id: AgentId,
    /// What it may request; empty in rows of the first version.
    #[serde(default)]
    pub scopes: Scopes,
}

/// The actions that an agent may request were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopesFacts {
    /// What it may request now.
    pub scopes: Scopes,
    /// What it could request before.
    pub before: Scopes,
}

/// Refusals of an agent no longer count against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiftedFacts {
    /// How many there were.
    pub refusals: u64,
}

/// An agent got a new token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenFacts {
    /// The person who issued the new token; none where the command line did.
    pub issuer: Option<PersonId>,
    /// The old token.
    pub before: OldTokenFacts,
}

/// A token that is no longer valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldTokenFacts {
    /// The person who issued it; none where the command line did.
    pub issuer: Option<PersonId>,
    /// When.
    #[serde(with = "full_time")]
    pub issued_at: Time,
}

/// The actions that an agent may request: "`block_ip`, `disable_account`".
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scopes(pub Vec<ActionKind>);

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&names(&self.0))
    }
}

impl From<Scopes> for String {
    fn from(scopes: Scopes) -> Self {
        scopes.to_string()
    }
}

impl TryFrom<String> for Scopes {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let named = text.split(", ").filter(|name| !name.is_empty());
        named.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a field so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

const fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a field so")]
const fn is_one(number: &u64) -> bool {
    *number == 1
}
