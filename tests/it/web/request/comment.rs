//! Saying something about a request without voting.

use countersign::domain::request::{Request, StateName};
use serde_json::json;

use crate::web::fixtures::{Room, path};

fn comment(request: &Request) -> String {
    format!("{}/comment", path(request))
}

#[tokio::test]
async fn comment_shows_author_and_time_and_changes_nothing() {
    let room = Room::start().await;
    let request = room.asked().await;
    let (mut anna, mut bob) = (room.browser_of("anna").await, room.browser_of("bob").await);
    bob.open(&path(&request)).await;
    anna.open(&path(&request)).await;
    for said in ["first: I asked the owner", "second: <i>she</i> says \u{202E}no"] {
        anna.open(&path(&request)).await;
        assert_eq!(anna.submit(&comment(&request), &[("comment", said)]).await.status, 303);
    }
    let now = room.now(&request).await;
    assert_eq!((now.version, now.votes.len()), (request.version, 0));
    // The page that bob had open is not behind: a comment is no change of the request.
    let approve = format!("{}/approve", path(&request));
    assert_eq!(bob.submit(&approve, &[]).await.status, 303);
    let page = bob.open(&path(&request)).await.clone();
    let section = page.html.split("id=\"comments\"").nth(1).unwrap();
    let section = section.split("</section>").next().unwrap();
    let (first, second) = (section.find("first: I").unwrap(), section.find("second: ").unwrap());
    assert!(first < second);
    assert!(section.contains("<b><bdi>anna</bdi></b> <time"), "{section}");
    assert!(section.contains("&lt;i&gt;she&lt;/i&gt;"), "{section}");
    assert!(!section.contains('\u{202E}'), "{section}");
    assert!(room.audit_kinds().await.contains(&"request.commented".to_owned()));
}

#[tokio::test]
async fn agent_never_sees_comments() {
    let room = Room::start().await;
    let request = room.asked().await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&path(&request)).await;
    bob.submit(&comment(&request), &[("comment", "xyzzy between us")]).await;
    let agent = room.agent().await;
    for (tool, arguments) in [
        ("get_request", json!({ "request_id": request.id.to_string() })),
        ("list_requests", json!({})),
    ] {
        let answer = agent.call(tool, arguments).await;
        let seen = format!("{}{}", answer.json, answer.text);
        assert!(seen.contains(&request.id.to_string()) && !seen.contains("xyzzy"), "{seen}");
    }
}

#[tokio::test]
async fn comment_is_possible_in_any_state() {
    let room = Room::start().await;
    let request = room.asked().await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&path(&request)).await;
    bob.submit(&format!("{}/reject", path(&request)), &[("comment", "no")]).await;
    assert_eq!(room.now(&request).await.state.name(), StateName::Rejected);
    bob.open(&path(&request)).await;
    assert_eq!(bob.submit(&comment(&request), &[("comment", "it was ours")]).await.status, 303);
    bob.open(&path(&request)).await.shows("it was ours");
}

#[tokio::test]
async fn empty_or_oversized_comment_is_refused() {
    let room = Room::start().await;
    let request = room.asked().await;
    let mut bob = room.browser_of("bob").await;
    for wrong in [String::new(), " \n ".to_owned(), "x".repeat(2001)] {
        bob.open(&path(&request)).await;
        let page = bob.submit(&comment(&request), &[("comment", &wrong)]).await;
        assert!(page.status.is_client_error(), "{}", page.status);
        page.shows("Nothing was changed");
    }
    bob.open(&path(&request)).await;
    let most = "y".repeat(2000);
    assert_eq!(bob.submit(&comment(&request), &[("comment", &most)]).await.status, 303);
}

#[tokio::test]
async fn comment_without_permission_is_refused_and_audited() {
    let room = Room::start().await;
    let request = room.asked().await;
    for name in ["otto", "dora"] {
        let mut person = room.browser_of(name).await;
        person.open(&path(&request)).await;
        assert!(!person.page.has_form(&comment(&request)), "{name}");
        let mut fields = person.page.hidden_fields("/sign-out");
        fields.extend(
            [("version", "1".to_owned()), ("digest", request.digest.to_string())]
                .map(|(name, value)| (name.to_owned(), value)),
        );
        fields.push(("comment".to_owned(), "plugh".to_owned()));
        assert_eq!(person.post(&comment(&request), &fields).await.status, 403, "{name}");
    }
    let kinds = room.audit_kinds().await;
    assert!(!kinds.contains(&"request.commented".to_owned()));
    assert_eq!(kinds.iter().filter(|kind| *kind == "vote.refused").count(), 2);
    let mut bob = room.browser_of("bob").await;
    bob.open(&path(&request)).await;
    assert!(!bob.page.has("plugh"));
}
