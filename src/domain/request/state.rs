//! Where a request stands.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray};

use crate::domain::{Time, all_variants};

/// Where a request stands, with the facts that only this state has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Waits for people.
    Pending,
    /// May run; waits for the worker.
    Approved {
        /// The last moment at which it may be claimed, or a batch of it sent.
        use_by: Time,
    },
    /// The worker is sending it.
    Dispatching {
        /// The last moment at which a batch may be sent.
        use_by: Time,
    },
    /// It waits for endpoints that are away: a child for its own, its parent for all children.
    Waiting {
        /// The last moment at which it waits, and with it the last at which a child may be sent.
        until: Time,
    },
    /// Nothing further will be sent; each endpoint has an outcome.
    Settled {
        /// When the last outcome was known.
        at: Time,
    },
    /// Policy said no.
    Denied {
        /// When policy refused it.
        at: Time,
    },
    /// A person said no.
    Rejected {
        /// When it was rejected.
        at: Time,
        /// The name of the person then.
        by: String,
        /// The reason that the person gave.
        reason: String,
    },
    /// The agent or its owner took it back.
    Cancelled {
        /// When it was cancelled.
        at: Time,
        /// The name of the agent or person then.
        by: String,
        /// Why, where it was said.
        reason: String,
    },
    /// Its time ran out.
    Expired {
        /// When its time ran out.
        at: Time,
        /// Which deadline passed, in words.
        reason: String,
    },
    /// Policy or facts changed and no longer allow it.
    Withdrawn {
        /// When it was withdrawn.
        at: Time,
        /// What changed, in words.
        reason: String,
    },
}

/// The names of the states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    /// See [`State::Pending`].
    Pending,
    /// See [`State::Approved`].
    Approved,
    /// See [`State::Dispatching`].
    Dispatching,
    /// See [`State::Waiting`].
    Waiting,
    /// See [`State::Settled`].
    Settled,
    /// See [`State::Denied`].
    Denied,
    /// See [`State::Rejected`].
    Rejected,
    /// See [`State::Cancelled`].
    Cancelled,
    /// See [`State::Expired`].
    Expired,
    /// See [`State::Withdrawn`].
    Withdrawn,
}

impl StateName {
    /// All states, in the order of a life.
    pub const ALL: [Self; Self::COUNT] = all_variants(Self::VARIANTS);

    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// Whether nothing further will be sent.
    pub const fn terminal(self) -> bool {
        match self {
            Self::Pending | Self::Approved | Self::Dispatching | Self::Waiting => false,
            Self::Settled
            | Self::Denied
            | Self::Rejected
            | Self::Cancelled
            | Self::Expired
            | Self::Withdrawn => true,
        }
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl State {
    /// The state without its facts.
    pub const fn name(&self) -> StateName {
        match self {
            Self::Pending => StateName::Pending,
            Self::Approved { .. } => StateName::Approved,
            Self::Dispatching { .. } => StateName::Dispatching,
            Self::Waiting { .. } => StateName::Waiting,
            Self::Settled { .. } => StateName::Settled,
            Self::Denied { .. } => StateName::Denied,
            Self::Rejected { .. } => StateName::Rejected,
            Self::Cancelled { .. } => StateName::Cancelled,
            Self::Expired { .. } => StateName::Expired,
            Self::Withdrawn { .. } => StateName::Withdrawn,
        }
    }
}
