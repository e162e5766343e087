//! The one call that acts: its bytes, and what a valid answer means.

use std::time::Duration;

use countersign::{
    connector::{CorrelationTag, DispatchTurn},
    domain::request::Outcome,
};
use wazuh_simulator::{AgentError, Contact, Fault, Settings, Status, Times, Work};

use crate::connector::{
    fake_server::{Tap, always},
    fixtures::{
        Lab, block, connector, disable, fleet, later, mark, names, now, outcomes, permit, send,
    },
};

/// An answer in which everything was sent.
const SENT: &str = r#"{"data": {"affected_items": ["001"], "failed_items": []}, "error": 0}"#;

#[test]
fn block_request_body_is_exact() {
    let connector = connector("http://127.0.0.1:1");
    let body = connector.body("firewall-drop600", &block("203.0.113.7"), &mark());
    let golden = "{\"alert\":{\"data\":{\"srcip\":\"203.0.113.7\"}},\
         \"arguments\":[\"countersign=req_00000000000000000000000000000001/\
         att_00000000000000000000000000000002/2d711642b726\"],\"command\":\"firewall-drop600\"}";
    assert_eq!(String::from_utf8(body).unwrap(), golden);
}

#[test]
fn account_request_body_contains_only_the_account() {
    let connector = connector("http://127.0.0.1:1");
    let CorrelationTag { request, attempt, digest } = mark();
    let body = connector.body("!disable-account", &disable("d.miller"), &mark());
    let golden = format!(
        "{{\"alert\":{{\"data\":{{\"dstuser\":\"d.miller\"}}}},\
         \"arguments\":[\"countersign={request}/{attempt}/{}\"],\"command\":\"!disable-account\"}}",
        digest.prefix()
    );
    assert_eq!(String::from_utf8(body).unwrap(), golden);
}

#[tokio::test]
async fn call_carries_permits_bytes_to_permits_endpoints() {
    let tap = Tap::start(always(200, SENT)).await;
    let permit = permit(&["001", "002"], b"{ \"x\" }", later(60));
    connector(&tap.url()).dispatch(permit, DispatchTurn::default(), now()).await;
    let heard = tap.heard("PUT");
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].line, "PUT /active-response?agents_list=001,002&wait_for_complete=true");
    assert_eq!(heard[0].body, "{ \"x\" }");
    for header in ["content-type: application/json\r\n", "authorization: bearer any\r\n"] {
        assert!(heard[0].headers.contains(header), "{}", heard[0].headers);
    }
}

#[tokio::test]
async fn each_call_uses_its_own_connection() {
    let tap = Tap::start(always(200, SENT)).await;
    let connector = connector(&tap.url());
    for _ in 0..3 {
        send(&connector, &["001"]).await;
    }
    let connections: Vec<_> = tap.heard("PUT").iter().map(|heard| heard.connection).collect();
    assert_eq!(connections, [2, 3, 4], "1 is that of the login");
}

#[tokio::test]
async fn command_reaches_manager_and_endpoints() {
    let lab = Lab::captured().await;
    let dispatched = lab.send(&["001", "002"]).await;
    assert_eq!(outcomes(&dispatched), ["001 sent", "002 sent"]);
    assert_eq!(dispatched.report.summary, "200: 2 sent");
    assert_eq!(dispatched.retry_in, None);
    let received = lab.sim.received();
    assert_eq!(received[0].command, "!firewall-drop");
    assert_eq!(received[0].alert["data"]["srcip"], "203.0.113.7");
    assert!(received[0].arguments[0].starts_with("countersign=req_"));
    assert_eq!(received[0].delivered, ["001", "002"]);
}

#[tokio::test]
async fn each_endpoint_gets_the_outcome_manager_reports() {
    let lab = Lab::captured().await;
    let dispatched = lab.send(&["001", "006", "007", "009", "010", "099"]).await;
    let expected = [
        "001 sent",
        "006 refused 1707",
        "007 refused 1707",
        "009 refused 1750",
        "010 refused 1117",
        "099 refused 1701",
    ];
    assert_eq!(outcomes(&dispatched), expected);
    let summary = "200: 1 sent, 5 refused (1117, 1701, 1707, 1750)";
    assert_eq!(dispatched.report.summary, summary);
    let message = "Agent does not exist".to_owned();
    assert_eq!(dispatched.report.outcomes[5].1, Outcome::Refused { code: Some(1701), message });
}

#[tokio::test]
async fn endpoint_that_left_after_lookup_is_refused() {
    let lab = Lab::captured().await;
    lab.resolve(&["001"]).await;
    lab.sim.set_status("001", Status::Disconnected);
    assert_eq!(outcomes(&send(&lab.connector, &["001"]).await), ["001 refused 1707"]);
}

#[tokio::test]
async fn command_unknown_to_manager_is_refused() {
    let lab = Lab::captured().await;
    let body = lab.connector.body("firewall-drop3600", &block("203.0.113.7"), &mark());
    let dispatched = lab
        .connector
        .dispatch(permit(&["001"], &body, later(60)), DispatchTurn::default(), now())
        .await;
    assert_eq!(outcomes(&dispatched), ["001 refused 1652"]);
}

#[tokio::test]
async fn success_without_affected_endpoints_means_unknown() {
    let lab = Lab::captured().await;
    lab.sim.misbehave(Fault::NothingAffected, Times::Once);
    let dispatched = lab.send(&["001", "002"]).await;
    assert_eq!(outcomes(&dispatched), ["001 unknown", "002 unknown"]);
    assert_eq!(dispatched.report.summary, "200: 0 sent, 2 not named in the answer");
    assert_eq!(dispatched.retry_in, None);
}

#[tokio::test]
async fn endpoint_missing_from_answer_is_unknown() {
    let lab = Lab::captured().await;
    let left_out = Fault::LeaveOut(vec!["002".to_owned()], Work::NotDone);
    lab.sim.misbehave(left_out, Times::Once);
    let dispatched = lab.send(&["001", "002"]).await;
    assert_eq!(outcomes(&dispatched), ["001 sent", "002 unknown"]);
    let why = "the manager's answer does not name it".to_owned();
    assert_eq!(dispatched.report.outcomes[1].1, Outcome::Unknown { why });
}

#[tokio::test]
async fn manager_is_left_out_silently_since_version_4_14() {
    for (version, expected) in
        [("4.13.1", "000 refused 1703"), ("4.14.0", "000 not_sent"), ("4.14.7", "000 not_sent")]
    {
        let settings = Settings { api_version: version.to_owned(), ..Settings::captured() };
        let lab = Lab::start(settings).await;
        assert_eq!(outcomes(&lab.send(&["000"]).await), [expected], "{version}");
    }
}

#[tokio::test]
async fn refusal_by_gateway_is_unknown_and_never_sent_again() {
    for status in [400, 401, 403, 404, 405, 406, 413, 415, 429, 500, 502, 503] {
        for work in [Work::Done, Work::NotDone] {
            let lab = Lab::captured().await;
            lab.sim.misbehave(Fault::Gateway(status, work), Times::Once);
            let dispatched = lab.send(&["001"]).await;
            assert_eq!(outcomes(&dispatched), ["001 unknown"], "{status}");
            assert_eq!(dispatched.retry_in, None);
        }
    }
}

#[tokio::test]
async fn unrequested_ids_in_answer_are_ignored_and_mentioned() {
    let answer = r#"{"data": {"affected_items": ["001", "777"], "failed_items": [
        {"error": {"code": 1707, "message": "gone"}, "id": ["888"]}]}}"#;
    let tap = Tap::start(always(200, answer)).await;
    let dispatched = send(&connector(&tap.url()), &["001"]).await;
    assert_eq!(outcomes(&dispatched), ["001 sent"]);
    let summary = "200: 1 sent; the answer names 2 that were not asked for: 777, 888";
    assert_eq!(dispatched.report.summary, summary);
}

#[tokio::test]
async fn endpoint_errors_are_reported_per_endpoint() {
    let lab = Lab::captured().await;
    lab.sim.misbehave(Fault::EveryAgent(AgentError::SocketGone), Times::Once);
    let dispatched = lab.send(&["001", "002"]).await;
    assert_eq!(outcomes(&dispatched), ["001 refused 1013", "002 refused 1013"]);
}

#[tokio::test]
async fn slow_endpoint_is_awaited() {
    let impatient = Settings { api_timeout: Duration::ZERO, ..Settings::captured() };
    let lab = Lab::start(impatient).await;
    lab.sim.set_contact("011", Contact::After(Duration::from_millis(50)));
    let dispatched = send(&lab.connector, &["001", "011"]).await;
    assert_eq!(outcomes(&dispatched), ["001 sent", "011 sent"]);
}

#[tokio::test]
async fn permit_expires_at_use_by() {
    let tap = Tap::start(always(200, SENT)).await;
    let connector = connector(&tap.url());
    for seconds in [60, 61] {
        let dispatched = connector.dispatch(
            permit(&["001"], b"{}", later(60)),
            DispatchTurn::default(),
            later(seconds),
        );
        let dispatched = dispatched.await;
        assert_eq!(outcomes(&dispatched), ["001 not_sent"]);
        assert_eq!(dispatched.retry_in, None);
    }
    assert_eq!(tap.heard("").len(), 0, "not even a login");
}

#[tokio::test]
async fn call_beyond_500_endpoints_is_not_sent() {
    let tap = Tap::start(always(200, SENT)).await;
    let connector = connector(&tap.url());
    let dispatched = send(&connector, &names(501)).await;
    assert_eq!(dispatched.report.outcomes.len(), 501);
    assert!(dispatched.report.outcomes.iter().all(|(_, o)| o.name() == "not_sent"));
    assert_eq!(tap.heard("").len(), 0);
    assert_eq!(send(&connector, &names(500)).await.report.outcomes.len(), 500);
    assert_eq!(tap.heard("PUT").len(), 1);
}

#[tokio::test]
async fn answer_for_500_endpoints_is_read_completely() {
    let lab = Lab::start(fleet(500)).await;
    assert_eq!(lab.send(&names(500)).await.report.summary, "200: 500 sent");
}
