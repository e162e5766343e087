//! What the catalogue says about one action.

use std::collections::BTreeMap;

use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray};

use super::{icon::Icon, parameter::Parameter};
use crate::domain::{all_variants, decision::Tier, digest::Digest, endpoint::Platform};

/// A response, and what takes it back.
#[derive(Debug, Clone)]
pub struct CatalogueEntry {
    /// The word used everywhere: tool, Cedar, store, page.
    pub name: String,
    /// What its tool is called, for people.
    pub title: String,
    /// What it does, for models: whole sentences.
    pub description: String,
    /// What it does, as the start of a sentence with its parameters in braces: "Block {srcip}".
    pub words: String,
    /// What it leaves behind, as an adjective: "blocked".
    pub state: String,
    /// The least tier of its requests.
    pub tier: Tier,
    /// Whether it cuts its endpoints off from the network.
    pub isolates: bool,
    /// Whether it is over as soon as it is done: nothing of it stays active, and nothing takes it back.
    pub once: bool,
    /// The sign before it on the page; none for the usual one.
    pub icon: Option<Icon>,
    /// Which terms it has.
    pub terms: Terms,
    /// What it acts on, beside its endpoints; the first is what alerts name.
    pub parameters: Vec<Parameter>,
    /// The names of optional parameters of which at least one is given; empty where all may be left
    /// out.
    pub one_of: Vec<String>,
    /// How it is done, by platform.
    pub commands: BTreeMap<Platform, PlatformCommand>,
    /// Further scripts that do the same: their alerts show it, too.
    pub other_scripts: Vec<String>,
    /// What takes it back; none where nothing does.
    pub undo: Option<UndoEntry>,
    /// Whether it is built into the program.
    pub built_in: bool,
    /// SHA-256 of all that its file says about it.
    pub hash: Digest,
    /// A file with this entry alone.
    pub source: String,
}

/// What takes a response back.
#[derive(Debug, Clone)]
pub struct UndoEntry {
    /// The word used everywhere.
    pub name: String,
    /// What it does, as [`CatalogueEntry::words`].
    pub words: String,
    /// How one is taken back that would end by itself: what is tried, in this order.
    pub timed: Vec<UndoWay>,
    /// The same for one that would not end by itself.
    pub permanent: Vec<UndoWay>,
    /// Its own scripts, by platform.
    pub scripts: BTreeMap<Platform, String>,
}

/// How a response is taken back on an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[derive(EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum UndoWay {
    /// The endpoint's own timer for it becomes one second.
    Expiry,
    /// The command that `undo_commands` of the configuration names.
    Configured,
    /// A script of the entry.
    Script,
}

impl UndoEntry {
    pub(super) fn ways(&self) -> impl Iterator<Item = UndoWay> {
        self.timed.iter().chain(&self.permanent).copied()
    }
}

impl UndoWay {
    /// All ways.
    pub const ALL: [Self; Self::COUNT] = all_variants(Self::VARIANTS);

    /// The word in the catalogue.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// Which terms a response has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// It may end by itself.
    pub timed: bool,
    /// It may stay until a person undoes it.
    pub permanent: bool,
}

/// How a response is done on one platform. It has a script, a companion or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformCommand {
    /// The file in `active-response/bin` of every endpoint; none where only the companion does it.
    pub script: Option<String>,
    /// The script that does it where companion scripts are installed: one of `deploy/active-response`, or
    /// one that reports as they do. It keeps what each request did by itself.
    pub companion: Option<String>,
    /// How the endpoint keeps what the script did.
    pub keeps: RuleKeeping,
    /// Why it does not take IPv6 addresses; none where it does.
    pub no_ipv6: Option<String>,
    /// What a person does on the endpoint to take it back, with the parameters in braces.
    pub by_hand: String,
    /// The same for IPv6 addresses; none where it does not differ.
    pub by_hand_ipv6: Option<String>,
}

/// How an endpoint keeps what a script did to one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray, EnumCount)]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum RuleKeeping {
    /// Each command adds a rule, and a timer's end removes one.
    Stacked,
    /// There is one rule, table entry or lock: a timer's end removes it, whoever added it.
    Single,
}

impl RuleKeeping {
    /// Both.
    pub const ALL: [Self; Self::COUNT] = all_variants(Self::VARIANTS);

    /// The word in the catalogue.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

impl CatalogueEntry {
    /// Its sign: the one that it chooses, else the usual one for what it acts on.
    pub fn icon(&self) -> Icon {
        match (self.icon, self.parameters.first()) {
            (Some(chosen), _) => chosen,
            (None, _) if self.isolates => Icon::Unplug,
            (None, None) => Icon::Zap,
            (None, Some(first)) => Icon::of(first.of),
        }
    }

    /// Every script that does it, without `.exe`.
    pub fn scripts(&self) -> impl Iterator<Item = &str> {
        let both = self.commands.values().map(|command| (&command.script, &command.companion));
        let own = both.flat_map(|(script, companion)| script.iter().chain(companion));
        own.chain(&self.other_scripts).map(|script| without_exe(script))
    }

    /// [`CatalogueEntry::scripts`], and those that take it back.
    pub(super) fn all_scripts(&self) -> impl Iterator<Item = &str> {
        let undo = self.undo.iter().flat_map(|undo| undo.scripts.values());
        self.scripts().chain(undo.map(|script| without_exe(script)))
    }

    /// The companion script that a manager's command runs: that of the response, or its undo. None where
    /// it runs another.
    pub fn companion_in<'a>(&self, command: &'a str) -> Option<&'a str> {
        let name = command.split(' ').next().unwrap_or_default();
        let name = match name.strip_prefix('!') {
            Some(script) => script,
            None => name.trim_end_matches(|c: char| c.is_ascii_digit()),
        };
        let done_by = Some(name.strip_suffix(UNDO_SUFFIX).unwrap_or(name));
        let own = self.commands.values().any(|command| command.companion.as_deref() == done_by);
        own.then_some(name)
    }
}

/// What the name of a companion script ends in, where it takes back.
pub const UNDO_SUFFIX: &str = "-undo";
/// What begins the word of a command that names the request whose effect alone is taken back.
pub const UNDO_PREFIX: &str = "undo=";
/// The same for what stays reachable of an isolated endpoint.
pub const KEEP_PREFIX: &str = "keep=";

/// The name of a script's file, as on platforms that do not end it in `.exe`.
pub fn without_exe(file: &str) -> &str {
    file.strip_suffix(".exe").unwrap_or(file)
}
