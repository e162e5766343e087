//! The facts of what concerns the broker as a whole.

use serde::{Deserialize, Serialize};

use crate::domain::{
    Time, actor::api_token::UsedToken, audit::high_water_mark::ChainHead, clock_jump::ClockJump,
    digest::Digest, kill_switch::Extent,
};

/// The kill switch was thrown, or one of its two keys turned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredSwitch", into = "StoredSwitch")]
pub struct SwitchFacts {
    /// Why.
    pub reason: String,
    /// How much is stopped.
    pub extent: Extent,
}

/// [`SwitchFacts`] as it is stored. In rows of the first version the switch stops everything and says
/// nothing of it.
#[derive(Serialize, Deserialize)]
struct StoredSwitch {
    reason: String,
    extent: Option<String>,
    #[serde(default)]
    name: String,
}

impl From<SwitchFacts> for StoredSwitch {
    fn from(SwitchFacts { reason, extent }: SwitchFacts) -> Self {
        let name = extent.name().to_owned();
        Self { reason, extent: Some(extent.kind().to_owned()), name }
    }
}

impl TryFrom<StoredSwitch> for SwitchFacts {
    type Error = String;

    fn try_from(StoredSwitch { reason, extent, name }: StoredSwitch) -> Result<Self, String> {
        let extent = match extent {
            None => Extent::Everything,
            Some(kind) => Extent::parse(&kind, &name).map_err(|invalid| invalid.to_string())?,
        };
        Ok(Self { reason, extent })
    }
}

/// A policy set became the active one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySetFacts {
    /// The hash of the set that was active before.
    pub before: Option<Digest>,
    /// How many policies the new set has.
    pub policies: u64,
}

/// Policy was asked again about every open request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReevaluationFacts {
    /// How many requests were open.
    pub open: u64,
    /// For how many of them the answer changed: each of those has an event of its own.
    pub changed: u64,
}

/// The broker started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartFacts {
    /// The version of the program.
    pub version: String,
    /// The hash of the configuration file.
    pub configuration_sha256: Digest,
    /// The managers: name and address. Rows of the first version have the address of the only one,
    /// under another name.
    #[serde(default)]
    pub managers: Vec<(String, String)>,
    /// The file of the high-water mark. Rows of the first version have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_water_mark: Option<String>,
    /// Why it sends nothing: what the database may lack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
}

/// The machine's clock jumped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockJumpFacts {
    /// What it should have shown.
    pub from: Time,
    /// What it showed.
    pub to: Time,
    /// By how many seconds; below zero where it went back.
    pub by_seconds: i64,
}

impl From<ClockJump> for ClockJumpFacts {
    fn from(jump: ClockJump) -> Self {
        let ClockJump { from, to } = jump;
        Self { from, to, by_seconds: jump.by_seconds() }
    }
}

/// Two people took a database over that may lack what was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryFacts {
    /// Why.
    pub reason: String,
    /// The name of the second person.
    pub with: String,
    /// What the database may lack.
    pub gap: String,
    /// The entry that the high-water mark named; none where it named none.
    pub mark: Option<ChainHead>,
    /// The last entry before the gap; none where all is in it.
    pub since: Option<ChainHead>,
    /// How many open requests were withdrawn.
    pub withdrawn: u64,
    /// How many calls were found that the database did not know: each has an event of its own.
    pub found: u64,
    /// The managers where nobody looked for calls, or not everywhere.
    pub not_looked: Vec<LookFacts>,
}

/// Where nobody looked for calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookFacts {
    /// The manager.
    pub manager: String,
    /// Why.
    pub why: String,
}

impl From<&(String, String)> for LookFacts {
    fn from((manager, why): &(String, String)) -> Self {
        Self { manager: manager.clone(), why: why.clone() }
    }
}

/// Which installation a manager's name stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagerFacts {
    /// The name in the configuration.
    pub name: String,
    /// What the installation calls itself: text from outside.
    pub identity: String,
    /// The installation that the name stood for before; none where it was not known.
    pub before: Option<String>,
}

/// Somebody read the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReadFacts {
    /// What was asked for.
    pub filter: AuditReadFilter,
    /// How many rows were shown.
    pub rows: u64,
    /// The token for the API with which it was read; none where a person was on the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<UsedToken>,
}

/// What somebody who reads the audit asked for, times aside.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditReadFilter {
    /// The kind of event, or the part before its dot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The name or id of a person or agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// An endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The address, account, person or agent acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// A request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// A policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}
