//! Attacks on approving with care: tokens that are replaced, sessions that end, keys, asks that
//! differ a little, notices.

use std::{collections::BTreeMap, time::Duration};

use countersign::{
    broker::{
        BrokerError,
        admin::{kill_switch::Unfreeze, operator::PersonChange, sessions::SignedIn},
        notifications::DeliveryResult,
        requests::rate_limit::AgentLimits,
    },
    connector::{Channel, Secret, Tls, WebhookFormat, WebhookSettings},
    domain::{
        action::ActionKind,
        actor::{Actor, Role},
        kill_switch::{Extent, RELEASE_MINUTES},
    },
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    binary::Program,
    connector::tap::{Tap, say},
    harness::{PASSWORD, PersonClient, Plan, World},
    people::{forced, used},
};

const ALERT: &str = "1763800000.10001";

/// Somebody as the page knows them after it has looked at the session, and before it acts.
async fn looked_at(world: &World, name: &str) -> SignedIn {
    let token = world.broker().sign_in(name, PASSWORD).await.unwrap();
    world.broker().session(&token).await.unwrap().unwrap()
}

async fn change(world: &World, name: &str, change: PersonChange) {
    let operator = world.broker().operator();
    operator.change_person(&Actor::CommandLine, name, &change).await.unwrap();
}

async fn release(person: &PersonClient) -> StatusCode {
    let typed = [("reason", "looked"), ("password", PASSWORD)];
    used(person, "/system", "/unfreeze", &typed).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_with_a_token_that_was_replaced_meanwhile_is_not_stored() {
    let world = World::start().await;
    let (broker, operator) = (world.broker(), world.broker().operator());
    let agent = world.agent().await;
    let more = json!({ "agent_ids": ["001"], "alert_id": ALERT });
    let id = agent.block("203.0.113.7", more).await.id();
    world.work().await;
    // As the door has it after it looked at the token, while the manager is asked.
    let then = operator.agent_of_token(&world.token).await.unwrap().unwrap();
    operator.rotate_agent(&Actor::CommandLine, "triage-bot").await.unwrap();
    let ask = json!({
        "srcip": "203.0.113.7", "duration_seconds": 600, "reason": "x", "agent_ids": ["002"],
        "alert_id": ALERT,
    });
    let asked = broker.submit(&then, ActionKind::BlockIp, ask.as_object().unwrap()).await;
    assert!(matches!(asked, Err(BrokerError::NotFound)), "{asked:?}");
    let undo = broker.undo_as_agent(&then, id.parse().unwrap(), "a false alarm").await;
    assert!(matches!(undo, Err(BrokerError::NotFound)), "{undo:?}");
    world.work().await;
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_ask_with_and_without_its_managers_name_is_one_request() {
    let world = World::start().await;
    let agent = world.agent().await;
    for alert in [json!(ALERT), Value::Null] {
        let ask = |more: Value| {
            let mut all = json!({ "alert_id": alert });
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            agent.block("203.0.113.7", all)
        };
        let first = ask(json!({ "agent_ids": ["001"] })).await.id();
        for more in [
            json!({ "agent_ids": ["test/001"] }),
            json!({ "agent_ids": ["001"], "manager": "test" }),
            json!({ "agent_ids": ["001", "001"], "idempotency_key": format!("{alert}") }),
        ] {
            assert_eq!(ask(more.clone()).await.id(), first, "{more}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_ask_of_one_of_several_managers_is_one_request_named_or_not() {
    let mut plan = Plan { also_called: Some("other"), ..Plan::default() };
    plan.also.agents.retain(|agent| agent.id != "001");
    let world = World::start_with(plan).await;
    let agent = world.agent().await;
    let first = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let named = agent.block("203.0.113.9", json!({ "agent_ids": ["test/001"] })).await.id();
    assert_eq!(named, first);
    let again = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    assert_eq!(again, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_that_cannot_wait_as_they_want_do_not_fill_the_audit() {
    let mut plan = Plan::default();
    plan.broker.agents = AgentLimits { open_requests_max: 100, asks_per_minute_max: 3 };
    let world = World::start_with(plan).await;
    let agent = world.agent().await;
    for _ in 0..20 {
        let asked = agent.block("203.0.113.9", json!({ "agent_ids": ["001"], "wait_seconds": 99 }));
        assert!(asked.await.error);
    }
    let kinds = world.audit_kinds().await;
    let count = |kind: &str| kinds.iter().filter(|other| *other == kind).count();
    assert_eq!((count("proposal.refused"), count("proposal.throttled")), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_knows_the_old_password_does_not_outrun_its_reset() {
    let world = World::start().await;
    let (bob, dora) = (world.person("bob").await, world.person("dora").await);
    let mut fields = bob.get("/password").await.form("/password").unwrap();
    let own = "another password of bob";
    for (name, value) in [("old", PASSWORD), ("new", own), ("again", own)] {
        fields.insert(name.to_owned(), value.to_owned());
    }
    let (_, reset) =
        tokio::join!(bob.post("/password", &fields), forced(&dora, "/people/bob/password", &[]));
    assert_eq!(reset.status, StatusCode::OK, "{}", reset.html);
    let bob = world.broker().operator().person("bob").await.unwrap();
    assert!(bob.must_change_password, "the reset was undone");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_demoted_meanwhile_does_not_turn_a_key() {
    let world = World::start().await;
    let all = &Extent::Everything;
    for (name, role) in [("carol", Role::Senior), ("dora", Role::Lead)] {
        world.freeze("stop").await;
        let who = looked_at(&world, name).await;
        change(&world, "otto", PersonChange::Role(Role::Admin)).await;
        change(&world, name, PersonChange::Role(role)).await;
        let turned = world.broker().unfreeze(&who, all, "all is well").await;
        assert!(turned.is_err(), "{name}: {turned:?}");
        assert_eq!(world.broker().operator().frozen().await.unwrap()[0].release, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_who_was_stopped_meanwhile_changes_nothing() {
    let changes =
        [PersonChange::Role(Role::Lead), PersonChange::Disable, PersonChange::EndSessions];
    for stop in changes {
        let world = World::start().await;
        let (broker, operator) = (world.broker(), world.broker().operator());
        change(&world, "otto", PersonChange::Role(Role::Admin)).await;
        let who = looked_at(&world, "dora").await;
        change(&world, "dora", stop).await;
        let before = (operator.people().await.unwrap(), operator.agents().await.unwrap());
        let audit = world.audit_kinds().await.len();
        assert!(broker.add_person(&who, "mallory", Role::Lead, None).await.is_err());
        assert!(broker.reset_password(&who, "carol").await.is_err());
        assert!(broker.change_person(&who, "carol", &PersonChange::OnCall(true)).await.is_err());
        assert!(broker.add_agent(&who, "evil-bot", "bob", &ActionKind::RESPONSES).await.is_err());
        assert!(broker.rotate_agent(&who, "triage-bot").await.is_err());
        assert!(broker.set_scopes(&who, "triage-bot", &[ActionKind::BlockIp]).await.is_err());
        assert!(broker.revoke_agent(&who, "triage-bot").await.is_err());
        let after = (operator.people().await.unwrap(), operator.agents().await.unwrap());
        assert_eq!((after, world.audit_kinds().await.len()), (before, audit));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_calls_nobody_the_second_while_the_first_counts_for_nothing() {
    let world = World::start().await;
    let carol = world.person("carol").await;
    let dora = world.person("dora").await;
    let second = "You are the second";
    for round in 0..2 {
        world.freeze("stop").await;
        assert_eq!(release(&carol).await, StatusCode::SEE_OTHER);
        assert!(dora.get("/system").await.html.contains(second));
        if round == 0 {
            // Both stay signed in.
            for _ in 0..3 {
                world.pass(Duration::from_secs(
                    60 * u64::try_from(RELEASE_MINUTES).unwrap() / 3 + 1,
                ));
                assert_eq!(dora.get("/").await.status, StatusCode::OK);
                assert_eq!(carol.get("/").await.status, StatusCode::OK);
            }
            assert!(carol.get("/system").await.form("/unfreeze").is_some(), "she can begin anew");
        } else {
            change(&world, "carol", PersonChange::Role(Role::Senior)).await;
        }
        let page = dora.get("/system").await.html;
        assert!(page.contains("first of two") && !page.contains(second), "{page}");
        assert!(!page.contains("wants it released"), "{page}");
        if round == 0 {
            assert_eq!(release(&carol).await, StatusCode::SEE_OTHER);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_is_no_second_to_somebody_whose_password_was_reset() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let server = program.serve();
    program.done(&["freeze", "--reason", "a test"]);
    let admin = PersonClient::sign_in(&server.url, "admin", PASSWORD).await;
    assert_eq!(release(&admin).await, StatusCode::SEE_OTHER);
    program.write("reset", "a reset password");
    program.done(&["person", "password", "admin", "--password-file", "reset"]);
    let said = program.done(&["--json", "unfreeze", "--reason", "a test"]);
    assert!(said.contains("\"frozen\":true"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_asks_and_cancels_does_not_hold_up_what_is_urgent() {
    let tap = Tap::start(|_| say(204, "")).await;
    let settings = WebhookSettings {
        name: "ops".to_owned(),
        url: Secret::new(format!("{}/hook", tap.url())),
        format: WebhookFormat::Ntfy,
        secret: None,
        token: None,
        tls: Tls::Plain,
        deadline: Duration::from_secs(5),
    };
    let channels = vec![Channel::webhook(settings).unwrap()];
    let world = World::start_with(Plan { channels, ..Plan::default() }).await;
    let agent = world.agent().await;
    for _ in 0..10 {
        let id = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
        agent.cancel(&id).await;
    }
    world.freeze("stop").await;
    world.broker().notify().await.unwrap();
    assert_eq!(world.broker().deliver_next("webhook.ops").await.unwrap(), DeliveryResult::Arrived);
    let heard = tap.heard("POST");
    assert!(heard[0].headers.contains("priority: high"), "{:?}", heard[0].headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_no_mail_goes_to_is_refused_when_it_is_typed() {
    let world = World::start().await;
    let dora = world.person("dora").await;
    for mail in ["bob@exa_mple.net", "bob@!", "bob/x@example.net?x"] {
        let page = used(&dora, "/people/bob", "/people/bob/mail", &[("mail", mail)]).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{mail}");
    }
    assert_eq!(world.broker().operator().person("bob").await.unwrap().mail, None);
}

/// Held: nobody is both keys, whichever doors they use.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_person_in_two_sessions_is_one_key() {
    let world = World::start().await;
    world.freeze("stop").await;
    let all = &Extent::Everything;
    let (one, other) = (looked_at(&world, "carol").await, looked_at(&world, "carol").await);
    let first = world.broker().unfreeze(&one, all, "a").await.unwrap();
    assert!(matches!(first, Unfreeze::Waits(_)), "{first:?}");
    assert!(world.broker().unfreeze(&other, all, "b").await.is_err());
    assert_eq!(world.broker().operator().frozen().await.unwrap().len(), 1);
}

/// Held: a form for several requests approves what was shown of each, or nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_digest_of_one_request_approves_no_other_together_with_it() {
    let world = World::start().await;
    let agent = world.agent().await;
    let one = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let two = agent.block("203.0.113.9", json!({ "agent_ids": ["002"] })).await.id();
    let bob = world.person("bob").await;
    let shown = bob.form(&one, "approve").await;
    let mut fields: BTreeMap<_, _> = bob.get("/password").await.form("/sign-out").unwrap();
    fields.insert("of".to_owned(), one.clone());
    fields.insert("pick".to_owned(), format!("{two}:{}:{}", shown["version"], shown["digest"]));
    let page = bob.post("/together", &fields).await;
    assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.html);
    for id in [one, two] {
        assert_eq!(agent.get(&id).await.state(), "pending");
    }
}
