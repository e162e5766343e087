//! Somebody with a password here moves to the identity provider, and stays one person.

use countersign::domain::actor::{Actor, Role};
use reqwest::StatusCode;
use serde_json::json;

use super::{Stage, Traveller, confirmation::LATER};
use crate::{
    harness::{PASSWORD, World},
    web::fixtures::path,
};

const LINK: &str = "/account/provider";

impl Traveller {
    /// Sends the form of the account, and is at the provider then.
    async fn moves(&mut self) -> String {
        self.browser.open("/account").await;
        self.send(LINK, &[("password", PASSWORD)]).await;
        assert_eq!(self.browser.page.status, 401, "{}", self.browser.page.html);
        self.asked_at()
    }
}

#[tokio::test]
async fn linked_person_stays_same_person_at_provider() {
    let stage = Stage::start().await;
    let mut bob = stage.local("bob").await;
    let url = bob.moves().await;
    stage.provider.says(|said| said.groups = vec!["soc-leads"]);
    let back = stage.provider.sign_in(&url);
    assert_eq!(stage.provider.asked("max_age"), "0");
    bob.get(&back).await;
    assert_eq!(bob.browser.page.leads_to(), "/sign-in?after=link", "{}", bob.browser.page.html);
    assert_eq!(bob.trip, "", "the trip is over");
    bob.browser.open("/").await.shows("<h1>Sign in</h1>");
    assert_eq!(stage.room.stranger().sign_in("bob", PASSWORD).await.status, 401);
    stage.provider.says(|said| said.name = "somebody.else");
    let mut bob = stage.sign_in().await;
    bob.browser.open("/account").await.shows("You sign in at the identity provider");
    bob.browser.page.shows("bob");
    assert_eq!(stage.person("bob").await, Some(Role::Lead));
    assert_eq!(stage.person("somebody.else").await, None);
    let linked = stage.details("person.linked").await;
    assert_eq!(linked, [json!({ "issuer": stage.provider.url(), "subject": "0d3b" })]);
}

#[tokio::test]
async fn link_takes_password_of_its_person() {
    let stage = Stage::start().await;
    let mut bob = stage.local("bob").await;
    for password in ["", "wrong"] {
        bob.browser.open("/account").await;
        bob.send(LINK, &[("password", password)]).await;
        assert_eq!(bob.browser.page.status, StatusCode::UNAUTHORIZED);
        assert_eq!(bob.trip, "", "{password}");
    }
}

#[tokio::test]
async fn link_of_account_of_somebody_is_refused() {
    let stage = Stage::start().await;
    stage.sign_in().await;
    let mut bob = stage.local("bob").await;
    let url = bob.moves().await;
    bob.get(&stage.provider.sign_in(&url)).await;
    assert_eq!(bob.browser.page.status, 400);
    bob.browser.page.shows("that account there is `erin` here");
    bob.browser.open("/").await.shows("<h1>Inbox</h1>");
}

#[tokio::test]
async fn person_without_group_is_not_linked() {
    let stage = Stage::start().await;
    let mut bob = stage.local("bob").await;
    let url = bob.moves().await;
    stage.provider.says(|said| said.groups = vec!["everybody"]);
    bob.get(&stage.provider.sign_in(&url)).await;
    assert_eq!(bob.browser.page.status, 401);
    bob.browser.page.shows("you are in none of the groups that may sign in here");
    assert_eq!(stage.room.stranger().sign_in("bob", PASSWORD).await.status, 303);
}

#[tokio::test]
async fn last_admin_does_not_become_less_by_link() {
    let stage = Stage::start().await;
    let mut dora = stage.local("dora").await;
    let url = dora.moves().await;
    dora.get(&stage.provider.sign_in(&url)).await;
    dora.browser.page.shows("`dora` is the last admin");
    assert_eq!(stage.person("dora").await, Some(Role::Admin));
    assert!(stage.details("person.linked").await.is_empty());
}

#[tokio::test]
async fn link_and_confirmation_are_not_each_other() {
    let stage = Stage::start().await;
    let mut bob = stage.local("bob").await;
    let back = stage.provider.sign_in(&bob.moves().await);
    bob.trip = bob.trip.replace("=link.", "=confirm.");
    bob.get(&back).await;
    bob.browser.page.shows("Nothing waits to be confirmed");
    let request = stage.privileged().await;
    let mut erin = stage.sign_in().await;
    stage.room.pass(LATER);
    let url = erin.approve(&request, "").await;
    let back = stage.provider.sign_in(&url);
    erin.trip = erin.trip.replace("=confirm.", "=link.");
    erin.get(&back).await;
    erin.browser.page.shows("you sign in there already");
    // Nor does what bob asked for move somebody else.
    let back = stage.provider.sign_in(&bob.moves().await);
    let mut carol = stage.local("carol").await;
    carol.trip.clone_from(&bob.trip);
    carol.get(&back).await;
    carol.browser.page.shows("it was not asked for in this session");
    assert!(stage.details("person.linked").await.is_empty());
    carol.browser.open(&path(&request)).await;
}

#[tokio::test]
async fn person_of_list_is_offered_no_link() {
    let builder = World::builder();
    let stage = Stage::with_settings(builder, |settings| {
        settings.sign_in.local_people = Some(["bob".to_owned()].into());
    });
    let stage = stage.await;
    let mut bob = stage.local("bob").await;
    assert!(!bob.browser.open("/account").await.has_form(LINK));
    let token = ("form_token".to_owned(), bob.browser.page.form_token());
    bob.post(LINK, &[token, ("password".to_owned(), PASSWORD.to_owned())]).await;
    assert_eq!(bob.browser.page.status, 400);
    bob.browser.page.shows("keep your password for when it is down");
}

#[tokio::test]
async fn disabled_person_is_not_linked() {
    let stage = Stage::start().await;
    let mut bob = stage.local("bob").await;
    let back = stage.provider.sign_in(&bob.moves().await);
    stage.room.operator().disable_person(&Actor::CommandLine, "bob").await.unwrap();
    bob.get(&back).await;
    assert!(stage.details("person.linked").await.is_empty());
}
