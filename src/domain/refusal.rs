//! Why something that a person, an agent or the worker tried is not done.

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
        /// What was to be done.
        verb: &'static str,
    },
    /// The request changed after the page was shown.
    #[error("the request has changed since you opened it; review it again before you decide")]
    VersionChanged,
    /// What was shown, approved or stored are not the same bytes.
    #[error("what you were shown differs from what is stored; review it again before you decide")]
    DigestChanged,
    /// Policy does not allow this person or agent to do that.
    #[error("policy does not allow it: {why}")]
    NotAllowed {
        /// The policies' reasons.
        why: String,
    },
    /// The person's approval stands already.
    #[error("you have already approved this")]
    AlreadyVoted,
    /// There is no approval to take back.
    #[error("you have not approved this")]
    NotVoted,
    /// A reason is required.
    #[error("a reason is required")]
    ReasonMissing,
    /// Its time has run out.
    #[error("its time ran out at {}", deadline.format("%Y-%m-%d %H:%M:%S UTC"))]
    TooLate {
        /// When.
        deadline: Time,
    },
    /// Its time has not run out.
    #[error("its time has not run out yet")]
    TooEarly,
    /// The kill switch is on.
    #[error("the kill switch stops it")]
    Frozen,
    /// The same person turned both keys of the kill switch.
    #[error("you have already asked for the release; a second person must ask for it too")]
    SecondPersonMissing,
    /// The policy folder, or the active set, is not the one whose difference was shown.
    #[error("the policies have changed since you were shown the difference; review it again")]
    PolicyChanged,
    /// Policy, evaluated again, does not allow it to run.
    #[error("policy no longer allows it to run: {why}")]
    PolicyWithdrawn {
        /// The policies' reasons.
        why: String,
    },
    /// The attempt is not one that waits for an answer, an endpoint is not part of it, or it has
    /// no endpoint.
    #[error("there is no such open call")]
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
    /// It needs no review: no glass was broken, it was reviewed, or it is not over.
    #[error("no review is due")]
    NoReviewDue,
    /// The person who broke the glass does not review it.
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
    /// A person can only resolve an outcome that is unknown or unconfirmed.
    #[error(
        "the outcome on endpoint {endpoint} is neither unknown nor unconfirmed: there is nothing to resolve"
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
