//! What can be done: the kinds of action that the catalogue has, and one with what it acts on.

mod catalogue;
mod entry;
mod fields;
mod form;
mod icon;
mod parameter;
mod parameter_form;
mod term;

use std::{cmp::Ordering, fmt, hash, iter, net::IpAddr, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::digest::{Canonical, Digest};

pub use catalogue::{Catalogue, known_responses};
pub use entry::{
    CatalogueEntry, KEEP_PREFIX, PlatformCommand, RuleKeeping, Terms, UNDO_PREFIX, UNDO_SUFFIX,
    UndoEntry, UndoWay, without_exe,
};
pub use fields::EntryFault;
pub use icon::Icon;
pub use parameter::{Account, Argument, Parameter, ParameterType, Pattern, Place};
pub use term::{Term, duration_text, with_count};

/// What the first argument of every command begins with: it says whose command it is, so no other
/// argument may look like it.
pub const TAG_PREFIX: &str = "countersign=";

/// A kind of action: a response of the catalogue, or what takes it back. Two of one name are equal,
/// whatever their entries say.
#[derive(Clone, Copy)]
pub struct ActionKind {
    entry: &'static CatalogueEntry,
    is_undo: bool,
}

impl ActionKind {
    const fn of(entry: &'static CatalogueEntry) -> Self {
        Self { entry, is_undo: false }
    }

    /// The kind of that name, of all that were ever active here: for what is stored. What can be
    /// asked for now is what the active [`Catalogue`] has.
    pub fn parse(name: &str) -> Option<Self> {
        catalogue::kinds_named(name).into_iter().next()
    }

    /// Adds to canonical bytes what its entry says, where the program does not say it.
    pub fn add_version(self, canonical: Canonical) -> Canonical {
        match self.version() {
            None => canonical,
            Some(hash) => canonical.text("entry").text(&hash.to_string()),
        }
    }

    /// The hash of its entry; none where that is built in.
    pub fn version(self) -> Option<Digest> {
        (!self.entry.built_in).then_some(self.entry.hash)
    }

    /// What the catalogue says about it and its undo.
    pub const fn entry(self) -> &'static CatalogueEntry {
        self.entry
    }

    /// The word used everywhere: tool, Cedar, store, page.
    pub fn name(self) -> &'static str {
        match self.undo_entry() {
            Some(undo) => &undo.name,
            None => &self.entry.name,
        }
    }

    /// Whether it takes an earlier response back.
    pub const fn is_undo(self) -> bool {
        self.is_undo
    }

    /// What takes it back; none for what takes something back itself, and where nothing does.
    pub fn undo(self) -> Option<Self> {
        let undo = (!self.is_undo).then_some(self.entry.undo.as_ref()).flatten();
        undo.map(|_| Self { is_undo: true, ..self })
    }

    /// The response that it takes back; of a response itself. Both act on the same thing on an
    /// endpoint.
    pub const fn response(self) -> Self {
        Self::of(self.entry)
    }

    /// What it acts on.
    pub fn parameters(self) -> &'static [Parameter] {
        &self.entry.parameters
    }

    /// The names of what it acts on: "srcip".
    pub fn fields(self) -> String {
        let names: Vec<_> = self.parameters().iter().map(|one| one.name.as_str()).collect();
        names.join(", ")
    }

    /// What it does, without what it acts on: "Block", "Disable account".
    pub fn verb(self) -> &'static str {
        self.words().split(['{', '[']).next().unwrap_or_default().trim_end()
    }

    fn words(self) -> &'static str {
        self.undo_entry().map_or(&self.entry.words, |undo| &undo.words)
    }

    /// What it says about itself, where it takes something back.
    fn undo_entry(self) -> Option<&'static UndoEntry> {
        self.is_undo.then_some(self.entry.undo.as_ref()).flatten()
    }
}

/// The names of kinds: "`block_ip`, `disable_account`".
pub fn names(kinds: &[ActionKind]) -> String {
    let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
    names.join(", ")
}

impl PartialEq for ActionKind {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for ActionKind {}

impl hash::Hash for ActionKind {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl Ord for ActionKind {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name())
    }
}

impl PartialOrd for ActionKind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for ActionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ActionKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::parse(name).ok_or_else(|| format!("`{name}` is not an action"))
    }
}

impl Serialize for ActionKind {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for ActionKind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// An action with what it acts on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Action {
    kind: ActionKind,
    /// One for each parameter, in their order; none for an optional one that was not given.
    arguments: Vec<Option<Argument>>,
}

impl Action {
    /// Reads the arguments of an action as [`Action::argument`] wrote them; the error is what is
    /// allowed.
    pub fn parse(kind: ActionKind, argument: &str) -> Result<Self, &'static str> {
        const SEVERAL: &str = "a JSON list with one text, or null, for each parameter";
        let parameters = kind.parameters();
        let texts: Vec<Option<String>> = match parameters {
            [] if argument.is_empty() => Vec::new(),
            [] => return Err("nothing"),
            [_only] => vec![Some(argument.to_owned())],
            _ => serde_json::from_str(argument).map_err(|_other_form| SEVERAL)?,
        };
        if texts.len() != parameters.len() {
            return Err(SEVERAL);
        }
        let read = parameters
            .iter()
            .zip(&texts)
            .map(|(parameter, text)| text.as_ref().map(|text| parameter.read(text)).transpose());
        Self::new(kind, read.collect::<Result<_, _>>()?).ok_or(SEVERAL)
    }

    /// An action as the store has it: with the entry of this hash, or, where the row does not say,
    /// with the newest that reads it.
    pub fn stored(name: &str, version: Option<Digest>, argument: &str) -> Option<Self> {
        let kinds = catalogue::kinds_named(name).into_iter();
        let mut fitting = kinds.filter(|kind| version.is_none() || kind.version() == version);
        fitting.find_map(|kind| Self::parse(kind, argument).ok())
    }

    /// The action with these arguments, one for each parameter of its kind, in their order; none
    /// where they do not fit, or where one is missing that must be there.
    pub fn new(kind: ActionKind, arguments: Vec<Option<Argument>>) -> Option<Self> {
        let parameters = kind.parameters();
        let mut both = parameters.iter().zip(&arguments);
        let fit = both.all(|(parameter, argument)| match argument {
            None => parameter.optional,
            Some(argument) => ParameterType::from(argument) == parameter.of,
        });
        let action = Self { kind, arguments };
        let complete = parameters.len() == action.arguments.len() && action.has_one_of();
        (fit && complete).then_some(action)
    }

    /// Whether one of those parameters is given of which one must be.
    fn has_one_of(&self) -> bool {
        let one_of = &self.kind.entry().one_of;
        one_of.is_empty() || self.arguments().any(|(given, _)| one_of.contains(&given.name))
    }

    /// The action with a target that stands for any, for questions that need one.
    pub fn example(kind: ActionKind) -> Option<Self> {
        let read = |one: &'static Parameter| one.read(one.example()).ok().map(Some);
        Self::new(kind, kind.parameters().iter().map(read).collect::<Option<_>>()?)
    }

    /// The action on this target, without what else it acts on, for questions about the target alone.
    /// None where it acts on its endpoints alone, or its first argument is another; the error is what
    /// is allowed.
    pub fn on_target(kind: ActionKind, target: &str) -> Result<Option<Self>, &'static str> {
        let Some((first, others)) = kind.parameters().split_first() else { return Ok(None) };
        let first = first.read(target)?;
        let arguments = iter::once(Some(first)).chain(others.iter().map(|_| None));
        Ok(Some(Self { kind, arguments: arguments.collect() }))
    }

    /// The first response that is built in, with a target that stands for any.
    pub fn any() -> Option<Self> {
        Catalogue::built_in().responses().first().copied().and_then(Self::example)
    }

    /// Which action it is, without what it acts on.
    pub const fn kind(&self) -> ActionKind {
        self.kind
    }

    /// What takes it back; none for what takes something back itself, and where nothing does.
    pub fn undo(&self) -> Option<Self> {
        self.kind.undo().map(|kind| Self { kind, arguments: self.arguments.clone() })
    }

    /// What it acts on, beside its endpoints: the parameters that are given.
    pub fn arguments(&self) -> impl Iterator<Item = (&'static Parameter, &Argument)> {
        let both = self.kind.parameters().iter().zip(&self.arguments);
        both.filter_map(|(parameter, argument)| Some((parameter, argument.as_ref()?)))
    }

    /// What alerts name: its first argument.
    pub fn target(&self) -> Option<&Argument> {
        self.arguments.first()?.as_ref()
    }

    /// The address that it acts on, where that is what alerts name.
    pub fn address(&self) -> Option<IpAddr> {
        if let Some(Argument::Address(address)) = self.target() { Some(*address) } else { None }
    }

    /// The account that it acts on, where that is what alerts name.
    pub fn account(&self) -> Option<&Account> {
        if let Some(Argument::Account(account)) = self.target() { Some(account) } else { None }
    }

    /// What it acts on, as text; of several arguments as a JSON list of texts, in their order, with
    /// null for one that is not given.
    pub fn argument(&self) -> String {
        let text = |one: &Option<Argument>| one.as_ref().map(Argument::to_string);
        let mut texts = self.arguments.iter().map(text);
        match self.arguments.len() {
            0 | 1 => texts.next().flatten().unwrap_or_default(),
            _ => texts.collect::<serde_json::Value>().to_string(),
        }
    }

    /// What it does, as the start of a sentence: "Block 203.0.113.7".
    pub fn phrase(&self) -> String {
        self.filled_in(self.kind.words())
    }

    /// A text of the catalogue, with the arguments in the place of the parameters. What stands in
    /// brackets around an optional one is left out where that is not given.
    pub fn filled_in(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for (parameter, argument) in self.kind.parameters().iter().zip(&self.arguments) {
            if parameter.optional
                && let Some((before, inside, after)) = bracketed(&shown, &parameter.name)
            {
                let inside = argument.as_ref().map_or("", |_| inside);
                shown = format!("{before}{inside}{after}");
            }
        }
        let mut parts = shown.split('{');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let named = part.split_once('}').and_then(|(name, rest)| {
                let mut arguments = self.arguments();
                arguments.find(|(parameter, _)| parameter.name == name).map(|(_, one)| (one, rest))
            });
            match named {
                Some((argument, rest)) => filled.extend([&argument.to_string(), rest]),
                None => filled.extend(["{", part]),
            }
        }
        filled
    }
}

/// What stands before, in and after the brackets around a parameter in braces.
fn bracketed<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let (before, after) = text.split_once(&format!("{{{name}}}"))?;
    let (opens, closes) = (before.rfind('[')?, text.len() - after.len() + after.find(']')?);
    Some((text.get(..opens)?, text.get(opens + 1..closes)?, text.get(closes + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str) -> ActionKind {
        ActionKind::parse(name).unwrap()
    }

    #[test]
    fn only_canonical_address_text_is_accepted() {
        for good in ["203.0.113.7", "2001:db8::7", "::1", "10.0.0.1"] {
            assert!(Action::parse(kind("block_ip"), good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "10",
            "127.1",
            "0x7f.1",
            "203.0.113.07",
            "203.0.113.7 ",
            " 203.0.113.7",
            "203.0.113.0/24",
            "::ffff:203.0.113.7",
            "::ffff:cb00:7107",
            "fe80::1%eth0",
            "2001:DB8::7",
            "2001:db8:0:0:0:0:0:7",
            "[::1]",
            "203.0.113.7:80",
            "not-an-ip",
        ] {
            assert!(Action::parse(kind("block_ip"), bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_plain_account_name_is_accepted() {
        for good in ["alice", "d.miller", "_apt", "svc-backup", "A1", "root"] {
            assert!(Action::parse(kind("disable_account"), good).is_ok(), "{good}");
        }
        let long = "a".repeat(65);
        for bad in ["", "-l", ".x", "a b", "a/b", "a:b", "a,b", "a..b", "a\n", "é", &long, "a$"] {
            assert!(Action::parse(kind("disable_account"), bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn text_that_looks_like_a_tag_is_refused() {
        for of in [ParameterType::Text, ParameterType::Choice] {
            assert!(of.read("countersign=req_1/att_1/0").is_none(), "{of:?}");
            assert!(of.read("not countersign=").is_some(), "{of:?}");
        }
    }
}
