//! The kill switch: thrown by one person, released by two.

use std::fmt;

use chrono::TimeDelta;
use strum::{EnumDiscriminants, EnumString, IntoStaticStr, VariantNames};

use super::{
    Time,
    action::{ActionKind, Catalogue, names},
    actor::{Actor, valid_name},
    clock_jump::ClockJump,
    id::PersonId,
    proposal::{InvalidField, MANAGER_GRAMMAR, is_manager_name},
    request::Request,
};

/// How long the first key counts, in minutes; then both are needed again.
pub const RELEASE_MINUTES: i64 = 60;

/// How much is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[derive(EnumDiscriminants, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "lowercase", const_into_str)]
#[strum_discriminants(name(ExtentKind), vis(), derive(EnumString))]
#[strum_discriminants(strum(serialize_all = "lowercase"))]
pub enum Extent {
    /// Every request at every manager.
    Everything,
    /// What goes to this manager.
    Manager(String),
    /// This action; what takes it back is another one.
    Action(ActionKind),
    /// What this agent asked for. Of an undo that a person asked for: nothing.
    Agent(String),
}

impl Extent {
    /// The words for all kinds, widest first.
    pub const KINDS: &'static [&'static str] = Self::VARIANTS;

    /// One of [`Extent::KINDS`].
    pub const fn kind(&self) -> &'static str {
        self.into_str()
    }

    /// Which manager, action or agent; empty for everything.
    pub fn name(&self) -> &str {
        match self {
            Self::Everything => "",
            Self::Manager(name) | Self::Agent(name) => name,
            Self::Action(kind) => kind.name(),
        }
    }

    /// Reads kind and name as a form, the command line or a row has them.
    pub fn parse(kind: &str, name: &str) -> Result<Self, InvalidField> {
        let invalid = |field: &str, value: &str, allowed: String| InvalidField {
            field: field.to_owned(),
            problem: format!("`{}` is not allowed", value.chars().take(80).collect::<String>()),
            allowed,
        };
        let Ok(parsed) = kind.parse() else {
            return Err(invalid("extent", kind, Self::KINDS.join(", ")));
        };
        match parsed {
            ExtentKind::Everything if name.is_empty() => Ok(Self::Everything),
            ExtentKind::Everything => {
                Err(invalid("name", name, "no name with everything".to_owned()))
            }
            ExtentKind::Manager if is_manager_name(name) => Ok(Self::Manager(name.to_owned())),
            ExtentKind::Manager => Err(invalid("manager", name, MANAGER_GRAMMAR.to_owned())),
            ExtentKind::Action => ActionKind::parse(name)
                .map(Self::Action)
                .ok_or_else(|| invalid("action", name, names(Catalogue::built_in().all()))),
            ExtentKind::Agent if valid_name(name) => Ok(Self::Agent(name.to_owned())),
            ExtentKind::Agent => Err(invalid("agent", name, "the name of an agent".to_owned())),
        }
    }

    /// Whether it keeps a request from being sent.
    pub fn stops(&self, request: &Request) -> bool {
        let agent = request.asked_by.is_none().then_some(request.agent_name.as_str());
        self.covers(&request.manager, request.action.kind(), agent)
    }

    /// Whether it keeps from being sent what goes to this manager; `agent` is none where a person
    /// asked.
    pub fn covers(&self, manager: &str, action: ActionKind, agent: Option<&str>) -> bool {
        match self {
            Self::Everything => true,
            Self::Manager(name) => name == manager,
            Self::Action(kind) => *kind == action,
            Self::Agent(name) => agent == Some(name),
        }
    }
}

impl fmt::Display for Extent {
    /// "everything", "the manager paris", "the action `block_ip`", "the agent triage-bot".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::Manager(_) | Self::Action(_) | Self::Agent(_) => {
                write!(f, "the {} {}", self.kind(), self.name())
            }
        }
    }
}

/// The kill switch, thrown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// How much is stopped.
    pub extent: Extent,
    /// When it was thrown.
    pub at: Time,
    /// Who threw it: the name then.
    pub by: String,
    /// The reason that was given.
    pub reason: String,
    /// The first of the two keys that release it.
    pub release: Option<Release>,
}

/// The first of the two keys that release the kill switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Who turned the first key; none for the command line.
    pub person: Option<PersonId>,
    /// The name then.
    pub name: String,
    /// The reason that was given.
    pub reason: String,
    /// When the first key was turned; it counts for [`RELEASE_MINUTES`].
    pub at: Time,
}

/// What turning a key of the kill switch comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyTurn {
    /// It is the first key: it is kept, and a second person is needed.
    First(Release),
    /// It is the second key: the switch is off.
    Second,
    /// The same person turned it again: nothing changes.
    Again,
}

impl Freeze {
    /// The first key, while it is not older than [`RELEASE_MINUTES`].
    pub fn first(&self, now: Time) -> Option<&Release> {
        let age = |first: &Release| now - first.at;
        let fresh = |first: &&Release| {
            age(first) <= TimeDelta::minutes(RELEASE_MINUTES) && age(first) > -ClockJump::LEAST
        };
        self.release.as_ref().filter(fresh)
    }

    /// Turns one of the two keys. `stands`: the person who turned the first may still do so. A first
    /// key that is older than [`RELEASE_MINUTES`], or whose person may no longer, does not count.
    pub fn turn(&self, by: &Actor, reason: &str, stands: bool, now: Time) -> KeyTurn {
        let person = match by {
            Actor::Person { id, .. } => Some(*id),
            Actor::Agent { .. }
            | Actor::Service { .. }
            | Actor::Unknown { .. }
            | Actor::CommandLine
            | Actor::System => None,
        };
        match self.first(now).filter(|_| stands) {
            None => {
                let (name, reason) = (by.name().to_owned(), reason.to_owned());
                KeyTurn::First(Release { person, name, reason, at: now })
            }
            Some(first) if first.person == person => KeyTurn::Again,
            Some(_) => KeyTurn::Second,
        }
    }
}
