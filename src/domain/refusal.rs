//! Why the life cycle does not let a request move, in words that a person can read.

use super::{
    Time,
    id::RequestId,
    request::{Request, StateName},
};

/// Why a request does not move.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The state does not allow it.
    #[error("the request is {state} and can no longer {verb}")]
    WrongState {
        /// The state it is in.
        state: StateName,
        /// What was wanted.
        verb: &'static str,
    },
    /// Somebody changed the request since the page was shown.
    #[error("the request has changed since you opened it; look again before you decide")]
    VersionChanged,
    /// What was shown, approved or stored are not the same bytes.
    #[error("what you were shown is not what is stored; look again before you decide")]
    DigestChanged,
    /// Policy does not let this person or agent do that.
    #[error("policy does not allow it: {why}")]
    NotAllowed {
        /// The policies' reasons.
        why: String,
    },
    /// The person's approval stands already.
    #[error("you have approved this already")]
    AlreadyVoted,
    /// There is no approval to take back.
    #[error("you have not approved this")]
    NotVoted,
    /// A reason is needed.
    #[error("a reason is needed")]
    ReasonMissing,
    /// Its time has run out.
    #[error("its time ran out at {}", deadline.format("%Y-%m-%d %H:%M:%S UTC"))]
    TooLate {
        /// When.
        deadline: Time,
    },
    /// Its time has not run out.
    #[error("its time has not run out")]
    TooEarly,
    /// The kill switch is on.
    #[error("the kill switch is on: nothing is sent")]
    Frozen,
    /// The same person turned both keys.
    #[error("you have asked for the release already; a second person must say so too")]
    SecondPersonMissing,
    /// Policy, asked again, does not let it run.
    #[error("policy no longer lets it run: {why}")]
    PolicyWithdrawn {
        /// The policies' reasons.
        why: String,
    },
    /// The attempt is not one that waits for an answer, an endpoint is not part of it, or it has
    /// none.
    #[error("there is no such open attempt")]
    NoSuchAttempt,
    /// There is nothing that could be taken back.
    #[error("there is nothing to take back: {why}")]
    NothingToUndo {
        /// Why.
        why: String,
    },
    /// What was typed is not the beginning of the digest.
    #[error(
        "to break the glass, type the first {} characters of the digest: {prefix}", prefix.len()
    )]
    PrefixWrong {
        /// What had to be typed.
        prefix: String,
    },
    /// Nobody has to look back at it: no glass was broken, somebody has looked, or it is not over.
    #[error("no review of it is due")]
    NoReviewDue,
    /// Whoever broke the glass does not look back at it.
    #[error("you broke the glass yourself; somebody else must review it")]
    OwnGlass,
    /// One of several requests cannot be approved together with the others.
    #[error("{request}: {why}. None of them was approved")]
    NotTogether {
        /// Which.
        request: RequestId,
        /// Why not.
        why: String,
    },
    /// A person can only say what happened where nobody knows.
    #[error(
        "endpoint {endpoint} is not unknown or unconfirmed, so there is nothing to resolve there"
    )]
    NotOpen {
        /// Which.
        endpoint: String,
    },
}

impl Refusal {
    pub(super) const fn wrong_state(request: &Request, verb: &'static str) -> Self {
        Self::WrongState { state: request.state.name(), verb }
    }
}
