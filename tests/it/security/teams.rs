//! People in teams see and decide what policies show to their teams, and nothing else exists for them.

use countersign::domain::{
    actor::{Role, api_token::TokenScope},
    request::Request,
};
use serde_json::{Value, json};

use crate::{
    harness::{World, WorldBuilder},
    web::fixtures::Room,
};

mod accounts;
mod acting;
mod reading;

/// The team `office` sees the group of that name, `second` a whole manager.
pub(crate) const TEAMS: &str = r#"
@id("teams.office") @why("the team office sees the group office")
permit (
    principal in Countersign::Team::"office",
    action == Countersign::Action::"view",
    resource in Countersign::Group::"office"
);
@id("teams.second") @why("the team second sees the manager second")
permit (
    principal in Countersign::Team::"second",
    action == Countersign::Action::"view",
    resource in Countersign::Manager::"second"
);
"#;

/// What nobody in the team `office` may ever read.
const HIDDEN: [&str; 5] = ["198.51.100.23", "web-01", "web-02", "mail-01", "a hidden reason"];

fn builder() -> WorldBuilder {
    World::builder().with_more_policies(TEAMS)
}

/// Bob, a senior, is in the team `office`, and so is erin, a lead on call; others are in no team. Their
/// endpoints: laptop-anna (008), laptop-ben (009) and mac-design (010).
async fn room() -> Room {
    let room = Room::of(builder()).await;
    room.add_person("erin", Role::Lead).await;
    for name in ["bob", "erin"] {
        room.put_into_teams(name, &["office"]).await;
    }
    room
}

/// A request on an endpoint of the team.
async fn of_office(room: &Room) -> Request {
    room.asked_with(json!({ "agent_ids": ["008"], "srcip": "198.51.100.77" })).await
}

/// A request on an endpoint that the team does not see: 001, 002 or 006.
async fn hidden(room: &Room, endpoint: &str) -> Request {
    let what = json!({ "agent_ids": [endpoint], "duration_seconds": 3600 });
    room.asked_with(with_reason(what)).await
}

/// A request on such an endpoint and one of the team.
async fn of_both(room: &Room, endpoint: &str) -> Request {
    let what = json!({ "agent_ids": [endpoint, "008"] });
    room.asked_with(with_reason(what)).await
}

fn with_reason(mut what: Value) -> Value {
    what["reason"] = "a hidden reason".into();
    what
}

/// All that a token can read.
const READ: [TokenScope; 1] = [TokenScope::Read];
