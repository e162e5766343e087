//! A passkey signs what a person approves: what it takes, what it refuses, what stays as evidence.

use std::{fmt::Write as _, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use countersign::{
    broker::{admin::people::PersonChange, signed_in::passkey::PasskeyAnswer},
    domain::{
        actor::Actor,
        digest::Digest,
        facts::Verb,
        lifecycle::Displayed,
        public_url::PublicUrl,
        request::{Request, StateName},
    },
    passkey::{Assertion, RelyingParty},
};
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::{
    harness::{
        PASSWORD, World,
        authenticator::{FakeAuthenticator, GOOD},
    },
    web::{
        browser::{Browser, form},
        fixtures::{Room, path},
    },
};

mod other_name;
mod second_factor;
mod several;
mod sign_in;

/// Longer than a password counts.
const LATER: Duration = Duration::from_secs(301);
/// One person approves, and only with a passkey.
pub(crate) const ONLY_PASSKEYS: &str = r#"
    @id("people") @why("people may")
    permit (principal is Countersign::Person, action, resource);
    @id("ask") @why("agents may ask")
    permit (principal, action in Countersign::Action::"ask", resource);
    @id("own") @why("agents see their own")
    permit (principal is Countersign::Agent, action == Countersign::Action::"view", resource);
    @id("one") @why("one approval")
    permit (principal, action in Countersign::Action::"run", resource)
    when { context.votes.analyst >= 1 };
    @id("passkey") @why("a passkey must sign this")
    forbid (principal, action == Countersign::Action::"approve", resource)
    unless { context.proof == "passkey" };
"#;

/// What makes an authenticator hostile.
type Change = fn(&mut FakeAuthenticator);

/// Somebody with a passkey.
struct Holder {
    browser: Browser,
    key: FakeAuthenticator,
}

async fn room() -> Room {
    Room::of(World::builder().with_host("localhost")).await
}

fn text(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn challenge(asked: &Value) -> Digest {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(asked["challenge"].as_str().unwrap()).unwrap();
    let digits = bytes.iter().fold(String::new(), |mut all, byte| {
        write!(all, "{byte:02x}").unwrap();
        all
    });
    Digest::parse(&digits).unwrap()
}

/// What a page's script brings into the form.
fn answer(asked: &Value, credential: &[u8], signed: &Assertion) -> String {
    let Assertion { client_data, authenticator_data, signature } = signed;
    json!({
        "nonce": asked["nonce"], "credential": text(credential), "client_data": text(client_data),
        "authenticator_data": text(authenticator_data), "signature": text(signature),
    })
    .to_string()
}

impl Holder {
    /// Signed in, with the page of the account open.
    async fn without_key(room: &Room, name: &str) -> Self {
        let mut browser = room.browser_of(name).await;
        browser.open("/account").await;
        let mut key = FakeAuthenticator::new();
        key.party = RelyingParty::of(&PublicUrl::parse(&room.url()).unwrap()).unwrap();
        key.id = name.as_bytes().to_vec();
        Self { browser, key }
    }

    async fn of(room: &Room, name: &str) -> Self {
        let mut holder = Self::without_key(room, name).await;
        assert_eq!(holder.enrol(PASSWORD).await, 303, "{}", holder.browser.page.html);
        holder.key.counter += 1;
        holder
    }

    /// What the script of the present page asks for.
    async fn ask(&self, address: &str, more: &[(&str, &str)]) -> (u16, Value) {
        let token = ("form_token".to_owned(), self.browser.page.form_token());
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let fields: Vec<_> = more.chain([token]).collect();
        let request = self.browser.request(Method::POST, address);
        let request = request.header(header::ORIGIN, &self.browser.person.url);
        let response = form(request, &fields).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
    }

    async fn enrol(&mut self, password: &str) -> u16 {
        let (_, asked) = self.ask("/account/passkeys/ask", &[]).await;
        let (client_data, attestation) = self.key.register(challenge(&asked));
        let made = json!({
            "nonce": asked["nonce"], "client_data": text(&client_data),
            "attestation": text(&attestation),
        });
        let (made, name) = (made.to_string(), ("name", "security key"));
        let fields = [name, ("password", password), ("passkey", &made)];
        self.browser.submit("/account/passkeys", &fields).await.status.as_u16()
    }

    /// Asks about what the present page shows.
    async fn ask_about(&self, request: &Request, verb: &str) -> Value {
        let (version, digest) = (request.version.to_string(), request.digest.to_string());
        let shown = [("verb", verb), ("version", &version), ("digest", &digest)];
        let (status, asked) = self.ask(&format!("{}/passkey", path(request)), &shown).await;
        assert_eq!(status, 200);
        asked
    }

    /// Signs the approval of what the page shows now, which is opened for it.
    async fn sign(&mut self, request: &Request) -> String {
        self.browser.open(&path(request)).await;
        let asked = self.ask_about(request, "approve").await;
        answer(&asked, &self.key.id, &self.key.sign(challenge(&asked)))
    }

    /// Sends an approval of what the present page shows, with this in place of the password.
    async fn approve(&mut self, request: &Request, passkey: &str) -> u16 {
        let action = format!("{}/approve", path(request));
        self.browser.submit(&action, &[("passkey", passkey)]).await.status.as_u16()
    }
}

/// The details of the audit's entries of a kind.
async fn details(room: &Room, kind: &str) -> Vec<Value> {
    let filter = countersign::store::audit::AuditFilter {
        kind: Some(kind.to_owned()),
        ..Default::default()
    };
    let entries = room.operator().audit(&filter, None, 100).await.unwrap();
    entries.iter().map(|entry| serde_json::from_str(&entry.detail).unwrap()).collect()
}

#[tokio::test]
async fn passkey_stands_in_for_password_and_leaves_evidence() {
    let room = room().await;
    let request = room.asked().await;
    let mut bob = Holder::of(&room, "bob").await;
    room.pass(LATER);
    let signed = bob.sign(&request).await;
    bob.browser.page.shows("with your passkey");
    assert_eq!(bob.approve(&request, &signed).await, 303);
    assert_eq!(room.now(&request).await.state.name(), StateName::Approved);
    let voted = details(&room, "vote.approved").await;
    assert_eq!(voted[0]["proof"]["name"], "security key");
    assert_eq!(voted[0]["proof"]["origin"], room.url());
    let verified = room.operator().verify_proofs().await.unwrap();
    assert_eq!((verified.sound, verified.broken), (1, None));
    bob.browser.open(&path(&request)).await.shows("approved with a passkey");
    bob.browser.open("/account").await.shows("last used");
}

#[tokio::test]
async fn signature_counts_once_for_its_request_and_person() {
    let room = room().await;
    let other = json!({ "srcip": "198.51.100.24", "agent_ids": ["002"] });
    let (one, other) = (room.asked().await, room.asked_with(other).await);
    let (mut bob, mut anna) = (Holder::of(&room, "bob").await, Holder::of(&room, "anna").await);
    room.pass(LATER);
    let signed = bob.sign(&one).await;
    bob.browser.open(&path(&other)).await;
    assert_eq!(bob.approve(&other, &signed).await, 400, "it is about another request");
    bob.browser.page.shows("it was not asked for this");
    bob.browser.open(&path(&one)).await;
    assert_eq!(bob.approve(&one, &signed).await, 400, "the question was taken");
    let signed = bob.sign(&one).await;
    anna.browser.open(&path(&one)).await;
    assert_eq!(anna.approve(&one, &signed).await, 400, "it is another person's");
    let signed = bob.sign(&one).await;
    room.pass(Duration::from_mins(5));
    assert_eq!(bob.approve(&one, &signed).await, 400, "it is too late");
    assert_eq!(room.now(&one).await.state.name(), StateName::Pending);
    assert_eq!(room.now(&other).await.state.name(), StateName::Pending);
    assert!(details(&room, "vote.approved").await.is_empty());
}

#[tokio::test]
async fn signature_of_another_act_approves_nothing() {
    let room = room().await;
    let request = room.asked().await;
    let on_call = PersonChange::OnCall(true);
    room.operator().change_person(&Actor::CommandLine, "carol", &on_call).await.unwrap();
    let mut carol = Holder::of(&room, "carol").await;
    room.pass(LATER);
    let other = Digest::of(b"other");
    for (verb, asked_about) in [
        ("break_glass", request.clone()),
        ("approve", Request { version: request.version + 1, ..request.clone() }),
        ("approve", Request { digest: other, ..request.clone() }),
    ] {
        carol.browser.open(&path(&request)).await;
        let asked = carol.ask_about(&asked_about, verb).await;
        let signed = answer(&asked, &carol.key.id, &carol.key.sign(challenge(&asked)));
        let status = carol.approve(&request, &signed).await;
        assert_eq!(status, 400, "{verb}, version {}", asked_about.version);
    }
    let verbs = ["reject", "undo", "unfreeze", "everything"].into_iter();
    for (verb, expected) in verbs.zip([400, 400, 403, 400]) {
        let shown = [("verb", verb), ("version", "1"), ("digest", &request.digest.to_string())];
        carol.browser.open(&path(&request)).await;
        let (status, _) = carol.ask(&format!("{}/passkey", path(&request)), &shown).await;
        assert_eq!(status, expected, "{verb}");
    }
    assert_eq!(room.now(&request).await.state.name(), StateName::Pending);
}

#[tokio::test]
async fn signature_of_hostile_authenticator_is_refused_and_recorded() {
    let room = room().await;
    let request = room.asked().await;
    let mut bob = Holder::of(&room, "bob").await;
    room.pass(LATER);
    let hostile: [(&str, Change); 4] = [
        ("at https://localhost.evil.example", |key| {
            "https://localhost.evil.example".clone_into(&mut key.party.origin);
        }),
        ("belongs to another server", |key| "evil.example".clone_into(&mut key.party.id)),
        ("PIN, fingerprint or face", |key| key.flags = GOOD & !0x04),
        ("may have a copy", |key| key.counter = 1),
    ];
    for (why, change) in hostile {
        let right = (bob.key.party.clone(), bob.key.flags, bob.key.counter);
        change(&mut bob.key);
        let signed = bob.sign(&request).await;
        assert_eq!(bob.approve(&request, &signed).await, 400, "{why}");
        bob.browser.page.shows(why);
        (bob.key.party, bob.key.flags, bob.key.counter) = right;
    }
    let (id, party) = (bob.key.id.clone(), bob.key.party.clone());
    let own = std::mem::replace(&mut bob.key, FakeAuthenticator::new());
    (bob.key.id, bob.key.party, bob.key.counter) = (id, party, 9);
    let signed = bob.sign(&request).await;
    assert_eq!(bob.approve(&request, &signed).await, 400);
    bob.browser.page.shows("the signature of the passkey is wrong");
    assert_eq!(details(&room, "passkey.refused").await.len(), 5);
    assert_eq!(room.now(&request).await.state.name(), StateName::Pending);
    bob.key = own;
    let signed = bob.sign(&request).await;
    assert_eq!(bob.approve(&request, &signed).await, 303, "the key itself goes on");
}

#[tokio::test]
async fn policy_lets_passkeys_alone_approve() {
    let world = World::builder().with_host("localhost").with_only_policy(ONLY_PASSKEYS);
    let room = Room::of(world).await;
    let request = room.asked().await;
    let (place, action) = (path(&request), format!("{}/approve", path(&request)));
    let mut anna = room.browser_of("anna").await;
    anna.open(&place).await.shows("a passkey must sign this");
    assert!(!anna.page.has_form(&action), "she has none");
    let mut bob = Holder::of(&room, "bob").await;
    bob.browser.open(&place).await.shows("with your passkey");
    assert!(!bob.browser.page.has("approve-password"));
    let page = bob.browser.submit(&action, &[("password", PASSWORD)]).await;
    assert_eq!(page.status, 403);
    page.shows("a passkey must sign this");
    let signed = bob.sign(&request).await;
    assert_eq!(bob.approve(&request, &signed).await, 303);
    assert_eq!(room.now(&request).await.state.name(), StateName::Approved);
}

#[tokio::test]
async fn passkey_is_added_and_removed_with_password_alone() {
    let room = room().await;
    let mut bob = Holder::without_key(&room, "bob").await;
    assert_eq!(bob.enrol("").await, 401, "within five minutes of signing in, too");
    bob.browser.open("/account").await;
    assert_eq!(bob.enrol("not the password").await, 401);
    assert!(details(&room, "passkey.added").await.is_empty());
    let mut bob = Holder::of(&room, "bob").await;
    let remove = bob.browser.open("/account").await.html.clone();
    let remove = remove.split("action=\"").find(|rest| rest.contains("/remove\"")).unwrap();
    let remove = remove.split('"').next().unwrap().to_owned();
    assert_eq!(bob.browser.submit(&remove, &[]).await.status, 401);
    let mut anna = room.browser_of("anna").await;
    let token = ("form_token".to_owned(), anna.open("/account").await.form_token());
    let password = ("password".to_owned(), PASSWORD.to_owned());
    assert_eq!(anna.post(&remove, &[token, password]).await.status, 404, "it is not hers");
    bob.browser.open("/account").await;
    assert_eq!(bob.browser.submit(&remove, &[("password", PASSWORD)]).await.status, 303);
    bob.browser.open("/account").await.shows("You have none.");
    let kinds = room.audit_kinds().await;
    assert!(kinds.contains(&"passkey.removed".to_owned()), "{kinds:?}");
    let shown = [("verb", "approve"), ("version", "1"), ("digest", &Digest::ZERO.to_string())];
    let request = room.asked().await;
    let (status, _) = bob.ask(&format!("{}/passkey", path(&request)), &shown).await;
    assert_eq!(status, 400, "a removed key is asked nothing");
}

#[tokio::test]
async fn passkey_of_another_registration_is_refused() {
    let room = room().await;
    let bob = Holder::of(&room, "bob").await;
    let mut anna = Holder::without_key(&room, "anna").await;
    anna.key.id = bob.key.id.clone();
    assert_eq!(anna.enrol(PASSWORD).await, 400, "a credential belongs to one person");
    anna.browser.page.shows("somebody has it already");
    anna.browser.open("/account").await;
    "https://evil.example".clone_into(&mut anna.key.party.origin);
    anna.key.id = b"another".to_vec();
    assert_eq!(anna.enrol(PASSWORD).await, 400);
    anna.browser.page.shows("evil.example");
    for name in ["", "a name that is longer than forty characters are"] {
        anna.browser.open("/account").await;
        let fields = [("name", name), ("password", PASSWORD), ("passkey", "{}")];
        assert_eq!(anna.browser.submit("/account/passkeys", &fields).await.status, 400);
    }
    assert_eq!(details(&room, "passkey.added").await.len(), 1);
}

#[tokio::test]
async fn page_says_where_no_passkeys_are_possible() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    bob.open("/account").await.shows("Browsers make no passkeys for http://127.0.0.1");
    assert!(!bob.page.has_form("/account/passkeys"));
}

/// At the broker, behind what the page compares.
#[tokio::test]
async fn signature_is_compared_in_the_act_itself() {
    let room = room().await;
    let other = json!({ "srcip": "198.51.100.24", "agent_ids": ["002"] });
    let (one, other) = (room.asked().await, room.asked_with(other).await);
    let bob = Holder::of(&room, "bob").await;
    let (broker, who) = (room.broker(), room.signed_in("bob").await);
    room.pass(LATER);
    let shown = |of: &Request| Displayed { version: of.version, digest: of.digest };
    let act = (one.id, shown(&one));
    let asked = broker.ask_passkey(&who, Verb::Approve, act).await.unwrap();
    let Assertion { client_data, authenticator_data, signature } = bob.key.sign(asked.challenge);
    let (nonce, credential) = (asked.nonce, bob.key.id.clone());
    let user = Vec::new();
    let answer =
        PasskeyAnswer { nonce, credential, user, client_data, authenticator_data, signature };
    let proved = broker.prove(&who, Verb::Approve, act, &answer).await.unwrap();
    room.pass(LATER);
    let refused = broker.approve(&proved, other.id, shown(&other), "").await;
    assert!(refused.is_err(), "it is about another request");
    let with_password = broker.authenticate_again(&who, PASSWORD).await.unwrap();
    let own = broker.passkeys(&who).await.unwrap();
    broker.remove_passkey(&with_password, own[0].id).await.unwrap();
    room.pass(LATER);
    let refused = broker.approve(&proved, one.id, shown(&one), "").await;
    assert!(refused.is_err(), "it was removed meanwhile");
    assert_eq!(room.now(&one).await.state.name(), StateName::Pending);
}
