//! A step of a plan is claimed when its turn has come, and by the plan that people saw.

use crate::{
    broker::{Broker, BrokerError},
    domain::{Time, plan::Turn, request::Request},
    failpoint,
    store::{
        Tx,
        requests::{self, plans},
    },
};

impl Broker {
    /// Whether a request may be claimed as far as its plan goes. A step whose plan is not the stored one,
    /// or whose turn can never come, is withdrawn.
    pub(super) async fn is_its_turn(
        &self,
        tx: &mut Tx<'_>,
        request: &Request,
        now: Time,
    ) -> Result<bool, BrokerError> {
        let Some(step) = request.plan else { return Ok(true) };
        let plan = plans::load_plan(tx, step.plan).await?.ok_or(BrokerError::NotFound)?;
        match plan.turn(request.id) {
            Turn::Now => {
                if step.number > 1 {
                    failpoint::reached("in the claim of a step").await;
                }
                Ok(true)
            }
            Turn::Later => Ok(false),
            Turn::Never(why) => {
                let transition = request.clone().withdraw(why, now)?;
                requests::advance(tx, transition, now).await?;
                Ok(false)
            }
        }
    }
}
