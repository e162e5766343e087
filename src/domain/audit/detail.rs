//! What an audit event says beside who, when and on what: for each kind its facts, as a type that is
//! written and read through serde.
//!
//! The chain hashes the stored text, so a field's name, its place and its form are fixed for good.
//! A field that was added later has a default: rows from before have to be read, too.

use serde::Serialize;

use super::kind::EventKind;

pub mod accounts;
pub mod api_token;
pub mod dispatch;
pub mod outcome;
pub mod passkey;
pub mod plan;
pub mod request;
mod stored_form;
pub mod system;
pub mod wait;

use accounts::{
    DisabledPersonFacts, IdentityFacts, LiftedFacts, MailFacts, NewAgentFacts, NewPersonFacts,
    NoFacts, OnCallFacts, QuietHoursFacts, RefusedSignInFacts, RoleFacts, ScopesFacts,
    SessionsFacts, SignInFacts, TeamsFacts, TokenFacts,
};
use api_token::{ApiTokenFacts, NewApiTokenFacts, RefusedApiTokenFacts};
use dispatch::{
    AnswerFacts, ClaimFacts, EndMovedFacts, EvidenceMissedFacts, FoundCallsFacts, HoldFacts,
    OutcomesFacts, ResolutionFacts, ResumeFacts, RevertFacts,
};
use passkey::{NewPasskeyFacts, PasskeyFacts, RecoveryCodesFacts, RefusedPasskeyFacts};
use plan::{PlanFacts, TurnFacts};
use request::{
    ApprovalFacts, AssignmentFacts, BreakGlassFacts, CancellationFacts, CommentFacts, DryRunFacts,
    EndFacts, RedecisionFacts, RefusalFacts, RefusedVoteFacts, RejectionFacts, RetractionFacts,
    ReviewFacts, SnoozeFacts, SubmissionFacts, WithdrawalFacts,
};
use system::{
    AuditReadFacts, ClockJumpFacts, ManagerFacts, PolicySetFacts, RecoveryFacts, ReevaluationFacts,
    StartFacts, SwitchFacts,
};
use wait::{ReturnFacts, WaitFacts, WaitOverFacts};

/// Each kind of event with the type of its facts.
macro_rules! details {
    ($($kind:ident($facts:ty)),+ $(,)?) => {
        /// What happened: one variant for each [`EventKind`], with its facts.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum AuditDetail {
            $(
                #[doc = concat!("See [`EventKind::", stringify!($kind), "`].")]
                $kind($facts),
            )+
        }

        impl AuditDetail {
            /// The kind of event, which is stored beside the detail.
            pub const fn kind(&self) -> EventKind {
                match self {
                    $(Self::$kind(_) => EventKind::$kind,)+
                }
            }

            /// Reads the stored detail of an event of this kind.
            pub fn from_stored(kind: EventKind, text: &str) -> Result<Self, serde_json::Error> {
                match kind {
                    $(EventKind::$kind => serde_json::from_str(text).map(Self::$kind),)+
                }
            }
        }
    };
}

details! {
    ProposalRefused(RefusalFacts),
    AsksThrottled(RefusalFacts),
    ProposalDryRun(DryRunFacts),
    RequestAsked(Box<SubmissionFacts>),
    PlanAsked(PlanFacts),
    TurnCame(TurnFacts),
    VoteApproved(ApprovalFacts),
    GlassBroken(BreakGlassFacts),
    RequestRejected(RejectionFacts),
    VoteRetracted(RetractionFacts),
    VoteRefused(RefusedVoteFacts),
    CommentAdded(CommentFacts),
    RequestAssigned(AssignmentFacts),
    RequestSnoozed(SnoozeFacts),
    Reviewed(ReviewFacts),
    RequestCancelled(CancellationFacts),
    RequestExpired(EndFacts),
    RequestRedecided(RedecisionFacts),
    RequestWithdrawn(WithdrawalFacts),
    DispatchClaimed(ClaimFacts),
    DispatchHeld(HoldFacts),
    DispatchAnswered(AnswerFacts),
    DispatchResumed(ResumeFacts),
    DispatchRecovered(OutcomesFacts),
    CallsFound(FoundCallsFacts),
    WaitBegan(WaitFacts),
    EndpointReturned(ReturnFacts),
    WaitOver(WaitOverFacts),
    EvidenceSeen(OutcomesFacts),
    EvidenceMissed(EvidenceMissedFacts),
    ResponseReverted(RevertFacts),
    UndoFailed(RevertFacts),
    EndMoved(EndMovedFacts),
    OutcomeResolved(ResolutionFacts),
    SignedIn(SignInFacts),
    SignInRefused(RefusedSignInFacts),
    SignedOut(NoFacts),
    PersonAdded(NewPersonFacts),
    PersonDisabled(DisabledPersonFacts),
    PersonSuspended(SessionsFacts),
    PersonLinked(IdentityFacts),
    RoleChanged(RoleFacts),
    OnCallChanged(OnCallFacts),
    TeamsChanged(TeamsFacts),
    MailChanged(MailFacts),
    QuietHoursChanged(QuietHoursFacts),
    SessionsEnded(SessionsFacts),
    PasswordReset(NoFacts),
    PasswordChanged(NoFacts),
    PasskeyAdded(NewPasskeyFacts),
    PasskeyRemoved(PasskeyFacts),
    PasskeyRefused(RefusedPasskeyFacts),
    SecondFactorOn(RecoveryCodesFacts),
    SecondFactorOff(NoFacts),
    RecoveryCodesRenewed(RecoveryCodesFacts),
    ApiTokenCreated(NewApiTokenFacts),
    ApiTokenRevoked(ApiTokenFacts),
    ApiTokenRefused(RefusedApiTokenFacts),
    AgentAdded(NewAgentFacts),
    ScopesChanged(ScopesFacts),
    TokenRotated(TokenFacts),
    AgentRevoked(NoFacts),
    LimitLifted(LiftedFacts),
    Frozen(SwitchFacts),
    ReleaseAsked(SwitchFacts),
    Unfrozen(SwitchFacts),
    PolicyActivated(PolicySetFacts),
    PolicyReevaluated(ReevaluationFacts),
    PolicyRefused(RefusalFacts),
    Started(StartFacts),
    ClockJumped(ClockJumpFacts),
    Recovered(RecoveryFacts),
    Resumed(NoFacts),
    ManagerIdentified(ManagerFacts),
    AuditRead(AuditReadFacts),
}

impl AuditDetail {
    /// The text that is stored and hashed.
    pub fn to_stored(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}
