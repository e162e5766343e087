//! What a token for the API reaches: reading, comments and rejections.

use std::sync::LazyLock;

use super::{module_of, names, product, verbs};

/// All that a token can do: read, comment, reject. Whatever is added here, a program can do that
/// somebody pasted a token into.
const BY_TOKEN: [&str; 8] = [
    "find_requests_with_token",
    "request_with_token",
    "active_responses_with_token",
    "audit_with_token",
    "endpoints_with_token",
    "metrics_with_token",
    "comment_with_token",
    "reject_with_token",
];

#[test]
fn token_reads_comments_and_rejects_and_nothing_else() {
    let verbs = verbs();
    let by_token = verbs.iter().filter(|verb| verb.takes.contains("TokenHolder"));
    let mut by_token: Vec<_> = by_token.map(|verb| verb.name.as_str()).collect();
    by_token.sort_unstable();
    let mut listed = BY_TOKEN;
    listed.sort_unstable();
    assert_eq!(by_token, listed);
    for verb in verbs.iter().filter(|verb| verb.takes.contains("TokenHolder")) {
        for other in ["SignedIn", "Agent", "Objector"] {
            assert!(!verb.takes.contains(other) && !verb.gives.contains(other), "{verb:?}");
        }
    }
}

/// The names of all verbs. They are read once: that takes a while.
static VERBS: LazyLock<Vec<String>> =
    LazyLock::new(|| verbs().into_iter().map(|verb| verb.name).collect());

/// What is wrong with a file of the API, in words.
fn faults_of_api(path: &str, text: &str) -> Vec<String> {
    let module = module_of(path);
    if module[0] != "api" {
        return Vec::new();
    }
    let named = names(&module, text);
    let own = |name: &String| BY_TOKEN.contains(&name.as_str());
    // Names that others have too, or that say nothing of anybody.
    let common = ["new", "clock", "token_holder"];
    let calls = VERBS.iter().filter(|name| named.calls.contains(*name) && !own(name));
    let calls = calls.filter(|name| !common.contains(&name.as_str()));
    let calls = calls.map(|name| format!("{path}: the API may not call `{name}`"));
    let all = named.inside.iter().chain(&named.outside);
    let people = ["SignedIn", "PageSession", "Operator", "operator", "for_agents"];
    let people = people.into_iter().filter(|one| all.clone().flatten().any(|part| part == one));
    calls.chain(people.map(|one| format!("{path}: the API may not name {one}"))).collect()
}

#[test]
fn api_cannot_reach_what_takes_a_person() {
    let sources = product();
    assert!(sources.iter().filter(|(path, _)| path.starts_with("api/")).count() > 8);
    let faults: Vec<_> =
        sources.iter().flat_map(|(path, text)| faults_of_api(path, text)).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn api_that_reaches_for_a_person_is_found() {
    for (text, fault) in [
        ("fn f() { broker.approve(&who, id, shown, \"\") }", "may not call `approve`"),
        ("fn f() { Broker::unfreeze(&b, &who, x) }", "may not call `unfreeze`"),
        ("fn f() { state.broker.session(\"x\") }", "may not call `session`"),
        ("fn f() { broker.reject(&who, id, shown, \"\") }", "may not call `reject`"),
        ("use crate::broker::SignedIn;", "may not name SignedIn"),
        ("fn f(who: &crate::broker::SignedIn) {}", "may not name SignedIn"),
    ] {
        assert_eq!(
            faults_of_api("api/x.rs", text),
            [format!("api/x.rs: the API {fault}")],
            "{text}"
        );
    }
    let sound = "fn f() { state.broker.reject_with_token(&who, id, shown, \"\") }";
    assert!(faults_of_api("api/x.rs", sound).is_empty());
}
