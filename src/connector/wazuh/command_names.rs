//! The names of commands that a manager has, discovered from the manager and kept fresh.
//!
//! `ar.conf` has an entry for each `<active-response>` block: the name of its command and its
//! timeout. In a cluster each node has its own, and Wazuh does not keep them alike.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use chrono::TimeDelta;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{
    api::{connection::ManagerConnection, envelope::Items},
    scripts::{EXPIRY_SECS, is_shipped_script},
    settings::is_valid_name,
};
use crate::{
    connector::http::{client::first_chars, error::ConnectorError},
    domain::{Time, proposal::DURATION_SECONDS_MAX},
};

/// How long what was discovered counts.
const FRESH: TimeDelta = TimeDelta::seconds(60);
/// The key of a manager that is not a cluster.
const ALONE: &str = "";

/// What the manager, or one node of a cluster, has configured.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CommandTable(BTreeMap<String, ConfiguredCommand>);

#[derive(Debug, Default, PartialEq, Eq)]
struct ConfiguredCommand {
    /// The script that it runs.
    executable: String,
    timeouts: BTreeSet<u32>,
}

impl CommandTable {
    /// The name of the command that runs a script with this timeout: one with an expiry
    /// command, where there is a choice.
    pub(super) fn command(&self, script: &str, seconds: u32) -> Option<&str> {
        let fits = |(_, c): &(&String, &ConfiguredCommand)| {
            c.executable == script && c.timeouts.contains(&seconds)
        };
        let mut fitting = self.0.iter().filter(fits).map(|(name, _)| name.as_str());
        let first = fitting.clone().next();
        fitting.find(|name| self.has(name, EXPIRY_SECS)).or(first)
    }

    /// The name of the command that runs a script, for advice: Wazuh's own where it is not known.
    pub(super) fn command_name<'a>(&'a self, script: &'a str) -> &'a str {
        let named = self.0.iter().find(|(_, command)| command.executable == script);
        named.map_or(script.trim_end_matches(".exe"), |(name, _)| name)
    }

    pub(super) fn has(&self, name: &str, seconds: u32) -> bool {
        self.0.get(name).is_some_and(|command| command.timeouts.contains(&seconds))
    }

    /// Whether this is the whole name of a command without a timeout, such as `unblock0`, that runs
    /// no script of Wazuh's own.
    pub(super) fn can_undo(&self, name: &str) -> bool {
        let command = name.strip_suffix('0').and_then(|name| self.0.get(name));
        command.is_some_and(|c| c.timeouts.contains(&0) && !is_shipped_script(&c.executable))
    }

    /// How long a script's responses can last.
    pub(super) fn durations(&self, script: &str) -> BTreeSet<u32> {
        let of_script = self.0.values().filter(|command| command.executable == script);
        of_script.flat_map(|c| &c.timeouts).copied().filter(|s| *s > EXPIRY_SECS).collect()
    }

    /// The whole names, as in `ar.conf`.
    pub(super) fn whole(&self) -> Vec<String> {
        let whole = |(name, command): (&String, &ConfiguredCommand)| {
            command.timeouts.iter().map(|seconds| format!("{name}{seconds}")).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(whole).collect()
    }
}

/// What was discovered, and when. A part that may not be read says why.
#[derive(Debug, Clone)]
pub(super) struct Discovered {
    read_at: Time,
    /// Whether it is a cluster; none where the user may not know.
    pub(super) cluster: Option<bool>,
    per_node: bool,
    pub(super) nodes: BTreeMap<String, Result<Arc<CommandTable>, String>>,
}

impl Discovered {
    /// Nothing could be discovered because of this error.
    pub(super) fn nothing(error: &ConnectorError, now: Time) -> Self {
        let nodes = BTreeMap::from([(ALONE.to_owned(), Err(error.to_string()))]);
        Self { read_at: now, cluster: None, per_node: false, nodes }
    }

    /// The names on an endpoint's node, or why they are not known.
    pub(super) fn on(&self, node: Option<&str>) -> Result<&CommandTable, &str> {
        let key = if self.per_node { node.unwrap_or_default() } else { ALONE };
        match self.nodes.get(key) {
            Some(Ok(names)) => Ok(names),
            Some(Err(why)) => Err(why),
            None => Err("the manager does not say which of its nodes the endpoint reports to"),
        }
    }

    fn fresh(&self, now: Time) -> bool {
        (TimeDelta::zero()..FRESH).contains(&(now - self.read_at))
    }
}

/// The knowledge of one manager's names.
#[derive(Debug, Default)]
pub(super) struct CommandNames {
    /// Held while the manager is asked, so that it is asked once.
    held: Mutex<Option<Discovered>>,
    /// The manager itself said that what was discovered is wrong.
    doubted: AtomicBool,
    alone: AtomicBool,
}

impl CommandNames {
    /// Whether the manager is known not to be a cluster.
    pub(super) fn is_single_node(&self) -> bool {
        self.alone.load(Ordering::Relaxed)
    }

    /// A name that was discovered was refused: the next call discovers all of them again.
    pub(super) fn expire(&self) {
        self.doubted.store(true, Ordering::Relaxed);
    }

    /// What is configured on these nodes and those that were asked for before. Asks the manager
    /// for what is not known or too old.
    pub(super) async fn discover(
        &self,
        manager: &ManagerConnection,
        nodes: &BTreeSet<String>,
        now: Time,
    ) -> Result<Discovered, ConnectorError> {
        let mut held = self.held.lock().await;
        let before = held.take();
        let mut wanted = nodes.clone();
        wanted.extend(before.iter().filter(|b| b.per_node).flat_map(|b| b.nodes.keys().cloned()));
        let doubted = self.doubted.swap(false, Ordering::Relaxed);
        let mut discovered = match before.filter(|discovered| discovered.fresh(now) && !doubted) {
            Some(discovered) => discovered,
            None => begin(manager, now).await?,
        };
        self.alone.store(discovered.cluster == Some(false), Ordering::Relaxed);
        let per_node = discovered.cluster.unwrap_or(wanted.len() > 1);
        if per_node != discovered.per_node {
            discovered.per_node = per_node;
            discovered.nodes.clear();
        }
        let keys = if per_node { wanted } else { BTreeSet::from([ALONE.to_owned()]) };
        for node in keys {
            if let Entry::Vacant(missing) = discovered.nodes.entry(node) {
                let names = configured(manager, missing.key(), now).await?;
                missing.insert(names.map(Arc::new));
            }
        }
        *held = Some(discovered.clone());
        Ok(discovered)
    }
}

/// The time there, and whether it is a cluster.
async fn begin(manager: &ManagerConnection, now: Time) -> Result<Discovered, ConnectorError> {
    #[derive(Deserialize)]
    struct ClusterStatus {
        enabled: String,
        running: String,
    }
    manager.info(now).await?;
    let status = manager.read("/cluster/status", "cluster:status", now).await;
    let cluster = match status {
        Ok(ClusterStatus { enabled, running }) => Some(enabled == "yes" && running == "yes"),
        Err(ConnectorError::Forbidden { .. } | ConnectorError::Answer { status: 404, .. }) => None,
        Err(error) => return Err(error),
    };
    Ok(Discovered { read_at: now, cluster, per_node: false, nodes: BTreeMap::new() })
}

#[derive(Deserialize)]
struct Blocks {
    #[serde(rename = "active-response", default)]
    blocks: Vec<ResponseBlock>,
}

/// An `<active-response>` block.
#[derive(Deserialize)]
struct ResponseBlock {
    command: String,
    #[serde(default)]
    timeout: u64,
}

#[derive(Deserialize)]
struct Commands {
    #[serde(default)]
    command: Vec<ScriptEntry>,
}

/// A `<command>` block.
#[derive(Deserialize)]
struct ScriptEntry {
    name: String,
    #[serde(default)]
    executable: String,
    #[serde(default)]
    timeout_allowed: u8,
}

/// What a node has configured, or why that may not be read.
async fn configured(
    manager: &ManagerConnection,
    node: &str,
    now: Time,
) -> Result<Result<CommandTable, String>, ConnectorError> {
    if node != ALONE && !is_valid_name(node) {
        return Ok(Err(format!("{} is not a valid node name", first_chars(&node))));
    }
    let (part, right) = match node {
        ALONE => ("/manager".to_owned(), "manager:read, and in a cluster cluster:read".to_owned()),
        node => (format!("/cluster/{node}"), format!("cluster:read on node:id:{node}")),
    };
    let read = async {
        let path = format!("{part}/configuration/analysis/active_response");
        let blocks: Items<Blocks> = manager.read(&path, &right, now).await?;
        let path = format!("{part}/configuration/analysis/command");
        let commands: Items<Commands> = manager.read(&path, &right, now).await?;
        Ok(joined(blocks.affected_items, commands.affected_items))
    };
    match read.await {
        Ok(names) => Ok(Ok(names)),
        Err(ConnectorError::Forbidden { .. }) => Ok(Err(format!(
            "Countersign cannot read which timed commands the manager has: give its API user the \
             right {right}; permanent responses work without"
        ))),
        Err(ConnectorError::Answer { status: 404, .. }) => Ok(Err(
            "the manager does not show which timed commands it has: permanent responses may work"
                .to_owned(),
        )),
        Err(error) => Err(error),
    }
}

/// Which blocks make which names. A command that may have no timeout gets none.
fn joined(blocks: Vec<Blocks>, commands: Vec<Commands>) -> CommandTable {
    let mut names: BTreeMap<String, ConfiguredCommand> = BTreeMap::new();
    let mut timed = BTreeSet::new();
    for ScriptEntry { name, executable, timeout_allowed } in
        commands.into_iter().flat_map(|part| part.command)
    {
        if timeout_allowed > 0 {
            timed.insert(name.clone());
        }
        names.insert(name, ConfiguredCommand { executable, timeouts: BTreeSet::new() });
    }
    for ResponseBlock { command, timeout } in blocks.into_iter().flat_map(|part| part.blocks) {
        let seconds = u32::try_from(timeout).ok().filter(|s| *s <= DURATION_SECONDS_MAX);
        let allowed = timeout == 0 || timed.contains(&command);
        if let (Some(seconds), true, true) = (seconds, allowed, is_valid_name(&command)) {
            names.entry(command).or_default().timeouts.insert(seconds);
        }
    }
    names.retain(|_, command| !command.timeouts.is_empty());
    CommandTable(names)
}
