//! What became of a request, as pages count it.

use strum::EnumString;

use super::{Request, StateName};
use crate::domain::Time;

/// What became of a request; of what a person did, what that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Fate {
    /// It was sent without people.
    AtOnce,
    /// People approved it.
    Approved,
    /// A person rejected it.
    Rejected,
    /// Policy denied it.
    Denied,
    /// Nobody decided in time, or it was not sent in time.
    Expired,
    /// It was cancelled or withdrawn before people had decided.
    Ended,
    /// Nothing yet.
    Open,
    /// A person asked for it.
    Asked,
}

impl Fate {
    /// What can become of a request.
    pub const OF_REQUEST: [Self; 7] = [
        Self::AtOnce,
        Self::Approved,
        Self::Rejected,
        Self::Denied,
        Self::Expired,
        Self::Ended,
        Self::Open,
    ];
    /// What a person does.
    pub const OF_PERSON: [Self; 3] = [Self::Approved, Self::Rejected, Self::Asked];

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::AtOnce => "ran at once",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Denied => "denied by policy",
            Self::Expired => "expired",
            Self::Ended => "cancelled or withdrawn",
            Self::Open => "open",
            Self::Asked => "asked for",
        }
    }
}

impl Request {
    /// When people had decided that it may run: with the last of their approvals. None while they have
    /// not, and where nobody had to. What ended before it was sent does not say it any more.
    pub fn decided_at(&self) -> Option<Time> {
        let may_run = match self.state.name() {
            StateName::Approved
            | StateName::Dispatching
            | StateName::Waiting
            | StateName::Settled => true,
            StateName::Pending
            | StateName::Denied
            | StateName::Rejected
            | StateName::Cancelled
            | StateName::Expired
            | StateName::Withdrawn => false,
        };
        self.votes.iter().map(|vote| vote.at).max().filter(|_| may_run)
    }
}
