//! What policy lets run at once is claimed in the transaction that decides, where a sender of its
//! manager is free: one commit less, and nothing waits between the two.

use chrono::TimeDelta;

use super::FollowUp;
use crate::{
    broker::{
        Broker, BrokerError,
        execution::{
            order::{DispatchContext, not_sent},
            progress::Progress,
            recheck::{Recheck, recheck},
        },
        in_memory::{Claimed, Claims},
    },
    connector::{Connector, local_lack},
    domain::{
        endpoint::Inventory,
        lifecycle::{Reevaluation, Refusal},
        notice::PreviousState,
        request::{Request, StateName},
    },
    failpoint,
    store::{Tx, requests, system},
};

/// What a manager said of its endpoints spares the second look for this long.
const FRESH: TimeDelta = TimeDelta::seconds(5);

impl Broker {
    /// From now on the senders of a manager take what is claimed for them.
    pub fn open_senders(&self, manager: &str) {
        let Some(connector) = self.manager(manager) else { return };
        self.executing().open(manager, connector.capabilities().calls_in_flight);
    }

    /// Ends what waits between two calls: nothing more is sent for it.
    pub fn stop_waiting(&self) {
        self.stopping().cancel();
    }

    /// Nothing more is claimed for the senders of a manager; what is, is sent.
    pub async fn close_senders(&self, manager: &str) -> Result<(), BrokerError> {
        let Some(claims) = self.executing().claims(manager) else { return Ok(()) };
        let connector = self.manager(manager).ok_or(BrokerError::NotFound)?;
        loop {
            let mut claims = claims.lock().await;
            claims.close();
            let Some(claimed) = claims.recv().await else { return Ok(()) };
            drop(claims);
            self.execute_claimed(claimed, connector).await?;
        }
    }

    /// What is claimed for a sender of this manager.
    pub(super) async fn next_claimed(&self, manager: &str) -> Option<Claimed> {
        let claims: Claims = self.executing().claims(manager)?;
        let mut claims = claims.lock().await;
        claims.try_recv().ok()
    }

    /// Claims a request that was just stored, where it may run, nothing else waits for its manager,
    /// and a sender of that is free. Policy's answer holds in this transaction.
    pub(in crate::broker) async fn claim_at_once(
        &self,
        tx: &mut Tx<'_>,
        request: Request,
        inventory: &Inventory,
    ) -> Result<Request, BrokerError> {
        let approved = request.state.name() == StateName::Approved;
        // Policy would be asked about fewer endpoints than it was, or some may be away.
        let whole = request.decision.kept_out.is_empty() && request.wait.is_none();
        // Whether it is its turn is asked at one place, where the worker claims.
        let alone = request.plan.is_none();
        let connector = self.manager(&request.manager).filter(|_| approved && whole && alone);
        let Some(connector) = connector else { return Ok(request) };
        if self.halted().is_some() || local_lack().is_some() || !self.is_identified(connector) {
            return Ok(request);
        }
        let Some(reserved) = self.executing().reserve(connector.name(), request.id) else {
            return Ok(request);
        };
        let others = requests::approved_count(tx, connector.name()).await? > 1;
        if others || system::stopped(tx, &request).await? {
            return Ok(request);
        }
        let now = self.clock().now();
        let ground = DispatchContext { connector, inventory: inventory.clone(), indexer: None };
        let Some(order) = ground.order(&request, &[], self.clock().id()) else {
            return Ok(request);
        };
        let run = request.decision.clone();
        let fresh = Reevaluation { run, use_by: self.use_by(now), stopped: false, now };
        let (transition, permit) = match request.clone().claim(order, &[], fresh, false) {
            Ok(claimed) => claimed,
            Err(Refusal::TooLate { .. }) => return Ok(request),
            Err(other) => return Err(other.into()),
        };
        let before = PreviousState::of(&request);
        let claimed = requests::advance_from(tx, before, transition, now).await?;
        failpoint::reached("in the claim at once").await;
        let (inventory, request) = (ground.inventory, claimed.clone());
        tx.after_commit(|| reserved.hand_over(permit, request, inventory));
        Ok(claimed)
    }

    /// Sends what was claimed at once.
    pub(super) async fn execute_claimed(
        &self,
        claimed: Claimed,
        connector: &Connector,
    ) -> Result<Progress, BrokerError> {
        let Claimed { permit, request, inventory, guard: _guard } = claimed;
        let id = request.id;
        failpoint::reached("after the claim at once").await;
        let ground = DispatchContext { connector, inventory, indexer: None };
        if let Some(why) = self.look_again(&request, &ground).await? {
            let order = permit.order();
            let report = not_sent(&order.endpoints, &why);
            let (answer, after) = ((order.attempt, &report), FollowUp::Stop(why));
            self.record_answer(&request, answer, &after, &ground).await?;
        } else {
            self.send(request, permit, &ground).await?;
        }
        Ok(Progress::Moved(id))
    }

    /// Why it may not be sent any more, by what the manager says of the endpoints now. It is not
    /// asked again within seconds.
    async fn look_again(
        &self,
        request: &Request,
        ground: &DispatchContext<'_>,
    ) -> Result<Option<String>, BrokerError> {
        let now = self.clock().now();
        if (TimeDelta::zero()..=FRESH).contains(&(now - ground.inventory.read_at)) {
            return Ok(None);
        }
        let resolved = self.look_up(request, ground.connector).await;
        Ok(match resolved.map(|inventory| recheck(request, &inventory)) {
            Err(error) => Some(error.lasting()),
            Ok(Recheck::Identity(why)) => Some(why),
            Ok(Recheck::Disconnected(lost)) => {
                lost.into_iter().next().map(|(id, why)| format!("endpoint {id}: {why}"))
            }
        })
    }
}
