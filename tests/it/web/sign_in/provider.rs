//! People who sign in at an identity provider: who gets in, and as what.

use std::time::Duration;

use countersign::{
    broker::Settings,
    domain::{
        actor::{Actor, Role},
        request::Request,
    },
};
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::{
    harness::{PASSWORD, World, WorldBuilder, page::Page, provider::FakeProvider},
    web::{
        browser::{Browser, form},
        fixtures::{Room, path},
    },
};

mod confirmation;
mod link;
mod membership;
mod strangers;

/// As long as somebody waits who failed often.
const NOT_THROTTLED: Duration = Duration::from_mins(16);

/// What is changed about a token.
type Change = fn(&mut Value);

pub(crate) struct Stage {
    pub(crate) room: Room,
    pub(crate) provider: FakeProvider,
}

/// A browser with the cookie that goes to the provider and back.
pub(crate) struct Traveller {
    pub(crate) browser: Browser,
    trip: String,
    /// What makes it a known browser. Whatever comes back from the provider brings no stricter cookie.
    known: String,
}

impl Stage {
    async fn start() -> Self {
        Self::of(World::builder()).await
    }

    pub(crate) async fn of(builder: WorldBuilder) -> Self {
        Self::with_settings(builder, |_| {}).await
    }

    async fn with_settings(builder: WorldBuilder, change: impl FnOnce(&mut Settings)) -> Self {
        let provider = FakeProvider::start().await;
        let builder = provider.world(builder).with_settings(change);
        let room = Box::pin(Room::of(builder)).await;
        provider.follow(&room.clock);
        Self { room, provider }
    }

    fn stranger(&self) -> Traveller {
        Traveller::new(self.room.stranger())
    }

    /// Somebody who is signed in with a password of this server.
    async fn local(&self, name: &str) -> Traveller {
        Traveller::new(self.room.browser_of(name).await)
    }

    /// Somebody who signs in as the provider says.
    pub(crate) async fn sign_in(&self) -> Traveller {
        let mut traveller = self.stranger();
        traveller.sign_in(self).await;
        assert_eq!(traveller.browser.page.status, 303, "{}", traveller.browser.page.html);
        traveller
    }

    /// The status and page of a sign-in that fails, and that it left no session and an entry.
    async fn refused(&self) -> (u16, String) {
        let mut traveller = self.stranger();
        traveller.sign_in(self).await;
        let Page { status, html, .. } = traveller.browser.page;
        assert!(!traveller.browser.person.cookie.starts_with("countersign="), "it has a session");
        (status.as_u16(), html)
    }

    pub(crate) async fn person(&self, name: &str) -> Option<Role> {
        let people = self.room.operator().people().await.unwrap();
        people.into_iter().find(|person| person.name == name).map(|person| person.role)
    }

    /// The details of the audit's entries of a kind, the newest first.
    async fn details(&self, kind: &str) -> Vec<Value> {
        let filter = countersign::store::audit::AuditFilter {
            kind: Some(kind.to_owned()),
            ..Default::default()
        };
        let entries = self.room.operator().audit(&filter, None, 100).await.unwrap();
        entries.iter().map(|entry| serde_json::from_str(&entry.detail).unwrap()).collect()
    }

    /// A request of the high tier, which takes a proof with each approval.
    pub(crate) async fn privileged(&self) -> Request {
        self.room.asked_with(json!({ "agent_ids": ["001", "002", "004"] })).await
    }
}

impl Traveller {
    fn new(browser: Browser) -> Self {
        Self { browser, trip: String::new(), known: String::new() }
    }

    /// Keeps what an answer says of the trip, and shows it.
    async fn take(&mut self, request: reqwest::RequestBuilder) {
        let cookies = [&self.browser.person.cookie, &self.trip, &self.known];
        let cookies: Vec<_> = cookies.into_iter().filter(|one| !one.is_empty()).cloned().collect();
        let cookies = cookies.join("; ").parse().unwrap();
        let request = request.headers([(header::COOKIE, cookies)].into_iter().collect());
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let pair = cookie.split(';').next().unwrap().to_owned();
            match pair.split_once('=').unwrap() {
                ("countersign-provider", "") => self.trip.clear(),
                ("countersign-provider", _) => self.trip = pair,
                ("countersign", _) => self.browser.person.cookie = pair,
                ("countersign-browser", _) if cookie.contains("SameSite=Lax") => self.known = pair,
                _ => {}
            }
        }
        self.browser.page = Page::of(answer).await;
    }

    pub(crate) async fn get(&mut self, path: &str) {
        let request = self.browser.request(Method::GET, path);
        self.take(request).await;
    }

    async fn sign_in(&mut self, stage: &Stage) {
        self.get("/sign-in/provider").await;
        let url = self.browser.page.leads_to().to_owned();
        let back = stage.provider.sign_in(&url);
        self.get(&back).await;
    }

    /// Sends the form of the open page to `action`.
    pub(crate) async fn send(&mut self, action: &str, typed: &[(&str, &str)]) {
        let mut fields = self.browser.page.hidden_fields(action);
        for (name, value) in typed {
            fields.retain(|(other, _)| other != name);
            fields.push(((*name).to_owned(), (*value).to_owned()));
        }
        self.post(action, &fields).await;
    }

    /// Sends fields, whatever the open page is.
    pub(crate) async fn post(&mut self, action: &str, fields: &[(String, String)]) {
        let request = self.browser.request(Method::POST, action);
        let request = request.header(header::ORIGIN, &self.browser.person.url);
        self.take(form(request, fields)).await;
    }

    /// Where the present page sends the browser to be asked again.
    pub(crate) fn asked_at(&self) -> String {
        let links = self.browser.page.links();
        let away = |link: &&String| link.contains("/authorize?");
        links.iter().find(away).unwrap_or_else(|| panic!("{}", self.browser.page.html)).clone()
    }

    /// Sends an approval, and is asked again at the provider.
    async fn approve(&mut self, request: &Request, comment: &str) -> String {
        self.browser.open(&path(request)).await;
        self.send(&format!("{}/approve", path(request)), &[("comment", comment)]).await;
        assert_eq!(self.browser.page.status, 401, "{}", self.browser.page.html);
        self.asked_at()
    }

    /// The same, and the provider confirms it: the page that offers to go on.
    async fn confirmed(&mut self, stage: &Stage, request: &Request) {
        let url = self.approve(request, "seen in two places").await;
        let back = stage.provider.sign_in(&url);
        self.get(&back).await;
        self.browser.page.shows("Corp Login confirmed that it is you");
    }
}

#[tokio::test]
async fn provider_signs_person_in_by_subject_and_group() {
    let stage = Stage::start().await;
    let mut erin = stage.stranger();
    erin.browser.open("/sign-in").await.shows("Sign in with Corp Login");
    erin.get("/sign-in/provider?next=%2Frequests%3Fstate%3Dpending").await;
    assert!(erin.trip.starts_with("countersign-provider=sign-in."), "{}", erin.trip);
    let url = erin.browser.page.leads_to().to_owned();
    erin.get(&stage.provider.sign_in(&url)).await;
    assert_eq!(stage.provider.asked("max_age"), "43200");
    assert_eq!(erin.browser.page.leads_to(), "/requests?state=pending");
    assert_eq!(erin.trip, "", "the trip is over");
    assert_eq!(stage.person("erin").await, Some(Role::Senior));
    erin.browser.open("/").await.shows("erin");
    let added = stage.details("person.added").await;
    assert_eq!(added[0]["identity"], json!({ "issuer": stage.provider.url(), "subject": "0d3b" }));
    assert_eq!(stage.details("session.signed_in").await[0]["provider"], stage.provider.url());
}

#[tokio::test]
async fn same_subject_stays_same_person_under_new_name() {
    let stage = Stage::start().await;
    stage.sign_in().await;
    stage.provider.says(|said| {
        said.name = "erin.new";
        said.groups = vec!["soc-leads", "soc-seniors"];
    });
    let mut again = stage.sign_in().await;
    again.browser.open("/").await.shows("erin");
    assert_eq!(stage.person("erin").await, Some(Role::Lead), "the first group of the list counts");
    assert_eq!(stage.person("erin.new").await, None);
    let changed = stage.details("person.role_changed").await;
    assert_eq!(changed[0], json!({ "role": "lead", "before": "senior", "sessions": 1 }));
}

#[tokio::test]
async fn id_token_that_does_not_hold_signs_nobody_in() {
    let stage = Stage::start().await;
    let wrong: [(&str, Change); 8] = [
        ("nonce", |claims| claims["nonce"] = json!("of another sign-in")),
        ("no nonce", |claims| drop(claims.as_object_mut().unwrap().remove("nonce"))),
        ("audience", |claims| claims["aud"] = json!("another client")),
        ("audiences", |claims| claims["aud"] = json!(["countersign", "another client"])),
        ("issuer", |claims| claims["iss"] = json!("http://127.0.0.1:1")),
        ("expired", |claims| claims["exp"] = json!(claims["iat"].as_i64().unwrap() - 1)),
        ("no expiry", |claims| drop(claims.as_object_mut().unwrap().remove("exp"))),
        ("no subject", |claims| drop(claims.as_object_mut().unwrap().remove("sub"))),
    ];
    for (what, change) in wrong {
        stage.room.pass(NOT_THROTTLED);
        stage.provider.says(|said| said.change = change);
        let (status, html) = stage.refused().await;
        assert!((400..600).contains(&status), "{what}: {status}");
        assert!(html.contains("<h1>Sign in</h1>"), "{what}: {html}");
    }
    stage.room.pass(NOT_THROTTLED);
    stage.provider.says(|said| {
        said.change = |_| {};
        said.header = |header| header["alg"] = json!("HS256");
    });
    assert_eq!(stage.refused().await.0, 401, "HMAC with the client's secret");
    stage.room.pass(NOT_THROTTLED);
    stage.provider.says(|said| said.header = |header| header["alg"] = json!("none"));
    assert!(stage.refused().await.0 >= 400, "no signature");
    stage.room.pass(NOT_THROTTLED);
    stage.provider.says(|said| said.header = |_| {});
    stage.provider.signs_with_foreign_key();
    let (status, html) = stage.refused().await;
    assert_eq!(status, 401);
    assert!(html.contains("signed with an unknown key"), "{html}");
    assert_eq!(stage.person("erin").await, None);
    stage.room.broker().record_refused_sign_ins(true).await.unwrap();
    assert!(!stage.details("session.refused").await.is_empty());
}

#[tokio::test]
async fn code_of_another_browser_signs_nobody_in() {
    let stage = Stage::start().await;
    let (mut one, mut other) = (stage.stranger(), stage.stranger());
    one.get("/sign-in/provider").await;
    let back = stage.provider.sign_in(one.browser.page.leads_to());
    other.get(&back).await;
    assert_eq!(other.browser.page.leads_to(), "/sign-in", "it has no trip of its own");
    other.get("/sign-in/provider").await;
    other.get(&back).await;
    assert_eq!(other.browser.page.status, 401, "its state is another");
    other.browser.page.shows("belongs to no sign-in of this browser");
    let state = back.split_once("&state=").unwrap().1;
    one.get(&format!("/sign-in/provider/back?code=code-9&state={state}")).await;
    assert_eq!(one.browser.page.status, 401, "no such code");
    assert_eq!(stage.person("erin").await, None);
}

#[tokio::test]
async fn key_that_provider_changed_is_read_again() {
    let stage = Stage::start().await;
    stage.sign_in().await;
    stage.provider.rotates();
    stage.sign_in().await;
}

#[tokio::test]
async fn person_of_no_group_gets_no_account() {
    let stage = Stage::start().await;
    stage.provider.says(|said| said.groups = vec!["everybody"]);
    let (status, html) = stage.refused().await;
    assert_eq!(status, 401);
    assert!(html.contains("you are in none of the groups that may sign in here"), "{html}");
    assert_eq!(stage.person("erin").await, None);
}

#[tokio::test]
async fn provider_takes_no_account_that_is_there() {
    let stage = Stage::start().await;
    for name in ["bob", "BOB@corp.example", "erin example", ""] {
        stage.provider.says(|said| said.name = name);
        let (status, html) = stage.refused().await;
        assert_eq!(status, 401, "{name}: {html}");
    }
    assert_eq!(stage.person("bob").await, Some(Role::Senior));
    // Nor does a disabled one come back.
    stage.provider.says(|said| said.name = "erin");
    stage.sign_in().await;
    stage.room.operator().disable_person(&Actor::CommandLine, "erin").await.unwrap();
    assert_eq!(stage.refused().await.0, 401);
}

#[tokio::test]
async fn role_and_password_of_provider_person_are_not_ours() {
    let stage = Stage::start().await;
    stage.sign_in().await;
    let mut dora = stage.room.browser_of("dora").await;
    let page = dora.open("/people/erin").await;
    assert!(!page.has_form("/people/erin/role") && !page.has_form("/people/erin/password"));
    page.shows("Erin Example");
    let token = ("form_token".to_owned(), page.form_token());
    for (action, field) in [("role", ("role", "lead")), ("password", ("password", PASSWORD))] {
        let fields = [token.clone(), (field.0.to_owned(), field.1.to_owned())];
        let refused = dora.post(&format!("/people/erin/{action}"), &fields).await;
        refused.shows("signs in at");
    }
    assert_eq!(stage.person("erin").await, Some(Role::Senior));
}

#[tokio::test]
async fn only_named_people_sign_in_with_password() {
    let provider = FakeProvider::start().await;
    let builder = provider.world(World::builder()).with_settings(|settings| {
        settings.sign_in.local_people = Some(["dora".to_owned()].into());
    });
    let room = Room::of(builder).await;
    assert_eq!(room.stranger().sign_in("bob", PASSWORD).await.status, 401);
    assert_eq!(room.stranger().sign_in("dora", PASSWORD).await.status, 303);
}

#[tokio::test]
async fn nobody_without_password_signs_in_with_one() {
    let stage = Stage::start().await;
    stage.sign_in().await;
    for password in ["", PASSWORD, "x"] {
        assert_eq!(stage.room.stranger().sign_in("erin", password).await.status, 401);
    }
}

#[tokio::test]
async fn refused_person_of_provider_is_recorded() {
    let stage = Stage::start().await;
    for name in ["bob", "erin example"] {
        stage.provider.says(|said| said.name = name);
        stage.refused().await;
    }
    stage.room.broker().record_refused_sign_ins(true).await.unwrap();
    let tries: u64 = stage
        .details("session.refused")
        .await
        .iter()
        .map(|facts| facts["tries"].as_u64().unwrap_or(1))
        .sum();
    assert_eq!(tries, 2);
}
