//! The public address at every door: in the configuration, in `Host`, in `Origin`.

use std::iter;

use countersign::config::Config;
use reqwest::{
    Method,
    header::{HOST, ORIGIN},
};
use serde_json::json;

use crate::harness::{World, page::http_client, program::Program};

/// The statuses that the page and `/mcp` give to a POST with these headers.
async fn statuses(world: &World, host: &str, origin: &str) -> [u16; 2] {
    let post = |path: &str| {
        let request = http_client().request(Method::POST, format!("{}{path}", world.url()));
        request.header(HOST, host).header(ORIGIN, origin)
    };
    let sign_in = post("/sign-in").header("content-type", "application/x-www-form-urlencoded");
    // Each try has a name of its own: five failures would throttle one.
    let name: String =
        format!("{host}{origin}").chars().filter(char::is_ascii_alphanumeric).collect();
    let page = sign_in.body(format!("name={name}&password=wrong")).send().await.unwrap();
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let tools = post("/mcp")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("MCP-Protocol-Version", "2025-11-25")
        .bearer_auth(&world.token)
        .body(list.to_string());
    [page.status().as_u16(), tools.send().await.unwrap().status().as_u16()]
}

#[tokio::test]
async fn both_doors_know_public_url_however_it_is_written() {
    for (public_url, host, origin) in [
        ("https://SOC.Example.net:443", "soc.example.net", "https://soc.example.net"),
        ("https://[2001:DB8:0::1]", "[2001:db8::1]", "https://[2001:db8::1]"),
        ("https://[2001:db8::1]:8443", "[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://127.0.0.1:80", "127.0.0.1", "http://127.0.0.1"),
    ] {
        let world = World::builder().with_public_url(public_url).start().await;
        assert_eq!(statuses(&world, host, origin).await, [401, 200], "{public_url}");
        for foreign in ["[2001:db8::2]", "evil.example"] {
            assert_eq!(statuses(&world, foreign, origin).await, [421, 403], "{public_url}");
            let origin = format!("https://{foreign}");
            assert_eq!(statuses(&world, host, &origin).await, [403, 403], "{public_url}");
        }
    }
}

#[tokio::test]
async fn both_doors_agree_about_host_and_origin() {
    let world = World::builder().with_public_url("https://soc.example.net").start().await;
    let own = world.url().trim_start_matches("http://").to_owned();
    let port = own.rsplit_once(':').unwrap().1.to_owned();
    let (host, origin) = ("soc.example.net", "https://soc.example.net");
    for (host, is_ours) in [
        ("soc.example.net:443", true),
        ("SOC.example.net", true),
        (&own, true),
        (&format!("127.1:{port}"), true),
        (&format!("LOCALHOST:{port}"), true),
        ("soc.example.net:80", false),
        ("soc.example.net:9999", false),
        ("soc.example.net.", false),
        ("soc.example.net.evil.example", false),
        ("u@soc.example.net", false),
        ("127.0.0.1", false),
    ] {
        let expected = if is_ours { [401, 200] } else { [421, 403] };
        assert_eq!(statuses(&world, host, origin).await, expected, "{host}");
    }
    // What failed until now no longer counts.
    world.pass(std::time::Duration::from_hours(1));
    for (origin, is_ours) in [
        ("https://soc.example.net", true),
        ("https://soc.example.net:443", false),
        ("HTTPS://soc.example.net", false),
        ("https://soc.example.net/", false),
        ("https://u@soc.example.net", false),
        ("https://soc.example.net:9999", false),
        ("http://soc.example.net", false),
        ("null", false),
    ] {
        let expected = if is_ours { [401, 200] } else { [403, 403] };
        assert_eq!(statuses(&world, host, origin).await, expected, "{origin}");
    }
}

#[tokio::test]
async fn agent_from_a_foreign_page_is_refused() {
    let world = World::start().await;
    for (site, status) in [(None, 200), (Some("same-origin"), 200), (Some("cross-site"), 403)] {
        let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
        let post = http_client().request(Method::POST, format!("{}/mcp", world.url()));
        let post = post.bearer_auth(&world.token).json(&list);
        let post = post.header("accept", "application/json, text/event-stream");
        let post = site.into_iter().fold(post, |post, site| post.header("sec-fetch-site", site));
        assert_eq!(post.send().await.unwrap().status(), status, "{site:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unspecified_address_is_no_host() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let listen = format!("0.0.0.0:{}", program.port);
    let serving = program.serve_with(&[
        ("COUNTERSIGN__SERVER__LISTEN", &listen),
        ("COUNTERSIGN__SERVER__PUBLIC_URL", "https://soc.example.net"),
        ("COUNTERSIGN__SERVER__BEHIND_TLS_PROXY", "true"),
    ]);
    let url = format!("{}/sign-in", serving.url).replace("0.0.0.0", "127.0.0.1");
    for (host, status) in [(listen.as_str(), 421), ("soc.example.net", 200)] {
        let answer = http_client().get(&url).header(HOST, host).send().await.unwrap();
        assert_eq!(answer.status(), status, "{host}");
    }
}

fn load(public_url: &str, manager: &str) -> Result<Config, String> {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("countersign.toml");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:1\"\npublic_url = \"{public_url}\"\n\
         [manager.east]\nurl = \"https://wazuh.example\"\nuser = \"a\"\npassword_file = \"x\"\n\
         [manager.west]\nurl = \"{manager}\"\nuser = \"a\"\npassword_file = \"x\"\n"
    );
    std::fs::write(&file, text).unwrap();
    Config::load(&file, iter::empty()).map_err(|error| error.to_string())
}

#[test]
fn wrong_public_url_is_named_with_key_and_value() {
    for wrong in [
        "soc.example.net",
        "https://a/",
        "https://u@a",
        "https://[::1",
        "https://a:x",
        "https://*",
        "https://a,b",
        "https://-",
        "https://soc..example",
        "https://0.0.0.0:8650",
        "",
    ] {
        let said = load(wrong, "https://west.example").unwrap_err();
        let start = format!("`server.public_url` is `{wrong}`. Allowed: https:// and a host");
        assert!(said.starts_with(&start), "{said}");
    }
    for right in ["https://SOC.example.net", "http://[::1]:8080", "https://198.51.100.1:8443"] {
        let config = load(right, "https://west.example").unwrap();
        assert_eq!(config.server.public_url.as_str(), right);
    }
}

#[test]
fn one_manager_has_one_address_however_it_is_written() {
    for same in ["https://wazuh.example/", "https://WAZUH.example", "https://wazuh.example:443"] {
        let said = load("https://soc.example", same).unwrap_err();
        assert!(said.contains("manager.west.url"), "{said}");
    }
    assert!(load("https://soc.example", "https://wazuh.example:55000").is_ok());
}
