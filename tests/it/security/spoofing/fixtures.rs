//! The world of these tests: one agent for each text, so that none runs into its own limits.

use std::{collections::BTreeMap, time::Duration};

use countersign::domain::{action::ActionKind, actor::Actor};
use serde_json::{Value, json};

use super::visible_checks::assert_clean_page;
use crate::harness::{
    AgentClient, World,
    agent::Answer,
    page::{Page, PersonClient},
};

pub(super) struct Stage {
    pub(super) world: World,
    pub(super) alice: PersonClient,
    pub(super) bob: PersonClient,
    texts: usize,
}

impl Stage {
    pub(super) async fn start() -> Self {
        let world = World::start().await;
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        Self { world, alice, bob, texts: 0 }
    }

    /// A minute passes before the next text, so that the manager's budget is whole again. People
    /// sign in often enough for their passwords to stay recent.
    pub(super) async fn next(&mut self) {
        self.world.pass(Duration::from_secs(61));
        self.texts += 1;
        if self.texts.is_multiple_of(4) {
            self.alice = self.world.person("alice").await;
            self.bob = self.world.person("bob").await;
        }
    }

    /// A new agent of alice.
    pub(super) async fn agent(&self, name: &str) -> AgentClient {
        let operator = self.world.operator();
        let new = operator
            .add_agent(&Actor::CommandLine, name, "alice", &ActionKind::RESPONSES)
            .await
            .unwrap();
        AgentClient::connect(&self.world.url(), &new.token).await
    }

    /// Every page that may show the text with a request, and this one's own.
    pub(super) async fn look(&self, id: &str, text: &str, what: &str) {
        self.look_at(&["/", "/requests", &format!("/audit?request={id}")], text, what).await;
        self.look_at(&[&format!("/requests/{id}")], text, what).await;
    }

    pub(super) async fn look_at(&self, pages: &[&str], text: &str, what: &str) {
        for page in pages {
            let found = self.bob.get(page).await;
            assert!(found.status.is_success(), "{what}: {page}: {}", found.status);
            assert_clean_page(&found.html, text, &format!("{what} at {page}"));
        }
    }

    /// Sends a form of a request's page with one text in it; the answer is clean too.
    pub(super) async fn say(&self, who: &PersonClient, id: &str, verb: &str, text: &str) -> Page {
        self.fill(who, id, verb, &[("comment", text)]).await
    }

    pub(super) async fn fill(
        &self,
        who: &PersonClient,
        id: &str,
        verb: &str,
        fields: &[(&str, &str)],
    ) -> Page {
        let page = who.vote(id, verb, fields).await;
        assert_eq!(page.status, 303, "{verb} {fields:?}: {}", page.html);
        page
    }

    /// Fields of a form that changes something, with the token of bob's session.
    pub(super) async fn form(&self, page: &str, action: &str) -> BTreeMap<String, String> {
        self.bob.get(page).await.form(action).unwrap()
    }
}

/// A block on web-01, which one person must approve.
pub(super) async fn block(agent: &AgentClient, srcip: &str, more: Value) -> Answer {
    let mut all = json!({ "agent_ids": ["001"] });
    for (key, value) in more.as_object().unwrap() {
        all[key] = value.clone();
    }
    agent.block(srcip, all).await
}

/// An address that no other text of a test has.
pub(super) fn address(number: usize) -> String {
    format!("203.0.{}.{}", 114 + number / 200, 1 + number % 200)
}
