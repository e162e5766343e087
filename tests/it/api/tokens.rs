//! Who makes and revokes tokens, and how, on the page.

use countersign::{
    broker::admin::people::api_tokens::NewApiToken,
    domain::{actor::api_token::TokenScope, id::ApiTokenId},
};
use serde_json::Value;

use super::fixtures::{ALL, get, issued, proved, token};
use crate::{
    harness::PASSWORD,
    web::{browser::Browser, fixtures::Room},
};

const FORM: &str = "/account/tokens";

/// Fills in the form, and gives the secret that the page shows.
async fn made(browser: &mut Browser, form: &str, typed: &[(&str, &str)]) -> String {
    browser.open(FORM).await;
    let page = browser.submit(form, typed).await;
    assert_eq!(page.status, 200, "{}", page.html);
    let digits = page.html.split("csapi_").nth(1).unwrap_or_else(|| panic!("{}", page.html));
    format!("csapi_{}", digits.chars().take(64).collect::<String>())
}

#[tokio::test(flavor = "multi_thread")]
async fn token_is_made_on_the_page_and_shown_once() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    bob.open("/account").await.shows("href=\"/account/tokens\"");
    let typed = [
        ("name", "nightly"),
        ("networks", "127.0.0.1/32 2001:db8::/48"),
        ("days", "7"),
        ("read", "yes"),
        ("password", PASSWORD),
    ];
    let secret = made(&mut bob, FORM, &typed).await;
    assert_eq!(get(&room, &secret, "/api/v1/requests").await.status, 200);
    let page = bob.open(FORM).await;
    page.shows("nightly");
    page.shows("127.0.0.1/32, 2001:db8::/48");
    page.shows("last used");
    assert!(!page.has("csapi_"), "{}", page.html);
    let entries = room.operator().audit_after(0).await.unwrap();
    let made = entries.iter().find(|entry| entry.kind == "api_token.created").unwrap();
    let facts: Value = serde_json::from_str(&made.detail).unwrap();
    assert_eq!((made.actor_name.as_str(), made.target.as_deref()), ("bob", Some("bob")));
    assert_eq!(facts["scopes"], serde_json::json!(["read"]));
    let kept = room.stored(&[]).await;
    let digits = secret.trim_start_matches("csapi_");
    assert!(!format!("{kept:?}").contains(digits), "nothing but its hash is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn form_of_a_token_names_what_is_wrong() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    let sound = [
        ("name", "nightly"),
        ("networks", "192.0.2.0/24"),
        ("days", "90"),
        ("read", "yes"),
        ("password", PASSWORD),
    ];
    for (field, value, says) in [
        ("name", "Not A Name", "`Not A Name` is not allowed"),
        ("networks", "", "none is named"),
        ("networks", "192.0.2.7/24", "`192.0.2.7/24` is not a network"),
        ("days", "366", "a whole number from 1 to 365"),
        ("days", "", "a whole number from 1 to 365"),
        ("password", "", "Enter your password with it"),
        ("password", "a wrong password", "The password is wrong"),
    ] {
        bob.open(FORM).await;
        let typed = sound.map(|(name, sound)| (name, if name == field { value } else { sound }));
        let page = bob.submit(FORM, &typed).await;
        assert!(page.status.is_client_error(), "{field}: {}", page.status);
        page.shows(says);
    }
    bob.open(FORM).await;
    let without: Vec<_> = sound.into_iter().filter(|(name, _)| *name != "read").collect();
    bob.submit(FORM, &without).await.shows("scopes: none is chosen");
    let own = room.broker().own_api_tokens(&proved(&room, "bob").await).await.unwrap();
    assert_eq!(own, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admins_make_tokens_of_services() {
    let room = Room::start().await;
    let mut dora = room.browser_of("dora").await;
    let typed = [
        ("name", "siem"),
        ("owner", "alice"),
        ("networks", "127.0.0.0/8"),
        ("days", "365"),
        ("read", "yes"),
        ("password", PASSWORD),
    ];
    let secret = made(&mut dora, "/account/tokens/services", &typed).await;
    assert_eq!(get(&room, &secret, "/api/v1/requests").await.status, 200);
    dora.open(FORM).await.shows("of <bdi>alice</bdi>");
    let mut bob = room.browser_of("bob").await;
    let page = bob.open(FORM).await;
    assert!(!page.has("/account/tokens/services") && !page.has("siem"));
    let form_token = page.form_token();
    let mut fields = vec![("form_token".to_owned(), form_token)];
    fields.extend(typed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(bob.post("/account/tokens/services", &fields).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn service_has_a_name_of_its_own() {
    let room = Room::start().await;
    let dora = proved(&room, "dora").await;
    let networks = ["127.0.0.0/8".parse().unwrap()];
    let make = async |owner: &str, name: &str| {
        let scopes = &[TokenScope::Read];
        let new = NewApiToken { name, scopes, networks: &networks, days: 90 };
        room.broker().create_service_token(&dora, owner, new).await
    };
    make("alice", "siem").await.unwrap();
    for (owner, name) in [("alice", "carol"), ("alice", "triage-bot"), ("bob", "siem")] {
        let refused = make(owner, name).await.unwrap_err().to_string();
        assert!(refused.contains(&format!("`{name}` is taken")), "{refused}");
    }
    make("alice", "siem").await.expect("one token replaces another");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_revoke_their_own_and_admins_any() {
    let room = Room::start().await;
    let broker = room.broker();
    let of_bob = issued(&room, "bob", &ALL, "127.0.0.0/8").await;
    let mut carol = room.browser_of("carol").await;
    let form_token = carol.open(FORM).await.form_token();
    let to = format!("{FORM}/{}/revoke", of_bob.token.id);
    let fields = [("form_token", form_token.as_str()), ("password", PASSWORD)];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(carol.post(&to, &fields).await.status, 404);
    assert_eq!(get(&room, &of_bob.secret, "/api/v1/requests").await.status, 200);
    let mut bob = room.browser_of("bob").await;
    bob.open(FORM).await;
    assert_eq!(bob.submit(&to, &[("password", "")]).await.status, 401);
    bob.open(FORM).await;
    assert_eq!(bob.submit(&to, &[("password", PASSWORD)]).await.status, 303);
    get(&room, &of_bob.secret, "/api/v1/requests").await.is_problem(401);
    let of_alice = issued(&room, "alice", &ALL, "127.0.0.0/8").await;
    let dora = proved(&room, "dora").await;
    broker.revoke_api_token(&dora, of_alice.token.id).await.unwrap();
    get(&room, &of_alice.secret, "/api/v1/requests").await.is_problem(401);
    let nobody = ApiTokenId::from(uuid::Uuid::nil());
    assert!(broker.revoke_api_token(&dora, nobody).await.is_err());
    let kinds = room.audit_kinds().await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "api_token.revoked").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_one_person_are_bounded() {
    let room = Room::start().await;
    let (who, networks) = (proved(&room, "bob").await, ["192.0.2.0/24".parse().unwrap()]);
    let new = NewApiToken { name: "one", scopes: &ALL, networks: &networks, days: 1 };
    for _token in 0..20 {
        room.broker().create_api_token(&who, new).await.unwrap();
    }
    let mut bob = room.browser_of("bob").await;
    bob.open(FORM).await;
    let typed = [
        ("name", "more"),
        ("networks", "192.0.2.0/24"),
        ("days", "90"),
        ("read", "yes"),
        ("password", PASSWORD),
    ];
    bob.submit(FORM, &typed).await.shows("bob has 20 already");
    token(&room, "carol", &[TokenScope::Read]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_password_ends_own_tokens_unless_kept() {
    for (keeps, status) in [(false, 401), (true, 200)] {
        let room = Room::start().await;
        let secret = token(&room, "bob", &ALL).await;
        let mut bob = room.browser_of("bob").await;
        bob.open("/password").await.shows("API tokens");
        let new = "another long password";
        let mut typed = vec![("old", PASSWORD), ("new", new), ("again", new)];
        typed.extend(keeps.then_some(("keep_passkeys", "yes")));
        assert_eq!(bob.submit("/password", &typed).await.status, 303);
        assert_eq!(get(&room, &secret, "/api/v1/requests").await.status, status, "{keeps}");
    }
}
