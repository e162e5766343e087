//! The handle to a simulated manager: how tests and the demo control and observe it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::api::answer::{AgentError, Problem};
use crate::api::command::Command;
use crate::clock;
use crate::endpoint::{Contact, Endpoint, Status, effects};
use crate::fault::{Calls, Fault, Outage, Times};
use crate::rights::Rights;
use crate::settings::Settings;
use crate::world::{Delivered, Message, Received, World};

/// A simulated manager. Clones share its state.
#[derive(Clone)]
pub struct Simulator {
    inner: Arc<Inner>,
}

struct Inner {
    world: Mutex<World>,
    /// The one worker process of the API, which most calls share.
    worker: tokio::sync::Mutex<()>,
    released: Notify,
    /// How many calls are in progress, including those whose clients left.
    busy: watch::Sender<usize>,
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").finish_non_exhaustive()
    }
}

impl Simulator {
    /// A manager with these settings, which does not listen yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            inner: Arc::new(Inner {
                world: Mutex::new(World::new(settings)),
                worker: tokio::sync::Mutex::new(()),
                released: Notify::new(),
                busy: watch::Sender::new(0),
            }),
        }
    }

    /// How many calls of the manager's API came in, answered or not, logins apart.
    pub fn calls(&self) -> usize {
        self.world().calls
    }

    /// How many searches of the indexer came in, answered or not.
    pub fn searches(&self) -> usize {
        self.world().searches
    }

    /// Waits until this many searches of the indexer came in, answered or not.
    pub async fn until_searched(&self, count: usize) {
        let enough = |_: &usize| self.world().searches >= count;
        // A search that comes in is work, which wakes this up.
        self.inner.busy.subscribe().wait_for(enough).await.ok();
    }

    /// Every `PUT /active-response` that was accepted, in order.
    pub fn received(&self) -> Vec<Received> {
        self.world().received.clone()
    }

    /// Every message that was delivered to an endpoint, in order.
    pub fn delivered(&self) -> Vec<Delivered> {
        self.world().delivered.clone()
    }

    /// The messages that this endpoint received, in order.
    pub fn delivered_to(&self, id: &str) -> Vec<Message> {
        let world = self.world();
        let mine = world.delivered.iter().filter(|delivered| delivered.agent == id);
        mine.map(|delivered| delivered.message.clone()).collect()
    }

    /// Waits until no call is in progress, including calls whose clients left.
    pub async fn settled(&self) {
        // The sender lives in `self`, so the channel is open.
        self.inner.busy.subscribe().wait_for(|busy| *busy == 0).await.ok();
    }

    /// Waits until this many `PUT /active-response` were accepted, finished or not.
    pub async fn until_received(&self, count: usize) {
        let enough = |_: &usize| self.world().received.len() >= count;
        // An accepted call begins work, which wakes this up.
        self.inner.busy.subscribe().wait_for(enough).await.ok();
    }

    /// Orders a fault for the next `PUT /active-response`.
    pub fn misbehave(&self, fault: Fault, times: Times) {
        self.misbehave_on(Calls::ActiveResponse, fault, times);
    }

    /// Orders a fault for the next calls of a kind. Earlier faults strike first.
    pub fn misbehave_on(&self, calls: Calls, fault: Fault, times: Times) {
        self.world().faults.order(calls, fault, times);
    }

    /// Cancels all pending faults.
    pub fn behave(&self) {
        self.world().faults.clear();
    }

    /// Adds an alert to the indexer, in the index of the day of its `timestamp`. An alert without a
    /// timestamp gets the current time. Returns the `_id` of the document.
    pub fn add_alert(&self, alert: Value) -> String {
        self.world().index(alert)
    }

    /// The shipper reads its file again: the document with this `_id` is indexed a second time, with
    /// the same content under another `_id`, which is returned. None if there is no such document.
    pub fn index_again(&self, document: &str) -> Option<String> {
        let mut world = self.world();
        let stored = world.alerts.iter().find(|stored| stored.id == document)?;
        let source = stored.source.clone();
        Some(world.index(source))
    }

    /// All alerts that the indexer shows, in order of arrival.
    pub fn alerts(&self) -> Vec<Value> {
        let mut world = self.world();
        effects::expire(&mut world);
        world.alerts.iter().map(|stored| stored.source.clone()).collect()
    }

    /// Makes the indexer fall behind: alerts from now on are found only after
    /// [`Self::release_evidence`], with their original timestamps.
    pub fn hold_evidence(&self) {
        let mut world = self.world();
        effects::expire(&mut world);
        world.index_late(true);
    }

    /// Lets the indexer catch up.
    pub fn release_evidence(&self) {
        let mut world = self.world();
        effects::expire(&mut world);
        world.index_late(false);
    }

    /// The rules that stand on an endpoint, in the order of the calls: script and target, such as
    /// `firewall-drop 203.0.113.9`. Rules that stack are listed as often as they stand: iptables on
    /// Linux, netsh on Windows.
    pub fn active_responses(&self, id: &str) -> Vec<String> {
        effects::active_responses(&mut self.world(), id)
    }

    /// Makes a rule of the manager's own start a command of ar.conf on an endpoint, such as
    /// `firewall-drop600`, for an alert with this `data`. Its end comes with its timer. It is
    /// neither received nor delivered for anybody.
    pub fn rule_response(&self, id: &str, command: &str, data: &Value) {
        let mut world = self.world();
        let Some(endpoint) = world.endpoint(id).cloned() else { return };
        let alert = json!({ "rule": { "id": "5763", "level": 10 }, "data": data });
        let command = Command { name: command.to_owned(), arguments: Vec::new(), alert };
        effects::start(&mut world, &endpoint, &command);
    }

    /// Restarts an endpoint's Wazuh agent cleanly, which ends its timers at once.
    pub fn restart_agent(&self, id: &str) {
        effects::restart(&mut self.world(), id);
    }

    /// Adds an endpoint. It replaces one with the same id.
    pub fn add(&self, endpoint: Endpoint) {
        let mut world = self.world();
        world.settings.agents.retain(|other| other.id != endpoint.id);
        world.settings.agents.push(endpoint);
    }

    /// Removes an endpoint.
    pub fn remove(&self, id: &str) {
        self.world().settings.agents.retain(|endpoint| endpoint.id != id);
    }

    /// Gives an endpoint another name, as a new registration may.
    pub fn rename(&self, id: &str, name: &str) {
        self.change(id, |endpoint| name.clone_into(&mut endpoint.name));
    }

    /// Moves an endpoint to other groups.
    pub fn set_groups(&self, id: &str, groups: &[&str]) {
        let groups: Vec<_> = groups.iter().map(|&group| group.to_owned()).collect();
        self.change(id, |endpoint| endpoint.groups = groups);
    }

    /// Changes an endpoint's connection status.
    pub fn set_status(&self, id: &str, status: Status) {
        self.change(id, |endpoint| endpoint.status = status);
    }

    /// Changes how an endpoint reacts to the manager.
    pub fn set_contact(&self, id: &str, contact: Contact) {
        self.change(id, |endpoint| endpoint.contact = contact);
    }

    /// Gives the id to another machine: its enrolment date becomes now, and in any case later than
    /// before.
    pub fn re_enrol(&self, id: &str) {
        let now = self.world().now();
        self.change(id, |endpoint| {
            let later = endpoint.date_added + chrono::TimeDelta::seconds(1);
            endpoint.date_added = now.max(later);
        });
    }

    /// Puts a machine in the place of an endpoint's simulated one: from now on this runs Countersign's own
    /// scripts there. It gets a script's name and the message of execd, and gives its reports.
    pub fn run_scripts_on(
        &self,
        id: &str,
        machine: impl FnMut(&str, &Value) -> Vec<Value> + Send + 'static,
    ) {
        self.world().machines.insert(id.to_owned(), Box::new(machine));
    }

    /// Makes an endpoint silent until [`Self::release`]. A question to it blocks the manager's
    /// worker.
    pub fn hold(&self, id: &str) {
        self.world().held.insert(id.to_owned());
    }

    /// Lets an endpoint answer again.
    pub fn release(&self, id: &str) {
        self.world().held.remove(id);
        self.inner.released.notify_waiters();
    }

    /// Replaces the names in ar.conf.
    pub fn set_names(&self, names: &[&str]) {
        self.world().settings.names = names.iter().map(|&name| name.to_owned()).collect();
    }

    /// Puts another installation in its place.
    pub fn set_uuid(&self, uuid: &str) {
        uuid.clone_into(&mut self.world().settings.uuid);
    }

    /// Sets the rate limit in requests per minute; 0 means no limit.
    pub fn set_rate_limit(&self, per_minute: u32) {
        self.world().settings.rate_limit_per_minute = per_minute;
    }

    /// Changes a user's rights, which revokes the user's tokens.
    pub fn set_rights(&self, user: &str, rights: Rights) {
        let mut world = self.world();
        let now = world.now();
        world.logins.revoke(Some(user), now);
        if let Some(user) = world.settings.users.iter_mut().find(|known| known.name == user) {
            user.rights = rights;
        }
    }

    /// Revokes all tokens, like `PUT /security/user/revoke`.
    pub fn revoke_tokens(&self) {
        let mut world = self.world();
        let now = world.now();
        world.logins.revoke(None, now);
    }

    /// From now on the simulator's clock is this one, plus what it was moved by.
    pub fn follow(&self, clock: impl Fn() -> DateTime<Utc> + Send + 'static) {
        self.world().follow(Box::new(clock));
    }

    /// Moves the simulator's clock forward: tokens age, rate limits reset, timed blocks end.
    pub fn advance(&self, time: Duration) {
        self.world().advance(time);
    }

    /// Moves the simulator's clock back, behind all other clocks.
    pub fn turn_back(&self, time: Duration) {
        self.world().turn_back(time);
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Endpoint)) {
        let mut world = self.world();
        if let Some(endpoint) = world.settings.agents.iter_mut().find(|known| known.id == id) {
            change(endpoint);
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.inner.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self) -> Busy {
        self.inner.busy.send_modify(|busy| *busy += 1);
        Busy(self.clone())
    }

    /// Runs work in the only worker. On a timeout the API answers 500/3021, and the work continues.
    pub(crate) async fn in_worker<T: Send + 'static>(
        &self,
        patient: bool,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Problem> {
        let (sim, busy) = (self.clone(), self.begin());
        let running = tokio::spawn(async move {
            let _worker = sim.inner.worker.lock().await;
            let result = work.await;
            drop(busy);
            result
        });
        let (patience, node) = self.patience();
        let done =
            if patient { Some(running.await) } else { timeout(patience, running).await.ok() };
        match done {
            Some(Ok(result)) => Ok(result),
            Some(Err(_)) => Err(Outage::WorkerDied.problem(&node)),
            None => Err(Outage::Timeout.problem(&node)),
        }
    }

    /// Waits until the only worker is free. On a timeout the API answers 500/3021.
    pub(crate) async fn until_worker_is_free(&self) -> Result<(), Problem> {
        let (patience, node) = self.patience();
        match timeout(patience, self.inner.worker.lock()).await {
            Ok(_free) => Ok(()),
            Err(_elapsed) => Err(Outage::Timeout.problem(&node)),
        }
    }

    /// How long the API waits for its worker, and the node's name for the error.
    fn patience(&self) -> (Duration, String) {
        let world = self.world();
        (world.settings.api_timeout, world.settings.node.clone())
    }

    /// Asks an active endpoint for its configuration: whether its responses are on.
    pub(crate) async fn ask(&self, endpoint: &Endpoint) -> Result<bool, AgentError> {
        match endpoint.contact {
            Contact::Answers => {}
            Contact::After(length) => clock::pause(length).await,
            Contact::Unreachable => return Err(AgentError::Unreachable),
        }
        self.until_released(&endpoint.id).await;
        Ok(!endpoint.responses_off)
    }

    async fn until_released(&self, id: &str) {
        loop {
            // Created before the check, so that a release in between is not missed.
            let released = self.inner.released.notified();
            if !self.world().held.contains(id) {
                return;
            }
            released.await;
        }
    }
}

/// Counts as a call in progress until dropped.
pub(crate) struct Busy(Simulator);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.inner.busy.send_modify(|busy| *busy -= 1);
    }
}
