//! The kinds of audit events: the words in the store, on the page and in filters.

use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray};

use crate::domain::all_variants;

mod group;

pub use group::EventGroup;

/// Everything that can be written to the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[derive(EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(const_into_str)]
pub enum EventKind {
    /// An authenticated agent sent something that is not a proposal.
    #[strum(serialize = "proposal.refused")]
    ProposalRefused,
    /// An agent exceeded a limit, or nobody can be asked for it. Written at most once a minute.
    #[strum(serialize = "proposal.throttled")]
    AsksThrottled,
    /// An agent asked what would become of a proposal. Nothing else was stored.
    #[strum(serialize = "proposal.dry_run")]
    ProposalDryRun,
    /// A proposal became a request: denied, pending, or approved by policy.
    #[strum(serialize = "request.asked")]
    RequestAsked,
    /// An agent asked for several requests in an order, each of which has its own events.
    #[strum(serialize = "plan.asked")]
    PlanAsked,
    /// The steps before it are over: the use-by of an approved step runs.
    #[strum(serialize = "plan.turn_came")]
    TurnCame,
    /// A person approved.
    #[strum(serialize = "vote.approved")]
    VoteApproved,
    /// A lead on call let it run without the people who were missing.
    #[strum(serialize = "vote.broke_glass")]
    GlassBroken,
    /// A person rejected.
    #[strum(serialize = "request.rejected")]
    RequestRejected,
    /// A person took an approval back.
    #[strum(serialize = "vote.retracted")]
    VoteRetracted,
    /// A vote was refused.
    #[strum(serialize = "vote.refused")]
    VoteRefused,
    /// A person commented without voting.
    #[strum(serialize = "request.commented")]
    CommentAdded,
    /// A person assigned it to themselves, or to nobody.
    #[strum(serialize = "request.assigned")]
    RequestAssigned,
    /// A person does not want to see it before a moment, or wants to again.
    #[strum(serialize = "request.snoozed")]
    RequestSnoozed,
    /// A person reviewed a break-glass approval.
    #[strum(serialize = "request.reviewed")]
    Reviewed,
    /// The agent or its owner ended the request.
    #[strum(serialize = "request.cancelled")]
    RequestCancelled,
    /// Its time ran out.
    #[strum(serialize = "request.expired")]
    RequestExpired,
    /// Policy was evaluated again and the state changed.
    #[strum(serialize = "request.redecided")]
    RequestRedecided,
    /// Policy or facts no longer allow it.
    #[strum(serialize = "request.withdrawn")]
    RequestWithdrawn,
    /// The worker claimed it and recorded the first attempt.
    #[strum(serialize = "dispatch.claimed")]
    DispatchClaimed,
    /// The worker cannot claim it yet.
    #[strum(serialize = "dispatch.held")]
    DispatchHeld,
    /// The manager answered an attempt, or it is known that it will not.
    #[strum(serialize = "dispatch.answered")]
    DispatchAnswered,
    /// After a wait, the next attempt was recorded, or the wait was given up.
    #[strum(serialize = "dispatch.resumed")]
    DispatchResumed,
    /// After a restart, an attempt without an answer was closed.
    #[strum(serialize = "dispatch.recovered")]
    DispatchRecovered,
    /// Calls were found that this database does not know: a newer copy of it made them.
    #[strum(serialize = "dispatch.found")]
    CallsFound,
    /// An endpoint was away: a request of its own waits for it.
    #[strum(serialize = "wait.began")]
    WaitBegan,
    /// An endpoint that was waited for is back, and policy was asked again.
    #[strum(serialize = "wait.returned")]
    EndpointReturned,
    /// The last request that waited for an endpoint of another ended.
    #[strum(serialize = "wait.over")]
    WaitOver,
    /// Evidence of a response was seen on endpoints.
    #[strum(serialize = "evidence.seen")]
    EvidenceSeen,
    /// The wait for evidence is over.
    #[strum(serialize = "evidence.missed")]
    EvidenceMissed,
    /// Another request took it back.
    #[strum(serialize = "response.reverted")]
    ResponseReverted,
    /// A person found that the request that took it back was not done.
    #[strum(serialize = "response.undo_failed")]
    UndoFailed,
    /// Another command for the same target moved its end.
    #[strum(serialize = "response.end_moved")]
    EndMoved,
    /// A person recorded what happened where it was unknown.
    #[strum(serialize = "outcome.resolved")]
    OutcomeResolved,
    /// Somebody signed in.
    #[strum(serialize = "session.signed_in")]
    SignedIn,
    /// A sign-in failed.
    #[strum(serialize = "session.refused")]
    SignInRefused,
    /// Somebody signed out.
    #[strum(serialize = "session.signed_out")]
    SignedOut,
    /// A person was added.
    #[strum(serialize = "person.added")]
    PersonAdded,
    /// A person was disabled.
    #[strum(serialize = "person.disabled")]
    PersonDisabled,
    /// The identity provider names no role for a person; their next sign-in ends it.
    #[strum(serialize = "person.suspended")]
    PersonSuspended,
    /// A person signs in at the identity provider from now on.
    #[strum(serialize = "person.linked")]
    PersonLinked,
    /// A person got another role.
    #[strum(serialize = "person.role_changed")]
    RoleChanged,
    /// A person went on call, or off.
    #[strum(serialize = "person.on_call_changed")]
    OnCallChanged,
    /// A person's mail address for notifications was changed.
    #[strum(serialize = "person.mail_changed")]
    MailChanged,
    /// A person was put into other teams, which see something else.
    #[strum(serialize = "person.teams_changed")]
    TeamsChanged,
    /// A person said when notifications that can wait are not mailed to them.
    #[strum(serialize = "person.quiet_hours_changed")]
    QuietHoursChanged,
    /// An admin, or the person, ended a person's sessions.
    #[strum(serialize = "person.sessions_ended")]
    SessionsEnded,
    /// An admin reset a person's password.
    #[strum(serialize = "person.password_reset")]
    PasswordReset,
    /// A person changed their own password.
    #[strum(serialize = "person.password_changed")]
    PasswordChanged,
    /// A person added a passkey.
    #[strum(serialize = "passkey.added")]
    PasskeyAdded,
    /// A passkey was removed.
    #[strum(serialize = "passkey.removed")]
    PasskeyRemoved,
    /// What a passkey signed was not taken.
    #[strum(serialize = "passkey.refused")]
    PasskeyRefused,
    /// A person's password alone signs in no more.
    #[strum(serialize = "second_factor.switched_on")]
    SecondFactorOn,
    /// A person's password alone signs in again; the recovery codes ended.
    #[strum(serialize = "second_factor.switched_off")]
    SecondFactorOff,
    /// A person got other recovery codes.
    #[strum(serialize = "second_factor.codes_renewed")]
    RecoveryCodesRenewed,
    /// A token for the API was made.
    #[strum(serialize = "api_token.created")]
    ApiTokenCreated,
    /// A token for the API was revoked.
    #[strum(serialize = "api_token.revoked")]
    ApiTokenRevoked,
    /// A token for the API was used where it opens nothing. Written at most once an hour for each.
    #[strum(serialize = "api_token.refused")]
    ApiTokenRefused,
    /// An agent was added.
    #[strum(serialize = "agent.added")]
    AgentAdded,
    /// The actions that an agent may request were changed.
    #[strum(serialize = "agent.scopes_changed")]
    ScopesChanged,
    /// An agent got a new token; the old one is no longer valid.
    #[strum(serialize = "agent.rotated")]
    TokenRotated,
    /// An agent's token was revoked.
    #[strum(serialize = "agent.revoked")]
    AgentRevoked,
    /// A person lifted what counted against an agent.
    #[strum(serialize = "agent.limit_lifted")]
    LimitLifted,
    /// The kill switch was thrown.
    #[strum(serialize = "kill_switch.frozen")]
    Frozen,
    /// The first of two people asked to release the kill switch.
    #[strum(serialize = "kill_switch.release_asked")]
    ReleaseAsked,
    /// The kill switch was released.
    #[strum(serialize = "kill_switch.unfrozen")]
    Unfrozen,
    /// A policy set became the active one.
    #[strum(serialize = "policy.activated")]
    PolicyActivated,
    /// Policy was asked again about every open request, after another set became active.
    #[strum(serialize = "policy.reevaluated")]
    PolicyReevaluated,
    /// A policy set was refused; the active one stays.
    #[strum(serialize = "policy.refused")]
    PolicyRefused,
    /// The broker started: version and configuration.
    #[strum(serialize = "broker.started")]
    Started,
    /// The machine's clock jumped.
    #[strum(serialize = "clock.jumped")]
    ClockJumped,
    /// Two people took a database over that may lack what was sent.
    #[strum(serialize = "database.recovered")]
    Recovered,
    /// The disk of the database was full, and has room again.
    #[strum(serialize = "database.resumed")]
    Resumed,
    /// The name of a manager stands for an installation that it did not stand for before.
    #[strum(serialize = "manager.identified")]
    ManagerIdentified,
    /// Somebody read the audit.
    #[strum(serialize = "audit.read")]
    AuditRead,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; Self::COUNT] = all_variants(Self::VARIANTS);

    /// The word in the store, on the page, in filters.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}
