//! What the broker is told about its surroundings.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ipnet::IpNet;

use crate::domain::{
    actor::{Person, Role},
    decision::Tier,
    facts::protected::ProtectedTargets,
    public_url::PublicUrl,
};

/// What the broker may be told about its surroundings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address that people type.
    pub public_url: PublicUrl,
    /// How long people may take to decide.
    pub decide_within: Duration,
    /// How long an approval may wait for the worker.
    pub use_approval_within: Duration,
    /// How long after it was asked a response waits for endpoints that are away.
    pub wait_within: Duration,
    /// How long before a deadline people are reminded of it.
    pub remind_before: Duration,
    /// Who is told next where nobody decides.
    pub escalate: BTreeMap<Tier, Escalation>,
    /// How much hangs on the endpoints of a group, 1 to 5.
    pub criticality: BTreeMap<String, u8>,
    /// Networks that responses may not touch.
    pub own_networks: Vec<IpNet>,
    /// Hosts that responses may not touch, each a name or an address; [`Self::public_url`] is one
    /// anyway.
    pub protected_hosts: Vec<String>,
    /// Accounts that responses may not touch; a name may end in `*`.
    pub protected_accounts: Vec<String>,
    /// What responses may not touch beside addresses and accounts.
    pub protected_targets: ProtectedTargets,
    /// Accounts with rights that others have not; a name may end in `*`.
    pub privileged_accounts: Vec<String>,
    /// When the office is staffed.
    pub business_hours: BusinessHours,
    /// How much an agent may ask for.
    pub agents: AgentLimits,
    /// Who signs in where.
    pub sign_in: SignInSettings,
}

/// Who signs in where, and what the groups of the identity provider mean.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignInSettings {
    /// The group at the provider, and the role. The first that somebody has counts.
    pub roles: Vec<(String, Role)>,
    /// The group at the provider, and the team. Somebody is in the team of each of their groups.
    pub teams: Vec<(String, String)>,
    /// How often the provider is asked again.
    pub reread_after: Duration,
    /// Who signs in with a password or passkey of this server; everybody kept here where it is none.
    pub local_people: Option<BTreeSet<String>>,
}

impl SignInSettings {
    /// The role of somebody with these groups. Where groups give teams, whoever has none of them has
    /// none: in no team, they would see everything.
    pub fn role_of(&self, groups: &[String]) -> Option<Role> {
        if self.teams_of(groups).is_some_and(|teams| teams.is_empty()) {
            return None;
        }
        self.roles.iter().find(|(group, _)| groups.contains(group)).map(|(_, role)| *role)
    }

    /// Whether the groups of the provider say who is in which team.
    pub fn gives_teams(&self) -> bool {
        !self.teams.is_empty()
    }

    /// The teams of somebody with these groups, where the groups say it.
    pub fn teams_of(&self, groups: &[String]) -> Option<BTreeSet<String>> {
        let theirs = self.teams.iter().filter(|(group, _)| groups.contains(group));
        self.gives_teams().then(|| theirs.map(|(_, team)| team.clone()).collect())
    }

    /// Whether somebody kept here signs in with a password or passkey of this server.
    pub fn is_local(&self, name: &str) -> bool {
        self.local_people.as_ref().is_none_or(|people| people.contains(name))
    }
}

/// Who is told next of a request that nobody decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// How long after it began to wait.
    pub after: Duration,
    /// The roles of those who are told.
    pub roles: Vec<Role>,
    /// Whether everybody who is on call is told, too.
    pub on_call: bool,
}

impl Escalation {
    /// Whether that person is told.
    pub fn tells(&self, person: &Person) -> bool {
        self.roles.contains(&person.role) || (self.on_call && person.on_call)
    }
}

/// When the office is staffed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessHours {
    /// Days of the week, 1 is Monday.
    pub days: Vec<u8>,
    /// From this hour on, until that hour.
    pub hours: std::ops::Range<u8>,
    /// Minutes that local time is ahead of UTC.
    pub utc_offset_minutes: i16,
}

/// How much an agent may ask for. Repeating an open ask counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentLimits {
    /// Requests of one agent that wait for people, for the worker or for an answer.
    pub open_requests_max: u64,
    /// Asks of one agent within a minute, refused ones included.
    pub asks_per_minute_max: u64,
    /// Asks of one agent that are looked into at the same time.
    pub at_once_max: u32,
}

impl Default for AgentLimits {
    fn default() -> Self {
        Self { open_requests_max: 20, asks_per_minute_max: 30, at_once_max: 4 }
    }
}
