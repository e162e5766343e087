//! A session ends between the moment in which a door looked at it and the transaction of the act.

use crate::harness::kind;
use countersign::{
    broker::{Broker, BrokerError, SignedIn, admin::people::PersonChange},
    domain::{
        action::Catalogue,
        actor::sign_in::SignInOrigin,
        actor::{Actor, Role},
        audit::{AuditDetail, AuditEvent, detail::accounts::NoFacts},
        endpoint::EndpointId,
        id::RequestId,
        kill_switch::Extent,
        lifecycle::{Displayed, Finding},
    },
    store::{
        accounts,
        audit::{self, AuditFilter},
    },
};
use reqwest::StatusCode;
use serde_json::json;

use super::fixtures::change;
use crate::harness::{ALERT, PASSWORD, World};

/// How a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    SignOut,
    OwnPassword,
    PasswordReset,
    Role,
    Disabled,
    SessionsEnded,
}

const ENDS: [End; 6] = [
    End::SignOut,
    End::OwnPassword,
    End::PasswordReset,
    End::Role,
    End::Disabled,
    End::SessionsEnded,
];

/// Somebody as the door has them, whose session then ends elsewhere.
async fn ended(world: &World, name: &str, end: End) -> SignedIn {
    let who = world.signed_in(name).await;
    let other = "another password of theirs";
    match end {
        End::SignOut => world.broker().sign_out(&who).await.unwrap(),
        End::OwnPassword => {
            let elsewhere = world.signed_in(name).await;
            world.broker().change_password(&elsewhere, (PASSWORD, other), false).await.unwrap();
        }
        End::PasswordReset => {
            let operator = world.operator();
            operator.reset_password(&Actor::CommandLine, name, other).await.unwrap();
        }
        End::Role => change(world, name, PersonChange::Role(Role::Auditor)).await,
        End::Disabled => change(world, name, PersonChange::Disable).await,
        End::SessionsEnded => change(world, name, PersonChange::EndSessions).await,
    }
    who
}

#[track_caller]
fn over<T: std::fmt::Debug>(verb: &str, end: End, done: &Result<T, BrokerError>) {
    assert!(matches!(done, Err(BrokerError::SessionOver)), "{verb} after {end:?}: {done:?}");
}

async fn shown(world: &World, id: RequestId) -> Displayed {
    let otto = world.signed_in("otto").await;
    let request = world.broker().request_of_person(&otto, id).await.unwrap().request;
    Displayed { version: request.version, digest: request.digest }
}

/// Every act on a request.
async fn act_on_requests(
    broker: &Broker,
    who: &SignedIn,
    (pending, sent): (RequestId, RequestId),
    shown: Displayed,
    end: End,
) {
    over("approve", end, &broker.approve(who, pending, shown, "").await);
    let all = broker.approve_identical(who, &[(pending, shown)], "").await;
    over("approve together", end, &all);
    over("reject", end, &broker.reject(who, pending, shown, "no need").await);
    over("retract", end, &broker.retract(who, pending).await);
    let typed = shown.digest.prefix();
    let broken = broker.break_glass(who, pending, shown, (&typed, "it burns")).await;
    over("break the glass", end, &broken);
    over("review", end, &broker.review(who, sent, "it was needed").await);
    over("comment", end, &broker.comment(who, pending, "hm").await);
    over("cancel", end, &broker.cancel_as_person(who, pending, "a mistake").await);
    over("undo", end, &broker.undo_as_person(who, sent, "a false alarm").await);
    let found = (Finding::Done, "looked at the machine");
    let endpoint = EndpointId::parse("001").unwrap();
    over("resolve", end, &broker.resolve(who, sent, &[endpoint], found).await);
}

/// Every act of an admin, and the reading of the audit, which is recorded.
async fn act_on_system(world: &World, who: &SignedIn, end: End) {
    let broker = world.broker();
    let everything = &Extent::Everything;
    over("stop", end, &broker.freeze(who, &Extent::Action(kind("block_ip")), "x").await);
    over("release", end, &broker.unfreeze(who, everything, "all is well").await);
    over("add a person", end, &broker.add_person(who, "mallory", Role::Lead, (None, &[])).await);
    over("reset a password", end, &broker.reset_password(who, "carol").await);
    let on_call = PersonChange::OnCall(true);
    over("change a person", end, &broker.change_person(who, "carol", &on_call).await);
    let all = Catalogue::built_in().responses();
    over("add an agent", end, &broker.add_agent(who, "evil-bot", "alice", all).await);
    over("replace a token", end, &broker.rotate_agent(who, "triage-bot").await);
    let one = &[kind("block_ip")];
    over("set scopes", end, &broker.set_scopes(who, "triage-bot", one).await);
    over("revoke a token", end, &broker.revoke_agent(who, "triage-bot").await);
    let shown = world.policy_difference();
    over("activate policies", end, &broker.activate_policy(who, &world.policies, shown).await);
    over("read the audit", end, &broker.audit(who, &AuditFilter::default(), None).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn act_does_not_count_when_its_session_ended_meanwhile() {
    for end in ENDS {
        let world = World::start().await;
        change(&world, "otto", PersonChange::Role(Role::Admin)).await;
        let agent = world.agent().await;
        let more = json!({ "agent_ids": ["001"], "alert_id": ALERT });
        let sent = agent.block("203.0.113.7", more).await.id().parse().unwrap();
        world.work().await;
        let pending = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
        let pending = pending.id().parse().unwrap();
        let shown = shown(&world, pending).await;
        world.freeze("a drill").await;
        let (bob, dora) = (ended(&world, "bob", end).await, ended(&world, "dora", end).await);
        let before = world.stored(&[]).await;
        act_on_requests(world.broker(), &bob, (pending, sent), shown, end).await;
        act_on_system(&world, &dora, end).await;
        assert_eq!(world.stored(&[]).await, before, "{end:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn password_given_again_needs_an_active_session() {
    let world = World::start().await;
    for end in [End::SignOut, End::Role, End::SessionsEnded] {
        let carol = ended(&world, "carol", end).await;
        over("password", end, &world.broker().authenticate_again(&carol, PASSWORD).await);
        let new = "another password of hers";
        over(
            "new password",
            end,
            &world.broker().change_password(&carol, (PASSWORD, new), false).await,
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_is_refused_when_password_changed_meanwhile() {
    let world = World::start().await;
    let (world, store) = (&world, world.store.as_ref().unwrap());
    let bob = world.operator().person("bob").await.unwrap().id;
    let origin = SignInOrigin::program();
    // Polled in this order: the password changes while the old one is looked at. Whichever comes
    // first, no session of the old password is left.
    let (token, ()) = tokio::join!(world.broker().sign_in("bob", PASSWORD, &origin), async {
        let set = store.write(|tx| {
            Box::pin(async move {
                accounts::set_password(tx, bob, "another hash", false).await?;
                let event = AuditEvent::new(Actor::System, None, AuditDetail::Resumed(NoFacts {}));
                audit::append(tx, &event, world.broker().clock().now()).await
            })
        });
        set.await.unwrap();
    });
    let token = token.map(|session| session.token).unwrap_or_default();
    assert!(!world.broker().session_is_active(&token).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn session_that_ended_meanwhile_is_answered_with_sign_in() {
    let world = World::start().await;
    let id = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let bob = world.person("bob").await;
    let fields = bob.form(&id, "approve").await;
    change(&world, "bob", PersonChange::EndSessions).await;
    let mut fields = fields;
    fields.insert("comment".to_owned(), "typed by a thief".to_owned());
    let page = bob.post(&format!("/requests/{id}/approve"), &fields).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    page.shows("Your session has ended. Nothing was changed.");
    let again = world.person("bob").await.get(&format!("/requests/{id}")).await;
    assert!(!again.html.contains("thief"), "somebody ended it, so it may have been stolen");
}
