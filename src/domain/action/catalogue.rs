//! The catalogue: which actions there are.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::{
    ActionKind,
    entry::{CatalogueEntry, UNDO_SUFFIX, UndoWay},
    fields::EntryFault,
    form,
};
use crate::domain::{decision::Tier, digest::Digest, facts::Verb};

/// The files that are built in, in the order in which their actions are listed.
const BUILT_IN: [(&str, &str); 6] = [
    ("block_ip.toml", include_str!("../../../catalogue/block_ip.toml")),
    ("disable_account.toml", include_str!("../../../catalogue/disable_account.toml")),
    ("isolate_host.toml", include_str!("../../../catalogue/isolate_host.toml")),
    ("kill_process.toml", include_str!("../../../catalogue/kill_process.toml")),
    ("quarantine_file.toml", include_str!("../../../catalogue/quarantine_file.toml")),
    ("block_domain.toml", include_str!("../../../catalogue/block_domain.toml")),
];

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(built_in);

#[expect(clippy::panic, reason = "the files are part of the program, and every test reads them")]
fn built_in() -> Catalogue {
    let read = |(file, text): &(&str, &str)| form::entries(file, text, true);
    let entries: Result<Vec<_>, _> = BUILT_IN.iter().map(read).collect();
    let entries = entries.unwrap_or_else(|fault| panic!("{fault}")).into_iter().flatten();
    let entries: Vec<_> = entries.map(|entry| &*Box::leak(Box::new(entry))).collect();
    Catalogue::of(&entries)
}

/// Every entry that was read from a file, the newest last. They live as long as the process, so that
/// whatever was asked for stays readable; there are as many as were ever activated or checked.
static READ: Mutex<Vec<&'static CatalogueEntry>> = Mutex::new(Vec::new());

fn read_entries() -> MutexGuard<'static, Vec<&'static CatalogueEntry>> {
    READ.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(entry: CatalogueEntry) -> &'static CatalogueEntry {
    let mut kept = read_entries();
    if let Some(known) = kept.iter().find(|known| known.hash == entry.hash) {
        return known;
    }
    let entry = &*Box::leak(Box::new(entry));
    kept.push(entry);
    entry
}

/// The responses that are built in, and those of the entries that were read: of each name the newest.
pub fn known_responses() -> Vec<ActionKind> {
    let mut known = CATALOGUE.responses().to_vec();
    for entry in read_entries().iter().rev() {
        let kind = ActionKind::of(entry);
        if !known.contains(&kind) {
            known.push(kind);
        }
    }
    known
}

/// The kinds of a name: that of the program, then those of the entries that were read, the newest
/// first. A later version of the program may build in what a file had.
pub(super) fn kinds_named(name: &str) -> Vec<ActionKind> {
    let both = |entry: &&'static CatalogueEntry| {
        let response = ActionKind::of(entry);
        [Some(response), response.undo()].into_iter().flatten().find(|kind| kind.name() == name)
    };
    let read = read_entries();
    CATALOGUE.get(name).into_iter().chain(read.iter().rev().filter_map(both)).collect()
}

/// Which actions there are.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// Those that are asked for by name, then what takes them back.
    all: Vec<ActionKind>,
    responses: usize,
}

impl Catalogue {
    /// The actions that are built in.
    pub fn built_in() -> &'static Self {
        &CATALOGUE
    }

    /// What is built in, and the entries of these files, by name and text. The first fault ends it.
    pub fn with<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, EntryFault> {
        let mut entries: Vec<_> = CATALOGUE.responses().iter().map(|kind| kind.entry()).collect();
        for (file, text) in files {
            for entry in form::entries(file, text, false)? {
                check_names(file, &entry, &entries)?;
                check_scripts(file, &entry)?;
                entries.push(keep(entry));
            }
        }
        Ok(Self::of(&entries))
    }

    /// Reads an entry that the store kept, by its hash: requests that were asked with it can be read
    /// then. The error says what is wrong with it.
    pub fn recall(hash: Digest, source: &str) -> Result<(), String> {
        let entries =
            form::entries("the store", source, false).map_err(|fault| fault.to_string())?;
        match entries.into_iter().next().filter(|entry| entry.hash == hash) {
            Some(entry) => {
                keep(entry);
                Ok(())
            }
            None => Err("it is not the entry that its hash says".to_owned()),
        }
    }

    fn of(entries: &[&'static CatalogueEntry]) -> Self {
        let responses = entries.iter().map(|entry| ActionKind::of(entry));
        let undos = entries.iter().filter_map(|entry| ActionKind::of(entry).undo());
        Self { all: responses.chain(undos).collect(), responses: entries.len() }
    }

    /// All actions: those that are asked for by name, then what takes them back.
    pub fn all(&self) -> &[ActionKind] {
        &self.all
    }

    /// Those that are asked for by name; the others are asked for as the undo of a request.
    pub fn responses(&self) -> &[ActionKind] {
        self.all.get(..self.responses).unwrap_or_default()
    }

    /// Those that an agent may ask for where nobody says what: what is built in and reaches little.
    pub fn usual(&self) -> Vec<ActionKind> {
        let little =
            |kind: &&ActionKind| kind.version().is_none() && kind.entry().tier == Tier::Low;
        self.responses().iter().filter(little).copied().collect()
    }

    /// The action of that name.
    pub fn get(&self, name: &str) -> Option<ActionKind> {
        self.all.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether it has this very action: one whose entry has changed since is another.
    pub fn has(&self, kind: ActionKind) -> bool {
        self.get(kind.name()).is_some_and(|own| own.version() == kind.version())
    }
}

/// The words that mean something else, beside the verbs: tools that are no action, and what policy is
/// asked first.
const TAKEN: [&str; 15] = [
    "ask",
    "run",
    "wait",
    "undo_request",
    "get_request",
    "wait_for_decision",
    "list_requests",
    "cancel_request",
    "propose_plan",
    "get_plan",
    "cancel_plan",
    "list_endpoints",
    "find_responses",
    "get_alert",
    "get_limits",
];

fn check_names(
    file: &str,
    entry: &CatalogueEntry,
    others: &[&'static CatalogueEntry],
) -> Result<(), EntryFault> {
    let undo = entry.undo.as_ref();
    if undo.is_some_and(|undo| undo.ways().any(|way| way == UndoWay::Configured)) {
        return Err(EntryFault {
            file: file.to_owned(),
            entry: entry.name.clone(),
            field: "undo".to_owned(),
            problem: "configured is not allowed".to_owned(),
            allowed: "expiry, script: [undo_commands] of the configuration knows what is built in"
                .to_owned(),
        });
    }
    let undo = undo.map(|undo| ("undo.name", undo.name.as_str()));
    for (field, name) in [("name", entry.name.as_str())].into_iter().chain(undo) {
        let fault = |problem: &str, allowed: &str| EntryFault {
            file: file.to_owned(),
            entry: entry.name.clone(),
            field: field.to_owned(),
            problem: format!("{name} {problem}"),
            allowed: allowed.to_owned(),
        };
        if TAKEN.contains(&name) || Verb::ALL.map(Verb::name).contains(&name) {
            return Err(fault("is a word of the program", "any other name"));
        }
        if CATALOGUE.get(name).is_some() {
            return Err(fault("is built in, and cannot be replaced", "any other name"));
        }
        if others.iter().any(|other| {
            other.name == name || other.undo.as_ref().is_some_and(|undo| undo.name == name)
        }) {
            return Err(fault("is the name of another entry", "each name once"));
        }
    }
    Ok(())
}

/// What a built-in script acts on has the rules of its types: protected addresses and accounts, hosts that
/// are never isolated. Under another name, with other types, it would have none of them.
fn check_scripts(file: &str, entry: &CatalogueEntry) -> Result<(), EntryFault> {
    let base = |name: &str| name.trim_end_matches(UNDO_SUFFIX).to_ascii_lowercase();
    let built_in = |name: &&str| {
        let mut known = CATALOGUE.responses().iter().flat_map(|kind| kind.entry().all_scripts());
        known.any(|script| base(script) == base(name))
    };
    let Some(name) = entry.all_scripts().find(built_in) else { return Ok(()) };
    let allowed =
        "a script of your own: that action's rules of what is never touched would not hold here";
    Err(EntryFault {
        file: file.to_owned(),
        entry: entry.name.clone(),
        field: "script".to_owned(),
        problem: format!("{name} is the script of an action that is built in"),
        allowed: allowed.to_owned(),
    })
}
