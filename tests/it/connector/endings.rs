//! Every way in which a call can end, and what is known then. Only what is surely not sent may be
//! tried again.

use std::time::Duration;

use countersign::{
    connector::{Connector, Dispatched},
    domain::request::Outcome,
    simulator::{Calls, Fault, Outage, Rights, Settings, Times, User, Work},
};
use tokio::net::TcpListener;

use super::{
    harness::{Lab, connector, outcomes, send, settings},
    tap::{Tap, after_login, always, say},
};

/// Asserts that surely nothing was sent, and that it may be tried again after this time.
fn assert_unsent(dispatched: &Dispatched, wait: Duration) {
    let summary = &dispatched.report.summary;
    assert_eq!(outcomes(dispatched), [""; 0], "{summary}");
    assert_eq!(dispatched.retry_in, Some(wait), "{summary}");
    assert!(summary.starts_with("not sent: "), "{summary}");
}

/// Asserts one outcome for all, nothing to be tried again, and what the summary says.
fn assert_all(dispatched: &Dispatched, outcome: &str, said: &str) {
    let summary = &dispatched.report.summary;
    assert!(!dispatched.report.outcomes.is_empty(), "{summary}");
    for line in outcomes(dispatched) {
        assert_eq!(line.split_once(' ').unwrap().1, outcome, "{summary}");
    }
    assert_eq!(dispatched.retry_in, None, "{summary}");
    assert!(summary.contains(said), "{summary}");
}

/// What happens to two endpoints under a fault, on a manager that was looked at before.
async fn under(fault: Fault) -> (Lab, Dispatched) {
    let lab = Lab::captured().await;
    lab.resolve(&["001", "002"]).await;
    lab.sim.misbehave(fault, Times::Once);
    let dispatched = send(&lab.connector, &["001", "002"]).await;
    lab.sim.settled().await;
    (lab, dispatched)
}

#[tokio::test]
async fn a_refused_connection_sent_nothing() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let connector = connector(&format!("http://{closed}"));
    assert_unsent(&send(&connector, &["001"]).await, Duration::from_secs(3));
}

#[tokio::test]
async fn a_refused_connection_after_a_login_sent_nothing() {
    let lab = Lab::captured().await;
    lab.resolve(&["001"]).await;
    assert_unsent(&send(&lab.gone().await, &["001"]).await, Duration::from_secs(3));
}

#[tokio::test]
async fn a_name_that_does_not_exist_sent_nothing() {
    let mut settings = settings("https://no-such-host.invalid:55000");
    settings.tls = countersign::connector::Tls::Pin { sha256: [0; 32] };
    settings.indexer = None;
    let dispatched = send(&Connector::new(settings).unwrap(), &["001"]).await;
    assert_unsent(&dispatched, Duration::from_secs(3));
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_work_is_unknown() {
    let (lab, dispatched) = under(Fault::Drop(Work::NotDone)).await;
    assert_all(&dispatched, "unknown", "nobody knows whether it was sent");
    assert_eq!(lab.sim.delivered().len(), 0);
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_work_is_unknown() {
    let (lab, dispatched) = under(Fault::Drop(Work::Done)).await;
    assert_all(&dispatched, "unknown", "nobody knows whether it was sent");
    assert_eq!(lab.sim.delivered().len(), 2);
}

#[tokio::test]
async fn no_answer_in_time_is_unknown() {
    let lab = Lab::captured().await;
    lab.sim.hold("001");
    let mut settings = settings(lab.connector.url());
    settings.call_deadline = Duration::from_millis(300);
    let connector = Connector::new(settings).unwrap();
    let dispatched = send(&connector, &["001"]).await;
    assert_all(&dispatched, "unknown", "no answer in time");
    lab.sim.release("001");
    lab.sim.settled().await;
    assert_eq!(lab.sim.delivered().len(), 1, "the manager went on");
}

#[tokio::test]
async fn a_connection_that_never_comes_about_sent_nothing() {
    // Takes connections, and never says a word of TLS.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let mut settings = settings(&url);
    settings.tls = countersign::connector::Tls::Pin { sha256: [0; 32] };
    settings.indexer = None;
    settings.read_deadline = Duration::from_millis(300);
    let dispatched = send(&Connector::new(settings).unwrap(), &["001"]).await;
    assert_unsent(&dispatched, Duration::from_secs(3));
    assert!(dispatched.report.summary.contains("no connection in time"));
}

#[tokio::test]
async fn the_manager_s_own_time_out_is_unknown_whether_it_worked_or_not() {
    for work in [Work::Done, Work::NotDone] {
        let (_, dispatched) = under(Fault::Fail(Outage::Timeout, work)).await;
        assert_all(&dispatched, "unknown", "500/3021: Timeout executing API request");
    }
}

#[tokio::test]
async fn a_manager_that_fails_in_the_middle_is_unknown() {
    for (outage, said) in [(Outage::WorkerDied, "500/900"), (Outage::Internal, "500/1000")] {
        let (_, dispatched) = under(Fault::Fail(outage, Work::NotDone)).await;
        assert_all(&dispatched, "unknown", said);
    }
}

#[tokio::test]
async fn a_manager_that_cannot_begin_sent_nothing() {
    let outages =
        [Outage::DaemonStopped, Outage::Restarting, Outage::QueueGone, Outage::DatabaseGone];
    for outage in outages {
        let (lab, dispatched) = under(Fault::Fail(outage, Work::NotDone)).await;
        assert_unsent(&dispatched, Duration::from_secs(5));
        let again = send(&lab.connector, &["001", "002"]).await;
        assert_eq!(outcomes(&again), ["001 sent", "002 sent"]);
    }
}

#[tokio::test]
async fn where_one_node_cannot_begin_the_others_may_have_sent() {
    // Looked up nothing, so it is not known that there is only one node.
    let lab = Lab::captured().await;
    lab.sim.misbehave(Fault::Fail(Outage::QueueGone, Work::NotDone), Times::N(2));
    let dispatched = send(&lab.connector, &["001", "002"]).await;
    assert_all(&dispatched, "unknown", "500/1010");
    // A single endpoint reports to a single node.
    assert_unsent(&send(&lab.connector, &["001"]).await, Duration::from_secs(5));
}

#[tokio::test]
async fn a_dead_token_sent_nothing_and_the_next_call_has_a_new_one() {
    let lab = Lab::captured().await;
    lab.resolve(&["001"]).await;
    lab.sim.revoke_tokens();
    let dispatched = send(&lab.connector, &["001"]).await;
    assert_unsent(&dispatched, Duration::from_millis(1100));
    assert_eq!(lab.sim.received().len(), 0);
    assert_eq!(outcomes(&send(&lab.connector, &["001"]).await), ["001 sent"]);
}

#[tokio::test]
async fn too_many_calls_sent_nothing_until_the_next_minute() {
    let (_, dispatched) = under(Fault::TooManyRequests).await;
    assert_unsent(&dispatched, Duration::from_mins(1));
}

#[tokio::test]
async fn too_many_calls_at_the_login_sent_nothing_either() {
    let lab = Lab::captured().await;
    lab.sim.misbehave_on(Calls::Login, Fault::TooManyRequests, Times::Once);
    assert_unsent(&send(&lab.connector, &["001"]).await, Duration::from_mins(1));
}

#[tokio::test]
async fn a_manager_that_is_not_ready_for_a_login_sent_nothing() {
    let lab = Lab::captured().await;
    for outage in [Outage::Restarting, Outage::Timeout] {
        let fault = Fault::Fail(outage, Work::NotDone);
        lab.sim.misbehave_on(Calls::Login, fault, Times::Once);
        assert_unsent(&send(&lab.connector, &["001"]).await, Duration::from_secs(5));
    }
}

#[tokio::test]
async fn a_wrong_password_sent_nothing_and_is_not_tried_again() {
    let user = User::new("wazuh", "another", Rights::broker());
    let lab = Lab::start(Settings::captured().only_user(user)).await;
    let dispatched = send(&lab.connector, &["001"]).await;
    assert_all(&dispatched, "not_sent", "refuses the user name or the password");
}

#[tokio::test]
async fn a_call_that_rights_forbid_is_refused() {
    let user = User::new("wazuh", "wazuh", Rights::none());
    let lab = Lab::start(Settings::captured().only_user(user)).await;
    let dispatched = send(&lab.connector, &["001", "002"]).await;
    assert_all(&dispatched, "refused 4000", "403: refused (4000): Permission denied");
    let message = "Permission denied: Resource type: agent:id".to_owned();
    assert_eq!(dispatched.report.outcomes[0].1, Outcome::Refused { code: Some(4000), message });
}

#[tokio::test]
async fn an_endpoint_that_rights_forbid_is_refused_alone() {
    let rights = Rights::none().allow("active-response:command", &["agent:id:001"]);
    let user = User::new("wazuh", "wazuh", rights);
    let lab = Lab::start(Settings::captured().only_user(user)).await;
    let dispatched = send(&lab.connector, &["001", "002"]).await;
    assert_eq!(outcomes(&dispatched), ["001 sent", "002 refused 4000"]);
}

#[tokio::test]
async fn a_request_that_is_refused_as_a_whole_has_its_code_or_else_its_status() {
    for status in [400, 403, 404, 405, 406, 413, 415] {
        let body = r#"{"title": "No", "detail": "not like that", "error": 1018}"#;
        let tap = Tap::start(always(status, body)).await;
        let dispatched = send(&connector(&tap.url()), &["001"]).await;
        assert_all(&dispatched, "refused 1018", "refused (1018): not like that");
        let tap = Tap::start(always(status, "Invalid HTTP request received.")).await;
        let dispatched = send(&connector(&tap.url()), &["001"]).await;
        assert_all(&dispatched, &format!("refused {status}"), "without a reason");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_answer_is_unknown() {
    for body in ["", "<html>", "[]", r#"{"data": 1}"#, r#"{"data": {"affected_items": [1]}}"#] {
        let tap = Tap::start(always(200, body)).await;
        let dispatched = send(&connector(&tap.url()), &["001"]).await;
        assert_all(&dispatched, "unknown", "the answer is not what it should be");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_unknown() {
    let tap = Tap::start(always(200, &" ".repeat(1024 * 1024 + 1))).await;
    let dispatched = send(&connector(&tap.url()), &["001"]).await;
    assert_all(&dispatched, "unknown", "more than 1 MiB");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_unknown() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_owned();
    let tap = Tap::start(after_login(half)).await;
    let mut settings = settings(&tap.url());
    settings.call_deadline = Duration::from_millis(300);
    let dispatched = send(&Connector::new(settings).unwrap(), &["001"]).await;
    assert_all(&dispatched, "unknown", "nobody knows");
}

#[tokio::test]
async fn other_statuses_are_unknown() {
    for status in [201, 202, 204, 302, 307, 408, 418, 500, 502, 503, 504] {
        let body = if status == 204 { "" } else { "sorry" };
        let tap = Tap::start(always(status, body)).await;
        let dispatched = send(&connector(&tap.url()), &["001"]).await;
        assert_all(&dispatched, "unknown", &format!("answered {status}"));
        assert_eq!(tap.heard("PUT").len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Tap::start(always(200, "{}")).await;
    let to = format!("HTTP/1.1 307 Go\r\nlocation: {}/x\r\ncontent-length: 0\r\n\r\n", other.url());
    let tap = Tap::start(after_login(to)).await;
    send(&connector(&tap.url()), &["001"]).await;
    assert_eq!(other.heard("").len(), 0);
}

#[tokio::test]
async fn a_call_is_made_once_however_it_ends() {
    let hangs_up = String::new();
    for ending in [hangs_up, say(401, ""), say(429, ""), say(500, ""), say(503, "")] {
        let tap = Tap::start(after_login(ending.clone())).await;
        send(&connector(&tap.url()), &["001"]).await;
        assert_eq!(tap.heard("PUT").len(), 1, "{ending}");
    }
}
