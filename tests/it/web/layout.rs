//! What surrounds every page: how it travels, its times, the way around, help.

use reqwest::{Method, header};

use super::fixtures::{Room, path};
use crate::harness::{PASSWORD, program::Program};

/// The encoding of an answer to a browser that takes gzip.
async fn encoding(room: &Room, method: Method, place: &str) -> Option<String> {
    let browser = room.browser_of("anna").await;
    let asked = browser.request(method, place).header(header::ACCEPT_ENCODING, "br, gzip");
    let answer = asked.header(header::ORIGIN, room.url()).send().await.unwrap();
    let encoding = answer.headers().get(header::CONTENT_ENCODING);
    encoding.map(|encoding| encoding.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn answers_to_forms_are_not_compressed_but_pages_are() {
    let room = Room::start().await;
    let gzip = Some("gzip".to_owned());
    for place in ["/", "/requests", "/help", "/nowhere", "/static/style.css", "/static/icons.svg"] {
        assert_eq!(encoding(&room, Method::GET, place).await, gzip, "{place}");
    }
    for place in ["/password", "/sign-in", "/requests"] {
        assert_eq!(encoding(&room, Method::POST, place).await, None, "{place}");
    }
    for place in ["/healthz", "/events?after=0"] {
        assert_eq!(encoding(&room, Method::GET, place).await, None, "{place}");
    }
}

#[tokio::test]
async fn form_token_differs_on_each_page_and_stays_good() {
    let room = Room::start().await;
    let request = path(&room.asked().await);
    let mut anna = room.browser_of("anna").await;
    let first = anna.open(&request).await.form_token();
    let old = anna.page.hidden_fields(&format!("{request}/reject"));
    let second = anna.open("/requests").await.form_token();
    assert_ne!(first, second);
    let shared = first.chars().zip(second.chars()).take_while(|(one, other)| one == other).count();
    assert!(shared < 8, "{first} {second}");
    let mut fields = old;
    fields.push(("comment".to_owned(), "our own scanner".to_owned()));
    assert_eq!(anna.post(&format!("{request}/reject"), &fields).await.status, 303);
}

#[tokio::test]
async fn form_token_with_another_salt_is_refused() {
    let room = Room::start().await;
    let mut anna = room.browser_of("anna").await;
    let (one, other) =
        (anna.open("/password").await.form_token(), anna.open("/password").await.form_token());
    let (salt, digest) = (one.split_at(16).0, other.split_at(16).1);
    let fresh = digest.to_owned();
    for forged in [format!("{salt}{digest}"), fresh, one.to_uppercase(), format!("{one}0")] {
        let fields = [("form_token".to_owned(), forged)];
        assert_eq!(anna.post("/sign-out", &fields).await.status, 403);
    }
    let fields = [("form_token".to_owned(), one)];
    assert_eq!(anna.post("/sign-out", &fields).await.status, 303);
}

#[tokio::test]
async fn page_says_how_long_ago_something_was() {
    let room = Room::start().await;
    room.asked().await;
    room.pass(std::time::Duration::from_mins(4));
    let mut anna = room.browser_of("anna").await;
    anna.open("/requests").await.shows(">4 min ago <small>");
    room.pass(std::time::Duration::from_hours(1));
    assert!(!anna.open("/requests").await.has("min ago"), "{}", anna.page.html);
}

#[tokio::test]
async fn help_explains_states_and_words() {
    let room = Room::start().await;
    let mut anna = room.browser_of("anna").await;
    anna.open("/help").await;
    for part in ["id=\"pending\"", "id=\"unconfirmed\"", "id=\"digest\"", "It waits for people"] {
        anna.page.shows(part);
    }
    assert!(!anna.page.has("stateDiagram"), "{}", anna.page.html);
}

#[tokio::test]
async fn new_agent_gets_blocks_for_its_clients() {
    let room = Room::start().await;
    let mut dora = room.browser_of("dora").await;
    dora.open("/agents").await;
    let typed =
        [("name", "night-bot"), ("owner", "alice"), ("block_ip", "yes"), ("password", PASSWORD)];
    let page = dora.submit("/agents/add", &typed).await;
    for part in ["Claude Code", "claude mcp add", "VS Code", "Claude Desktop", "COUNTERSIGN_TOKEN"]
    {
        page.shows(part);
    }
    page.shows(&format!("{}/mcp", room.url()));
}

#[test]
fn agent_add_prints_blocks_for_its_clients() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:1");
    let said = program.done(&["agent", "add", "night-bot", "--owner", "bob"]);
    let token = said.lines().find(|line| line.starts_with("cs_")).unwrap().to_owned();
    for part in ["Claude Code", "VS Code", "Claude Desktop", &format!("Bearer {token}")] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let json = program.done(&["--json", "agent", "add", "day-bot", "--owner", "bob"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    for client in ["claude_code", "vs_code", "claude_desktop"] {
        let text = json["clients"][client].as_str().unwrap();
        assert!(text.contains(json["token"].as_str().unwrap()), "{text}");
    }
}
