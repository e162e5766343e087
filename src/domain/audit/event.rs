//! Something that happened, before it has its place in the chain.

use super::{detail::AuditDetail, kind::EventKind};
use crate::domain::{actor::Actor, id::RequestId};

/// Something that happened, before it has its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Who caused it.
    pub actor: Actor,
    /// The request that it concerns.
    pub request: Option<RequestId>,
    /// The name of the action, where there is one.
    pub action: Option<String>,
    /// The address, account, person or agent acted on.
    pub target: Option<String>,
    /// What happened, with its facts. Never a secret, a token or a body with one.
    pub detail: AuditDetail,
}

impl AuditEvent {
    /// An event that concerns no request.
    pub fn new(actor: Actor, target: Option<String>, detail: AuditDetail) -> Self {
        Self { actor, request: None, action: None, target, detail }
    }

    /// The kind of event, which its detail decides.
    pub const fn kind(&self) -> EventKind {
        self.detail.kind()
    }
}
