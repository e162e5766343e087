//! The worker's verb: take one approved request, check it again, claim it, send it, settle it.
//!
//! Two durable commits bracket every call to the manager: the attempt before, the outcome after.
//! Between them nothing is written, and nothing is ever sent for an attempt that has an answer.

mod answer;
mod at_once;
mod turn;

use std::time::Duration;

use tracing::Instrument as _;

use crate::{
    broker::{
        Broker, BrokerError,
        execution::{
            look::Look,
            order::{DispatchContext, no_fault_of_the_manager, not_sent},
            progress::Progress,
            queue::QueueHead,
            recheck::{Recheck, recheck},
        },
    },
    connector::{Connector, ConnectorError, DispatchResult, for_approved, local_lack},
    domain::{
        Time,
        endpoint::{EndpointId, Inventory, Selection},
        id::{AttemptId, RequestId},
        lifecycle::{DispatchReport, Refusal},
        notice::PreviousState,
        permit::ExecutionPermit,
        request::{Outcome, Request},
    },
    failpoint,
    store::{requests, system},
};

/// How often the same batch is tried while it is certain that nothing was sent.
pub const TRIES_MAX: u32 = 3;
/// How long the broker waits between two questions whether the manager answers again.
const PROBE: Duration = Duration::from_secs(5);

/// What a claim came to.
enum ClaimResult {
    Sent(ExecutionPermit, Box<Request>),
    Moved,
    Frozen,
}

impl Broker {
    /// Takes what is claimed, or the oldest approved request of a manager, if there is one, and brings it to its end.
    /// Whatever it finds being dispatched that this process does not send was left half done.
    /// Calls `taken` as soon as it has one, so that somebody else may look for the next.
    pub async fn execute_next(
        &self,
        manager: &str,
        taken: impl FnOnce() + Send,
    ) -> Result<Progress, BrokerError> {
        self.ensure_not_halted()?;
        let connector = self.manager(manager).ok_or(BrokerError::NotFound)?;
        self.recover(Some(manager)).await?;
        if let Some(claimed) = self.next_claimed(manager).await {
            taken();
            let span = tracing::info_span!("request", request.id = %claimed.permit.request());
            return self.execute_claimed(claimed, connector).instrument(span).await;
        }
        let (request, _guard) = match self.next_approved(manager).await? {
            QueueHead::Next(request, guard) => (*request, guard),
            QueueHead::Stopped => return Ok(Progress::Stopped),
            QueueHead::Empty => return Ok(Progress::Idle),
        };
        taken();
        let span = tracing::info_span!("request", request.id = %request.id);
        self.execute(request, connector).instrument(span).await
    }

    /// Brings one approved request to its end.
    async fn execute(
        &self,
        request: Request,
        connector: &Connector,
    ) -> Result<Progress, BrokerError> {
        let id = request.id;
        match self.look_before_claim(&request, connector).await {
            Look::Nothing => {}
            Look::Found(calls) => return self.end_found(id, &calls).await,
            Look::Failed(why) => return self.hold(request, why).await,
        }
        let inventory = match self.look_up(&request, connector).await {
            Ok(inventory) => inventory,
            Err(error) => return self.hold(request, error.lasting()).await,
        };
        let lost = match recheck(&request, &inventory) {
            Recheck::Disconnected(lost) => lost,
            Recheck::Identity(reason) => return self.withdraw(id, &reason).await,
        };
        if lost.len() == request.targets.len() {
            return self.end_disconnected(id, &lost).await;
        }
        self.identify(connector).await?;
        // The questions went over connections that were open already; the call takes a new one.
        if let Some(lack) = local_lack() {
            return self.hold(request, no_fault_of_the_manager(&lack)).await;
        }
        failpoint::reached("before the claim").await;
        let automatic = request.votes.is_empty() && request.asked_by.is_none();
        let now = self.clock().now();
        let indexer = if automatic { Some(connector.indexer_state(now).await) } else { None };
        let ground = DispatchContext { connector, inventory, indexer };
        match self.claim(&request, &lost, &ground).await? {
            ClaimResult::Frozen => Ok(Progress::Stopped),
            ClaimResult::Moved => Ok(Progress::Moved(id)),
            ClaimResult::Sent(permit, request) => {
                failpoint::reached("after the claim").await;
                self.send(*request, permit, &ground).await?;
                Ok(Progress::Moved(id))
            }
        }
    }

    /// What the manager says now of the endpoints of an approved request.
    async fn look_up(
        &self,
        request: &Request,
        connector: &Connector,
    ) -> Result<Inventory, ConnectorError> {
        let ids = request.targets.iter().map(|target| target.endpoint.id.clone()).collect();
        let (ids, now) = (Selection::Ids(ids), self.clock().now());
        let (action, term) = (&request.action, request.term);
        if request.undoes.is_none() {
            return for_approved(connector.resolve(&ids, action, term, now)).await;
        }
        for_approved(connector.resolve_undo(&request.undone(), (&ids, action), term, now)).await
    }

    /// The first of the two commits: policy is asked again, the attempt is recorded, and only
    /// then is there a permit.
    async fn claim(
        &self,
        known: &Request,
        lost: &[(EndpointId, String)],
        ground: &DispatchContext<'_>,
    ) -> Result<ClaimResult, BrokerError> {
        let now = self.clock().now();
        let attempt: AttemptId = self.clock().id();
        let ahead = &self.recheck_ahead(known, ground, now).await?;
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let rechecked = self.recheck_in(tx, ahead.as_ref(), (known, ground, now));
                    let Some((request, fresh)) = Box::pin(rechecked).await? else {
                        return Ok(ClaimResult::Moved);
                    };
                    if !self.is_its_turn(tx, &request, now).await? {
                        return Ok(ClaimResult::Moved);
                    }
                    let gone: Vec<_> = lost.iter().map(|(id, _)| id.clone()).collect();
                    let Some(order) = ground.order(&request, &gone, attempt) else {
                        return Ok(ClaimResult::Moved);
                    };
                    let frozen = system::stopped(tx, &request).await?;
                    match request.clone().claim(order, lost, fresh.clone(), frozen) {
                        Ok((transition, permit)) => {
                            let before = PreviousState::of(&request);
                            let claimed =
                                requests::advance_from(tx, before, transition, now).await?;
                            failpoint::reached("in the claim").await;
                            Ok(ClaimResult::Sent(permit, Box::new(claimed)))
                        }
                        Err(Refusal::Frozen) => Ok(ClaimResult::Frozen),
                        // Expiry closes what is late; somebody else ended what is in another state.
                        Err(Refusal::TooLate { .. } | Refusal::WrongState { .. }) => {
                            Ok(ClaimResult::Moved)
                        }
                        Err(Refusal::PolicyWithdrawn { .. }) => {
                            let cause = "policy was asked again before sending";
                            if let Some(transition) = request.redecide(fresh, cause)? {
                                requests::advance(tx, transition, now).await?;
                            }
                            Ok(ClaimResult::Moved)
                        }
                        Err(Refusal::DigestChanged) => {
                            let reason = "the stored request is not the one that was approved";
                            let transition = request.withdraw(reason.to_owned(), now)?;
                            requests::advance(tx, transition, now).await?;
                            Ok(ClaimResult::Moved)
                        }
                        Err(other) => Err(other.into()),
                    }
                })
            })
            .await
    }

    /// Sends batch after batch until the request is settled.
    async fn send(
        &self,
        mut request: Request,
        first: ExecutionPermit,
        ground: &DispatchContext<'_>,
    ) -> Result<(), BrokerError> {
        let (id, use_by) = (request.id, first.use_by());
        let mut permit = first;
        let mut tries = 1;
        loop {
            let attempt = permit.order().attempt;
            let (report, after) = self.dispatch(ground.connector, permit, tries).await?;
            failpoint::reached("after the answer").await;
            tries = match after {
                FollowUp::Retry(_) => tries + 1,
                // The manager was not asked.
                FollowUp::Hold => tries,
                FollowUp::Go | FollowUp::Probe | FollowUp::Stop(_) => 1,
            };
            let answer = (attempt, &report);
            let (step, by_now) = self.record_answer(&request, answer, &after, ground).await?;
            request = by_now;
            permit = match step {
                AnswerStep::Settled => {
                    failpoint::reached("after the end").await;
                    return Ok(());
                }
                AnswerStep::Next(permit) => {
                    failpoint::reached("between two calls").await;
                    permit
                }
                AnswerStep::Wait => {
                    failpoint::reached("in a wait").await;
                    tokio::select! {
                        () = self.stopping().cancelled() => {}
                        () = self.wait_before_next((id, use_by), &after, ground.connector) => {}
                    }
                    // No call is under way: the next start ends what is left.
                    if self.stopping().is_cancelled() {
                        return Ok(());
                    }
                    failpoint::reached("after the wait").await;
                    let (permit, by_now) = self.resume(&request, ground).await?;
                    let Some(permit) = permit else { return Ok(()) };
                    request = by_now;
                    failpoint::reached("after the resume").await;
                    permit
                }
            };
        }
    }

    /// Spends a permit. The database and the kill switch are asked once more, in the last moment.
    async fn dispatch(
        &self,
        connector: &Connector,
        permit: ExecutionPermit,
        tries: u32,
    ) -> Result<(DispatchReport, FollowUp), BrokerError> {
        let endpoints = permit.order().endpoints.clone();
        // The login and the turn first, because they can take long; if the login fails, the call
        // itself says how. Between the kill switch and the bytes nothing is waited for.
        let turn = connector.sign_in(self.clock().now()).await.unwrap_or_default();
        // Surely nothing was sent: left open, the attempt would end as `unknown`.
        let stop = match (self.halted(), self.stopped(permit.request()).await) {
            // That may be over in a minute.
            (Some(halt), _) if halt.cause.passes() => return Ok(held_back(&halt.to_string())),
            (Some(halt), _) => Some(halt.to_string()),
            (None, Err(error)) => {
                return Ok(held_back(&format!("the kill switch could not be read: {error}")));
            }
            (None, Ok(true)) => Some("the kill switch was thrown before it was sent".into()),
            (None, Ok(false)) => None,
        };
        if let Some(why) = stop {
            return Ok((not_sent(&endpoints, &why), FollowUp::Stop(why)));
        }
        failpoint::reached("before the call").await;
        let now = self.clock().now();
        let DispatchResult { report, retry_in, local } =
            connector.dispatch(permit, turn, now).await;
        let doubtful =
            report.outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Unknown { .. }));
        Ok(match retry_in {
            Some(_) if local => (report, FollowUp::Hold),
            Some(pause) if tries < TRIES_MAX => (report, FollowUp::Retry(pause)),
            Some(_) => {
                let why = format!("{} (tried {tries} times)", report.summary);
                (not_sent(&endpoints, &why), FollowUp::Stop(why))
            }
            None if doubtful => (report, FollowUp::Probe),
            None => (report, FollowUp::Go),
        })
    }

    /// Waits before the same request goes on: a fixed time, until the manager answers again, or
    /// until this machine lacks nothing; but never longer than the use-by, and not while the kill
    /// switch is on.
    async fn wait_before_next(
        &self,
        (id, use_by): (RequestId, Time),
        after: &FollowUp,
        connector: &Connector,
    ) {
        match after {
            FollowUp::Retry(pause) => return self.clock().pause(*pause).await,
            FollowUp::Hold => self.clock().pause(PROBE).await,
            FollowUp::Go | FollowUp::Probe | FollowUp::Stop(_) => {}
        }
        while self.clock().now() < use_by {
            match self.stopped(id).await {
                Ok(true) => return,
                Ok(false) if self.halted().is_some_and(|halt| halt.cause.passes()) => {}
                Ok(false) if local_lack().is_some() => {}
                Ok(false) if matches!(after, FollowUp::Hold) => return,
                Ok(false) if connector.probe(self.clock().now()).await.is_ok() => return,
                // Without a reader here there is none for the call.
                Ok(false) | Err(_) => {}
            }
            self.clock().pause(PROBE).await;
        }
    }
}

/// What follows a call.
enum FollowUp {
    /// The next batch.
    Go,
    /// The same batch once more, after this time: surely nothing was sent.
    Retry(Duration),
    /// The same batch once more, when this machine lacks nothing any more: surely nothing was
    /// sent, and the manager has nothing to do with it.
    Hold,
    /// The next batch, once the manager answers again.
    Probe,
    /// Nothing more: why.
    Stop(String),
}

/// Where a request stands after an answer is stored.
enum AnswerStep {
    Next(ExecutionPermit),
    Wait,
    Settled,
}

/// Surely nothing was sent, and the same is tried again.
fn held_back(lack: &str) -> (DispatchReport, FollowUp) {
    let summary = format!("not sent: {}", no_fault_of_the_manager(lack));
    (DispatchReport { outcomes: vec![], summary, confirm_within: None }, FollowUp::Hold)
}
