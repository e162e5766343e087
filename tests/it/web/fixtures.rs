//! The world of all tests, with two more people, a folder of policies that a test may change, and
//! browsers.

use std::{
    fs,
    ops::Deref,
    path::{Path, PathBuf},
};

use countersign::{
    broker::{admin::people::NewPerson, queries::RequestFilter},
    domain::{
        action::ActionKind,
        actor::{Actor, Agent, Role},
        request::Request,
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::browser::Browser;
use crate::harness::{self, PASSWORD, Plan, World};

pub(crate) struct Room {
    world: World,
    agent: Agent,
    pub(crate) policies: PathBuf,
    _folder: TempDir,
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
        let folder = TempDir::new().unwrap();
        let policies = folder.path().join("policies");
        copy(&harness::policies(), &policies);
        Self::in_folder(folder, policies).await
    }

    /// The same, but these are all the policies.
    pub(crate) async fn governed_by(text: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let policies = folder.path().join("policies");
        fs::create_dir(&policies).unwrap();
        let schema = "schema.cedarschema";
        fs::copy(harness::policies().join(schema), policies.join(schema)).unwrap();
        fs::write(policies.join("only.cedar"), text).unwrap();
        Self::in_folder(folder, policies).await
    }

    async fn in_folder(folder: TempDir, policies: PathBuf) -> Self {
        let mut plan = Plan { policies: policies.clone(), ..Plan::default() };
        plan.broker.criticality.insert("critical".to_owned(), 5);
        let world = World::start_with(plan).await;
        let operator = world.operator();
        for (name, must_change) in [("anna", false), ("fred", true)] {
            let new = NewPerson {
                name,
                role: Role::Analyst,
                password: PASSWORD,
                must_change,
                mail: None,
            };
            operator.add_person(&Actor::CommandLine, new).await.unwrap();
        }
        let agent = world.broker().agent_by_token(&world.token).await.unwrap().unwrap();
        Self { world, agent, policies, _folder: folder }
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

    pub(crate) async fn asked_with(&self, more: Value) -> Request {
        let mut arguments = json!({
            "srcip": "198.51.100.23", "duration_seconds": 600, "reason": "a test asks",
        });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.asked_exactly(&arguments).await
    }

    pub(crate) async fn asked_exactly(&self, arguments: &Value) -> Request {
        let arguments = arguments.as_object().unwrap();
        self.broker().submit(&self.agent, ActionKind::BlockIp, arguments).await.unwrap()
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

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}
