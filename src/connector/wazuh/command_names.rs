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
use serde_json::Value;
use tokio::sync::Mutex;

use super::{
    api::{connection::ManagerConnection, fields::Fields},
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
pub(super) struct CommandTable {
    names: BTreeMap<String, ConfiguredCommand>,
    /// How many blocks there are, each a line of `ar.conf`.
    pub(super) entries: usize,
    /// What is odd about blocks that are left out here.
    pub(super) odd: Vec<String>,
}

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
        let mut fitting = self.names.iter().filter(fits).map(|(name, _)| name.as_str());
        let first = fitting.clone().next();
        fitting.find(|name| self.has(name, EXPIRY_SECS)).or(first)
    }

    /// The same for a companion script: its command has its name, so that what was sent says by itself
    /// what ran.
    pub(super) fn own_command(&self, script: &str, seconds: u32) -> Option<&str> {
        let (name, command) = self.names.get_key_value(script)?;
        let fits = command.executable == script && command.timeouts.contains(&seconds);
        fits.then_some(name.as_str())
    }

    /// The name of the command that runs a script, for advice: Wazuh's own where it is not known.
    pub(super) fn command_name<'a>(&'a self, script: &'a str) -> &'a str {
        let named = self.names.iter().find(|(_, command)| command.executable == script);
        named.map_or(script.trim_end_matches(".exe"), |(name, _)| name)
    }

    pub(super) fn has(&self, name: &str, seconds: u32) -> bool {
        self.names.get(name).is_some_and(|command| command.timeouts.contains(&seconds))
    }

    /// Whether this is the whole name of a command without a timeout, such as `unblock0`, that runs
    /// no script of Wazuh's own.
    pub(super) fn can_undo(&self, name: &str) -> bool {
        let command = name.strip_suffix('0').and_then(|name| self.names.get(name));
        command.is_some_and(|c| c.timeouts.contains(&0) && !is_shipped_script(&c.executable))
    }

    /// How long a script's responses can last.
    pub(super) fn durations(&self, script: &str) -> BTreeSet<u32> {
        let of_script = self.names.values().filter(|command| command.executable == script);
        of_script.flat_map(|c| &c.timeouts).copied().filter(|s| *s > EXPIRY_SECS).collect()
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

    /// The timeouts of all commands that are known.
    pub(super) fn timeouts(&self) -> BTreeSet<u32> {
        let commands = self.nodes.values().flatten().flat_map(|table| table.names.values());
        commands.flat_map(|command| &command.timeouts).copied().collect()
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
    manager.info(now).await?;
    let status = manager.read("/cluster/status", "cluster:status", now).await;
    let cluster = match status {
        Ok(answer) => {
            let mut fields = Fields::of(&answer);
            let words = [fields.needed_text("enabled"), fields.needed_text("running")];
            // What cannot be read counts as not known.
            fields.is_sound().then_some(words == [Some("yes"); 2])
        }
        Err(ConnectorError::Forbidden { .. } | ConnectorError::Answer { status: 404, .. }) => None,
        Err(error) => return Err(error),
    };
    Ok(Discovered { read_at: now, cluster, per_node: false, nodes: BTreeMap::new() })
}

/// An `<active-response>` block.
struct ResponseBlock {
    command: String,
    seconds: u64,
}

impl ResponseBlock {
    fn read(block: &mut Fields<'_>) -> Option<Self> {
        let command = block.needed_text("command")?.to_owned();
        let seconds = block.number("timeout").unwrap_or_default();
        block.is_sound().then_some(Self { command, seconds })
    }
}

/// A `<command>` block.
struct ScriptEntry {
    name: String,
    executable: String,
    timeout_allowed: bool,
}

impl ScriptEntry {
    fn read(entry: &mut Fields<'_>) -> Option<Self> {
        let name = entry.needed_text("name")?.to_owned();
        let executable = entry.text("executable").unwrap_or_default().to_owned();
        let timeout_allowed = entry.number("timeout_allowed").unwrap_or_default() > 0;
        entry.is_sound().then_some(Self { name, executable, timeout_allowed })
    }
}

/// The entries of one section of the configuration, and what is odd about others. The error says
/// why there is no reading any of them.
fn entries<T>(
    answer: &Value,
    section: &str,
    read: impl Fn(&mut Fields<'_>) -> Option<T>,
) -> Result<(Vec<T>, Vec<String>, usize), String> {
    let mut fields = Fields::of(answer);
    let parts = fields.needed_list("affected_items").ok_or_else(|| fields.complaint())?;
    let (mut entries, mut odd, mut count) = (Vec::new(), Vec::new(), 0);
    for part in parts {
        let mut part = Fields::of(part);
        for (place, entry) in (1..).zip(part.list(section)) {
            count += 1;
            let mut entry = Fields::of(entry);
            entries.extend(read(&mut entry));
            odd.extend(entry.odd().map(|odd| format!("{section} {place}: {odd}")));
        }
        if part.odd().is_some() {
            return Err(part.complaint());
        }
    }
    Ok((entries, odd, count))
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
        let blocks = manager.read(&path, &right, now).await?;
        let path = format!("{part}/configuration/analysis/command");
        let commands = manager.read(&path, &right, now).await?;
        Ok(joined(&blocks, &commands))
    };
    match read.await {
        Ok(Ok(names)) => Ok(Ok(names)),
        Ok(Err(why)) => {
            Ok(Err(format!("it cannot be read which timed commands the manager has: {why}")))
        }
        Err(ConnectorError::Forbidden { .. }) => Ok(Err(format!(
            "Countersign cannot read which timed commands the manager has: give its API user the \
             right {right}"
        ))),
        Err(ConnectorError::Answer { status: 404, .. }) => {
            Ok(Err("the manager does not show which timed commands it has".to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// Which blocks make which names. A command that may have no timeout gets none.
fn joined(blocks: &Value, commands: &Value) -> Result<CommandTable, String> {
    let (blocks, mut odd, entries_in_file) =
        entries(blocks, "active-response", ResponseBlock::read)?;
    let (commands, odd_commands, _) = entries(commands, "command", ScriptEntry::read)?;
    odd.extend(odd_commands);
    let mut names: BTreeMap<String, ConfiguredCommand> = BTreeMap::new();
    let mut timed = BTreeSet::new();
    for ScriptEntry { name, executable, timeout_allowed } in commands {
        if timeout_allowed {
            timed.insert(name.clone());
        }
        names.insert(name, ConfiguredCommand { executable, timeouts: BTreeSet::new() });
    }
    for ResponseBlock { command, seconds } in blocks {
        let allowed = seconds == 0 || timed.contains(&command);
        let seconds = u32::try_from(seconds).ok().filter(|s| *s <= DURATION_SECONDS_MAX);
        if let (Some(seconds), true, true) = (seconds, allowed, is_valid_name(&command)) {
            names.entry(command).or_default().timeouts.insert(seconds);
        }
    }
    names.retain(|_, command| !command.timeouts.is_empty());
    Ok(CommandTable { names, entries: entries_in_file, odd })
}
