//! `kill -9` at every moment of a request's life: never a second call, never a lost answer.

use std::ops::Deref;

use serde_json::json;
use wazuh_simulator::{Calls, Fault, Outage, Times, Work};

use crate::harness::{AgentClient, PASSWORD, PersonClient, installation::Installation};

mod descriptors;
mod high_water_mark;
mod matrix;
mod plans;
mod recovery;
mod waiting;

/// bob's, once he has chosen his own.
const NEW_PASSWORD: &str = "another good passphrase";

/// One request of an installation, from one server to the next.
struct Story(Installation);

impl Deref for Story {
    type Target = Installation;

    fn deref(&self) -> &Installation {
        &self.0
    }
}

impl Story {
    async fn begin() -> Self {
        Self(Installation::new().await)
    }

    /// Policy lets everything run at once.
    fn run_at_once(&self) {
        let policies = self.program.path("policies");
        std::fs::remove_dir_all(policies.join("tests")).unwrap();
        for file in std::fs::read_dir(&policies).unwrap() {
            let path = file.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with("20_") {
                std::fs::remove_file(path).unwrap();
            }
        }
        self.program.write(
            "policies/20_run.cedar",
            r#"@id("run") @why("a test lets it run")
               permit (principal, action in Countersign::Action::"run", resource);"#,
        );
    }

    /// A block on two platforms, so that there are two calls.
    async fn ask(&self, url: &str) -> String {
        let agent = AgentClient::connect(url, &self.token).await;
        agent.block("203.0.113.9", json!({ "agent_ids": ["001", "005"] })).await.id()
    }

    /// bob's own password, then his approval.
    async fn approve(&self, url: &str, id: &str) {
        let mut bob = PersonClient::stranger(url);
        bob.try_sign_in("bob", PASSWORD).await;
        bob.choose_password(PASSWORD, NEW_PASSWORD).await;
        Self::approve_again(url, id).await;
    }

    /// bob's approval, once he has his own password.
    async fn approve_again(url: &str, id: &str) {
        PersonClient::sign_in(url, "bob", NEW_PASSWORD).await.approve(id).await;
    }

    /// A request that is approved and then stopped by the kill switch; its id.
    async fn approved_and_stopped(&self, url: &str) -> String {
        let id = self.ask(url).await;
        // Nothing can be claimed before the kill switch is on.
        let down = Fault::Fail(Outage::Restarting, Work::NotDone);
        self.manager.misbehave_on(Calls::Reads, down, Times::UntilCleared);
        self.approve(url, &id).await;
        self.program.done(&["freeze", "--reason", "a test"]);
        self.manager.behave();
        id
    }

    async fn end(&self, url: &str, id: &str) -> (String, Vec<String>) {
        let agent = AgentClient::connect(url, &self.token).await;
        let wait = json!({ "request_id": id, "timeout_seconds": 50 });
        let answer = agent.call("wait_for_decision", wait).await;
        (answer.state().to_owned(), answer.outcomes())
    }

    /// No endpoint was ever told twice.
    fn never_twice(&self) {
        for endpoint in ["001", "005"] {
            assert!(self.manager.delivered_to(endpoint).len() <= 1, "{endpoint}");
        }
        let verified = self.program.done(&["audit", "verify"]);
        assert!(verified.contains("are sound"), "{verified}");
    }

    /// The command line and admin release the kill switch.
    async fn unfreeze(&self, url: &str) {
        self.program.done(&["unfreeze", "--reason", "a test"]);
        let admin = PersonClient::sign_in(url, "admin", PASSWORD).await;
        let mut fields = admin.get("/system").await.form("/unfreeze").expect("the second key");
        fields.insert("reason".to_owned(), "a test".to_owned());
        admin.post("/unfreeze", &fields).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_after_proposal_leaves_request_waiting() {
    let story = Story::begin().await;
    let server = story.program.serve();
    let id = story.ask(&server.url).await;
    server.kill();
    let server = story.program.serve();
    story.approve(&server.url, &id).await;
    let (state, outcomes) = story.end(&server.url, &id).await;
    assert_eq!((state.as_str(), outcomes), ("settled", sent()));
    story.never_twice();
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_after_approval_still_sends_once() {
    let story = Story::begin().await;
    let server = story.program.serve();
    let id = story.approved_and_stopped(&server.url).await;
    server.kill();
    let server = story.program.serve();
    story.unfreeze(&server.url).await;
    let (state, outcomes) = story.end(&server.url, &id).await;
    assert_eq!((state.as_str(), outcomes), ("settled", sent()));
    story.never_twice();
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_in_first_call_leaves_rest_unsent() {
    let story = Story::begin().await;
    let server = story.program.serve();
    let id = story.ask(&server.url).await;
    // Asked before it falls silent: the broker has seen that its responses are on.
    story.manager.hold("001");
    story.approve(&server.url, &id).await;
    story.manager.until_received(1).await;
    server.kill();
    story.manager.release("001");
    let server = story.program.serve();
    let (state, outcomes) = story.end(&server.url, &id).await;
    assert_eq!(state, "settled");
    assert_eq!(outcomes, ["001: unknown", "005: not_sent"]);
    story.manager.settled().await;
    story.never_twice();
    assert_eq!(story.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_in_second_call_keeps_first_answer() {
    let story = Story::begin().await;
    let server = story.program.serve();
    let id = story.ask(&server.url).await;
    // Asked before it falls silent: the broker has seen that its responses are on.
    story.manager.hold("005");
    story.approve(&server.url, &id).await;
    story.manager.until_received(2).await;
    server.kill();
    story.manager.release("005");
    let server = story.program.serve();
    let (state, outcomes) = story.end(&server.url, &id).await;
    assert_eq!(state, "settled");
    assert_eq!(outcomes, ["001: sent", "005: unknown"]);
    story.manager.settled().await;
    story.never_twice();
    assert_eq!(story.manager.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_after_answer_changes_nothing() {
    let story = Story::begin().await;
    let server = story.program.serve();
    let id = story.ask(&server.url).await;
    story.approve(&server.url, &id).await;
    let before = story.end(&server.url, &id).await;
    assert_eq!(before.1, sent());
    server.kill();
    let server = story.program.serve();
    assert_eq!(story.end(&server.url, &id).await, before);
    story.never_twice();
}

fn sent() -> Vec<String> {
    vec!["001: sent".to_owned(), "005: sent".to_owned()]
}

fn unknown() -> Vec<String> {
    vec!["001: unknown".to_owned(), "005: unknown".to_owned()]
}
