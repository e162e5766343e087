//! What is stored between two calls: what the last one brought, and the next.

use std::time::Duration;

use super::{AnswerStep, FollowUp};
use crate::{
    broker::{
        Broker, BrokerError,
        execution::{
            order::{DispatchContext, mark_reverted},
            recheck::reload,
        },
        requests::active_ends::update_ends_on,
    },
    domain::{
        id::AttemptId,
        lifecycle::{DispatchReport, Next},
        notice::PreviousState,
        permit::ExecutionPermit,
        request::{Request, State},
    },
    failpoint,
    store::{Tx, TxWork, requests, system},
};

/// How often an outcome is written while the database is busy.
const WRITE_TRIES: u32 = 30;

impl Broker {
    /// The second of the two commits: the outcome, and with it the next attempt.
    pub(super) async fn record_answer(
        &self,
        known: &Request,
        (attempt, report): (AttemptId, &DispatchReport),
        after: &FollowUp,
        ground: &DispatchContext<'_>,
    ) -> Result<(AnswerStep, Request), BrokerError> {
        let next: AttemptId = self.clock().id();
        let now = self.clock().now();
        let answered = &report.outcomes.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
        self.write_patiently(|tx| {
            Box::pin(async move {
                let before = reload(tx, known).await?;
                let order = ground.order(&before, answered, next);
                let next = match (after, order) {
                    (FollowUp::Stop(why), _) => Next::Stop { why: why.clone() },
                    (_, None) => Next::Stop { why: "nothing is left to send".to_owned() },
                    (FollowUp::Retry(_) | FollowUp::Hold | FollowUp::Probe, Some(_)) => Next::Wait,
                    (FollowUp::Go, Some(order)) => {
                        let fresh = self.recheck_policy(tx, &before, ground).await?;
                        let frozen = system::stopped(tx, &before).await?;
                        Next::Order { order, run: fresh.run, frozen }
                    }
                };
                let (transition, permit) = before.clone().answered(attempt, report, next, now)?;
                let before = PreviousState::of(&before);
                let request = requests::advance_from(tx, before, transition, now).await?;
                mark_reverted(tx, &request, report, now).await?;
                let within = report.confirm_within;
                update_ends_on(tx, &request, answered.iter(), within, now).await?;
                failpoint::reached("in the answer").await;
                let step = match (permit, &request.state) {
                    (Some(permit), _) => AnswerStep::Next(permit),
                    (None, State::Dispatching { .. }) => AnswerStep::Wait,
                    (None, _) => AnswerStep::Settled,
                };
                Ok((step, request))
            })
        })
        .await
    }

    /// The next call after a wait, if there is one.
    pub(super) async fn resume(
        &self,
        known: &Request,
        ground: &DispatchContext<'_>,
    ) -> Result<(Option<ExecutionPermit>, Request), BrokerError> {
        let attempt: AttemptId = self.clock().id();
        let now = self.clock().now();
        self.write_patiently(|tx| {
            Box::pin(async move {
                let before = reload(tx, known).await?;
                let fresh = self.recheck_policy(tx, &before, ground).await?;
                let frozen = system::stopped(tx, &before).await?;
                let next = match ground.order(&before, &[], attempt) {
                    Some(order) => Next::Order { order, run: fresh.run, frozen },
                    None => Next::Stop { why: "nothing is left to send".to_owned() },
                };
                let (transition, permit) = before.clone().resume(next, now)?;
                let before = PreviousState::of(&before);
                let request = requests::advance_from(tx, before, transition, now).await?;
                failpoint::reached("in the resume").await;
                Ok((permit, request))
            })
        })
        .await
    }

    /// What is known after a call must be stored, so a busy database is asked again. When it stays
    /// busy the error goes up, nothing more is sent, and the worker's next step closes the attempt.
    async fn write_patiently<'a, T>(
        &self,
        work: impl for<'t> Fn(&'t mut Tx<'a>) -> TxWork<'t, T, BrokerError> + Send + Sync,
    ) -> Result<T, BrokerError> {
        for _ in 0..WRITE_TRIES {
            match self.store().write(&work).await {
                Err(BrokerError::Store(error)) if error.may_pass() => {
                    self.clock().pause(Duration::from_secs(1)).await;
                }
                done => return done,
            }
        }
        self.store().write(&work).await
    }
}
