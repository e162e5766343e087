//! A second kind of manager, in a file of its own: it lives in memory, and knows no HTTP.

use std::{collections::BTreeSet, net::IpAddr, sync::Mutex};

use chrono::TimeDelta;
use countersign::{
    connector::{
        BoxFuture, Capabilities, Connector, ConnectorError, CorrelationTag, Diagnosis,
        DispatchResult, DispatchTurn, Driver, Health,
    },
    domain::{
        Time,
        action::{Action, Term},
        endpoint::{Candidate, Endpoint, EndpointId, Inventory, Platform, Selection, SkipReason},
        evidence::{
            Evidence, FoundCalls, Observation, RuleResponses, Sighting, Sign, TargetAlerts, Watched,
        },
        facts::{AlertFacts, AlertShown, IndexerState},
        id::RequestId,
        lifecycle::DispatchReport,
        permit::ExecutionPermit,
        request::{Outcome, Undone},
    },
};

use super::fixtures::{block, ids, later, mark, now, outcomes, permit, resolve};

#[derive(Debug, Default)]
struct InMemory {
    sent: Mutex<Vec<String>>,
}

fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Driver for InMemory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn url(&self) -> &'static str {
        "memory:"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { confirm_within: None, batch_endpoints_max: 1, calls_in_flight: 1 }
    }

    fn health(&self, _: Time) -> Health {
        Health::default()
    }

    fn hosts(&self) -> Vec<String> {
        Vec::new()
    }

    fn endpoint_addresses(&self, _: Time) -> BoxFuture<'_, Result<Vec<IpAddr>, ConnectorError>> {
        ready(Ok(Vec::new()))
    }

    fn connected(
        &self,
        ids: Vec<EndpointId>,
        _: Time,
    ) -> BoxFuture<'_, Result<BTreeSet<EndpointId>, ConnectorError>> {
        ready(Ok(ids.into_iter().collect()))
    }

    fn body(&self, command: &str, action: &Action, mark: &CorrelationTag) -> Vec<u8> {
        format!("{command} {} {mark}", action.argument()).into_bytes()
    }

    fn resolve<'a>(
        &'a self,
        selection: &'a Selection,
        _: &'a Action,
        _: Term,
        now: Time,
    ) -> BoxFuture<'a, Result<Inventory, ConnectorError>> {
        let Selection::Ids(ids) = selection else { panic!("only named ones") };
        let candidate = |id: &EndpointId| Candidate {
            endpoint: Endpoint {
                id: id.clone(),
                name: "m".to_owned(),
                date_added: "today".to_owned(),
                platform: Platform::Linux,
                groups: Vec::new(),
                address: None,
            },
            command: Ok("drop".to_owned()),
            silent: false,
            when_back: None,
        };
        let candidates = ids.iter().map(candidate).collect();
        let (unknown, other_terms) = (Vec::new(), Vec::new());
        ready(Ok(Inventory { candidates, unknown, other_terms, read_at: now }))
    }

    fn resolve_undo<'a>(
        &'a self,
        _: &'a Undone,
        (selection, action): (&'a Selection, &'a Action),
        term: Term,
        now: Time,
    ) -> BoxFuture<'a, Result<Inventory, ConnectorError>> {
        self.resolve(selection, action, term, now)
    }

    fn can_run<'a>(
        &'a self,
        _: &'a Action,
        _: Term,
        _: Platform,
        _: Time,
    ) -> BoxFuture<'a, Result<(), SkipReason>> {
        ready(Err(SkipReason::NoCommand("memory forgets nothing".to_owned())))
    }

    fn identity(&self, _: Time) -> BoxFuture<'_, Result<Option<String>, ConnectorError>> {
        ready(Ok(None))
    }

    fn sign_in(&self, _: Time) -> BoxFuture<'_, Result<DispatchTurn, ConnectorError>> {
        ready(Ok(DispatchTurn::default()))
    }

    fn dispatch(
        &self,
        permit: ExecutionPermit,
        _: DispatchTurn,
        _: Time,
    ) -> BoxFuture<'_, DispatchResult> {
        let body = String::from_utf8(permit.order().body.clone()).unwrap();
        self.sent.lock().unwrap().push(body);
        let ids = permit.order().endpoints.iter();
        let outcomes = ids.map(|id| (id.clone(), Outcome::Sent)).collect();
        let report = DispatchReport { outcomes, summary: "done".to_owned(), confirm_within: None };
        ready(DispatchResult { report, retry_in: None, local: false })
    }

    fn observe<'a>(
        &'a self,
        watched: &'a [Watched],
        now: Time,
    ) -> BoxFuture<'a, Result<Observation, ConnectorError>> {
        let evidence = |at| Evidence {
            index: "memory".to_owned(),
            alert: "1".to_owned(),
            rule: "1".to_owned(),
            at,
            of_request: None,
            version: None,
        };
        let sighting = |one: &Watched| Sighting {
            request: one.request,
            attempt: one.attempt,
            endpoint: one.endpoints[0].clone(),
            seen: Sign::Started,
            evidence: evidence(now),
            doubt: None,
        };
        let sightings = watched.iter().map(sighting).collect();
        ready(Ok(Observation { sightings, ..Observation::default() }))
    }

    fn find_calls(
        &self,
        _: Option<RequestId>,
        _: Option<Time>,
        _: Time,
    ) -> BoxFuture<'_, Result<FoundCalls, ConnectorError>> {
        ready(Ok(FoundCalls::default()))
    }

    fn rule_responses(
        &self,
        _: Time,
        _: Time,
    ) -> BoxFuture<'_, Result<RuleResponses, ConnectorError>> {
        ready(Ok(RuleResponses { found: Vec::new(), read_until: None }))
    }

    fn find_alert<'a>(&'a self, _: &'a str, _: &'a Action, _: Time) -> BoxFuture<'a, AlertFacts> {
        ready(AlertFacts::default())
    }

    fn alerts_naming<'a>(
        &'a self,
        _: &'a Action,
        _: Time,
    ) -> BoxFuture<'a, Result<Option<TargetAlerts>, ConnectorError>> {
        ready(Ok(None))
    }

    fn indexer_state(&self, _: Time) -> BoxFuture<'_, IndexerState> {
        ready(IndexerState::Current)
    }

    fn probe_indexer(&self, _: Time) -> BoxFuture<'_, Option<Result<String, String>>> {
        ready(None)
    }

    fn alert_url(&self, _: &AlertShown) -> Option<String> {
        None
    }

    fn probe(&self, _: Time) -> BoxFuture<'_, Result<String, ConnectorError>> {
        ready(Ok("memory 1".to_owned()))
    }

    fn clock_ahead(&self, _: Time) -> BoxFuture<'_, Result<Option<TimeDelta>, ConnectorError>> {
        ready(Ok(Some(TimeDelta::zero())))
    }

    fn probe_if_due(&self, _: Time) -> BoxFuture<'_, ()> {
        ready(())
    }

    fn diagnose(&self, _: Time) -> BoxFuture<'_, Vec<Diagnosis>> {
        ready(vec![Diagnosis::good("memory", "it is there")])
    }
}

#[tokio::test]
async fn second_manager_kind_fits_in_one_file() {
    let connector = Connector::new(InMemory::default());
    assert_eq!((connector.name(), connector.url()), ("memory", "memory:"));
    let inventory = resolve(&connector, &["001"]).await;
    let command = inventory.candidates[0].command.clone().unwrap();
    let body = connector.body(&command, &block("203.0.113.7"), &mark());
    let dispatched = connector
        .clone()
        .dispatch(permit(&["001"], &body, later(60)), DispatchTurn::default(), now())
        .await;
    assert_eq!(outcomes(&dispatched), ["001 sent"]);
    let mark = mark();
    let (request, attempt, digest) = (mark.request, mark.attempt, mark.digest);
    let watched = Watched {
        request,
        attempt,
        digest,
        endpoints: ids(&["001"]),
        since: now(),
        reporter: None,
    };
    assert_eq!(connector.observe(&[watched], now()).await.unwrap().sightings.len(), 1);
    assert_eq!(connector.probe(now()).await.unwrap(), "memory 1");
    assert_eq!(connector.diagnose(now()).await.len(), 1);
}
