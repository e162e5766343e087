//! The port of Prometheus: who gets in, and what is refused in the configuration.

use std::{fs, time::Duration};

use serde_json::json;

use super::{TOKEN, format::Metrics, watched};
use crate::harness::{
    World,
    installation::Installation,
    page::http_client,
    program::{Program, free_port},
};

async fn asked(url: &str) -> (u16, String, String) {
    let answer = http_client().get(url).send().await.unwrap();
    let kind = answer.headers().get("content-type");
    let kind = kind.map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
    (answer.status().as_u16(), kind, answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_port_needs_no_token_and_serves_nothing_else() {
    let world = World::builder().with_metrics_token(TOKEN).with_metrics_port().start().await;
    let url = format!("http://{}", world.running.metrics_address.unwrap());
    let (status, kind, text) = asked(&format!("{url}/metrics")).await;
    assert_eq!(
        (status, kind.as_str()),
        (200, "application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let metrics = Metrics::read(&text);
    for path in ["/", "/sign-in", "/readyz", "/mcp", "/metrics/x"] {
        assert_eq!(asked(&format!("{url}{path}")).await.0, 404, "{path}");
    }
    let posted = http_client().post(format!("{url}/metrics")).send().await.unwrap();
    assert_eq!(posted.status().as_u16(), 405);
    // With the token the page itself says the same.
    let other = Metrics::read(&super::counted(&world).await);
    let names = |metrics: &Metrics| metrics.0.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&metrics), names(&other));
}

#[tokio::test(flavor = "multi_thread")]
async fn scrape_writes_nothing_and_costs_the_same() {
    let world = watched().await;
    let store = world.store.clone().unwrap();
    let cost = async || {
        let before = store.counts();
        super::counted(&world).await;
        let after = store.counts();
        (after.commits - before.commits, after.statements - before.statements)
    };
    let first = cost().await;
    assert_eq!(first.0, 0);
    for n in 1..=20 {
        let address = format!("203.0.113.{n}");
        world.agent().await.block(&address, json!({ "agent_ids": ["002"] })).await;
        world.freeze("again").await;
        world.unfreeze().await;
        world.pass(Duration::from_mins(1));
    }
    assert_eq!(cost().await, first);
}

#[test]
fn invalid_metrics_address_is_refused_with_key() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:1");
    let right = fs::read_to_string(program.path("countersign.toml")).unwrap();
    let own = program.port;
    for (listen, allowed) in [
        (format!("127.0.0.1:{own}"), "a port of its own"),
        (format!("0.0.0.0:{own}"), "a port of its own"),
        ("127.0.0.1:0".to_owned(), "1 to 65535"),
        ("0.0.0.0:9464".to_owned(), "metrics.public = true"),
        ("203.0.113.1:9464".to_owned(), "a loopback or private address"),
        ("[2001:db8::1]:9464".to_owned(), "a loopback or private address"),
    ] {
        program.write("countersign.toml", &format!("{right}[metrics]\nlisten = \"{listen}\"\n"));
        let (code, said) = program.refused(&["serve"]);
        assert_eq!(code, 2, "{listen}: {said}");
        assert!(said.contains("`metrics.listen` is") && said.contains(allowed), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn running_server_opens_metrics_port_of_its_configuration() {
    let installed = Installation::new().await;
    let port = free_port();
    installed.configure(&format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n"));
    let _server = installed.program.serve();
    let (status, _, text) = asked(&format!("http://127.0.0.1:{port}/metrics")).await;
    assert_eq!(status, 200);
    assert!(Metrics::read(&text).number("countersign_manager_up{manager=\"main\"}") == 1);
    let doctor = String::from_utf8(installed.program.run(&["doctor"]).stdout).unwrap();
    let open = format!("/metrics is open without a token at 127.0.0.1:{port}");
    assert!(doctor.contains(&open), "{doctor}");
}
