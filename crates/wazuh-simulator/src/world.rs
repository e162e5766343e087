//! The state of the simulated manager: one value behind one lock, without I/O.

pub(crate) mod logins;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::clock;
use crate::endpoint::Endpoint;
use crate::endpoint::companion::Hold;
use crate::endpoint::effects::Timer;
use crate::endpoint::rules::Rules;
use crate::fault::Faults;
use crate::rights::Rights;
use crate::settings::Settings;
use crate::world::logins::Logins;

/// The maximum number of endpoints that one call reaches since 4.14.0: the default limit of a
/// database query.
pub(crate) const ENDPOINTS_PER_CALL_MAX: usize = 500;

/// One `PUT /active-response` that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// The name of the command.
    pub command: String,
    /// The command's arguments.
    pub arguments: Vec<String>,
    /// The alert; `{}` if the call had none.
    pub alert: Value,
    /// The ids of `agents_list` as sent; empty if the call had no list.
    pub asked: Vec<String>,
    /// The endpoints that the message was delivered to so far.
    pub delivered: Vec<String>,
}

/// One message that was delivered to an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivered {
    /// The id of the endpoint.
    pub agent: String,
    /// What it received.
    pub message: Message,
}

/// What an endpoint's Wazuh agent receives.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Wazuh agents from 4.2 on.
    Json(Value),
    /// Older ones: the command line, without the alert.
    Legacy(String),
}

/// Runs a script of Countersign's by its name, with a message of execd, and gives what it reported.
pub(crate) type Machine = Box<dyn FnMut(&str, &Value) -> Vec<Value> + Send>;

/// A document in the indexer.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) index: String,
    pub(crate) id: String,
    pub(crate) source: Value,
}

/// Sorts ids as numbers: `999` before `1000`.
pub(crate) fn sort_ids(ids: &mut [String]) {
    ids.sort_unstable_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
}

pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) logins: Logins,
    pub(crate) faults: Faults,
    /// How many calls of the manager's API came in, logins apart.
    pub(crate) calls: usize,
    /// How many searches of the indexer came in.
    pub(crate) searches: usize,
    pub(crate) received: Vec<Received>,
    pub(crate) delivered: Vec<Delivered>,
    pub(crate) alerts: Vec<Stored>,
    /// The alerts that the indexer does not show yet; `None` while it keeps up.
    pub(crate) late: Option<Vec<Stored>>,
    /// How many documents were ever added.
    pub(crate) documents: usize,
    /// What the endpoints' agents still have to undo.
    pub(crate) timers: Vec<Timer>,
    /// What scripts left in the endpoints' operating systems.
    pub(crate) rules: Rules,
    /// Machines that stand for endpoints, by id.
    pub(crate) machines: HashMap<String, Machine>,
    /// What requests hold by Countersign's own scripts.
    pub(crate) holds: Vec<Hold>,
    pub(crate) held: HashSet<String>,
    /// The offset of the simulator's clock.
    moved: TimeDelta,
    /// Another clock than this machine's.
    followed: Option<Box<dyn Fn() -> DateTime<Utc> + Send>>,
    /// The start of the rate limit's window, and the requests in it.
    window: Option<(DateTime<Utc>, u32)>,
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        let mut world = Self {
            logins: Logins::default(),
            faults: Faults::default(),
            calls: 0,
            searches: 0,
            received: Vec::new(),
            delivered: Vec::new(),
            alerts: Vec::new(),
            late: None,
            documents: 0,
            timers: Vec::new(),
            rules: Rules::default(),
            machines: HashMap::new(),
            holds: Vec::new(),
            held: HashSet::new(),
            moved: TimeDelta::zero(),
            followed: None,
            window: None,
            settings,
        };
        for alert in std::mem::take(&mut world.settings.alerts) {
            world.index(alert);
        }
        world
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.followed.as_ref().map_or_else(clock::now, |clock| clock()) + self.moved
    }

    pub(crate) fn follow(&mut self, clock: Box<dyn Fn() -> DateTime<Utc> + Send>) {
        self.followed = Some(clock);
    }

    /// Makes the indexer fall behind, or catch up.
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

    /// Counts a request; `false` if it exceeds this minute's limit. The window is fixed, and all
    /// calls share it.
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
        let agents = &self.settings.agents;
        // Large sites are in the order of ids.
        let sought =
            |endpoint: &Endpoint| (endpoint.id.len(), endpoint.id.as_str()).cmp(&(id.len(), id));
        let found = agents.binary_search_by(sought).ok().and_then(|at| agents.get(at));
        found.or_else(|| agents.iter().find(|endpoint| endpoint.id == id))
    }

    /// The ids of all endpoints in the order of the database.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> =
            self.settings.agents.iter().map(|endpoint| endpoint.id.clone()).collect();
        sort_ids(&mut ids);
        ids
    }

    /// A user's rights; none if the user was removed.
    pub(crate) fn rights(&self, user: &str) -> Rights {
        let user = self.settings.users.iter().find(|known| known.name == user);
        user.map(|user| user.rights.clone()).unwrap_or_default()
    }

    /// The node's name in messages, which carry it only in a cluster.
    pub(crate) fn origin<'a>(&'a self, endpoint: &'a Endpoint) -> Option<&'a str> {
        self.settings.cluster.then(|| self.settings.node_of(endpoint))
    }

    /// Adds a document to the indexer and returns its `_id`.
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
