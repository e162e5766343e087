//! The state behind the simulated manager: one value, one lock, no input or output.

pub(crate) mod logins;

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::clock;
use crate::endpoint::Endpoint;
use crate::endpoint::block::Block;
use crate::fault::Faults;
use crate::rights::Rights;
use crate::settings::Settings;
use crate::world::logins::Logins;

/// The most endpoints that one call reaches since 4.14.0: the default limit of a database query.
pub(crate) const ENDPOINTS_PER_CALL_MAX: usize = 500;

/// One `PUT /active-response` that was accepted for work.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    pub command: String,
    pub arguments: Vec<String>,
    /// `{}` when the call had none.
    pub alert: Value,
    /// The ids of `agents_list` as they came; empty when there was no list.
    pub asked: Vec<String>,
    /// The endpoints that the message was handed over to so far.
    pub delivered: Vec<String>,
}

/// One message on its way to an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivered {
    pub agent: String,
    pub message: Message,
}

/// What an endpoint's agent gets to read.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Agents from 4.2 on.
    Json(Value),
    /// Older agents: the command line, without the alert.
    Legacy(String),
}

/// A document in the indexer.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) index: String,
    pub(crate) id: String,
    pub(crate) source: Value,
}

/// Sorts as numbers: `999` before `1000`.
pub(crate) fn sort_ids(ids: &mut [String]) {
    ids.sort_unstable_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
}

pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) logins: Logins,
    pub(crate) faults: Faults,
    pub(crate) received: Vec<Received>,
    pub(crate) delivered: Vec<Delivered>,
    pub(crate) alerts: Vec<Stored>,
    /// The alerts that wait until the indexer shows them; `None` while it keeps up.
    pub(crate) late: Option<Vec<Stored>>,
    /// How many documents there ever were.
    pub(crate) documents: usize,
    /// What scripts did on endpoints.
    pub(crate) blocks: Vec<Block>,
    pub(crate) held: HashSet<String>,
    /// How far the simulator's clock was moved.
    moved: TimeDelta,
    /// The start of the rate limit's window, and the requests in it.
    window: Option<(DateTime<Utc>, u32)>,
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        let mut world = Self {
            logins: Logins::default(),
            faults: Faults::default(),
            received: Vec::new(),
            delivered: Vec::new(),
            alerts: Vec::new(),
            late: None,
            documents: 0,
            blocks: Vec::new(),
            held: HashSet::new(),
            moved: TimeDelta::zero(),
            window: None,
            settings,
        };
        for alert in std::mem::take(&mut world.settings.alerts) {
            world.index(alert);
        }
        world
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        clock::now() + self.moved
    }

    /// Lets the indexer fall behind, or catch up. What happened before counts as before.
    pub(crate) fn index_late(&mut self, late: bool) {
        if !late {
            self.alerts.extend(self.late.take().unwrap_or_default());
        } else if self.late.is_none() {
            self.late = Some(Vec::new());
        }
    }

    pub(crate) fn advance(&mut self, time: Duration) {
        self.moved += TimeDelta::from_std(time).unwrap_or(TimeDelta::zero());
    }

    pub(crate) fn turn_back(&mut self, time: Duration) {
        self.moved -= TimeDelta::from_std(time).unwrap_or(TimeDelta::zero());
    }

    /// Counts a request; `false` when this minute's are used up. The window is fixed, and the
    /// whole API shares it.
    pub(crate) fn admits(&mut self) -> bool {
        let limit = self.settings.rate_limit_per_minute;
        let now = self.now();
        let (start, count) = match self.window {
            Some((start, count)) if now - start <= TimeDelta::seconds(60) => (start, count),
            Some(_) | None => (now, 0),
        };
        let admitted = limit == 0 || count < limit;
        self.window = Some((start, count.saturating_add(1)));
        admitted
    }

    pub(crate) fn endpoint(&self, id: &str) -> Option<&Endpoint> {
        self.settings.agents.iter().find(|endpoint| endpoint.id == id)
    }

    /// The ids of all endpoints in the order of the database.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> =
            self.settings.agents.iter().map(|endpoint| endpoint.id.clone()).collect();
        sort_ids(&mut ids);
        ids
    }

    /// The rights of a user; of one who is gone, none.
    pub(crate) fn rights(&self, user: &str) -> Rights {
        let user = self.settings.users.iter().find(|known| known.name == user);
        user.map(|user| user.rights.clone()).unwrap_or_default()
    }

    /// The node's name in messages, which is there only in a cluster.
    pub(crate) fn origin<'a>(&'a self, endpoint: &'a Endpoint) -> Option<&'a str> {
        self.settings.cluster.then(|| self.settings.node_of(endpoint))
    }

    /// Puts a document into the indexer and returns its `_id`.
    pub(crate) fn index(&mut self, mut source: Value) -> String {
        let stamp = source.get("timestamp").or_else(|| source.get("@timestamp"));
        let stamped = stamp.and_then(Value::as_str).and_then(clock::read);
        let time = stamped.unwrap_or_else(|| self.now());
        if let (None, Some(fields)) = (stamped, source.as_object_mut()) {
            fields.insert("timestamp".to_owned(), Value::from(clock::alert_form(time)));
        }
        self.documents += 1;
        let id = format!("sim{:017}", self.documents);
        let index = format!("wazuh-alerts-4.x-{}", time.format("%Y.%m.%d"));
        let stored = Stored { index, id: id.clone(), source };
        self.late.as_mut().unwrap_or(&mut self.alerts).push(stored);
        id
    }
}
