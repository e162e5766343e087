//! Logins and tokens, and what is told when there is none.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use countersign::{
    clock::Clock,
    connector::{Connector, ConnectorError, Secret},
};
use tokio::join;
use wazuh_simulator::{Calls, Fault, Outage, Rights, Settings, Times, User, Work};

use crate::connector::{
    fake_server::{Heard, Tap, say, token},
    fixtures::{Lab, connector, later, now, settings},
};

/// A manager whose tokens are these words in turn, the last one for ever.
async fn manager_with(tokens: &'static [&'static str]) -> Tap {
    let issued = AtomicUsize::new(0);
    Tap::start(move |heard: &Heard| {
        if heard.line.starts_with("POST") {
            let turn = issued.fetch_add(1, Ordering::SeqCst);
            return token(tokens.get(turn).or(tokens.last()).unwrap());
        }
        say(200, r#"{"data": {"api_version": "4.14.7", "hostname": "vm"}, "error": 0}"#)
    })
    .await
}

async fn logins_after(tap: &Tap, seconds: &[i64]) -> usize {
    let connector = connector(&tap.url());
    for seconds in seconds {
        connector.probe(later(*seconds)).await.unwrap();
    }
    tap.heard("POST").len()
}

// {"nbf": 1000000, "exp": 1000300}: five minutes, by a clock that is years behind.
const FIVE_MINUTES: &str = "e30.eyJuYmYiOjEwMDAwMDAsImV4cCI6MTAwMDMwMH0.x";
// {"nbf": 1000000, "exp": 1000030}
const HALF_A_MINUTE: &str = "e30.eyJuYmYiOjEwMDAwMDAsImV4cCI6MTAwMDAzMH0.x";

#[tokio::test]
async fn token_is_reused_until_a_minute_before_expiry() {
    let tap = manager_with(&[FIVE_MINUTES]).await;
    assert_eq!(logins_after(&tap, &[0, 100, 239]).await, 1);
    let tap = manager_with(&[FIVE_MINUTES]).await;
    assert_eq!(logins_after(&tap, &[0, 240]).await, 2);
}

#[tokio::test]
async fn token_without_lifetime_gets_the_default_one() {
    let tap = manager_with(&["opaque"]).await;
    assert_eq!(logins_after(&tap, &[0, 839]).await, 1);
    let tap = manager_with(&["opaque"]).await;
    assert_eq!(logins_after(&tap, &[0, 840]).await, 2);
}

#[tokio::test]
async fn short_lived_token_is_used_more_than_once() {
    let tap = manager_with(&[HALF_A_MINUTE]).await;
    assert_eq!(logins_after(&tap, &[0, 14]).await, 1);
    let tap = manager_with(&[HALF_A_MINUTE]).await;
    assert_eq!(logins_after(&tap, &[0, 15]).await, 2);
}

#[tokio::test]
async fn concurrent_calls_share_one_login() {
    let tap = manager_with(&["opaque"]).await;
    let connector = connector(&tap.url());
    let (one, two) = (connector.clone(), connector.clone());
    let (one, two, three) = join!(one.probe(now()), two.probe(now()), connector.probe(now()));
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    assert_eq!(tap.heard("POST").len(), 1);
}

#[tokio::test]
async fn expired_token_is_renewed_and_read_repeated_once() {
    let lab = Lab::captured().await;
    lab.connector.probe(now()).await.unwrap();
    lab.sim.revoke_tokens();
    lab.sim.advance(Duration::from_secs(1));
    let info = lab.connector.probe(now()).await.unwrap();
    assert_eq!(info, "API 4.14.7 on simulator");
}

#[tokio::test]
async fn read_waits_out_the_second_of_a_token_change() {
    let clock = Clock::manual(now());
    let (ours, theirs) = (clock.clone(), clock.clone());
    let lab = Lab::start_with(Settings::captured(), |settings| settings.clock = ours).await;
    lab.sim.follow(move || theirs.now());
    lab.connector.probe(now()).await.unwrap();
    assert_eq!(clock.now(), now(), "nothing is waited for while all is well");
    lab.sim.revoke_tokens();
    lab.connector.probe(now()).await.unwrap();
    let waited = clock.now() - now();
    assert!((1000..2000).contains(&waited.num_milliseconds()), "{waited}");
}

#[tokio::test]
async fn read_refused_three_times_fails() {
    let lab = Lab::captured().await;
    lab.sim.misbehave_on(Calls::Reads, Fault::Unauthorized, Times::N(3));
    let error = lab.connector.probe(now()).await.unwrap_err();
    assert!(matches!(error, ConnectorError::Answer { status: 401, .. }), "{error}");
    lab.connector.probe(now()).await.unwrap();
}

#[tokio::test]
async fn wrong_password_is_not_retried_for_ten_seconds() {
    let tap = Tap::start(|_: &Heard| say(401, r#"{"detail": "Invalid credentials"}"#)).await;
    let connector = connector(&tap.url());
    for (seconds, logins) in [(0, 1), (1, 1), (9, 1), (10, 2)] {
        let error = connector.probe(later(seconds)).await.unwrap_err();
        assert!(matches!(error, ConnectorError::LoginRefused { .. }), "{error}");
        assert_eq!(tap.heard("POST").len(), logins, "after {seconds} s");
    }
}

#[tokio::test]
async fn connector_never_logs_out() {
    let tap = manager_with(&["opaque"]).await;
    logins_after(&tap, &[0, 900, 1800]).await;
    assert_eq!(tap.heard("DELETE").len(), 0);
}

/// What a person reads when the manager is under this fault.
async fn told(calls: Calls, fault: Fault) -> (String, String) {
    let lab = Lab::captured().await;
    lab.sim.misbehave_on(calls, fault, Times::UntilCleared);
    let error = lab.connector.probe(now()).await.unwrap_err();
    (error.to_string(), lab.connector.url().to_owned())
}

#[tokio::test]
async fn each_error_names_manager_and_fix() {
    let outage = |outage| Fault::Fail(outage, Work::NotDone);
    let cases = [
        (Calls::Reads, Fault::TooManyRequests, "raise its max_request_per_minute"),
        (Calls::Reads, Fault::Forbidden, "give the user the right to use the API"),
        (Calls::Reads, outage(Outage::Restarting), "try again in a moment"),
        (Calls::Login, outage(Outage::DatabaseGone), "try again in a moment"),
        (Calls::Reads, outage(Outage::Timeout), "answered 500: Timeout executing API request"),
        (Calls::Reads, Fault::NoJson(Work::NotDone), "the answer is not what it should be"),
        (Calls::Reads, Fault::Drop(Work::NotDone), "check its address and that it is running"),
    ];
    for (calls, fault, what) in cases {
        let (said, url) = told(calls, fault).await;
        assert!(said.contains(what), "{said}");
        assert!(said.contains(&format!("the manager lab at {url}")), "{said}");
    }
}

#[tokio::test]
async fn lockout_after_fifty_wrong_passwords_is_explained() {
    let user = User::new("wazuh", "another", Rights::broker());
    let lab = Lab::start(Settings::captured().only_user(user)).await;
    for attempt in 0..50 {
        lab.connector.probe(later(attempt * 10)).await.unwrap_err();
    }
    let error = lab.connector.probe(later(500)).await.unwrap_err();
    assert!(matches!(error, ConnectorError::Blocked { .. }), "{error}");
}

#[tokio::test]
async fn errors_and_debug_output_hide_secrets() {
    let lab = Lab::captured().await;
    let mut settings = settings(lab.connector.url());
    settings.password = Secret::new("hunter2");
    assert!(!format!("{settings:?}").contains("hunter2"));
    let connector = Connector::wazuh(settings).unwrap();
    assert!(!format!("{connector:?}").contains("hunter2"));
    let error = connector.probe(now()).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret");
}
