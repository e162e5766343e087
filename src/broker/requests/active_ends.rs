//! What a command did to others for the same target: their ends move, or they are lifted with it.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::{
    domain::{
        Time,
        endpoint::EndpointId,
        evidence::{Evidence, Sighting, Sign},
        id::RequestId,
        request::Request,
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

/// Follows the commands for a request's target on its endpoints, and stores what changed for every
/// request there, this one included.
pub(in crate::broker) async fn update_ends(
    tx: &mut Tx<'_>,
    request: &Request,
    confirm_within: Option<TimeDelta>,
    now: Time,
) -> Result<(), StoreError> {
    let all = requests::commands(tx, &request.manager, &request.action, now).await?;
    let mut follows = Consequences::default();
    let is_part =
        |one: &&EndpointCommands| request.targets.iter().any(|target| one.is_on(&target.endpoint));
    for endpoint in all.iter().filter(is_part) {
        follows.add(endpoint);
    }
    let Consequences { moved, lifted, ended } = follows;
    for ((id, by), ends) in moved {
        let Some(request) = requests::load(tx, id).await? else { continue };
        if let Some(transition) = request.end_moved(by, &ends, confirm_within, now) {
            requests::advance(tx, transition, now).await?;
        }
    }
    for ((id, by), endpoints) in lifted {
        let Some(request) = requests::load(tx, id).await? else { continue };
        if let Some(transition) = request.reverted(by, &endpoints, confirm_within, now) {
            requests::advance(tx, transition, now).await?;
        }
    }
    for (id, seen) in ended {
        let Some(request) = requests::load(tx, id).await? else { continue };
        let sightings = sightings(&request, seen);
        if let Some(transition) = request.observed(&sightings, confirm_within, now) {
            requests::advance(tx, transition, now).await?;
        }
    }
    Ok(())
}

impl Consequences {
    fn add(&mut self, on: &EndpointCommands) {
        for (command, state) in on.states() {
            let (id, endpoint) = (command.sent.request, on.endpoint.clone());
            if let Some(by) = state.lifted_by {
                if command.outcome.may_be_active() {
                    self.lifted.entry((id, by)).or_default().push(endpoint.clone());
                }
            } else if command.outcome.may_be_active()
                && state.seen_by.is_none()
                && command.ends != state.ends
            {
                let moved = self.moved.entry((id, state.ended_by)).or_default();
                moved.push((endpoint.clone(), state.ends));
            }
            let of_other = |seen_by: &RequestId| *seen_by != id && command.ended().is_none();
            let Some(seen_by) = state.seen_by.filter(of_other) else { continue };
            let evidence = on.commands.iter().find(|one| one.sent.request == seen_by);
            if let Some(evidence) = evidence.and_then(|one| one.ended()) {
                self.ended.entry(id).or_default().push((endpoint, evidence.clone()));
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
