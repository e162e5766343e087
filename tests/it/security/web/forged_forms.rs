//! Forms that no page of ours sent, on every route that takes one.

use reqwest::Method;

use super::{
    every_route::{NOBODY, NOT_FROM_HERE, NOT_YOURS, address, ask, fields, post},
    route_scan::{Route, routes},
};
use crate::{
    harness::stored::assert_same,
    web::{browser::form, fixtures::Room},
};

#[tokio::test]
async fn forged_form_changes_nothing_on_any_route() {
    let room = Room::start().await;
    let request = room.asked_step().await;
    let mut anna = room.browser_of("anna").await;
    let of_anna = anna.open("/password").await.form_token();
    for name in ["carol", "dora"] {
        let mut browser = room.browser_of(name).await;
        let own = browser.open("/password").await.form_token();
        let (own, of_anna) = (fields(&request, &own), fields(&request, &of_anna));
        let without: Vec<_> = own.iter().filter(|(f, _)| f != "form_token").cloned().collect();
        let before = room.stored(&[]).await;
        for Route { method, path } in routes() {
            if method != Method::POST {
                continue;
            }
            let open = path.starts_with("/sign-in") || path == "/set-up";
            let to = address(&Route { method, path }, &request);
            for (forged, fields) in [
                ("without its token", &without),
                ("with anna's token", &of_anna),
                ("with nothing at all", &Vec::new()),
            ] {
                // Whoever signs in has no session that a token could belong to.
                if open {
                    continue;
                }
                let what = format!("POST {to} of {name} {forged}");
                let answer = ask(post(&browser, &room, &to, fields), &what).await;
                assert_eq!(answer.status, 403, "{what}");
                answer.shows(NOT_YOURS);
                assert_same(&before, &room.stored(&[]).await, &what);
            }
            for headers in elsewhere(&room.url()) {
                let what = format!("POST {to} of {name} with {headers:?}");
                let mut request = form(browser.request(Method::POST, &to), &own);
                for (name, value) in &headers {
                    request = request.header(*name, value);
                }
                let answer = ask(request, &what).await;
                assert_eq!(answer.status, 403, "{what}");
                answer.shows(NOT_FROM_HERE);
                assert_same(&before, &room.stored(&[]).await, &what);
            }
        }
    }
}

/// What a browser says of a form that another site sends.
fn elsewhere(own: &str) -> Vec<Vec<(&'static str, String)>> {
    let (origin, site) = ("origin", "sec-fetch-site");
    let own = (origin, own.to_owned());
    vec![
        vec![],
        vec![(origin, "https://evil.example".to_owned())],
        vec![(origin, "null".to_owned())],
        vec![(site, "cross-site".to_owned())],
        vec![(site, "same-site".to_owned())],
        vec![own.clone(), (site, "cross-site".to_owned())],
        vec![own.clone(), own],
    ]
}

#[tokio::test]
async fn form_sent_as_get_changes_nothing_on_any_route() {
    let room = Room::start().await;
    let request = room.asked_step().await;
    let all = routes();
    for name in ["carol", "dora"] {
        let mut browser = room.browser_of(name).await;
        let token = browser.open("/password").await.form_token();
        let pairs: Vec<_> =
            fields(&request, &token).into_iter().map(|(n, v)| format!("{n}={v}")).collect();
        let query = pairs.join("&").replace(' ', "+");
        let before = room.stored(&["audit.read"]).await;
        for route in all.iter().filter(|route| route.method == Method::POST) {
            let to = address(route, &request);
            let what = format!("GET {to} of {name}");
            let to = to.split('?').next().unwrap_or(&to);
            let answer = ask(browser.request(Method::GET, &format!("{to}?{query}")), &what).await;
            let page = all.iter().any(|r| r.method == Method::GET && r.path == route.path);
            let status = match route.path.as_str() {
                path if NOBODY.contains(&path) => answer.status == 404 || answer.status == 403,
                _ if page => answer.status == 200,
                _ => answer.status == 405,
            };
            assert!(status, "{what}: {}", answer.status);
            assert_same(&before, &room.stored(&["audit.read"]).await, &what);
        }
    }
}
