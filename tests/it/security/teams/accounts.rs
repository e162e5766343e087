//! Who is in which team.

use std::collections::BTreeSet;

use countersign::{broker::admin::people::PersonChange, domain::actor::Actor};
use reqwest::StatusCode;

use super::{hidden, room};
use crate::{
    harness::{
        World,
        page::{Page, PersonClient},
    },
    web::fixtures::path,
};

async fn set(person: &PersonClient, teams: &str) -> Page {
    let mut fields = person.get("/people/bob").await.form("/people/bob/teams").unwrap();
    fields.insert("teams".to_owned(), teams.to_owned());
    person.post("/people/bob/teams", &fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_puts_person_into_teams() {
    let world = World::start().await;
    let dora = world.person("dora").await;
    let teams = async || world.operator().person("bob").await.unwrap().teams;
    assert_eq!(set(&dora, "office, second office").await.status, StatusCode::SEE_OTHER);
    assert_eq!(teams().await, ["office", "second"].map(str::to_owned).into());
    dora.get("/people").await.shows("office, second");
    assert_eq!(set(&dora, "").await.status, StatusCode::SEE_OTHER);
    assert_eq!(teams().await, BTreeSet::new());
    let entries = world.operator().audit_after(0).await.unwrap();
    let changes: Vec<_> = entries
        .iter()
        .filter(|entry| entry.kind == "person.teams_changed")
        .map(|entry| entry.detail.as_str())
        .collect();
    assert_eq!(
        changes,
        [
            r#"{"teams":["office","second"],"before":[]}"#,
            r#"{"teams":[],"before":["office","second"]}"#
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_team_is_refused_and_keeps_its_input() {
    let world = World::start().await;
    let dora = world.person("dora").await;
    let many = (0..17).map(|number| format!("t{number}")).collect::<Vec<_>>().join(" ");
    for (teams, said) in [("Office!", "1 to 32 of a-z"), (many.as_str(), "at most 16")] {
        let page = set(&dora, teams).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{teams}");
        assert!(page.has(said) && page.has(&format!("value=\"{teams}\"")), "{}", page.html);
    }
    let change = PersonChange::Teams(vec!["no team".to_owned()]);
    let done = world.operator().change_person(&Actor::CommandLine, "bob", &change).await;
    assert!(done.is_err());
    assert!(world.operator().person("bob").await.unwrap().teams.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn person_is_added_with_teams() {
    let room = room().await;
    let request = hidden(&room, "002").await;
    let dora = room.person("dora").await;
    let add = async |name: &str, teams: &str| {
        let mut fields = dora.get("/people").await.form("/people/add").unwrap();
        for (field, value) in [("name", name), ("role", "analyst"), ("teams", teams)] {
            fields.insert(field.to_owned(), value.to_owned());
        }
        dora.post("/people/add", &fields).await
    };
    let refused = add("frida", "no/team").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.has("value=\"no/team\""), "{}", refused.html);
    assert_eq!(add("frida", "office").await.status, StatusCode::OK);
    let frida = room.operator().person("frida").await.unwrap();
    assert_eq!(frida.teams, BTreeSet::from(["office".to_owned()]));
    let anna = room.person("anna").await;
    assert_eq!(anna.get(&path(&request)).await.status, StatusCode::OK, "who is in none");
}
