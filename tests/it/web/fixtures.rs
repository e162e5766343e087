//! The world of all tests, with two more people, a folder of policies that a test may change, and
//! browsers.

use crate::harness::kind;
use std::ops::Deref;

use countersign::{
    broker::{Settings, admin::people::NewPerson, queries::RequestFilter},
    domain::{
        actor::{Actor, Agent, Role},
        request::Request,
    },
};
use serde_json::{Value, json};

use super::browser::Browser;
use crate::harness::{PASSWORD, World, WorldBuilder};

pub(crate) struct Room {
    world: World,
    agent: Agent,
}

impl Deref for Room {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Room {
    /// Beside the others anna, an analyst, and fred, who must change the password. web-02 needs one
    /// approval, db-01 two.
    pub(crate) async fn start() -> Self {
        Self::of(World::builder()).await
    }

    /// The same, but these are all the policies.
    pub(crate) async fn governed_by(text: &str) -> Self {
        Self::of(World::builder().with_only_policy(text)).await
    }

    /// The same in another world.
    pub(crate) async fn of(builder: WorldBuilder) -> Self {
        let critical = |settings: &mut Settings| {
            settings.criticality.insert("critical".to_owned(), 5);
        };
        let world = builder.with_settings(critical).start().await;
        world.add_person("anna", Role::Analyst).await;
        let fred = NewPerson {
            name: "fred",
            role: Role::Analyst,
            password: PASSWORD,
            must_change: true,
            mail: None,
            teams: &[],
        };
        world.operator().add_person(&Actor::CommandLine, fred).await.unwrap();
        let agent = world.broker().agent_by_token(&world.token).await.unwrap().unwrap();
        Self { world, agent }
    }

    /// The same room with another configuration, as after a restart.
    pub(crate) async fn restart_with(
        self,
        change: impl FnOnce(WorldBuilder) -> WorldBuilder,
    ) -> Self {
        Self { world: Box::pin(self.world.restart_with(change)).await, ..self }
    }

    /// Somebody's browser, signed in.
    pub(crate) async fn browser_of(&self, name: &str) -> Browser {
        let mut browser = self.stranger();
        browser.sign_in(name, PASSWORD).await;
        assert_eq!(browser.page.status, 303, "{}", browser.page.html);
        browser
    }

    pub(crate) fn stranger(&self) -> Browser {
        Browser::new(&self.url())
    }

    /// The agent asks for a block of ten minutes on web-02, which one person must approve.
    pub(crate) async fn asked(&self) -> Request {
        self.asked_with(json!({ "agent_ids": ["002"] })).await
    }

    /// The same as the first step of a plan of two.
    pub(crate) async fn asked_step(&self) -> Request {
        let step = |endpoint| {
            json!({ "action": "block_ip", "arguments": {
                "srcip": "198.51.100.23", "duration_seconds": 600, "agent_ids": [endpoint],
            } })
        };
        let arguments = json!({
            "heading": "a test", "reason": "a test asks", "on_failure": "stop",
            "steps": [step("002"), step("001")],
        });
        let arguments = arguments.as_object().unwrap();
        let plan = self.broker().propose_plan(&self.agent, arguments).await.unwrap();
        plan.steps.into_iter().next().unwrap()
    }

    pub(crate) async fn asked_with(&self, more: Value) -> Request {
        let mut arguments = json!({
            "srcip": "198.51.100.23", "duration_seconds": 600, "reason": "a test asks",
        });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.asked_exactly(&arguments).await
    }

    pub(crate) async fn asked_exactly(&self, arguments: &Value) -> Request {
        let arguments = arguments.as_object().unwrap();
        self.broker().submit(&self.agent, kind("block_ip"), arguments).await.unwrap().request
    }

    pub(crate) async fn now(&self, request: &Request) -> Request {
        self.broker().request_of_agent(&self.agent, request.id).await.unwrap()
    }

    /// A request, by its id.
    pub(crate) async fn request(&self, id: &str) -> Request {
        self.broker().request_of_agent(&self.agent, id.parse().unwrap()).await.unwrap()
    }

    /// How many requests there are.
    pub(crate) async fn requests(&self) -> usize {
        let filter = RequestFilter::default();
        self.broker().requests_of_agent(&self.agent, &filter, 100).await.unwrap().len()
    }
}

pub(crate) fn path(request: &Request) -> String {
    format!("/requests/{}", request.id)
}
