//! The one dangerous key.

use super::{
    Time,
    decision::{Decision, Verdict},
    digest::Digest,
    endpoint::EndpointId,
    id::{AttemptId, RequestId},
    refusal::Refusal,
    request::{Request, State},
};

/// One call to be made: a command for a batch of endpoints, and the exact body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The attempt that it belongs to.
    pub attempt: AttemptId,
    /// The endpoints.
    pub endpoints: Vec<EndpointId>,
    /// The bytes to send.
    pub body: Vec<u8>,
}

/// The right to make one call to the manager.
///
/// Invariant: made by `ExecutionPermit::issue` alone, which only [`super::lifecycle`] calls, and
/// spent by value. It is neither `Clone` nor serialisable, so it can be used once and not kept.
#[derive(Debug)]
pub struct ExecutionPermit {
    request: RequestId,
    digest: Digest,
    order: Order,
    use_by: Time,
}

impl ExecutionPermit {
    /// Issues the permit for one order of a request that is being dispatched: the order names its
    /// endpoints, the kill switch is off, its time has not passed, its bytes are those that were
    /// approved, and policy, asked just now with the votes that stand, lets it run.
    pub(super) fn issue(
        request: &Request,
        order: Order,
        fresh: &Decision,
        frozen: bool,
        now: Time,
    ) -> Result<Self, Refusal> {
        let State::Dispatching { use_by } = request.state else {
            return Err(Refusal::wrong_state(request, "be sent"));
        };
        // To a manager, a call that names no endpoint is a call to all of them.
        if order.endpoints.is_empty() {
            return Err(Refusal::NoSuchAttempt);
        }
        if frozen {
            return Err(Refusal::Frozen);
        }
        if now >= use_by {
            return Err(Refusal::TooLate { deadline: use_by });
        }
        if request.computed_digest() != request.digest {
            return Err(Refusal::DigestChanged);
        }
        if fresh.verdict != Verdict::Run {
            return Err(Refusal::PolicyWithdrawn { why: fresh.why() });
        }
        Ok(Self { request: request.id, digest: request.digest, order, use_by })
    }

    /// The request.
    pub const fn request(&self) -> RequestId {
        self.request
    }

    /// The digest that was approved.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// What to send, and where.
    pub const fn order(&self) -> &Order {
        &self.order
    }

    /// The last moment at which the bytes may leave.
    pub const fn use_by(&self) -> Time {
        self.use_by
    }
}
