//! Every route that the source names is held against what holds for all of them. A new one is
//! found by itself; where this test cannot know what it needs, it fails and says what to add here.

use countersign::domain::{
    digest::Digest,
    id::{ApiTokenId, PasskeyId},
    request::Request,
};
use reqwest::{Method, RequestBuilder, header};
use uuid::Uuid;

use super::route_scan::{Route, routes};
use crate::harness::{PASSWORD, World, WorldBuilder, page::Page, stored::assert_same};
use crate::web::{
    browser::{Browser, form},
    fixtures::{Room, path},
};

/// What strangers get, and why.
const OPEN: [(&str, &str, &str); 17] = [
    ("GET", "/sign-in", "it is where one gets a session"),
    ("POST", "/sign-in", "it is where one gets a session"),
    ("POST", "/sign-in/passkey", "it is where one gets a session"),
    ("POST", "/sign-in/passkey/ask", "a question, of which nothing is kept"),
    ("GET", "/sign-in/provider", "the way to the identity provider, where there is one"),
    ("GET", "/sign-in/provider/back", "it is where one gets a session"),
    ("GET", "/sign-in/first", "the form of the first sign-in"),
    ("POST", "/sign-in/first", "it is where one gets a session"),
    ("POST", "/sign-in/second-factor", "it is where one gets a session"),
    ("POST", "/sign-in/second-factor/ask", "a question to whoever gave the right password"),
    ("GET", "/set-up", "it makes the first admin, and exists only while nobody exists"),
    ("POST", "/set-up", "it makes the first admin, and exists only while nobody exists"),
    ("GET", "/events", "it looks at the session itself: 204 without one"),
    ("GET", "/static/{name}", "style, script and icon are the same for everybody"),
    ("GET", "/healthz", "a probe, which names nobody"),
    ("GET", "/readyz", "a probe, which names nobody"),
    ("GET", "/metrics", "counts, for whoever has the token"),
];
/// Where nothing is to be seen: the first admin is there, nobody is called `add`, no provider is
/// configured, and no token opens the counts.
pub(super) const NOBODY: [&str; 5] =
    ["/set-up", "/sign-in/provider", "/people/add", "/agents/add", "/metrics"];
/// What everybody who signed in may do, whatever policy says, and why.
const OWN: [(&str, &str, &str); 20] = [
    ("GET", "/help", "what words mean, the same for everybody"),
    ("POST", "/views/save", "one's own views of lists"),
    ("POST", "/views/delete", "one's own views of lists"),
    ("GET", "/account", "one's own account"),
    ("POST", "/account/provider", "where one signs in, with the password"),
    ("POST", "/account/sessions/end-others", "one's own sessions"),
    ("POST", "/account/sessions/{id}/end", "one's own sessions"),
    ("POST", "/account/quiet-hours", "one's own notifications"),
    ("POST", "/account/passkeys", "one's own passkeys, with the password"),
    ("POST", "/account/passkeys/ask", "one's own passkeys"),
    ("POST", "/account/passkeys/{id}/remove", "one's own passkeys, with the password"),
    ("POST", "/account/second-factor", "one's own second factor, with the password"),
    ("POST", "/account/second-factor/off", "one's own second factor, with the password"),
    ("POST", "/account/second-factor/codes", "one's own recovery codes, with the password"),
    ("GET", "/account/tokens", "one's own tokens for the API"),
    ("POST", "/account/tokens", "one's own tokens for the API, with the password"),
    ("POST", "/account/tokens/{id}/revoke", "one's own tokens for the API, with the password"),
    ("GET", "/password", "one's own password"),
    ("POST", "/password", "one's own password"),
    ("POST", "/sign-out", "one's own session"),
];

/// Policies that let people do nothing.
pub(crate) const CLOSED: &str = r#"
@id("test.ask") @why("agents may ask")
permit (principal is Countersign::Agent, action in Countersign::Action::"ask", resource);
@id("test.run") @why("nothing runs without people")
permit (principal is Countersign::Agent, action in Countersign::Action::"run", resource)
when { context.votes.people >= 1 };
@id("test.view") @why("agents see their own")
permit (principal is Countersign::Agent, action == Countersign::Action::"view", resource);
"#;
/// What [`CLOSED`] lacks for reading.
const READING: &str = r#"
@id("test.read") @why("people may read")
permit (
    principal is Countersign::Person,
    action in [Countersign::Action::"view", Countersign::Action::"view_audit"],
    resource
);
"#;

/// The sentences by which a forged form is refused.
pub(super) const NOT_YOURS: &str = "The form belongs to another session";
pub(super) const NOT_FROM_HERE: &str = "The form was not sent from a page of Countersign";

fn listed(list: &[(&str, &str, &str)], route: &Route) -> bool {
    list.iter().any(|(method, path, _)| *method == route.method.as_str() && *path == route.path)
}

/// The route's address, with something for each placeholder.
pub(crate) fn address(route: &Route, request: &Request) -> String {
    let mut before = "";
    let mut filled = Vec::new();
    for segment in route.path.split('/') {
        let placeholder = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        filled.push(match (before, placeholder) {
            (_, None) => segment.to_owned(),
            ("requests", Some("id")) => request.id.to_string(),
            ("sessions", Some("id")) => Digest::ZERO.to_string(),
            ("passkeys", Some("id")) => PasskeyId::from(Uuid::from_u128(1)).to_string(),
            ("tokens", Some("id")) => ApiTokenId::from(Uuid::from_u128(1)).to_string(),
            ("plans", Some("id")) => request.plan.unwrap().plan.to_string(),
            ("people", Some("name")) => "anna".to_owned(),
            ("agents", Some("name")) => "triage-bot".to_owned(),
            ("endpoints", Some("manager")) => request.manager.clone(),
            (_, Some("id")) if filled.iter().any(|part| part == "endpoints") => "002".to_owned(),
            ("managers", Some("name")) => "test".to_owned(),
            ("static", Some("name")) => "style.css".to_owned(),
            (before, Some(name)) => panic!(
                "This test does not know what stands for {{{name}}} behind `{before}` in {}: add \
                 it to `address` in tests/it/security/web/every_route.rs.",
                route.path
            ),
        });
        before = segment;
    }
    match route.path.as_str() {
        // A page that waits for news is answered at once where it is behind.
        "/events" => "/events?after=0".to_owned(),
        "/together" => format!("/together?of={}", request.id),
        "/targets" => format!("/targets?is={}", request.action.argument()),
        _ => filled.join("/"),
    }
}

/// Every field that some form has, so that none is refused for what it lacks.
pub(crate) fn fields(request: &Request, form_token: &str) -> Vec<(String, String)> {
    let (version, digest) = (request.version.to_string(), request.digest.to_string());
    [
        ("form_token", form_token),
        ("request", &request.id.to_string()),
        ("version", &version),
        ("digest", &digest),
        ("shown", &digest),
        ("typed", &request.digest.prefix()),
        ("of", &request.id.to_string()),
        ("pick", &format!("{}:{version}:{digest}", request.id)),
        ("what", "everything"),
        ("on_call", "yes"),
        ("mail", "somebody@example.net"),
        ("block_ip", "on"),
        ("comment", "because"),
        ("act", "assign"),
        ("view", "mine"),
        ("address", "/?sort=newest"),
        ("reason", "because"),
        ("endpoint", "002"),
        ("ruling", "done"),
        ("verb", "approve"),
        ("old", PASSWORD),
        ("new", "another long password"),
        ("name", "somebody"),
        ("role", "analyst"),
        ("owner", "alice"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Sends it, and holds the answer against what every answer carries.
pub(crate) async fn ask(request: RequestBuilder, what: &str) -> Page {
    let answer = request.send().await.unwrap();
    let header = |name: &str| {
        let value = answer.headers().get(name).unwrap_or_else(|| panic!("{what}: no {name}"));
        value.to_str().unwrap().to_owned()
    };
    let csp = header("content-security-policy");
    assert!(csp.contains("default-src 'none'") && !csp.contains("unsafe"), "{what}: {csp}");
    for rule in ["frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"] {
        assert!(csp.contains(rule), "{what}: {csp}");
    }
    assert_eq!(header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(header("x-frame-options"), "DENY", "{what}");
    assert_eq!(header("referrer-policy"), "same-origin", "{what}");
    assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{what}");
    assert_eq!(header("cross-origin-resource-policy"), "same-origin", "{what}");
    let kept = if what.contains(" /static/") && answer.status() == 200 {
        "public, max-age=31536000, immutable"
    } else {
        "no-store"
    };
    assert_eq!(header("cache-control"), kept, "{what}");
    let page = Page::of(answer).await;
    for inline in ["style=\"", " onclick", " onload", " onerror", "<script>", "<style"] {
        assert!(!page.has(inline), "{what}: {inline}");
    }
    page
}

pub(crate) fn post(
    who: &Browser,
    room: &Room,
    to: &str,
    fields: &[(String, String)],
) -> RequestBuilder {
    form(who.request(Method::POST, to), fields).header(header::ORIGIN, room.url())
}

#[test]
fn every_exception_is_a_route_with_a_reason() {
    let routes = routes();
    for (method, path, why) in OPEN.into_iter().chain(OWN) {
        let there = |r: &Route| r.method.as_str() == method && r.path == path;
        assert!(routes.iter().any(there), "{method} {path} is no route any more");
        assert!(!why.is_empty(), "{method} {path}");
    }
}

#[tokio::test]
async fn every_page_and_change_requires_a_session() {
    let room = Room::start().await;
    let request = room.asked_step().await;
    let stranger = room.stranger();
    let before = room.stored(&[]).await;
    for route in routes() {
        let to = address(&route, &request);
        let what = format!("{} {to} of a stranger", route.method);
        if listed(&OPEN, &route) {
            if route.method == Method::GET {
                let answer = ask(stranger.request(Method::GET, &to), &what).await;
                let expected = match route.path.as_str() {
                    path if NOBODY.contains(&path) => &[404],
                    "/sign-in/provider/back" => &[303],
                    _ => &[200, 204][..],
                };
                assert!(expected.contains(&answer.status.as_u16()), "{what}: {}", answer.status);
                assert!(!answer.html.contains("triage-bot"), "{what} tells who there is");
            }
        } else if route.method == Method::GET {
            let answer = ask(stranger.request(Method::GET, &to), &what).await;
            assert_eq!(answer.status, 303, "{what}");
            assert!(answer.leads_to().starts_with("/sign-in"), "{what}: {}", answer.leads_to());
        } else {
            let fields = fields(&request, "0");
            let answer = ask(post(&stranger, &room, &to, &fields), &what).await;
            assert_eq!(answer.status, 401, "{what}");
            answer.shows("Your session has ended. Nothing was changed.");
        }
    }
    assert_same(&before, &room.stored(&[]).await, "a stranger");
}

#[tokio::test]
async fn reset_person_reaches_nothing_but_new_password() {
    let room = Room::start().await;
    let request = room.asked_step().await;
    let mut fred = room.browser_of("fred").await;
    let token = fred.open("/password").await.form_token();
    let before = room.stored(&[]).await;
    for route in routes() {
        if listed(&OPEN, &route) || ["/password", "/sign-out"].contains(&route.path.as_str()) {
            continue;
        }
        let to = address(&route, &request);
        let what = format!("{} {to} of fred", route.method);
        if route.method == Method::GET {
            let answer = ask(fred.request(Method::GET, &to), &what).await;
            assert_eq!((answer.status.as_u16(), answer.leads_to()), (303, "/password"), "{what}");
        } else {
            let answer = ask(post(&fred, &room, &to, &fields(&request, &token)), &what).await;
            assert_eq!(answer.status, 403, "{what}");
            answer.shows("Change it before you do anything else.");
        }
    }
    assert_same(&before, &room.stored(&[]).await, "a person with a reset password");
}

#[tokio::test]
async fn closed_policy_denies_every_route() {
    let room = Room::governed_by(CLOSED).await;
    closed(&room, &[Method::GET, Method::POST]).await;
}

#[tokio::test]
async fn read_only_policy_denies_every_change() {
    let room = Room::governed_by(&format!("{CLOSED}{READING}")).await;
    closed(&room, &[Method::POST]).await;
}

/// Each route answers 403, or 404 where a request is hidden, and changes nothing.
async fn closed(room: &Room, methods: &[Method]) {
    let request = room.asked_step().await;
    for name in ["carol", "dora"] {
        let mut browser = room.browser_of(name).await;
        let token = browser.open("/password").await.form_token();
        let before = room.stored(&["vote.refused"]).await;
        for route in routes() {
            let open = listed(&OPEN, &route) || listed(&OWN, &route);
            if open || !methods.contains(&route.method) {
                continue;
            }
            let to = address(&route, &request);
            let what = format!("{} {to} of {name}", route.method);
            let answer = if route.method == Method::GET {
                ask(browser.request(Method::GET, &to), &what).await
            } else {
                let answer = ask(post(&browser, room, &to, &fields(&request, &token)), &what).await;
                browser.person.refused(answer).await
            };
            let one = ["/requests/{id}", "/plans/{id}"];
            let hidden = answer.status == 404 && one.iter().any(|one| route.path.starts_with(one));
            assert!(
                answer.status == 403 || hidden,
                "{what} is not refused by policy: {}. (400: perhaps a field of its form is not in \
                 `fields` in tests/it/security/web/every_route.rs.)\n{}",
                answer.status,
                answer.html
            );
            assert!(!answer.has(NOT_YOURS) && !answer.has(NOT_FROM_HERE), "{what}");
            let after = room.stored(&["vote.refused"]).await;
            assert_same(&before, &after, &what);
        }
    }
}

#[tokio::test]
async fn every_page_and_error_carries_security_headers() {
    let room = Room::start().await;
    let request = room.asked_step().await;
    let mut bob = room.browser_of("bob").await;
    for route in routes().iter().filter(|route| route.method == Method::GET) {
        let to = address(route, &request);
        let answer = ask(bob.request(Method::GET, &to), &format!("GET {to}")).await;
        let status = match route.path.as_str() {
            path if NOBODY.contains(&path) => 404,
            // They lead to a request, and to where one signs in.
            "/next" | "/sign-in/provider/back" => 303,
            _ => 200,
        };
        assert_eq!(answer.status, status, "GET {to}: {}", answer.html);
    }
    for (to, status) in
        [("/nowhere", 404), ("/requests/req_1", 404), ("/static/no", 404), ("/audit?since=x", 400)]
    {
        let answer = ask(bob.request(Method::GET, to), &format!("GET {to}")).await;
        assert_eq!(answer.status, status, "{to}");
    }
    let evil = bob.request(Method::GET, "/").header(header::HOST, "evil.example");
    assert_eq!(ask(evil, "another host").await.status, 421);
    let token = bob.open("/password").await.form_token();
    let mut stale = fields(&request, &token);
    stale.retain(|(name, _)| name != "version");
    stale.push(("version".to_owned(), "99".to_owned()));
    let approve = format!("{}/approve", path(&request));
    let answer = ask(post(&bob, &room, &approve, &stale), "a stale form").await;
    let place = answer.leads_to().split('#').next().unwrap();
    let answer = ask(bob.request(Method::GET, place), "the page after a stale form").await;
    assert_eq!(answer.status, 409);
    let large = vec![("form_token".to_owned(), "x".repeat(70_000))];
    assert_eq!(ask(post(&bob, &room, &approve, &large), "a large form").await.status, 413);
    let mut fred = room.browser_of("fred").await;
    let first = ask(fred.request(Method::GET, "/"), "a page before the password").await;
    assert_eq!((first.status.as_u16(), first.leads_to()), (303, "/password"));
    let token = fred.open("/password").await.form_token();
    let freeze = post(&fred, &room, "/freeze", &fields(&request, &token));
    assert_eq!(ask(freeze, "a change before the password").await.status, 403);
}

#[tokio::test]
async fn session_cookie_is_bound_to_site_and_tls() {
    let tls = "https://countersign.example";
    for (public_url, name, secure) in
        [(None, "countersign=", false), (Some(tls), "__Host-countersign=", true)]
    {
        let builder = World::builder();
        let builder = public_url.into_iter().fold(builder, WorldBuilder::with_public_url);
        let world = builder.start().await;
        let origin = public_url.map_or_else(|| world.url(), str::to_owned);
        let fields = [("name", "bob"), ("password", PASSWORD)];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let stranger = Browser::new(&world.url());
        let sign_in = form(stranger.request(Method::POST, "/sign-in"), &fields);
        let answer = sign_in.header(header::ORIGIN, &origin).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.starts_with(name), "{cookie}");
        let parts: Vec<_> = cookie.split("; ").collect();
        for part in ["Path=/", "HttpOnly", "SameSite=Lax"] {
            assert!(parts.contains(&part), "{part} is not in {cookie}");
        }
        assert_eq!(parts.contains(&"Secure"), secure, "{cookie}");
        assert!(!cookie.contains("Domain"), "{cookie}");
        let strict = answer.headers().contains_key(header::STRICT_TRANSPORT_SECURITY);
        assert_eq!(strict, secure);
    }
}
