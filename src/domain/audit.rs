//! What is written down, and the chain that shows when somebody rewrites it.

use serde_json::Value;

use super::{
    Time,
    actor::Actor,
    digest::{Canonical, Digest},
    id::RequestId,
};

/// Everything that can be written to the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// An authenticated agent sent something that is no proposal.
    ProposalRefused,
    /// An agent asks faster, or has more open, than it may. Written once a minute at most.
    AsksThrottled,
    /// A proposal became a request: denied, pending, or approved by policy.
    RequestAsked,
    /// A person approved.
    VoteApproved,
    /// A lead on call let it run without those who were missing.
    GlassBroken,
    /// A person rejected.
    RequestRejected,
    /// A person took an approval back.
    VoteRetracted,
    /// A vote was refused.
    VoteRefused,
    /// A person said something without voting.
    CommentAdded,
    /// A person looked back at a broken glass.
    Reviewed,
    /// The agent or its owner ended the request.
    RequestCancelled,
    /// Its time ran out.
    RequestExpired,
    /// Policy was asked again and the state changed.
    RequestRedecided,
    /// Policy or facts no longer allow it.
    RequestWithdrawn,
    /// The worker claimed it and recorded the first attempt.
    DispatchClaimed,
    /// The worker cannot claim it yet.
    DispatchHeld,
    /// The manager answered an attempt, or it is known that it will not.
    DispatchAnswered,
    /// After a wait, the next attempt was recorded, or the wait was given up.
    DispatchResumed,
    /// After a restart, an attempt without an answer was closed.
    DispatchRecovered,
    /// Traces of a response were seen on endpoints.
    EvidenceSeen,
    /// The wait for traces is over.
    EvidenceMissed,
    /// Another request took it back.
    ResponseReverted,
    /// A person said what happened where nobody knew.
    OutcomeResolved,
    /// Somebody signed in.
    SignedIn,
    /// A sign-in failed.
    SignInRefused,
    /// Somebody signed out.
    SignedOut,
    /// A person was added.
    PersonAdded,
    /// A person was disabled.
    PersonDisabled,
    /// A person got another role.
    RoleChanged,
    /// A person went on call, or off.
    OnCallChanged,
    /// Where notices for a person are mailed was changed.
    MailChanged,
    /// The sessions of a person were ended by somebody else.
    SessionsEnded,
    /// A password was set by somebody else.
    PasswordReset,
    /// A person changed the password.
    PasswordChanged,
    /// An agent was added.
    AgentAdded,
    /// What an agent may ask for was changed.
    ScopesChanged,
    /// An agent got a new token; the old one opens nothing any more.
    TokenRotated,
    /// An agent's token was revoked.
    AgentRevoked,
    /// The kill switch was thrown.
    Frozen,
    /// One of two people wants the kill switch released.
    ReleaseAsked,
    /// The kill switch was released.
    Unfrozen,
    /// A policy set became the active one.
    PolicyActivated,
    /// A policy set was refused; the active one stays.
    PolicyRefused,
    /// The broker started: version and configuration.
    Started,
    /// Somebody read the audit.
    AuditRead,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 45] = [
        Self::ProposalRefused,
        Self::AsksThrottled,
        Self::RequestAsked,
        Self::VoteApproved,
        Self::GlassBroken,
        Self::RequestRejected,
        Self::VoteRetracted,
        Self::VoteRefused,
        Self::CommentAdded,
        Self::Reviewed,
        Self::RequestCancelled,
        Self::RequestExpired,
        Self::RequestRedecided,
        Self::RequestWithdrawn,
        Self::DispatchClaimed,
        Self::DispatchHeld,
        Self::DispatchAnswered,
        Self::DispatchResumed,
        Self::DispatchRecovered,
        Self::EvidenceSeen,
        Self::EvidenceMissed,
        Self::ResponseReverted,
        Self::OutcomeResolved,
        Self::SignedIn,
        Self::SignInRefused,
        Self::SignedOut,
        Self::PersonAdded,
        Self::PersonDisabled,
        Self::RoleChanged,
        Self::OnCallChanged,
        Self::MailChanged,
        Self::SessionsEnded,
        Self::PasswordReset,
        Self::PasswordChanged,
        Self::AgentAdded,
        Self::ScopesChanged,
        Self::TokenRotated,
        Self::AgentRevoked,
        Self::Frozen,
        Self::ReleaseAsked,
        Self::Unfrozen,
        Self::PolicyActivated,
        Self::PolicyRefused,
        Self::Started,
        Self::AuditRead,
    ];

    /// The word in the store, on the page, in filters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProposalRefused => "proposal.refused",
            Self::AsksThrottled => "proposal.throttled",
            Self::RequestAsked => "request.asked",
            Self::VoteApproved => "vote.approved",
            Self::GlassBroken => "vote.broke_glass",
            Self::RequestRejected => "request.rejected",
            Self::VoteRetracted => "vote.retracted",
            Self::VoteRefused => "vote.refused",
            Self::CommentAdded => "request.commented",
            Self::Reviewed => "request.reviewed",
            Self::RequestCancelled => "request.cancelled",
            Self::RequestExpired => "request.expired",
            Self::RequestRedecided => "request.redecided",
            Self::RequestWithdrawn => "request.withdrawn",
            Self::DispatchClaimed => "dispatch.claimed",
            Self::DispatchHeld => "dispatch.held",
            Self::DispatchAnswered => "dispatch.answered",
            Self::DispatchResumed => "dispatch.resumed",
            Self::DispatchRecovered => "dispatch.recovered",
            Self::EvidenceSeen => "evidence.seen",
            Self::EvidenceMissed => "evidence.missed",
            Self::ResponseReverted => "response.reverted",
            Self::OutcomeResolved => "outcome.resolved",
            Self::SignedIn => "session.signed_in",
            Self::SignInRefused => "session.refused",
            Self::SignedOut => "session.signed_out",
            Self::PersonAdded => "person.added",
            Self::PersonDisabled => "person.disabled",
            Self::RoleChanged => "person.role_changed",
            Self::OnCallChanged => "person.on_call_changed",
            Self::MailChanged => "person.mail_changed",
            Self::SessionsEnded => "person.sessions_ended",
            Self::PasswordReset => "person.password_reset",
            Self::PasswordChanged => "person.password_changed",
            Self::AgentAdded => "agent.added",
            Self::ScopesChanged => "agent.scopes_changed",
            Self::TokenRotated => "agent.rotated",
            Self::AgentRevoked => "agent.revoked",
            Self::Frozen => "kill_switch.frozen",
            Self::ReleaseAsked => "kill_switch.release_asked",
            Self::Unfrozen => "kill_switch.unfrozen",
            Self::PolicyActivated => "policy.activated",
            Self::PolicyRefused => "policy.refused",
            Self::Started => "broker.started",
            Self::AuditRead => "audit.read",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Something that happened, before it has its place in the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// What.
    pub kind: EventKind,
    /// Who.
    pub actor: Actor,
    /// On which request.
    pub request: Option<RequestId>,
    /// The name of the action, where there is one.
    pub action: Option<String>,
    /// The address, account, person or agent acted on.
    pub target: Option<String>,
    /// The rest, as a JSON object. Never a secret, a token or a body with one.
    pub detail: Value,
}

impl AuditEvent {
    /// An event that is about no request.
    pub fn new(kind: EventKind, actor: Actor, target: Option<String>, detail: Value) -> Self {
        Self { kind, actor, request: None, action: None, target, detail }
    }
}

/// One row of the audit, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its place: 1, 2, 3, … without a gap.
    pub seq: u64,
    /// When, in microseconds since the Unix epoch; never less than the row before.
    pub at_us: i64,
    /// [`EventKind::name`].
    pub kind: String,
    /// [`Actor::kind`].
    pub actor_kind: String,
    /// [`Actor::id`].
    pub actor_id: Option<String>,
    /// [`Actor::name`].
    pub actor_name: String,
    /// The request's id.
    pub request: Option<String>,
    /// The action's name.
    pub action: Option<String>,
    /// What was acted on.
    pub target: Option<String>,
    /// The rest: the exact JSON text that was hashed.
    pub detail: String,
    /// [`AuditEntry::hash`] of the row before; zero for the first.
    pub previous: Digest,
}

impl AuditEntry {
    /// The row's hash: over a version byte and every field, the place and the predecessor's hash
    /// included, each with its length.
    pub fn hash(&self) -> Digest {
        Canonical::new(1, "audit")
            .number(self.seq)
            .number(u64::try_from(self.at_us).unwrap_or(0))
            .text(&self.kind)
            .text(&self.actor_kind)
            .maybe(self.actor_id.as_deref())
            .text(&self.actor_name)
            .maybe(self.request.as_deref())
            .maybe(self.action.as_deref())
            .maybe(self.target.as_deref())
            .text(&self.detail)
            .bytes(self.previous.bytes())
            .digest()
    }

    /// Gives an event its place after the row with this place, time and hash.
    pub fn after(last: (u64, i64, Digest), event: &AuditEvent, now: Time) -> Self {
        let (seq, at_us, previous) = last;
        Self {
            seq: seq + 1,
            at_us: now.timestamp_micros().max(at_us),
            kind: event.kind.name().to_owned(),
            actor_kind: event.actor.kind().to_owned(),
            actor_id: event.actor.id(),
            actor_name: event.actor.name().to_owned(),
            request: event.request.map(|id| id.to_string()),
            action: event.action.clone(),
            target: event.target.clone(),
            detail: event.detail.to_string(),
            previous,
        }
    }
}
