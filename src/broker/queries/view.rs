//! A request as a person sees it, and what that person may do with it.

use std::{collections::BTreeMap, net::IpAddr};

use chrono::TimeDelta;

use super::undos::UndoView;
use crate::{
    broker::{
        Broker, BrokerError, SignedIn, TokenHolder, requests::undo::UndoOption,
        signed_in::passkey::signs,
    },
    domain::{
        active_response::{AlreadyActive, RestsOn},
        actor::{Agent, Person, api_token::TokenScope},
        audit::AuditEntry,
        facts::{Resource, Verb},
        id::AttemptId,
        request::{Fate, Request},
    },
    store::requests::{ChildSummary, RequestSummary},
};

/// How many rows a list shows.
pub const PAGE_ROWS: u32 = 50;
/// The longest value of a part of a filter, in characters.
pub const VALUE_CHARS_MAX: usize = 256;
/// The ranges that are offered: the word in the address, what is read, and how long it is.
pub const RANGES: [(&str, &str, TimeDelta); 3] = [
    ("24h", "last 24 hours", TimeDelta::hours(24)),
    ("7d", "last 7 days", TimeDelta::days(7)),
    ("30d", "last 30 days", TimeDelta::days(30)),
];

/// A request as a person sees it.
#[derive(Debug, Clone)]
pub struct RequestView {
    /// The request.
    pub request: Request,
    /// The agent as it is now.
    pub agent: Agent,
    /// Who owns the agent now.
    pub owner: Option<Person>,
    /// What the person may do with it, the state aside.
    pub permissions: Vec<(Verb, Permission)>,
    /// What is sent, or was: one body for all endpoints that share a command and an attempt.
    pub bodies: Vec<Body>,
    /// Its audit entries, oldest first.
    pub timeline: Vec<AuditEntry>,
    /// What is active already on its endpoints, while it is not sent.
    pub active: Vec<AlreadyActive>,
    /// What can be said beforehand about taking it back.
    pub undo: UndoOption,
    /// The other requests that taking it back would lift with it.
    pub undo_also_lifts: Vec<RestsOn>,
    /// The undos around it.
    pub undos: UndoView,
    /// The requests that wait, or waited, for its endpoints that were away.
    pub children: Vec<ChildSummary>,
    /// Where people can look at the alert that the agent named; none where nobody knows.
    pub alert_url: Option<String>,
    /// A protected address in the network of the one that it acts on.
    pub protected_neighbour: Option<IpAddr>,
    /// The requests for the same action on the same target that were asked before, the newest first
    /// and at most 20.
    pub before: Vec<RequestSummary>,
    /// What became of what the agent asked for itself in the last 30 days, of the newest 10,000.
    pub of_agent: BTreeMap<Fate, u64>,
}

/// Whether a person may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// At once.
    Now,
    /// Once the password is given again, or a passkey signs it where the person has one and the act is
    /// one that passkeys sign.
    WithPassword,
    /// Once the identity provider has asked again who it is, or a passkey signs it as above.
    WithProvider,
    /// Once a passkey of the person signs it.
    WithPasskey,
    /// No, and why.
    Denied(String),
}

/// The bytes for the endpoints that share a command and an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The command.
    pub command: String,
    /// The attempt; none yet before the claim, and then the body names one of zeros.
    pub attempt: Option<AttemptId>,
    /// How many endpoints.
    pub endpoints: usize,
    /// The bytes, as text.
    pub text: String,
}

impl RequestView {
    /// Whether the person may, the state aside. What was not asked is not allowed.
    pub fn permission(&self, verb: Verb) -> Permission {
        let found = self.permissions.iter().find(|(asked, _)| *asked == verb);
        found.map_or_else(
            || Permission::Denied("nobody asked".to_owned()),
            |(_, access)| access.clone(),
        )
    }

    /// Whether the person may, be it with a password or a passkey, the state aside.
    pub fn may(&self, verb: Verb) -> bool {
        self.permission(verb).why_not().is_none()
    }
}

impl Permission {
    /// Whether a form goes through that names several requests: no passkey signs more than one act.
    pub const fn with_others(&self) -> bool {
        match self {
            Self::Now | Self::WithPassword | Self::WithProvider => true,
            Self::WithPasskey | Self::Denied(_) => false,
        }
    }

    /// Whether it takes what the person can give for any act: the password, or the provider's word.
    pub const fn takes_proof(&self) -> bool {
        match self {
            Self::WithPassword | Self::WithProvider => true,
            Self::Now | Self::WithPasskey | Self::Denied(_) => false,
        }
    }

    /// Why not.
    pub fn why_not(&self) -> Option<&str> {
        match self {
            Self::Now | Self::WithPassword | Self::WithProvider | Self::WithPasskey => None,
            Self::Denied(why) => Some(why),
        }
    }
}

impl Broker {
    /// Whether a person may do something with the system as a whole.
    pub fn system_permission(&self, who: &SignedIn, verb: Verb) -> Permission {
        self.permission(who, verb, &Resource::System)
    }

    pub(in crate::broker) fn permission(
        &self,
        who: &SignedIn,
        verb: Verb,
        on: &Resource,
    ) -> Permission {
        let now = self.clock().now();
        if self.engine().may(&who.principal(now), verb, on).allowed {
            return Permission::Now;
        }
        let answer = self.engine().may(&who.proved_now(now).principal(now), verb, on);
        if answer.allowed {
            let kept_here = who.identity().is_none();
            return if kept_here { Permission::WithPassword } else { Permission::WithProvider };
        }
        if who.has_passkeys()
            && signs(verb)
            && self.engine().may(&who.principal_with_passkey(), verb, on).allowed
        {
            return Permission::WithPasskey;
        }
        Permission::Denied(answer.why())
    }

    pub(in crate::broker) fn authorize_read(
        &self,
        who: &SignedIn,
        verb: Verb,
    ) -> Result<(), BrokerError> {
        self.authorize(&who.principal(self.clock().now()), verb, &Resource::System)
    }

    /// Fails unless the token is for reading, and policy lets its owner read this.
    pub(in crate::broker) fn authorize_token_read(
        &self,
        who: &TokenHolder,
        verb: Verb,
    ) -> Result<(), BrokerError> {
        who.ensure_scope(TokenScope::Read)?;
        self.authorize(&who.principal(), verb, &Resource::System)
    }
}
