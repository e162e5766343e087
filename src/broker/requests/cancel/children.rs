//! Requests that wait for endpoints of another, as that one is dealt with.

use crate::{
    broker::{Broker, BrokerError},
    domain::{
        Time,
        lifecycle::{Refusal, Transition},
        request::{Request, StateName},
    },
    store::{Tx, requests},
};

impl Broker {
    /// Ends what still waits for endpoints of a request, each in its own transition, and gives the
    /// request as it is then. A call that is under way goes on, and no other follows it.
    pub(in crate::broker::requests) async fn end_children(
        &self,
        tx: &mut Tx<'_>,
        parent: Request,
        now: Time,
        end: impl Fn(Request) -> Result<Transition, Refusal> + Send,
    ) -> Result<Request, BrokerError> {
        if parent.wait.is_none() || parent.parent().is_some() {
            return Ok(parent);
        }
        for id in requests::open_children(tx, parent.id).await? {
            let child = requests::load(tx, id).await?.ok_or(BrokerError::NotFound)?;
            let sent = child.state.name() == StateName::Dispatching;
            let ended = if sent { child.end_wait(now)? } else { end(child)? };
            requests::advance(tx, ended, now).await?;
        }
        requests::load(tx, parent.id).await?.ok_or(BrokerError::NotFound)
    }
}
