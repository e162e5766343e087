//! Every way in which a call can end, and what is known then: the rows of `docs/endings.md`, each
//! driven through a single manager and through a cluster.

mod table;

use std::time::Duration;

use countersign::{
    connector::{Connector, DispatchResult, DispatchTurn, Tls},
    domain::request::Outcome,
};
use tokio::net::TcpListener;
use wazuh_simulator::{
    AgentError, Calls, Endpoint, Fault, Os, Outage, Rights, Settings, Times, User, Work,
};

use self::table::table;
use crate::connector::{
    fake_server::{Tap, after_login, always, refuse, say},
    fixtures::{
        Lab, connector, later, names, now, outcomes, permit, resolve, send, send_at, settings,
    },
};

/// The kinds of manager: the columns of the table.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Single,
    Cluster,
}

/// Two endpoints, in a cluster on two nodes.
fn manager(kind: Kind) -> Settings {
    let on = |id, node| Endpoint::new(id, "machine", Os::UBUNTU).on_node(node);
    let agents = match kind {
        Kind::Single => vec![on("001", "node01"), on("002", "node01")],
        Kind::Cluster => vec![on("001", "node01"), on("002", "worker-1")],
    };
    Settings { agents, cluster: kind == Kind::Cluster, ..Settings::captured() }
}

/// A manager that was looked at before.
async fn lab(kind: Kind) -> Lab {
    let lab = Lab::start(manager(kind)).await;
    lab.resolve(&["001", "002"]).await;
    lab
}

async fn under(kind: Kind, fault: Fault) -> DispatchResult {
    let lab = lab(kind).await;
    lab.sim.misbehave(fault, Times::Once);
    let dispatched = send(&lab.connector, &["001", "002"]).await;
    lab.sim.settled().await;
    dispatched
}

/// A manager that gives this answer, byte for byte. What kind it is it said before.
async fn verbatim(kind: Kind, answer: String) -> DispatchResult {
    let word = if kind == Kind::Cluster { "yes" } else { "no" };
    let status = format!(r#"{{"data": {{"enabled": "{word}", "running": "{word}"}}}}"#);
    let call = after_login(answer);
    let none = always(200, r#"{"data": {"affected_items": [], "total_affected_items": 0}}"#);
    let tap = Tap::start(move |heard| match heard.line.as_str() {
        "GET /" => say(200, r#"{"data": {"api_version": "4.14.7"}}"#),
        "GET /cluster/status" => say(200, &status),
        line if line.starts_with("GET") => none(heard),
        _ => call(heard),
    })
    .await;
    let mut settings = settings(&tap.url());
    settings.call_deadline = Duration::from_millis(300);
    let connector = Connector::wazuh(settings).unwrap();
    resolve(&connector, &["001", "002"]).await;
    let dispatched = send(&connector, &["001", "002"]).await;
    assert_eq!(tap.heard("PUT").len(), 1, "a call is made once");
    dispatched
}

async fn failing(kind: Kind, outage: Outage) -> DispatchResult {
    under(kind, Fault::Fail(outage, Work::NotDone)).await
}

async fn answering(kind: Kind, status: u16, body: &str) -> DispatchResult {
    under(kind, Fault::Answer { status, body: body.to_owned() }).await
}

const REFUSAL: &str = r#"{"title": "Bad Request", "detail": "no"}"#;
const WITHOUT_CODE: &str = r#"{"data": {"affected_items": [],
    "failed_items": [{"error": {"code": null}, "id": ["001", "002"]}]}}"#;
const UNREADABLE: &str = r#"{"data": {"affected_items": [1, 2]}}"#;

/// The answer names none of those that were asked for.
fn left_out() -> Fault {
    Fault::LeaveOut(vec!["001".to_owned(), "002".to_owned()], Work::NotDone)
}

/// Nobody listens on the manager's port.
async fn refused(kind: Kind) -> DispatchResult {
    let (connector, _closed) = lab(kind).await.gone().await;
    send(&connector, &["001", "002"]).await
}

/// Drives a row; none when there is no such row.
async fn drive(row: &str, kind: Kind) -> Option<DispatchResult> {
    Some(match row {
        "connection refused" => refused(kind).await,
        "certificate not trusted" => distrusted().await,
        "no connection in time" => mute().await,
        "login refused" => {
            let user = User::new("wazuh", "another", Rights::broker());
            let lab = Lab::start(manager(kind).only_user(user)).await;
            send(&lab.connector, &["001", "002"]).await
        }
        "manager left alone after failures" => given_up(kind).await,
        "own budget used up" => {
            let few = |settings: &mut countersign::connector::WazuhSettings| {
                settings.calls_per_minute_max = 1;
            };
            let lab = Lab::start_with(manager(kind), few).await;
            send(&lab.connector, &["001", "002"]).await
        }
        "time of the approval over" => {
            let lab = lab(kind).await;
            let late = permit(&["001", "002"], b"{}", later(60));
            lab.connector.dispatch(late, DispatchTurn::default(), later(60)).await
        }
        "more than 500 endpoints" => send(&lab(kind).await.connector, &names(501)).await,
        "no answer in time" => silent(kind).await,
        "connection broken before an answer" => under(kind, Fault::Drop(Work::Done)).await,
        "answer broken off" => {
            verbatim(kind, "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_owned()).await
        }
        "answer without end" => under(kind, Fault::Flood).await,
        "200, no JSON" => under(kind, Fault::NoJson(Work::Done)).await,
        "200, affected" => send(&lab(kind).await.connector, &["001", "002"]).await,
        "200, failed item" => under(kind, Fault::EveryAgent(AgentError::NotActive)).await,
        "200, failed item without a code" => answering(kind, 200, WITHOUT_CODE).await,
        "200, list that cannot be read" => answering(kind, 200, UNREADABLE).await,
        "200, id missing" => under(kind, left_out()).await,
        "200, error 0 and nothing affected" => under(kind, Fault::NothingAffected).await,
        "200, manager 000 missing, 4.14 or later" => {
            send(&lab(kind).await.connector, &["000"]).await
        }
        "401 in the manager's own form" => under(kind, Fault::Unauthorized).await,
        "any other than 200, in another form" => under(kind, Fault::Gateway(429, Work::Done)).await,
        "403" => under(kind, Fault::Forbidden).await,
        "400" | "405" | "413" => answering(kind, row.parse().unwrap(), REFUSAL).await,
        "429" => under(kind, Fault::TooManyRequests).await,
        "500, 3021 time-out" => failing(kind, Outage::Timeout).await,
        "500, 1017 daemons not ready" => part(kind, Outage::Restarting).await,
        "500, 1010 queue gone" => part(kind, Outage::QueueGone).await,
        "500, 2005 database gone" => part(kind, Outage::DatabaseGone).await,
        "500, 900 worker died" => failing(kind, Outage::WorkerDied).await,
        "500, 901 worker died" => {
            answering(kind, 500, r#"{"title": "x", "detail": "died", "error": 901}"#).await
        }
        "500, anything else" => failing(kind, Outage::Internal).await,
        "any other status" => answering(kind, 503, REFUSAL).await,
        _ => return None,
    })
}

/// One node fails as a whole; in a cluster the other one has done its part.
async fn part(kind: Kind, outage: Outage) -> DispatchResult {
    if kind == Kind::Single {
        return failing(kind, outage).await;
    }
    let lab = lab(kind).await;
    lab.sim.misbehave(Fault::NodeFails { node: "worker-1".to_owned(), outage }, Times::Once);
    let dispatched = send(&lab.connector, &["001", "002"]).await;
    assert_eq!(lab.sim.delivered().len(), 1, "the other node did its part");
    dispatched
}

/// Who is not reached says nothing about its kind.
async fn distrusted() -> DispatchResult {
    let authority = crate::connector::tls::Authority::issue("wazuh.com", |_| {});
    let tap = authority.honest_manager().await;
    let mut settings = settings(&tap.tls_url());
    settings.tls = Tls::Pin { sha256: [7; 32] };
    settings.indexer = None;
    send(&Connector::wazuh(settings).unwrap(), &["001", "002"]).await
}

/// Takes connections, and never says a word of TLS.
async fn mute() -> DispatchResult {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = settings(&format!("https://{}", listener.local_addr().unwrap()));
    settings.tls = Tls::Pin { sha256: [0; 32] };
    settings.indexer = None;
    settings.read_deadline = Duration::from_millis(300);
    send(&Connector::wazuh(settings).unwrap(), &["001", "002"]).await
}

async fn given_up(kind: Kind) -> DispatchResult {
    let lab = lab(kind).await;
    lab.sim.misbehave_on(Calls::Reads, Fault::Drop(Work::NotDone), Times::N(3));
    for _ in 0..3 {
        lab.connector.probe(now()).await.unwrap_err();
    }
    let dispatched = send(&lab.connector, &["001", "002"]).await;
    assert_eq!(lab.sim.received().len(), 0);
    dispatched
}

async fn silent(kind: Kind) -> DispatchResult {
    let lab =
        Lab::start_with(manager(kind), |s| s.call_deadline = Duration::from_millis(300)).await;
    lab.resolve(&["001", "002"]).await;
    lab.sim.hold("001");
    let dispatched = send(&lab.connector, &["001", "002"]).await;
    lab.sim.release("001");
    lab.sim.settled().await;
    assert_eq!(lab.sim.delivered().len(), 2, "the manager went on");
    dispatched
}

/// The word for what became of all endpoints.
fn word(dispatched: &DispatchResult) -> String {
    let mut words: Vec<_> =
        dispatched.report.outcomes.iter().map(|(_, outcome)| outcome.name()).collect();
    words.dedup();
    match words.as_slice() {
        [] => "again".to_owned(),
        words => words.join(" and "),
    }
}

#[tokio::test]
async fn each_documented_ending_is_reproduced() {
    let table = table();
    for (row, [single, cluster, again]) in &table {
        for (kind, expected) in [(Kind::Single, single), (Kind::Cluster, cluster)] {
            let driven = drive(row, kind).await;
            let dispatched = driven.unwrap_or_else(|| panic!("nothing drives the row `{row}`"));
            let summary = &dispatched.report.summary;
            assert_eq!(word(&dispatched), *expected, "{row}, {kind:?}: {summary}");
            let retried = dispatched.retry_in.is_some();
            assert_eq!(retried, *expected == "again", "{row}, {kind:?}: {summary}");
            // Evidence is looked for wherever there is an outcome.
            let looked = dispatched.report.confirm_within.is_some();
            let looks = !dispatched.report.outcomes.is_empty();
            assert_eq!(looked, looks, "{row}, {kind:?}");
            if let Some(seconds) = again.strip_prefix("yes, after ") {
                let seconds: f64 = seconds.trim_end_matches(" s").parse().unwrap();
                assert_eq!(dispatched.retry_in, Some(Duration::from_secs_f64(seconds)), "{row}");
            }
            assert_eq!(again == "no", single != "again" && cluster != "again", "{row}");
        }
    }
}

/// What the issue asks for, by name: a row that vanishes from the table is missed.
const ROWS: [&str; 35] = [
    "connection refused",
    "certificate not trusted",
    "no connection in time",
    "login refused",
    "manager left alone after failures",
    "own budget used up",
    "time of the approval over",
    "more than 500 endpoints",
    "no answer in time",
    "connection broken before an answer",
    "answer broken off",
    "answer without end",
    "200, no JSON",
    "200, affected",
    "200, failed item",
    "200, failed item without a code",
    "200, list that cannot be read",
    "200, id missing",
    "200, error 0 and nothing affected",
    "400",
    "200, manager 000 missing, 4.14 or later",
    "401 in the manager's own form",
    "403",
    "405",
    "413",
    "429",
    "500, 3021 time-out",
    "500, 1017 daemons not ready",
    "500, 1010 queue gone",
    "500, 2005 database gone",
    "500, 900 worker died",
    "500, 901 worker died",
    "500, anything else",
    "any other status",
    "any other than 200, in another form",
];

#[test]
fn documented_endings_are_complete() {
    let mut rows = ROWS.map(str::to_owned).to_vec();
    rows.sort();
    assert_eq!(table().into_keys().collect::<Vec<_>>(), rows);
}

#[tokio::test]
async fn manager_of_unknown_kind_counts_as_cluster() {
    let rights = Rights::broker().allow("manager:read", &["*:*:*"]);
    let lab =
        Lab::start(manager(Kind::Single).only_user(User::new("wazuh", "wazuh", rights))).await;
    lab.resolve(&["001", "002"]).await;
    lab.sim.misbehave(Fault::Fail(Outage::QueueGone, Work::NotDone), Times::N(2));
    assert_eq!(word(&send(&lab.connector, &["001", "002"]).await), "unknown");
    // A single endpoint reports to a single node.
    assert_eq!(word(&send(&lab.connector, &["001"]).await), "again");
}

#[tokio::test]
async fn unsent_call_may_be_retried() {
    for fault in [Fault::Fail(Outage::Restarting, Work::NotDone), Fault::Unauthorized] {
        let lab = lab(Kind::Single).await;
        lab.sim.misbehave(fault, Times::Once);
        assert_eq!(word(&send(&lab.connector, &["001", "002"]).await), "again");
        let again = send_at(&lab.connector, &["001", "002"], later(5)).await;
        assert_eq!(outcomes(&again), ["001 sent", "002 sent"]);
        assert_eq!(lab.sim.received().len(), 1);
    }
}

#[tokio::test]
async fn unresolvable_host_name_sends_nothing() {
    let mut settings = settings("https://no-such-host.invalid:55000");
    settings.tls = Tls::Pin { sha256: [0; 32] };
    settings.indexer = None;
    assert_eq!(word(&send(&Connector::wazuh(settings).unwrap(), &["001"]).await), "again");
}

#[tokio::test]
async fn refusal_carries_error_code_or_http_status() {
    let body = |error: &str| format!(r#"{{"title": "Bad Request", "detail": "no"{error}}}"#);
    for status in [400, 403, 404, 405, 406, 413, 415] {
        for (body, code) in [(body(r#", "error": 1018"#), 1018), (body(""), status)] {
            let tap = Tap::start(after_login(refuse(status, &body))).await;
            let dispatched = send(&connector(&tap.url()), &["001"]).await;
            let code = Some(u32::from(code));
            assert_eq!(dispatched.report.outcomes[0].1.code(), code, "{status}");
        }
    }
}

#[tokio::test]
async fn endpoint_without_rights_is_refused_alone() {
    let rights = Rights::none().allow("active-response:command", &["agent:id:001"]);
    let user = User::new("wazuh", "wazuh", rights);
    let lab = Lab::start(Settings::captured().only_user(user)).await;
    let dispatched = send(&lab.connector, &["001", "002"]).await;
    assert_eq!(outcomes(&dispatched), ["001 sent", "002 refused 4000"]);
}

#[tokio::test]
async fn unexpected_status_or_body_is_unknown() {
    for status in [201, 202, 204, 302, 307, 408, 418, 502, 504] {
        let body = if status == 204 { "" } else { "sorry" };
        assert_eq!(word(&verbatim(Kind::Single, say(status, body)).await), "unknown", "{status}");
    }
    for body in ["", "<html>", "[]", r#"{"data": 1}"#, r#"{"data": {"affected_items": [1]}}"#] {
        assert_eq!(word(&verbatim(Kind::Single, say(200, body)).await), "unknown", "{body}");
    }
}

#[tokio::test]
async fn dispatch_redirect_is_not_followed() {
    let other = Tap::start(always(200, "{}")).await;
    let to = format!("HTTP/1.1 307 Go\r\nlocation: {}/x\r\ncontent-length: 0\r\n\r\n", other.url());
    let tap = Tap::start(after_login(to)).await;
    send(&connector(&tap.url()), &["001"]).await;
    assert_eq!(other.heard("").len(), 0);
}

#[tokio::test]
async fn login_failure_sends_nothing() {
    for (fault, expected) in [
        (Fault::TooManyRequests, "again"),
        (Fault::Fail(Outage::Restarting, Work::NotDone), "again"),
        (Fault::Fail(Outage::Timeout, Work::NotDone), "again"),
        (Fault::Drop(Work::NotDone), "again"),
        (Fault::Flood, "not_sent"),
        (Fault::NoJson(Work::NotDone), "not_sent"),
    ] {
        let lab = Lab::start(manager(Kind::Single)).await;
        lab.sim.misbehave_on(Calls::Login, fault.clone(), Times::UntilCleared);
        assert_eq!(word(&send(&lab.connector, &["001"]).await), expected, "{fault:?}");
        assert_eq!(lab.sim.received().len(), 0);
    }
}

#[tokio::test]
async fn refusal_message_is_kept() {
    let dispatched = under(Kind::Single, Fault::Forbidden).await;
    let message = "Permission denied: Resource type: agent:id".to_owned();
    let refused = Outcome::Refused { code: Some(4000), message };
    assert_eq!(dispatched.report.outcomes[0].1, refused);
    assert_eq!(
        dispatched.report.summary,
        "403: refused (4000): Permission denied: Resource type: agent:id"
    );
}
