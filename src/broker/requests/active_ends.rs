//! What a command did to others for the same target: their ends move, or they are lifted with it.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::{
    broker::{Broker, BrokerError},
    domain::{
        Time,
        active_response::CommandEffect,
        endpoint::EndpointId,
        evidence::{Evidence, Sighting, Sign},
        id::RequestId,
        lifecycle::Transition,
        request::{Outcome, Request},
    },
    store::{
        StoreError, Tx,
        requests::{self, EndpointCommands},
    },
};

/// A request, and the one whose command moved its ends or lifted it.
type Affected = (RequestId, RequestId);

/// What follows for the requests that rest on the same rule or timer.
#[derive(Default)]
struct Consequences {
    /// By the request, and by whose command moved its ends.
    moved: BTreeMap<Affected, Vec<(EndpointId, Option<Time>)>>,
    /// By the request, and by the undo that lifted it.
    lifted: BTreeMap<Affected, Vec<EndpointId>>,
    /// By the request: where evidence of another one shows that it ended.
    ended: BTreeMap<RequestId, Vec<(EndpointId, Evidence)>>,
}

impl Broker {
    /// At start-up: follows the commands of requests that rest on the same rule or timer. A version
    /// before this one may have stored other ends.
    pub async fn update_all_ends(&self) -> Result<(), BrokerError> {
        let now = self.clock().now();
        for id in requests::overlapping(&mut self.store().reader().await?).await? {
            let write = self.store().write(|tx| {
                Box::pin(async move {
                    if let Some(request) = readable(requests::load(tx, id).await)?.flatten() {
                        let within = self.confirm_within(&request.manager);
                        update_ends(tx, &request, within, now).await?;
                    }
                    Ok::<_, BrokerError>(())
                })
            });
            write.await?;
        }
        Ok(())
    }
}

/// Follows the commands for a request's target on its endpoints, and stores what changed for every
/// request there, this one included. A stored row of another request that cannot be read never
/// keeps this one's answer from being stored: nothing follows then.
pub(in crate::broker) async fn update_ends(
    tx: &mut Tx<'_>,
    request: &Request,
    confirm_within: Option<TimeDelta>,
    now: Time,
) -> Result<(), StoreError> {
    let endpoints = request.targets.iter().map(|target| &target.endpoint.id);
    update_ends_on(tx, request, endpoints, confirm_within, now).await
}

/// The same, where only what these endpoints got has changed.
pub(in crate::broker) async fn update_ends_on(
    tx: &mut Tx<'_>,
    request: &Request,
    endpoints: impl Iterator<Item = &EndpointId>,
    confirm_within: Option<TimeDelta>,
    now: Time,
) -> Result<(), StoreError> {
    let all = requests::commands(tx, &request.action, endpoints, now).await;
    let Some(all) = readable(all)? else { return Ok(()) };
    let mut follows = Consequences::default();
    let is_part = |one: &&EndpointCommands| {
        request.target(&one.endpoint).is_some_and(|target| one.is_on(&target.endpoint))
    };
    for endpoint in all.iter().filter(is_part) {
        follows.add(endpoint);
    }
    let Consequences { moved, lifted, ended } = follows;
    for ((id, by), ends) in moved {
        // Where it has its own end again, it is this request that no longer moves it.
        let by = if by == id { request.id } else { by };
        let change = |one: Request| one.end_moved(by, &ends, confirm_within, now);
        follow(tx, id, change, now).await?;
    }
    for ((id, by), endpoints) in lifted {
        let change = |one: Request| one.reverted(by, &endpoints, confirm_within, now);
        follow(tx, id, change, now).await?;
    }
    for (id, seen) in ended {
        let change = |one: Request| {
            let sightings = sightings(&one, seen);
            one.observed(&sightings, confirm_within, now)
        };
        follow(tx, id, change, now).await?;
    }
    Ok(())
}

/// Stores what follows for one request, if anything does.
pub(super) async fn follow(
    tx: &mut Tx<'_>,
    id: RequestId,
    change: impl FnOnce(Request) -> Option<Transition>,
    now: Time,
) -> Result<(), StoreError> {
    let loaded = requests::load(tx, id).await;
    if let Some(transition) = readable(loaded)?.flatten().and_then(change) {
        requests::advance(tx, transition, now).await?;
    }
    Ok(())
}

/// What was read; none, with a line in the log, where a stored row is inconsistent.
fn readable<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error @ StoreError::Inconsistent { .. }) => {
            tracing::error!(%error, "what a call did to other requests is not known");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl Consequences {
    fn add(&mut self, on: &EndpointCommands) {
        self.add_verified_undos(on);
        for (command, state) in on.states() {
            let (id, endpoint) = (command.sent.request, on.endpoint.clone());
            let unseen = command.outcome.evidence_of_end().is_none();
            let of_request = state.seen_by.filter(|by| *by != id && unseen);
            let of = |by| on.commands.iter().find(|one| one.sent.request == by);
            let evidence = of_request.and_then(of);
            // The end of what an undo took back shows that the undo ran.
            let lifted_by =
                state.lifted_by.or_else(|| evidence.and_then(|one| one.outcome.reverted_by()));
            if command.outcome.may_be_active() {
                if let Some(by) = lifted_by {
                    self.lifted.entry((id, by)).or_default().push(endpoint.clone());
                } else if state.seen_by.is_none() && command.ends != state.ends {
                    let moved = self.moved.entry((id, state.ended_by)).or_default();
                    moved.push((endpoint.clone(), state.ends));
                }
            }
            if let Some(alert) = evidence.and_then(|one| one.ended()) {
                let alert = Evidence { of_request, ..alert.clone() };
                self.ended.entry(id).or_default().push((endpoint, alert));
            }
        }
    }
}

impl Consequences {
    /// A companion's undo that is verified shows the end of what it took back.
    fn add_verified_undos(&mut self, on: &EndpointCommands) {
        for undo in &on.commands {
            let (CommandEffect::Release(undone), Outcome::Verified(alert)) =
                (undo.sent.effect, &undo.outcome)
            else {
                continue;
            };
            let unseen = on
                .commands
                .iter()
                .any(|one| one.sent.request == undone && one.outcome.evidence_of_end().is_none());
            if unseen {
                let of_request = Some(undo.sent.request);
                let alert = Evidence { of_request, ..alert.clone() };
                self.ended.entry(undone).or_default().push((on.endpoint.clone(), alert));
            }
        }
    }
}

/// The evidence of another request, as that of this one: the endpoint has one timer for both.
fn sightings(request: &Request, seen: Vec<(EndpointId, Evidence)>) -> Vec<Sighting> {
    let sighting = |(endpoint, evidence): (EndpointId, Evidence)| {
        let target = request.targets.iter().find(|target| target.endpoint.id == endpoint)?;
        let (request, attempt) = (request.id, target.attempt?);
        Some(Sighting { request, attempt, endpoint, seen: Sign::Ended, evidence, doubt: None })
    };
    seen.into_iter().filter_map(sighting).collect()
}
