//! Where people sign in that are not kept here: an identity provider, by OpenID Connect.

use std::{collections::BTreeSet, path::PathBuf};

use serde::Deserialize;

use super::{ConfigError, check::range};
use crate::domain::actor::{NAME_GRAMMAR, Role, TEAMS_MAX, valid_name};

/// An identity provider, and what its groups mean here.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcConfig {
    /// What people call it: it stands on the button.
    pub name: String,
    /// Its issuer, letter by letter as its tokens say it: `https://…`; `http://` for loopback only.
    pub issuer: String,
    /// What it knows Countersign by.
    pub client_id: String,
    /// The file that holds the client secret, 0600; none for a public client.
    pub client_secret_file: Option<PathBuf>,
    /// PEM file of the authorities that may have signed its certificate.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 of its certificate: instead of `ca_file`.
    pub pin_sha256: Option<String>,
    /// What is asked for beside `openid`.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim that holds the name.
    #[serde(default = "name_claim")]
    pub name_claim: String,
    /// The claim that holds the name that people are called by.
    #[serde(default = "display_name_claim")]
    pub display_name_claim: String,
    /// The claim that holds groups or roles; a dot leads into an object.
    #[serde(default = "role_claim")]
    pub role_claim: String,
    /// Which of them is which role. The first that somebody has counts.
    pub roles: Vec<RoleOfGroup>,
    /// Which of them is which team. Somebody is in the team of each group that they have; without any
    /// here admins say who is in which.
    #[serde(default)]
    pub teams: Vec<TeamOfGroup>,
    /// How often the provider is asked again, in minutes.
    #[serde(default = "reread_minutes")]
    pub reread_minutes: u32,
    /// Who signs in with a password or passkey of this server, by name; everybody who is kept here
    /// where it is not set.
    pub local_people: Option<BTreeSet<String>>,
}

/// What a group of the provider means here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleOfGroup {
    /// The group or role, as the provider writes it.
    pub group: String,
    /// The role here.
    pub role: String,
}

/// Which team a group of the provider is here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamOfGroup {
    /// The group or role, as the provider writes it.
    pub group: String,
    /// The team here.
    pub team: String,
}

fn scopes() -> Vec<String> {
    vec!["profile".to_owned()]
}

fn name_claim() -> String {
    "preferred_username".to_owned()
}

fn display_name_claim() -> String {
    "name".to_owned()
}

fn role_claim() -> String {
    "groups".to_owned()
}

const fn reread_minutes() -> u32 {
    15
}

impl OidcConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, value) in [
            ("name", &self.name),
            ("client_id", &self.client_id),
            ("name_claim", &self.name_claim),
            ("role_claim", &self.role_claim),
        ] {
            if value.trim().is_empty() {
                return Err(ConfigError::value(&format!("oidc.{key}"), value, "a text"));
            }
        }
        if self.name.chars().count() > 40 || self.name.chars().any(char::is_control) {
            let allowed = "at most 40 characters, in one line";
            return Err(ConfigError::value("oidc.name", &self.name, allowed));
        }
        if let (Some(_), Some(pin)) = (&self.ca_file, &self.pin_sha256) {
            let allowed = "either ca_file or pin_sha256, not both";
            return Err(ConfigError::value("oidc.pin_sha256", pin, allowed));
        }
        if self.roles.is_empty() {
            let allowed = "at least one group and its role: without one nobody gets in";
            return Err(ConfigError::value("oidc.roles", &"[]", allowed));
        }
        for (at, RoleOfGroup { group, role }) in self.roles.iter().enumerate() {
            if group.is_empty() || group.trim() != group {
                let allowed = "a group's name, without blanks around it";
                return Err(ConfigError::value("oidc.roles.group", group, allowed));
            }
            if self.roles.iter().take(at).any(|earlier| earlier.group == *group) {
                let allowed = "each group once: the first that somebody has counts";
                return Err(ConfigError::value("oidc.roles.group", group, allowed));
            }
            if role.parse::<Role>().is_err() {
                let allowed = Role::ALL.map(Role::name).join(", ");
                return Err(ConfigError::value("oidc.roles.role", role, allowed));
            }
        }
        self.check_teams()?;
        let wrong = |name: &&String| !valid_name(name);
        if let Some(name) = self.local_people.iter().flatten().find(wrong) {
            let allowed = "names of people who are kept here";
            return Err(ConfigError::value("oidc.local_people", name, allowed));
        }
        range("oidc.reread_minutes", self.reread_minutes, 1, 720)
    }

    fn check_teams(&self) -> Result<(), ConfigError> {
        for (at, TeamOfGroup { group, team }) in self.teams.iter().enumerate() {
            if group.is_empty() || group.trim() != group {
                let allowed = "a group's name, without blanks around it";
                return Err(ConfigError::value("oidc.teams.group", group, allowed));
            }
            if !valid_name(team) {
                return Err(ConfigError::value("oidc.teams.team", team, NAME_GRAMMAR));
            }
            if self.teams.iter().take(at).any(|one| one.group == *group && one.team == *team) {
                let allowed = "each group and its team once";
                return Err(ConfigError::value("oidc.teams.group", group, allowed));
            }
        }
        if self.teams.len() > TEAMS_MAX {
            let number = self.teams.len();
            let allowed = format!("at most {TEAMS_MAX} of them");
            return Err(ConfigError::value("oidc.teams", &number, allowed));
        }
        Ok(())
    }

    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [&mut self.client_secret_file, &mut self.ca_file].into_iter().flatten()
    }
}
