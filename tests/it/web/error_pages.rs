//! What no page lets through. What holds for every route is in `security::web`.

use reqwest::{Method, header};

use super::fixtures::Room;

#[tokio::test]
async fn unknown_host_name_is_not_answered() {
    let room = Room::start().await;
    let bob = room.browser_of("bob").await;
    for page in ["/", "/sign-in", "/healthz", "/metrics", "/nowhere"] {
        let request = bob.request(Method::GET, page).header(header::HOST, "evil.example");
        assert_eq!(request.send().await.unwrap().status(), 421, "{page}");
    }
}

#[tokio::test]
async fn error_page_offers_a_way_back() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    let missing = "/requests/req_00000000000000000000000000000000";
    for page in ["/nowhere", "/requests/req_1", missing] {
        let page = bob.open(page).await;
        assert_eq!(page.status, 404);
        page.shows("There is nothing at this address.");
        page.shows("href=\"/\"");
    }
    assert_eq!(bob.open("/freeze").await.status, 405);
    assert_eq!(bob.open("/requests?state=odd").await.status, 400);
    bob.page.shows("There is no state “odd”.");
    let large = vec![("reason".to_owned(), "x".repeat(70_000))];
    assert_eq!(bob.post("/freeze", &large).await.status, 413);
}
