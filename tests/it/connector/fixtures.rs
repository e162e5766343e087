//! Connectors, permits and times for the tests of the connector.

use crate::harness::kind;
use std::{collections::BTreeMap, time::Duration};

use chrono::TimeDelta;
use countersign::{
    clock::Clock,
    connector::{
        AlertFields, Connector, CorrelationTag, DispatchResult, DispatchTurn, IndexerSettings,
        Secret, Tls, WazuhSettings,
    },
    domain::{
        Time,
        action::{Action, Term},
        decision::{Decision, Tally, Verdict},
        digest::Digest,
        endpoint::{self, EndpointId, Inventory, Platform, Selection},
        facts::AlertFacts,
        id::{AgentId, AttemptId, PersonId, RequestId},
        lifecycle::Reevaluation,
        permit::{ExecutionPermit, Order},
        proposal::Claim,
        request::{Outcome, Request, State, Target},
    },
};
use tokio::net::TcpSocket;
use uuid::Uuid;
use wazuh_simulator::{Endpoint, Os, Server, Simulator};

use crate::harness::fixtures::loopback;

/// The present of all tests: 2026-09-21 13:46:40 UTC.
pub(crate) fn now() -> Time {
    Time::from_timestamp(1_789_998_400, 0).unwrap()
}

/// That many seconds later.
pub(crate) fn later(seconds: i64) -> Time {
    now() + TimeDelta::seconds(seconds)
}

pub(crate) fn block(address: &str) -> Action {
    Action::parse(kind("block_ip"), address).unwrap()
}

pub(crate) fn disable(account: &str) -> Action {
    Action::parse(kind("disable_account"), account).unwrap()
}

/// A manager with this many connected Linux machines, `0001` and on.
pub(crate) fn fleet(size: u32) -> wazuh_simulator::Settings {
    let machine = |id| Endpoint::new(id, "machine", Os::UBUNTU);
    let agents = names(size).into_iter().map(machine).collect();
    wazuh_simulator::Settings { agents, ..wazuh_simulator::Settings::default() }
}

/// The ids of a [`fleet`].
pub(crate) fn names(size: u32) -> Vec<&'static str> {
    (1..=size).map(|id| &*format!("{id:04}").leak()).collect()
}

pub(crate) fn ids(ids: &[&str]) -> Vec<EndpointId> {
    ids.iter().map(|id| EndpointId::parse(id).unwrap()).collect()
}

/// A manager on this machine with the simulator's user.
pub(crate) fn settings(url: &str) -> WazuhSettings {
    WazuhSettings {
        name: "lab".to_owned(),
        url: url.to_owned(),
        user: "wazuh".to_owned(),
        password: Secret::new("wazuh"),
        tls: Tls::Plain,
        undo_commands: BTreeMap::new(),
        companion_groups: Vec::new(),
        keeps: Vec::new(),
        batch_endpoints_max: WazuhSettings::BATCH_ENDPOINTS_MAX,
        calls_in_flight: WazuhSettings::CALLS_IN_FLIGHT,
        calls_per_minute_max: WazuhSettings::CALLS_PER_MINUTE_MAX,
        call_deadline: Duration::from_secs(20),
        read_deadline: Duration::from_secs(20),
        indexer: Some(IndexerSettings {
            url: url.to_owned(),
            user: "admin".to_owned(),
            password: Secret::new("admin"),
            tls: Tls::Plain,
            alert_index: IndexerSettings::ALERT_INDEX.to_owned(),
            confirm_within: IndexerSettings::CONFIRM_WITHIN,
            stale_after: IndexerSettings::STALE_AFTER,
            fields: AlertFields::shipped(),
            dashboard_url: None,
        }),
        clock: Clock::manual(now()),
    }
}

pub(crate) fn connector(url: &str) -> Connector {
    Connector::wazuh(settings(url)).unwrap()
}

/// A listening simulator and a connector to it. There is no broker: these tests enter by the
/// connector's door, so the lab is not a [`World`](crate::harness::World).
pub(crate) struct Lab {
    pub(crate) sim: Simulator,
    pub(crate) connector: Connector,
    server: Server,
}

impl Lab {
    pub(crate) async fn start(settings: wazuh_simulator::Settings) -> Self {
        Self::start_with(settings, |_| {}).await
    }

    /// The same with other settings of the connector.
    pub(crate) async fn start_with(
        manager: wazuh_simulator::Settings,
        change: impl FnOnce(&mut WazuhSettings),
    ) -> Self {
        let sim = Simulator::new(manager);
        let server = sim.listen(loopback()).await.unwrap();
        let mut settings = settings(&server.url());
        change(&mut settings);
        Self { sim, connector: Connector::wazuh(settings).unwrap(), server }
    }

    /// The manager of the recordings.
    pub(crate) async fn captured() -> Self {
        Self::start(wazuh_simulator::Settings::captured()).await
    }

    /// Takes the manager away; what is left is a connector that knows it, and its port.
    pub(crate) async fn gone(self) -> (Connector, TcpSocket) {
        let closed = self.server.stop().await.unwrap();
        (self.connector, closed)
    }

    pub(crate) async fn resolve(&self, named: &[&str]) -> Inventory {
        resolve(&self.connector, named).await
    }

    /// Sends a permanent block to these endpoints, after looking them up as the broker does.
    pub(crate) async fn send(&self, named: &[&str]) -> DispatchResult {
        self.resolve(named).await;
        send(&self.connector, named).await
    }
}

pub(crate) async fn resolve(connector: &Connector, named: &[&str]) -> Inventory {
    let selection = Selection::Ids(ids(named));
    connector.resolve(&selection, &block("203.0.113.7"), Term::Permanent, now()).await.unwrap()
}

/// Sends a permanent block to these endpoints.
pub(crate) async fn send(connector: &Connector, named: &[&str]) -> DispatchResult {
    let body = connector.body("!firewall-drop", &block("203.0.113.7"), &mark());
    connector.dispatch(permit(named, &body, later(60)), DispatchTurn::default(), now()).await
}

/// The same at another time.
pub(crate) async fn send_at(connector: &Connector, named: &[&str], at: Time) -> DispatchResult {
    let body = connector.body("!firewall-drop", &block("203.0.113.7"), &mark());
    connector
        .dispatch(permit(named, &body, at + TimeDelta::seconds(60)), DispatchTurn::default(), at)
        .await
}

pub(crate) fn mark() -> CorrelationTag {
    let request = RequestId::from(Uuid::from_u128(1));
    CorrelationTag {
        request,
        attempt: AttemptId::from(Uuid::from_u128(2)),
        digest: Digest::of(b"x"),
    }
}

/// The permit to send this body to these endpoints, from a request that is claimed.
pub(crate) fn permit(named: &[&str], body: &[u8], use_by: Time) -> ExecutionPermit {
    let endpoints = ids(named);
    let request = request(&endpoints, use_by);
    let order =
        Order { attempt: AttemptId::from(Uuid::from_u128(2)), endpoints, body: body.to_vec() };
    let fresh =
        Reevaluation { run: run(), use_by, stopped: false, now: use_by - TimeDelta::seconds(60) };
    request.claim(order, &[], fresh, false).unwrap().1
}

fn run() -> Decision {
    Decision {
        verdict: Verdict::Run,
        reasons: Vec::new(),
        errors: Vec::new(),
        kept_out: Vec::new(),
        policy_hash: Digest::ZERO,
        tally: Tally::NONE,
        break_glass: false,
        at: now(),
    }
}

fn request(endpoints: &[EndpointId], use_by: Time) -> Request {
    let person = PersonId::from(Uuid::from_u128(3));
    let mut request = Request {
        id: mark().request,
        version: 1,
        agent: AgentId::from(Uuid::from_u128(4)),
        agent_name: "triage".to_owned(),
        owner: person,
        issuer: None,
        undoes: None,
        plan: None,
        asked_by: None,
        action: block("203.0.113.7"),
        term: Term::Permanent,
        claim: Claim { reason: "brute force".to_owned(), alert_id: None, confidence: None },
        fleet_wide: false,
        manager: "lab".to_owned(),
        targets: endpoints.iter().map(target).collect(),
        skipped: Vec::new(),
        alert: AlertFacts::default(),
        digest: Digest::ZERO,
        asked_at: now(),
        deadline: use_by,
        state: State::Approved { use_by },
        votes: Vec::new(),
        decision: run(),
        attempts: Vec::new(),
        history: None,
        held_because: None,
        review: None,
        wait: None,
    };
    request.digest = request.computed_digest();
    request
}

fn target(id: &EndpointId) -> Target {
    Target {
        endpoint: endpoint::Endpoint {
            id: id.clone(),
            name: format!("machine-{id}"),
            date_added: "2025-01-01T00:00:00+00:00".to_owned(),
            platform: Platform::Linux,
            groups: Vec::new(),
            address: None,
        },
        criticality: 3,
        command: "!firewall-drop".to_owned(),
        away: false,
        attempt: None,
        outcome: None,
        outcome_at: None,
        since: None,
        ends: None,
        started: false,
        doubt: None,
        watch_until: None,
    }
}

/// The outcomes as lines: `001 sent`, `006 refused 1707`.
pub(crate) fn outcomes(dispatched: &DispatchResult) -> Vec<String> {
    let line = |(id, outcome): &(EndpointId, Outcome)| match outcome.code() {
        Some(code) => format!("{id} {} {code}", outcome.name()),
        None => format!("{id} {}", outcome.name()),
    };
    dispatched.report.outcomes.iter().map(line).collect()
}
