//! The manager's clock, and keep-alives of endpoints.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use wazuh_simulator::{Endpoint, Os, Settings};

use crate::client::Caller;

/// The time that `GET /` reports.
async fn shown(caller: &Caller) -> DateTime<Utc> {
    let answer = caller.get("/").await.json();
    answer["data"]["timestamp"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn manager_clock_can_be_ahead_or_behind() {
    let settings = Settings { token_life: Duration::from_hours(24), ..Settings::default() };
    let caller = Caller::start(settings).await;
    let now = shown(&caller).await;
    caller.sim.advance(Duration::from_hours(1));
    let ahead = (shown(&caller).await - now).num_minutes();
    assert_eq!(ahead, 60);
    caller.sim.turn_back(Duration::from_hours(2));
    let behind = (now - shown(&caller).await + TimeDelta::seconds(30)).num_minutes();
    assert_eq!(behind, 60);
    let added = caller.sim.add_alert(serde_json::json!({"id": "1.1"}));
    assert!(!added.is_empty());
    let stamp = caller.sim.alerts()[0]["timestamp"].as_str().unwrap().to_owned();
    let stamp = DateTime::parse_from_str(&stamp, "%Y-%m-%dT%H:%M:%S%.f%z").unwrap();
    assert_eq!((now - stamp.to_utc() + TimeDelta::seconds(30)).num_minutes(), 60);
}

#[tokio::test]
async fn active_endpoint_may_have_been_silent_for_a_while() {
    let silent = Endpoint::new("001", "web", Os::DEBIAN).silent_for(Duration::from_mins(10));
    let agents = vec![silent, Endpoint::new("002", "web", Os::DEBIAN)];
    let caller = Caller::start(Settings { agents, ..Settings::default() }).await;
    let now = shown(&caller).await;
    let path = "/agents?select=lastKeepAlive,status&q=id!=000";
    let listed = caller.get(path).await.json()["data"]["affected_items"].clone();
    let age = |place: usize| {
        let seen: DateTime<Utc> = listed[place]["lastKeepAlive"].as_str().unwrap().parse().unwrap();
        (now - seen).num_seconds()
    };
    assert!((595..=600).contains(&age(0)), "{listed}");
    assert!((0..=5).contains(&age(1)), "{listed}");
    assert_eq!(listed[0]["status"], "active");
}
