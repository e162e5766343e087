//! Who has to wait after wrong passwords: whoever typed them, and nobody else.

use std::{net::IpAddr, time::Duration};

use countersign::{
    broker::notifications::DeliveryResult,
    config::Config,
    connector::{Channel, WebhookFormat},
};
use reqwest::{Method, StatusCode, header};

use crate::{
    broker::notifications::settings,
    connector::fake_server::{Tap, say},
    harness::{
        PASSWORD, World,
        page::{Page, PersonClient, filled_in},
        program::Program,
    },
};

const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

/// Tries until the next try would have to wait.
async fn guess(world: &World, from: IpAddr, name: &str) {
    let mut stranger = PersonClient::stranger_from(&world.url(), from);
    for _try in 0..5 {
        let page = stranger.try_sign_in(name, "a wrong password").await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    }
}

/// Signs in with what else a browser or a proxy sends. The cookies that came.
async fn sign_in(
    world: &World,
    (name, password): (&str, &str),
    with: &[(&'static str, &str)],
) -> (StatusCode, Vec<String>) {
    let stranger = PersonClient::stranger(&world.url());
    let fields = [("name", name), ("password", password)];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut request =
        stranger.request(Method::POST, "/sign-in").header(header::ORIGIN, world.url());
    for (name, value) in with {
        request = request.header(*name, *value);
    }
    let fields = fields.iter().map(|(name, value)| (name, value));
    let answer = filled_in(request, fields).send().await.unwrap();
    let cookies = answer.headers().get_all(header::SET_COOKIE).iter();
    let pair = |cookie: &header::HeaderValue| {
        cookie.to_str().unwrap().split(';').next().unwrap().to_owned()
    };
    (answer.status(), cookies.map(pair).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_elsewhere_keep_nobody_out() {
    let world = World::start().await;
    for name in ["carol", "dora"] {
        guess(&world, ELSEWHERE, name).await;
    }
    let mut stranger = PersonClient::stranger_from(&world.url(), ELSEWHERE);
    let page = stranger.try_sign_in("carol", PASSWORD).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    for name in ["carol", "dora"] {
        world.person(name).await.get("/system").await.shows("2 sources have to wait");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_nobody_has_share_one_limit() {
    let world = World::start().await;
    let mut stranger = PersonClient::stranger(&world.url());
    for n in 0..5 {
        stranger.try_sign_in(&format!("nobody-{n}"), "a wrong password").await;
    }
    let page = stranger.try_sign_in("nobody-5", "a wrong password").await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(stranger.try_sign_in("bob", PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn known_browser_is_let_through_with_its_own_limit() {
    let world = World::start().await;
    let (_, bobs) = sign_in(&world, ("bob", PASSWORD), &[]).await;
    let (_, carols) = sign_in(&world, ("carol", PASSWORD), &[]).await;
    let browser = |cookies: &[String]| {
        cookies.iter().find(|pair| pair.starts_with("countersign-browser=")).unwrap().clone()
    };
    let (bobs, carols) = (browser(&bobs), browser(&carols));
    guess(&world, [127, 0, 0, 1].into(), "bob").await;
    let with = async |cookie: &str, password: &str| {
        sign_in(&world, ("bob", password), &[("cookie", cookie)]).await.0
    };
    let forged = format!("{bobs}A");
    for cookie in ["", "countersign-browser=x.y.z", &carols, &forged] {
        assert_eq!(with(cookie, PASSWORD).await, StatusCode::TOO_MANY_REQUESTS, "{cookie}");
    }
    assert_eq!(with(&bobs, PASSWORD).await, StatusCode::SEE_OTHER);
    for _try in 0..5 {
        assert_eq!(with(&bobs, "a wrong password").await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(with(&bobs, PASSWORD).await, StatusCode::TOO_MANY_REQUESTS);
    let old = sign_in(&world, ("carol", PASSWORD), &[]).await.1;
    guess(&world, [127, 0, 0, 1].into(), "carol").await;
    let world = world.restart().await;
    guess(&world, [127, 0, 0, 1].into(), "carol").await;
    let known = sign_in(&world, ("carol", PASSWORD), &[("cookie", &browser(&old))]).await;
    assert_eq!(known.0, StatusCode::SEE_OTHER, "after a restart");
    world.pass(Duration::from_hours(24 * 181));
    guess(&world, [127, 0, 0, 1].into(), "carol").await;
    let known = sign_in(&world, ("carol", PASSWORD), &[("cookie", &browser(&old))]).await;
    assert_eq!(known.0, StatusCode::TOO_MANY_REQUESTS, "after half a year");
}

#[tokio::test(flavor = "multi_thread")]
async fn trusted_proxy_tells_sources_apart() {
    let trusted = vec!["127.0.0.1/32".parse().unwrap()];
    let world = World::builder().with_proxies(trusted).start().await;
    let from = async |address: &str, password: &str| {
        sign_in(&world, ("bob", password), &[("x-forwarded-for", address)]).await.0
    };
    for _try in 0..5 {
        assert_eq!(from("203.0.113.9", "a wrong password").await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(from("203.0.113.9", PASSWORD).await, StatusCode::TOO_MANY_REQUESTS);
    let forged = from("198.51.100.7, 203.0.113.9", PASSWORD).await;
    assert_eq!(forged, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(from("198.51.100.7", PASSWORD).await, StatusCode::SEE_OTHER);
    let audit: Page = world.person("dora").await.get("/audit").await;
    audit.shows("signed in from 198.51.100.7");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_proxy_is_said_and_locks_nobody_out() {
    let world = World::builder().with_proxies(Vec::new()).start().await;
    for _round in 0..2 {
        guess(&world, [127, 0, 0, 1].into(), "bob").await;
    }
    let bob = world.person("bob").await;
    bob.get("/system").await.shows("server.trusted_proxies");
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_is_recorded_with_address_and_device() {
    let world = World::start().await;
    sign_in(&world, ("bob", PASSWORD), &[("user-agent", "Bobs browser/1.0")]).await;
    let audit = world.person("dora").await.get("/audit").await;
    audit.shows("signed in from 127.0.0.1");
    audit.shows("Bobs browser/1.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn usual_password_and_own_name_are_refused() {
    let world = World::start().await;
    let bob = world.person("bob").await;
    for new in ["password1234", "aaaaaaaaaaaa", "bobbobbobbob", "Bob-1234567-bob"] {
        let mut fields = bob.get("/password").await.form("/password").unwrap();
        for (name, value) in [("old", PASSWORD), ("new", new)] {
            fields.insert(name.to_owned(), value.to_owned());
        }
        let page = bob.post("/password", &fields).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{new}");
        page.shows("This password would be guessed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_notified_once_an_hour() {
    let tap = Tap::start(|_| say(204, "")).await;
    let settings = settings("ops", &format!("{}/hook", tap.url()), WebhookFormat::Json);
    let channels = vec![Channel::webhook(settings).unwrap()];
    let world = World::builder().with_channels(channels).start().await;
    for from in [ELSEWHERE, [127, 0, 0, 3].into()] {
        guess(&world, from, "bob").await;
        let mut stranger = PersonClient::stranger_from(&world.url(), from);
        stranger.try_sign_in("bob", "a wrong password").await;
    }
    world.broker().notify().await.unwrap();
    assert_eq!(world.broker().deliver_next("webhook.ops").await.unwrap(), DeliveryResult::Arrived);
    assert_eq!(world.broker().deliver_next("webhook.ops").await.unwrap(), DeliveryResult::Nothing);
    let heard = tap.heard("POST");
    assert!(heard[0].body.contains("sign_in.throttled"), "{:?}", heard[0].body);
}

#[test]
fn half_of_the_internet_is_no_trusted_proxy() {
    let program = Program::new();
    for (network, fits) in [
        ("0.0.0.0/0", false),
        ("128.0.0.0/1", false),
        ("::/0", false),
        ("10.0.0.0/8", true),
        ("2001:db8::/32", true),
    ] {
        let key = format!("[server]\ntrusted_proxies = [\"{network}\"]\n");
        let text = program.configuration("http://127.0.0.1:9").replacen("[server]\n", &key, 1);
        program.write("countersign.toml", &text);
        let read = Config::load(&program.path("countersign.toml"), std::iter::empty());
        let said = read.err().map_or_else(String::new, |error| error.to_string());
        assert_eq!(said.contains("server.trusted_proxies"), !fits, "{network}: {said}");
    }
}
