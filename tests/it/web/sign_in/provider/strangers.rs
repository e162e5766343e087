//! What strangers can have done at the identity provider, and to somebody on the way there.

use std::time::Duration;

use super::{Stage, confirmation::LATER};

#[tokio::test]
async fn made_up_codes_are_throttled_before_the_provider() {
    let stage = Stage::start().await;
    let mut known = stage.sign_in().await;
    let mut stranger = stage.stranger();
    stranger.get("/sign-in/provider").await;
    let (trip, calls) = (stranger.trip.clone(), stage.provider.token_calls());
    let back = stage.provider.sign_in(stranger.browser.page.leads_to());
    let state = back.split_once("&state=").unwrap().1.to_owned();
    for _ in 0..8 {
        stranger.trip.clone_from(&trip);
        stranger.get(&format!("/sign-in/provider/back?code=made-up&state={state}")).await;
    }
    assert_eq!(stranger.browser.page.status, 429, "{}", stranger.browser.page.html);
    assert_eq!(stage.provider.token_calls() - calls, 5);
    // Whoever signed in with their browser before gets in meanwhile.
    known.sign_in(&stage).await;
    assert_eq!(known.browser.page.status, 303, "{}", known.browser.page.html);
    stage.room.pass(Duration::from_mins(2));
    stage.sign_in().await;
}

#[tokio::test]
async fn answer_of_no_trip_cancels_nothing() {
    let stage = Stage::start().await;
    let mut erin = stage.stranger();
    erin.get("/sign-in/provider").await;
    let back = stage.provider.sign_in(erin.browser.page.leads_to());
    for forged in ["?error=access_denied", "?error=access_denied&state=x", "?code=x&state=y", ""] {
        erin.get(&format!("/sign-in/provider/back{forged}")).await;
        assert_eq!(erin.browser.page.status, 401, "{forged}");
        assert_ne!(erin.trip, "", "{forged}");
    }
    erin.get(&back).await;
    assert_eq!(erin.browser.page.status, 303);
}

#[tokio::test]
async fn refused_confirmation_ends_its_trip() {
    let stage = Stage::start().await;
    let request = stage.privileged().await;
    let mut erin = stage.sign_in().await;
    stage.room.pass(LATER);
    let back = stage.provider.sign_in(&erin.approve(&request, "").await);
    let state = back.split_once("&state=").unwrap().1;
    erin.get(&format!("/sign-in/provider/back?error=access_denied&state={state}")).await;
    assert_eq!(erin.browser.page.status, 401);
    assert_eq!(erin.trip, "");
}

#[tokio::test]
async fn provider_that_is_down_is_asked_every_few_seconds() {
    let stage = Stage::start().await;
    stage.provider.is_down(true);
    for _ in 0..5 {
        stage.stranger().get("/sign-in/provider").await;
    }
    assert_eq!(stage.provider.descriptions(), 1);
    stage.provider.is_down(false);
    stage.room.pass(Duration::from_secs(5));
    stage.sign_in().await;
    assert_eq!(stage.provider.descriptions(), 2);
}
