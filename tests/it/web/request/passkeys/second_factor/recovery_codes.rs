//! Recovery codes: once each, for one person, and for nothing but the sign-in.

use countersign::domain::request::StateName;

use super::{RENEW, STEP, change, codes, details, guarded, halfway, room, with_code, with_passkey};
use crate::{harness::PASSWORD, web::fixtures::path};

#[tokio::test]
async fn recovery_code_signs_its_person_in_once() {
    let room = room().await;
    let (_, codes) = guarded(&room, "bob").await;
    guarded(&room, "anna").await;
    let mut browser = halfway(&room, "bob").await;
    let typed = codes[0].to_uppercase().replace('-', " ");
    assert_eq!(with_code(&mut browser, &typed).await, 303, "{}", browser.page.html);
    browser.open("/account").await.shows("Recovery codes left: <strong>9</strong>");
    let mut again = halfway(&room, "bob").await;
    assert_eq!(with_code(&mut again, &codes[0]).await, 401);
    again.page.shows("was used already");
    let mut anna = halfway(&room, "anna").await;
    assert_eq!(with_code(&mut anna, &codes[1]).await, 401, "it is not hers");
    assert_eq!(with_code(&mut again, &codes[1]).await, 303, "the page is good for another try");
    let signed_in = details(&room, "session.signed_in").await;
    let beside = signed_in.iter().filter(|facts| facts["beside_password"] == "recovery_code");
    assert_eq!(beside.count(), 2);
    let mut otto = room.browser_of("otto").await;
    otto.open("/audit").await.shows("signed in with the password and a recovery code");
}

#[tokio::test]
async fn recovery_code_proves_no_act() {
    let room = room().await;
    let (bob, codes) = guarded(&room, "bob").await;
    let request = room.asked().await;
    let action = format!("{}/approve", path(&request));
    let mut by_code = halfway(&room, "bob").await;
    assert_eq!(with_code(&mut by_code, &codes[0]).await, 303);
    by_code.open(&path(&request)).await.shows("approve-password");
    for fields in [vec![], vec![("password", codes[1].as_str())], vec![("code", &codes[1])]] {
        by_code.open(&path(&request)).await;
        let status = by_code.submit(&action, &fields).await.status;
        assert!(status == 401 || status == 403, "{status}");
    }
    assert_eq!(room.now(&request).await.state.name(), StateName::Pending);
    // Whoever gave a passkey beside the password has proved enough for the low tier.
    let mut by_passkey = halfway(&room, "bob").await;
    assert_eq!(with_passkey(&mut by_passkey, &bob.key).await, 303);
    by_passkey.open(&path(&request)).await;
    assert!(!by_passkey.page.has("approve-password"));
    by_code.open(&path(&request)).await;
    assert_eq!(by_code.submit(&action, &[("password", PASSWORD)]).await.status, 303);
    assert_eq!(room.now(&request).await.state.name(), StateName::Approved);
}

#[tokio::test]
async fn new_recovery_codes_end_earlier_ones() {
    let room = room().await;
    let (mut bob, old) = guarded(&room, "bob").await;
    let page = change(&mut bob, RENEW).await;
    assert_eq!(page.status, 200);
    let new = codes(&page);
    assert!(new.len() == 10 && new.iter().all(|code| !old.contains(code)), "{new:?}");
    let mut browser = halfway(&room, "bob").await;
    assert_eq!(with_code(&mut browser, &old[0]).await, 401);
    assert_eq!(with_code(&mut browser, &new[0]).await, 303);
    assert_eq!(details(&room, "second_factor.codes_renewed").await[0]["codes"], 10);
}

#[tokio::test]
async fn recovery_codes_are_stored_as_hashes_alone() {
    let room = room().await;
    let (mut bob, codes) = guarded(&room, "bob").await;
    let stored = format!("{:?}", room.stored(&[]).await);
    for code in &codes {
        assert!(!stored.contains(code) && !stored.contains(&code.replace('-', "")), "{code}");
    }
    assert_eq!(room.stored(&[]).await["recovery_code"].len(), 10);
    bob.browser.open("/account").await;
    assert!(!bob.browser.page.has(&codes[0]), "they are shown once");
    let mut browser = halfway(&room, "bob").await;
    for nothing in ["", " "] {
        assert_eq!(browser.submit(STEP, &[("code", nothing)]).await.status, 400);
        browser.page.shows("code: it is missing");
    }
}
