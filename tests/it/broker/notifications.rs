//! People are told: of what, who, by which channel, at least once; and never what nobody else may
//! read.

use std::time::Duration;

use countersign::{
    broker::notifications::DeliveryResult,
    connector::{Channel, Secret, Tls, WebhookFormat, WebhookSettings},
};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use crate::{
    connector::fake_server::{Heard, Tap, say},
    harness::World,
};

mod channels;
mod content;
mod crash;
mod delivery;
mod escalation;
mod fake_mail_server;
mod passkeys;
mod plans;
mod quiet_hours;
mod storm;
mod teams;

/// 24 bytes and more, in base64.
const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// A receiver that takes everything.
async fn receiver() -> Tap {
    Tap::start(|_| say(204, "")).await
}

pub(crate) fn settings(name: &str, url: &str, format: WebhookFormat) -> WebhookSettings {
    WebhookSettings {
        name: name.to_owned(),
        section: format!("notify.webhook.{name}"),
        url: Secret::new(url),
        format,
        secret: Some(Secret::new(SECRET)),
        token: None,
        tls: Tls::Plain,
        deadline: Duration::from_secs(5),
    }
}

fn webhook(name: &str, tap: &Tap) -> Channel {
    let url = format!("{}/hook", tap.url());
    Channel::webhook(settings(name, &url, WebhookFormat::Json)).unwrap()
}

async fn world_with(channels: Vec<Channel>) -> World {
    World::builder().with_channels(channels).start().await
}

/// Spreads what is new and delivers all that is due; how the tries ended, channel by channel.
async fn tell(world: &World) -> Vec<DeliveryResult> {
    world.broker().notify().await.unwrap();
    let mut all = Vec::new();
    for channel in world.broker().channels() {
        all.extend(deliver(world, channel.name()).await);
    }
    all
}

async fn deliver(world: &World, channel: &str) -> Vec<DeliveryResult> {
    let mut all = Vec::new();
    loop {
        match world.broker().deliver_next(channel).await.unwrap() {
            DeliveryResult::Nothing => return all,
            told @ (DeliveryResult::Arrived | DeliveryResult::Failed) => all.push(told),
        }
    }
}

/// The kinds of what a JSON webhook heard, in order, with the state or the extent.
fn kinds(tap: &Tap) -> Vec<String> {
    let kind = |heard: &Heard| {
        let json: Value = serde_json::from_str(&heard.body).unwrap();
        let data = &json["data"];
        let more = data["state"].as_str().or(data["extent"].as_str()).unwrap_or("plan");
        format!("{} {more}", json["type"].as_str().unwrap())
    };
    tap.heard("POST").iter().map(kind).collect()
}

fn header(heard: &Heard, name: &str) -> String {
    let line = heard.headers.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in {}", heard.headers)).to_owned()
}

/// Says SQL to the database, as nothing in the product would.
async fn sql(world: &World, text: &'static str) {
    let path = world.folder.path().join("countersign.db");
    let mut database =
        SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::raw_sql(text).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

/// Everybody has a mail address that does not name them.
async fn give_addresses(world: &World) {
    sql(
        world,
        "UPDATE person SET mail = CASE name WHEN 'alice' THEN 'p1@example.org'
             WHEN 'bob' THEN 'p2@example.org' WHEN 'carol' THEN 'p3@example.org'
             WHEN 'dora' THEN 'p4@example.org' WHEN 'otto' THEN 'p5@example.org' END",
    )
    .await;
}

/// An agent asks for what one person must approve.
async fn pending(world: &World) -> String {
    let asked = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
    assert_eq!(asked.state(), "pending");
    asked.id()
}
