//! The kinds of audit events in six groups, as people look for them.

use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray};

use super::EventKind;
use crate::domain::all_variants;

/// What an audit event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[derive(EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum EventGroup {
    /// What agents asked for.
    Asked,
    /// What people, policy and time decided.
    Decided,
    /// What was sent, and what became of it.
    Sent,
    /// Who signed in, and who may.
    Accounts,
    /// Policies and the kill switch.
    Rules,
    /// The broker itself, its managers, and who read the audit.
    System,
}

impl EventGroup {
    /// All groups.
    pub const ALL: [Self; Self::COUNT] = all_variants(Self::VARIANTS);

    /// The word in an address.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// Its kinds.
    pub fn kinds(self) -> impl Iterator<Item = EventKind> {
        EventKind::ALL.into_iter().filter(move |kind| kind.group() == self)
    }
}

impl EventKind {
    /// The group that it belongs to.
    #[expect(clippy::too_many_lines, reason = "one line for each kind of event")]
    pub const fn group(self) -> EventGroup {
        match self {
            Self::ProposalRefused
            | Self::AsksThrottled
            | Self::ProposalDryRun
            | Self::RequestAsked
            | Self::PlanAsked
            | Self::TurnCame => EventGroup::Asked,
            Self::VoteApproved
            | Self::GlassBroken
            | Self::RequestRejected
            | Self::VoteRetracted
            | Self::VoteRefused
            | Self::CommentAdded
            | Self::RequestAssigned
            | Self::RequestSnoozed
            | Self::Reviewed
            | Self::RequestCancelled
            | Self::RequestExpired
            | Self::RequestRedecided
            | Self::RequestWithdrawn => EventGroup::Decided,
            Self::DispatchClaimed
            | Self::DispatchHeld
            | Self::DispatchAnswered
            | Self::DispatchResumed
            | Self::DispatchRecovered
            | Self::CallsFound
            | Self::WaitBegan
            | Self::EndpointReturned
            | Self::WaitOver
            | Self::EvidenceSeen
            | Self::EvidenceMissed
            | Self::ResponseReverted
            | Self::UndoFailed
            | Self::EndMoved
            | Self::OutcomeResolved => EventGroup::Sent,
            Self::SignedIn
            | Self::SignInRefused
            | Self::SignedOut
            | Self::PersonAdded
            | Self::PersonDisabled
            | Self::PersonSuspended
            | Self::PersonLinked
            | Self::RoleChanged
            | Self::OnCallChanged
            | Self::TeamsChanged
            | Self::MailChanged
            | Self::SessionsEnded
            | Self::QuietHoursChanged
            | Self::PasswordReset
            | Self::PasswordChanged
            | Self::PasskeyAdded
            | Self::PasskeyRemoved
            | Self::PasskeyRefused
            | Self::SecondFactorOn
            | Self::SecondFactorOff
            | Self::RecoveryCodesRenewed
            | Self::ApiTokenCreated
            | Self::ApiTokenRevoked
            | Self::ApiTokenRefused
            | Self::AgentAdded
            | Self::ScopesChanged
            | Self::TokenRotated
            | Self::AgentRevoked
            | Self::LimitLifted => EventGroup::Accounts,
            Self::Frozen
            | Self::ReleaseAsked
            | Self::Unfrozen
            | Self::PolicyActivated
            | Self::PolicyReevaluated
            | Self::PolicyRefused => EventGroup::Rules,
            Self::Started
            | Self::ClockJumped
            | Self::Recovered
            | Self::Resumed
            | Self::ManagerIdentified
            | Self::AuditRead => EventGroup::System,
        }
    }
}
