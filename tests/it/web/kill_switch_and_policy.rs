//! The kill switch and the policy set, on the page.

use std::{fs, time::Duration};

use countersign::domain::request::{Request, StateName};
use serde_json::json;

use super::fixtures::{Room, path};
use crate::harness::PASSWORD;

#[tokio::test]
async fn kill_switch_stops_everything_and_appears_on_every_page() {
    let room = Room::start().await;
    let request = room.asked().await;
    let later = room.asked_with(json!({ "agent_ids": ["001"] })).await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&path(&request)).await;
    assert_eq!(bob.submit(&format!("{}/approve", path(&request)), &[]).await.status, 303);
    let approve = format!("{}/approve", path(&later));
    let opened_before = bob.open(&path(&later)).await.hidden_fields(&approve);
    bob.open("/system").await;
    assert_eq!(bob.submit("/freeze", &[("what", "everything"), ("reason", " ")]).await.status, 400);
    assert!(room.operator().frozen().await.unwrap().is_empty());
    assert_eq!(
        bob.submit("/freeze", &[("what", "everything"), ("reason", "odd requests")]).await.status,
        303
    );
    for page in ["/", "/requests", "/audit", "/people", "/password", "/requests/req_1"] {
        let page = bob.open(page).await;
        page.shows("Kill switch on: nothing is sent.");
        page.shows("odd requests");
    }
    bob.open(&path(&later)).await.shows("Release first");
    assert!(!bob.page.has_form(&approve));
    let refused = bob.post(&approve, &opened_before).await;
    assert_eq!(refused.status, 409);
    refused.shows("the kill switch stops it");
    assert_eq!(room.now(&later).await.state.name(), StateName::Pending);
    room.work().await;
    assert_eq!(room.now(&request).await.state.name(), StateName::Approved);
    bob.open(&path(&request)).await.shows("The kill switch keeps it from being sent.");
    assert!(!bob.open("/system").await.has_form("/unfreeze"));
    bob.page.shows("You may not release it");

    let mut carol = room.browser_of("carol").await;
    room.pass(Duration::from_secs(301));
    carol.open("/system").await;
    assert_eq!(carol.submit("/unfreeze", &[("reason", "looked into it")]).await.status, 401);
    let done = [("reason", "looked into it"), ("password", PASSWORD)];
    assert_eq!(carol.submit("/unfreeze", &done).await.status, 303);
    carol.open("/").await.shows("carol asked for its release; a second person must confirm.");
    let mut dora = room.browser_of("dora").await;
    dora.open("/system").await.shows("You are the second person.");
    assert_eq!(dora.submit("/unfreeze", &[("reason", "so did I")]).await.status, 303);
    assert!(!carol.open("/").await.has("Kill switch on"));
}

#[tokio::test]
async fn request_links_to_kill_switch_for_people_allowed_to() {
    let room = Room::start().await;
    let request = room.asked().await;
    let (mut bob, mut otto) = (room.browser_of("bob").await, room.browser_of("otto").await);
    bob.open(&path(&request)).await;
    let stops = ["agent:triage-bot", "action:block_ip", "everything"];
    let links = bob.page.links();
    for what in stops {
        let link = format!("/system?what={what}");
        assert!(links.iter().any(|one| one.starts_with(&link)), "{links:?}");
        bob.open(&link).await.shows(&format!("<option value=\"{what}\" selected>"));
    }
    otto.open(&path(&request)).await;
    assert!(!otto.page.links().iter().any(|one| one.starts_with("/system?")));
}

#[tokio::test]
async fn admin_reloads_policies_and_invalid_set_keeps_old_one() {
    let room = Room::start().await;
    let mut dora = room.browser_of("dora").await;
    let before = room.broker().engine().hash();
    let file = room.policies.join("90_new.cedar");
    fs::write(&file, "@id(\"new.bad\")\nforbid (principal, action, resource) when { nonsense")
        .unwrap();
    dora.open("/policy").await.shows("cannot become active; the active set stays");
    dora.page.shows("90_new.cedar");
    assert!(!dora.page.has_form("/policy/activate"));
    let forged = [
        ("form_token".to_owned(), dora.page.form_token()),
        ("shown".to_owned(), room.policy_difference().to_string()),
    ];
    let answer = dora.post("/policy/activate", &forged).await;
    assert_eq!(answer.status, 422);
    answer.shows("The set in the folder was rejected; the active set has not changed.");
    answer.shows("90_new.cedar");
    assert_eq!(room.broker().engine().hash(), before);
    fs::remove_file(&file).unwrap();
    let all = fs::read_to_string(room.policies.join("40_people.cedar")).unwrap();
    fs::write(room.policies.join("40_people.cedar"), format!("// One more line.\n{all}")).unwrap();
    dora.open("/policy").await.shows("// One more line.");
    assert_eq!(dora.submit("/policy/activate", &[]).await.status, 303);
    assert_ne!(room.broker().engine().hash(), before);
    let mut bob = room.browser_of("bob").await;
    bob.open("/system").await;
    let mut forged = bob.page.hidden_fields("/sign-out");
    forged.push(("shown".to_owned(), room.policy_difference().to_string()));
    assert_eq!(bob.post("/policy/activate", &forged).await.status, 403);
}

#[tokio::test]
async fn policy_load_writes_one_summary_and_changed_requests() {
    let room = Room::start().await;
    let mut asked = Vec::new();
    for reason in ["one", "two", "a drill"] {
        let arguments = json!({
            "agent_ids": ["002"], "duration_seconds": 600, "reason": reason,
            "srcip": format!("203.0.113.{}", 10 + asked.len()),
        });
        asked.push(room.asked_exactly(&arguments).await);
    }
    let mut dora = room.browser_of("dora").await;
    fs::write(room.policies.join("90_new.cedar"), "// Nothing new.").unwrap();
    dora.open("/policy").await;
    let seen = room.audit_kinds().await.len();
    let added = async || room.audit_kinds().await.split_off(seen);
    assert_eq!(dora.submit("/policy/activate", &[]).await.status, 303);
    assert_eq!(added().await, ["policy.activated", "policy.reevaluated"]);
    let drill = "@id(\"new.drill\") @why(\"a drill is for two\")
        forbid (principal, action in Countersign::Action::\"run\", resource)
        when { context.claim.reason == \"a drill\" } unless { context.votes.people >= 2 };";
    fs::write(room.policies.join("90_new.cedar"), drill).unwrap();
    dora.open("/policy").await;
    assert_eq!(dora.submit("/policy/activate", &[]).await.status, 303);
    let kinds = ["policy.activated", "request.redecided", "policy.reevaluated"];
    assert_eq!(added().await[2..], kinds);
    let mut otto = room.browser_of("otto").await;
    otto.open("/audit?kind=policy")
        .await
        .shows("evaluated 3 open requests again: the answer changed for 1");
    let mut bob = room.browser_of("bob").await;
    bob.open(&path(&asked[2])).await.shows("a drill is for two");
    assert!(!bob.open(&path(&asked[0])).await.has("a drill is for two"));
}

/// Makes the policies of the folder active, and one more beside them.
async fn activate(room: &Room, policy: &str) {
    let _gone = fs::remove_dir_all(room.policies.join("tests")).is_err();
    fs::write(room.policies.join("90_new.cedar"), policy).unwrap();
    let mut dora = room.browser_of("dora").await;
    dora.open("/policy").await;
    let done = dora.submit("/policy/activate", &[]).await;
    assert_eq!(done.status, 303, "{}", done.html);
}

#[tokio::test]
async fn new_policies_let_nothing_through_that_is_stopped() {
    let room = Room::start().await;
    let (request, mut bob) = (room.asked().await, room.browser_of("bob").await);
    room.freeze("a drill").await;
    fs::remove_file(room.policies.join("20_run.cedar")).unwrap();
    let run = "@id(\"run.all\") @why(\"a test lets it run\")
        permit (principal, action in Countersign::Action::\"run\", resource);";
    activate(&room, run).await;
    assert_eq!(room.now(&request).await.state.name(), StateName::Pending);
    room.unfreeze().await;
    room.work().await;
    assert!(room.manager.received().is_empty());
    bob.open(&path(&request)).await;
    assert_eq!(bob.submit(&format!("{}/approve", path(&request)), &[]).await.status, 303);
    assert_eq!(room.now(&request).await.state.name(), StateName::Approved);
}

#[tokio::test]
async fn nobody_decides_what_policy_hides_from_them() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    let (seen, hidden) =
        (room.asked().await, room.asked_with(json!({ "agent_ids": ["003"] })).await);
    bob.open("/reject?all=yes").await;
    let mut forged = bob.page.hidden_fields("/reject");
    let pick = |one: &Request| format!("{}:{}:{}", one.id, one.version, one.digest);
    forged.push(("comment".to_owned(), "no".to_owned()));
    activate(
        &room,
        "@id(\"view.hidden\") @why(\"a test hides it\")
        forbid (principal is Countersign::Person, action == Countersign::Action::\"view\", resource is Countersign::Request)
        when { resource.criticality > 2 };",
    )
    .await;
    let with = |picks: &[&Request]| {
        let picks = picks.iter().map(|one| ("pick".to_owned(), pick(one)));
        forged.iter().cloned().chain(picks).collect::<Vec<_>>()
    };
    assert_eq!(bob.post("/reject", &with(&[&hidden])).await.status, 403);
    bob.post("/reject", &with(&[&seen, &hidden])).await;
    assert_eq!(room.now(&seen).await.state.name(), StateName::Rejected);
    assert_eq!(room.now(&hidden).await.state.name(), StateName::Pending);
}
