//! What is low in a plan is approved with one form.

use super::{check_picked, not_together};
use crate::{
    broker::{Broker, BrokerError, SignedIn},
    domain::{
        Time,
        digest::Digest,
        facts::Verb,
        id::{PlanId, RequestId},
        lifecycle::{Displayed, Refusal},
        plan::Plan,
        request::Request,
    },
    store::{Tx, requests::plans},
};

impl Broker {
    /// Approves steps of the lowest tier of a plan, all that are picked or none. The plan must be the one
    /// that was displayed, as must each step.
    pub async fn approve_plan(
        &self,
        who: &SignedIn,
        (id, shown): (PlanId, Digest),
        picked: &[(RequestId, Displayed)],
        comment: &str,
    ) -> Result<(), BrokerError> {
        self.ensure_not_halted()?;
        check_picked(picked)?;
        let now = self.clock().now();
        let done = self.store().write(|tx| {
            Box::pin(async move {
                let plan = plans::load_plan(tx, id).await?.ok_or(BrokerError::NotFound)?;
                self.check_voter(tx, who, (&plan, now)).await?;
                if plan.digest != shown || plan.computed_digest() != shown {
                    return Err(Refusal::DigestChanged.into());
                }
                for (step, displayed) in picked {
                    if !plan.steps.iter().any(|one| one.id == *step) {
                        return Err(not_together(*step, "it is no step of this plan"));
                    }
                    let moment = self.vote_context(tx, who, *step, (Verb::Approve, now)).await?;
                    Box::pin(self.approve_lowest(tx, moment, (*displayed, comment), now)).await?;
                }
                Ok::<_, BrokerError>(())
            })
        });
        let done = done.await;
        if let Err(BrokerError::Refused(refusal)) = &done {
            let first = picked.first().map(|(first, _)| *first);
            let named = if let Refusal::NotTogether { request, .. } = refusal {
                Some(*request)
            } else {
                first
            };
            self.note_refused_step(who, id, named, refusal).await?;
        }
        done
    }

    /// Records a refused vote of the step that it was for, or of the first: what a form names may be no
    /// step.
    async fn note_refused_step(
        &self,
        who: &SignedIn,
        id: PlanId,
        named: Option<RequestId>,
        refusal: &Refusal,
    ) -> Result<(), BrokerError> {
        let mut reader = self.store().reader().await?;
        let plan = plans::load_plan(&mut reader, id).await?.ok_or(BrokerError::NotFound)?;
        drop(reader);
        let is_named = |step: &&Request| Some(step.id) == named;
        let Some(step) = plan.steps.iter().find(is_named).or_else(|| plan.steps.first()) else {
            return Ok(());
        };
        self.note_refused_vote(who, step.id, Verb::Approve, refusal).await
    }

    /// Who may approve no step of it learns nothing of what was displayed.
    async fn check_voter(
        &self,
        tx: &mut Tx<'_>,
        who: &SignedIn,
        (plan, now): (&Plan, Time),
    ) -> Result<(), BrokerError> {
        let sites = plan.steps.iter().flat_map(Request::sites).collect();
        if !self.sees_all_of(who.active(tx, now).await?.person(), &sites) {
            return Err(BrokerError::NotFound);
        }
        let mut why = String::new();
        for step in &plan.steps {
            let moment = self.vote_context(tx, who, step.id, (Verb::Approve, now)).await?;
            if moment.may.allowed {
                return Ok(());
            }
            why = moment.may.why();
        }
        Err(Refusal::NotAllowed { why }.into())
    }
}
