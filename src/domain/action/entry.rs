//! What the catalogue says about one action.

use std::collections::BTreeMap;

use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray};

use super::parameter::Parameter;
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
    /// Which terms it has.
    pub terms: Terms,
    /// What it acts on, beside its endpoints; the first is what alerts name.
    pub parameters: Vec<Parameter>,
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

/// How a response is done on one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformCommand {
    /// The file in `active-response/bin` of the endpoint.
    pub script: String,
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
    /// Every script that does it, without `.exe`.
    pub fn scripts(&self) -> impl Iterator<Item = &str> {
        let own = self.commands.values().map(|command| command.script.as_str());
        own.chain(self.other_scripts.iter().map(String::as_str)).map(without_exe)
    }
}

/// The name of a script's file, as on platforms that do not end it in `.exe`.
pub fn without_exe(file: &str) -> &str {
    file.strip_suffix(".exe").unwrap_or(file)
}
