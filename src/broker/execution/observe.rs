//! The collector: looks for what endpoints left behind, and draws its conclusion when the time for
//! it is over.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::{
    broker::{
        Broker, BrokerError,
        in_memory::{REQUESTS_MAX, crowd},
        requests::active_ends::update_ends,
    },
    connector::Connector,
    domain::{
        Time,
        evidence::{Observation, Watched},
        id::{AttemptId, RequestId},
        request::Request,
    },
    store::requests::{self, Wanted},
};

/// What could not be seen in one look for evidence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// Why some evidence may be there that was not seen.
    pub gap: Option<String>,
    /// That more requests wait than one look takes in.
    pub crowd: Option<String>,
}

impl Look {
    fn and(self, other: Self) -> Self {
        let crowd = [self.crowd, other.crowd].into_iter().flatten().collect::<Vec<_>>();
        Self { gap: self.gap.or(other.gap), crowd: (!crowd.is_empty()).then(|| crowd.join("; ")) }
    }
}

impl Broker {
    /// Looks once for evidence of what was sent through a manager, doubt first. Where some may be there
    /// that was not seen, the conclusion is that nobody could look. While the indexer does not answer
    /// at all, nothing is concluded.
    pub async fn observe(&self, manager: &str) -> Result<Look, BrokerError> {
        let connector = self.manager(manager).ok_or(BrokerError::NotFound)?;
        self.identify(connector).await?;
        let mut reader = self.store().reader().await?;
        let (mut turns, mut looks) = (Vec::new(), Vec::new());
        // Read first: what was just seen starting is not looked for again at once.
        for wanted in Wanted::ALL {
            let found = requests::watched(&mut reader, manager, wanted, REQUESTS_MAX).await?;
            turns.push((wanted, found));
        }
        drop(reader);
        // What fails in one search must not keep the other from being made.
        for turn in turns {
            looks.push(self.look_for(connector, turn).await);
        }
        let done = looks.into_iter().try_fold(Look::default(), |all, one| Ok(all.and(one?)));
        let problem = match &done {
            Ok(look) => look.gap.clone(),
            Err(BrokerError::Manager(why)) => Some(why.to_string()),
            Err(error) => Some(error.to_string()),
        };
        self.look_problems().note(manager, problem);
        done
    }

    async fn look_for(
        &self,
        connector: &Connector,
        (wanted, (ids, waiting)): (Wanted, (Vec<RequestId>, u64)),
    ) -> Result<Look, BrokerError> {
        let manager = connector.name();
        let mut reader = self.store().reader().await?;
        let mut watched = Vec::new();
        for id in &ids {
            watched.extend(requests::load(&mut reader, *id).await?);
        }
        drop(reader);
        if watched.is_empty() {
            return Ok(Look::default());
        }
        let crowd = crowd(wanted, waiting);
        // Even a look that fails was these requests' turn: else they would fail for all others.
        if crowd.is_some() {
            self.store().write_quietly(|tx| Box::pin(requests::note_look(tx, &ids))).await?;
        }
        let calls: Vec<_> = watched.iter().flat_map(watched_calls).collect();
        let seen = connector.observe(&calls, self.clock().now()).await?;
        let (within, now) = (self.confirm_within(manager), self.clock().now());
        for request in watched {
            let id = request.id;
            let news = request.clone().observed(&seen.sightings, within, now).is_some()
                || request.evidence_missed(within, seen.gap.as_deref(), now).is_some();
            // Every write wakes all who wait for news: a look without news makes none.
            if news {
                self.record_observed(id, &seen).await?;
            }
        }
        let no_doubt = |why| format!("what speaks against a start may be missing: {why}");
        Ok(Look { gap: seen.gap.or_else(|| seen.doubt_gap.map(no_doubt)), crowd })
    }

    /// Looks once for what the endpoints of a manager did without a request of ours.
    pub async fn observe_rule_responses(&self, manager: &str) -> Result<(), BrokerError> {
        let connector = self.manager(manager).ok_or(BrokerError::NotFound)?;
        let mut reader = self.store().reader().await?;
        let known = requests::rule_responses_read(&mut reader, manager).await?;
        drop(reader);
        let now = self.clock().now();
        let oldest = now - requests::RULE_RESPONSE_COUNTS;
        let since = known.map_or(oldest, |known| known.max(oldest));
        let read = connector.rule_responses(since, now).await?;
        // A look without news writes nothing.
        if read.found.is_empty() && read.read_until.is_none_or(|until| until <= since) {
            return Ok(());
        }
        let stored = self
            .store()
            .write_quietly(|tx| Box::pin(requests::store_rule_responses(tx, manager, &read, now)));
        if stored.await? {
            self.store().announce();
        }
        Ok(())
    }

    /// How long the alerts of a manager's endpoints may take; none where nobody looks.
    pub fn confirm_within(&self, manager: &str) -> Option<TimeDelta> {
        self.manager(manager)?.capabilities().confirm_within
    }

    async fn record_observed(&self, id: RequestId, seen: &Observation) -> Result<(), BrokerError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let mut request = requests::load(tx, id).await?.ok_or(BrokerError::NotFound)?;
                    let within = self.confirm_within(&request.manager);
                    let sightings = &seen.sightings;
                    if let Some(news) = request.clone().observed(sightings, within, now) {
                        request = requests::advance(tx, news, now).await?;
                    }
                    let gap = seen.gap.as_deref();
                    if let Some(missed) = request.clone().evidence_missed(within, gap, now) {
                        request = requests::advance(tx, missed, now).await?;
                    }
                    update_ends(tx, &request, within, now).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// The calls of a request whose evidence is still waited for.
fn watched_calls(request: &Request) -> Vec<Watched> {
    let entry = request.action.kind().entry();
    let mut by_attempt: BTreeMap<AttemptId, Watched> = BTreeMap::new();
    for target in request.targets.iter().filter(|target| target.watch_until.is_some()) {
        let Some(attempt) = target.attempt else { continue };
        let watched = by_attempt.entry(attempt).or_insert_with(|| Watched {
            request: request.id,
            attempt,
            digest: request.digest,
            endpoints: Vec::new(),
            since: attempt_started(request, attempt),
            // The endpoints of one call have one command.
            reporter: entry.companion_in(&target.command).map(str::to_owned),
        });
        watched.endpoints.push(target.endpoint.id.clone());
    }
    by_attempt.into_values().collect()
}

fn attempt_started(request: &Request, attempt: AttemptId) -> Time {
    let call = request.attempts.iter().find(|call| call.id == attempt);
    call.map_or(request.asked_at, |call| call.started_at)
}
