//! People who sign in at an identity provider: who gets in, as what, for how long, and how they approve.

use std::time::Duration;

use countersign::{
    broker::Settings,
    domain::{
        actor::{Actor, Role},
        request::{Request, StateName},
    },
};
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::{
    harness::{PASSWORD, PersonClient, World, WorldBuilder, page::Page, provider::FakeProvider},
    web::{
        browser::{Browser, form},
        fixtures::{Room, path},
    },
};

/// Longer than a sign-in counts as recent, and than a proof counts for anything.
const LATER: Duration = Duration::from_mins(6);
/// Longer than the provider is believed.
const NEXT_READING: Duration = Duration::from_mins(16);

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
}

impl Stage {
    async fn start() -> Self {
        Self::of(World::builder()).await
    }

    pub(crate) async fn of(builder: WorldBuilder) -> Self {
        let provider = FakeProvider::start().await;
        let room = Box::pin(Room::of(provider.world(builder))).await;
        provider.follow(&room.clock);
        Self { room, provider }
    }

    fn stranger(&self) -> Traveller {
        Traveller { browser: self.room.stranger(), trip: String::new() }
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

    async fn person(&self, name: &str) -> Option<Role> {
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
    /// Keeps what an answer says of the trip, and shows it.
    async fn take(&mut self, request: reqwest::RequestBuilder) {
        let request = match self.trip.as_str() {
            "" => request,
            trip => {
                let own = self.browser.person.cookie.clone();
                let all = if own.is_empty() { trip.to_owned() } else { format!("{own}; {trip}") };
                request.headers([(header::COOKIE, all.parse().unwrap())].into_iter().collect())
            }
        };
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            match pair.split_once('=').unwrap() {
                ("countersign-provider", "") => self.trip.clear(),
                ("countersign-provider", _) => self.trip = pair,
                ("countersign", _) => self.browser.person.cookie = pair,
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
        stage.provider.says(|said| said.change = change);
        let (status, html) = stage.refused().await;
        assert!((400..600).contains(&status), "{what}: {status}");
        assert!(html.contains("<h1>Sign in</h1>"), "{what}: {html}");
    }
    stage.provider.says(|said| {
        said.change = |_| {};
        said.header = |header| header["alg"] = json!("HS256");
    });
    assert_eq!(stage.refused().await.0, 401, "HMAC with the client's secret");
    stage.provider.says(|said| said.header = |header| header["alg"] = json!("none"));
    assert!(stage.refused().await.0 >= 400, "no signature");
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
async fn while_provider_is_down_sessions_stay_and_nobody_enters() {
    let stage = Stage::start().await;
    let mut erin = stage.sign_in().await;
    stage.provider.is_down(true);
    stage.room.pass(NEXT_READING);
    erin.browser.open("/").await.shows("<h1>Inbox</h1>");
    stage.room.pass(Duration::from_hours(1));
    let mut new = stage.stranger();
    new.get("/sign-in/provider").await;
    assert_eq!(new.browser.page.status, 502);
    new.browser.page.shows("Sign in with a password of this server");
    stage.room.browser_of("bob").await.open("/").await.shows("<h1>Inbox</h1>");
}

#[tokio::test]
async fn gone_group_ends_sessions_at_next_reading() {
    let stage = Stage::start().await;
    let mut erin = stage.sign_in().await;
    stage.provider.says(|said| said.groups = vec!["everybody"]);
    erin.browser.open("/").await.shows("<h1>Inbox</h1>");
    stage.room.pass(NEXT_READING);
    erin.browser.open("/").await.shows("<h1>Sign in</h1>");
    assert_eq!(stage.details("person.sessions_ended").await, [json!({ "sessions": 1 })]);
    stage.provider.says(|said| said.groups = vec!["soc-seniors"]);
    erin.browser.open("/").await.shows("<h1>Sign in</h1>");
}

#[tokio::test]
async fn other_group_gives_other_role_at_next_reading() {
    let stage = Stage::start().await;
    let mut erin = stage.sign_in().await;
    stage.room.pass(NEXT_READING);
    erin.browser.open("/").await.shows("<h1>Inbox</h1>");
    stage.provider.says(|said| said.groups = vec!["soc-admins"]);
    stage.room.pass(NEXT_READING);
    erin.browser.open("/").await.shows("<h1>Sign in</h1>");
    assert_eq!(stage.person("erin").await, Some(Role::Admin));
}

#[tokio::test]
async fn session_without_refresh_token_ends_at_next_reading() {
    let stage = Stage::start().await;
    stage.provider.says(|said| said.refresh = false);
    let mut erin = stage.sign_in().await;
    stage.room.pass(Duration::from_mins(14));
    erin.browser.open("/").await.shows("<h1>Inbox</h1>");
    stage.room.pass(Duration::from_mins(2));
    erin.browser.open("/").await.shows("<h1>Sign in</h1>");
    stage.sign_in().await;
}

#[tokio::test]
async fn reading_of_somebody_else_ends_session() {
    let stage = Stage::start().await;
    let mut erin = stage.sign_in().await;
    stage.provider.says(|said| said.subject = "another");
    stage.room.pass(NEXT_READING);
    erin.browser.open("/").await.shows("<h1>Sign in</h1>");
}

#[tokio::test]
async fn provider_confirms_approval_of_high_tier() {
    let stage = Stage::start().await;
    let request = stage.privileged().await;
    let mut erin = stage.sign_in().await;
    stage.room.pass(LATER);
    erin.confirmed(&stage, &request).await;
    assert_eq!(stage.provider.asked("max_age"), "0");
    assert_eq!(stage.room.now(&request).await.votes.len(), 0, "nothing was sent yet");
    let action = format!("{}/approve", path(&request));
    erin.send(&action, &[]).await;
    assert_eq!(erin.browser.page.status, 303, "{}", erin.browser.page.html);
    let votes = stage.room.now(&request).await.votes;
    assert_eq!((votes.len(), votes[0].comment.as_str()), (1, "seen in two places"));
    assert_eq!(stage.details("session.signed_in").await[0]["confirmed"], true);
}

#[tokio::test]
async fn confirmation_sends_the_form_that_was_confirmed() {
    let stage = Stage::start().await;
    let request = stage.privileged().await;
    let mut erin = stage.sign_in().await;
    stage.room.pass(LATER);
    // With what a page would change: lines, and characters that nobody sees.
    let comment = "first line\r\nsecond \u{200b}line & <b>";
    let url = erin.approve(&request, comment).await;
    let back = stage.provider.sign_in(&url);
    erin.get(&back).await;
    let action = format!("{}/approve", path(&request));
    erin.send(&action, &[("comment", "another word"), ("version", "7")]).await;
    assert_eq!(erin.browser.page.status, 303, "{}", erin.browser.page.html);
    assert_eq!(stage.room.now(&request).await.votes[0].comment, comment);
}

#[tokio::test]
async fn confirmation_counts_once_for_its_form_and_session() {
    let stage = Stage::start().await;
    let (one, other) = (
        stage.privileged().await,
        stage
            .room
            .asked_with(json!({
                "srcip": "198.51.100.77", "agent_ids": ["001", "002", "004"],
            }))
            .await,
    );
    let mut erin = stage.sign_in().await;
    let mut elsewhere = stage.sign_in().await;
    stage.room.pass(LATER);
    let refused = async |who: &mut Traveller, action: &str, fields: &[(String, String)]| {
        who.post(action, fields).await;
        assert_eq!(who.browser.page.status, 409, "{}", who.browser.page.html);
        who.browser.page.shows("Nothing waits to be confirmed");
    };
    let action = format!("{}/approve", path(&one));
    erin.confirmed(&stage, &one).await;
    let fields = erin.browser.page.hidden_fields(&action);
    refused(&mut erin, &format!("{}/approve", path(&other)), &fields).await;
    refused(&mut erin, &action, &fields).await;
    erin.confirmed(&stage, &one).await;
    let fields = erin.browser.page.hidden_fields(&action);
    let confirmation = fields.iter().find(|(name, _)| name == "confirmation").unwrap();
    elsewhere.browser.open("/").await;
    let token = ("form_token".to_owned(), elsewhere.browser.page.form_token());
    refused(&mut elsewhere, &action, &[token, confirmation.clone()]).await;
    erin.confirmed(&stage, &one).await;
    let fields = erin.browser.page.hidden_fields(&action);
    stage.room.pass(Duration::from_mins(5));
    refused(&mut erin, &action, &fields).await;
    assert_eq!(stage.room.now(&one).await.votes.len(), 0);
    assert_eq!(stage.room.now(&other).await.votes.len(), 0);
    erin.confirmed(&stage, &one).await;
    let fields = erin.browser.page.hidden_fields(&action);
    erin.send(&action, &[]).await;
    assert_eq!(stage.room.now(&one).await.votes.len(), 1);
    refused(&mut erin, &action, &fields).await;
}

#[tokio::test]
async fn sign_in_of_before_confirms_nothing() {
    let stage = Stage::start().await;
    let request = stage.privileged().await;
    let mut erin = stage.sign_in().await;
    stage.room.pass(LATER);
    let late: [(Option<i64>, &str); 2] =
        [(Some(31), "it did not ask you again"), (None, "it does not say when you signed in")];
    for (ago, why) in late {
        stage.provider.says(|said| said.authenticated_ago = ago);
        let url = erin.approve(&request, "").await;
        let back = stage.provider.sign_in(&url);
        erin.get(&back).await;
        assert_eq!(erin.browser.page.status, 401);
        erin.browser.page.shows(why);
    }
    assert_eq!(stage.room.now(&request).await.votes.len(), 0);
}

#[tokio::test]
async fn sign_in_of_somebody_else_confirms_nothing() {
    let stage = Stage::start().await;
    let request = stage.privileged().await;
    let mut erin = stage.sign_in().await;
    stage.room.pass(LATER);
    let url = erin.approve(&request, "").await;
    stage.provider.says(|said| said.subject = "another");
    let back = stage.provider.sign_in(&url);
    erin.get(&back).await;
    assert_eq!(erin.browser.page.status, 400);
    erin.browser.page.shows("somebody else signed in there");
    erin.get("/").await;
    erin.browser.page.shows("<h1>Inbox</h1>");
}

#[tokio::test]
async fn stale_sign_in_at_provider_is_no_recent_one() {
    let stage = Stage::start().await;
    // Of the low tier: a proof of the last five minutes counts.
    let (one, other) = (
        stage.room.asked().await,
        stage
            .room
            .asked_with(json!({
                "srcip": "198.51.100.77", "agent_ids": ["002"],
            }))
            .await,
    );
    stage.provider.says(|said| said.authenticated_ago = Some(3600));
    let mut erin = stage.sign_in().await;
    erin.approve(&one, "").await;
    stage.provider.says(|said| said.authenticated_ago = Some(60));
    let mut fresh = stage.sign_in().await;
    fresh.browser.open(&path(&other)).await;
    fresh.send(&format!("{}/approve", path(&other)), &[]).await;
    assert_eq!(stage.room.now(&other).await.state.name(), StateName::Approved);
}

#[tokio::test]
async fn admin_of_provider_confirms_what_admins_do() {
    let stage = Stage::start().await;
    stage.provider.says(|said| said.groups = vec!["soc-admins"]);
    let mut erin = stage.sign_in().await;
    stage.room.pass(LATER);
    erin.browser.open("/people/anna").await;
    erin.send("/people/anna/role", &[("role", "senior")]).await;
    let back = stage.provider.sign_in(&erin.asked_at());
    erin.get(&back).await;
    assert_eq!(stage.person("anna").await, Some(Role::Analyst));
    erin.send("/people/anna/role", &[]).await;
    assert_eq!(stage.person("anna").await, Some(Role::Senior));
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
async fn reading_counts_whose_asker_hung_up() {
    let stage = Stage::start().await;
    let erin = stage.sign_in().await;
    stage.provider.says(|said| said.groups = vec!["everybody"]);
    stage.room.pass(NEXT_READING);
    let held = stage.provider.holds_tokens();
    let asker = tokio::spawn(erin.browser.request(Method::GET, "/").send());
    held.asked.notified().await;
    asker.abort();
    assert!(asker.await.unwrap_err().is_cancelled());
    held.go.notify_one();
    while stage.details("person.sessions_ended").await.is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn session_of_who_may_no_more_sign_in_ends() {
    let world = World::builder().start().await;
    let mut bob = PersonClient::sign_in(&world.url(), "bob", PASSWORD).await;
    assert_eq!(bob.get("/").await.status, 200);
    let only_dora = |settings: &mut Settings| {
        settings.sign_in.local_people = Some(["dora".to_owned()].into());
    };
    let world = world.restart_with(|builder| builder.with_settings(only_dora)).await;
    bob.url = world.url();
    assert_eq!(bob.get("/").await.leads_to(), "/sign-in");
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

#[tokio::test]
async fn provider_without_time_signs_in_but_not_freshly() {
    let stage = Stage::start().await;
    let request = stage.room.asked().await;
    stage.provider.says(|said| said.authenticated_ago = None);
    let mut erin = stage.sign_in().await;
    erin.approve(&request, "").await;
    assert_eq!(stage.room.now(&request).await.votes.len(), 0);
}
