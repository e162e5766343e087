//! What differs between two policy sets, for people who are about to make one of them active.

use std::collections::{BTreeMap, BTreeSet};

use similar::TextDiff;
use strum::IntoStaticStr;

use super::{PolicyFiles, PolicyText};

/// How something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[derive(IntoStaticStr)]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum ChangeKind {
    /// The active set does not have it.
    Added,
    /// The active set alone has it.
    Removed,
    /// Both have it, and it is not the same.
    Changed,
}

impl ChangeKind {
    /// `added`, `removed`, `changed`.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// A policy that differs; or a file in which something else does: the schema, test cases, a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyChange {
    /// How.
    pub kind: ChangeKind,
    /// The policy's `@id`, or the name of the file.
    pub name: String,
    /// The file, where a policy differs.
    pub file: Option<String>,
    /// The whole text where it was added or removed; else the lines that differ, each behind `-` or
    /// `+`, and a few around them.
    pub text: String,
}

/// A set as far as it can be read: where it does not load, it has no policies, and files alone are
/// compared.
pub(crate) type SetTexts<'a> = (&'a PolicyFiles, &'a [PolicyText]);

/// Everything that differs, policies first. Equal files alone make it empty.
pub(crate) fn difference(active: SetTexts<'_>, other: SetTexts<'_>) -> Vec<PolicyChange> {
    let ((old_files, old), (new_files, new)) = (active, other);
    let (mut changes, mut shown) = (Vec::new(), BTreeSet::new());
    if !old.is_empty() && !new.is_empty() {
        let by_id = |policies: &'_ [PolicyText]| -> BTreeMap<String, PolicyText> {
            policies.iter().map(|policy| (policy.id.clone(), policy.clone())).collect()
        };
        for (id, before, after) in pairs(&by_id(old), &by_id(new)) {
            let sides = [before, after].into_iter().flatten();
            shown.extend(sides.clone().map(|policy| policy.file.clone()));
            let files: BTreeSet<_> = sides.map(|policy| policy.file.as_str()).collect();
            let file = files.into_iter().collect::<Vec<_>>().join(", ");
            let text = |policy: &PolicyText| policy.text.clone();
            changes.push(PolicyChange {
                file: Some(file),
                ..PolicyChange::new(id, before.map(text), after.map(text))
            });
        }
    }
    for (name, before, after) in pairs(old_files.texts(), new_files.texts()) {
        if !shown.contains(name) {
            changes.push(PolicyChange::new(name, before.cloned(), after.cloned()));
        }
    }
    changes
}

/// What is not the same on both sides, by name.
fn pairs<'a, T: PartialEq>(
    old: &'a BTreeMap<String, T>,
    new: &'a BTreeMap<String, T>,
) -> Vec<(&'a str, Option<&'a T>, Option<&'a T>)> {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let sides = names.into_iter().map(|name| (name.as_str(), old.get(name), new.get(name)));
    sides.filter(|(_, before, after)| before != after).collect()
}

impl PolicyChange {
    fn new(name: &str, before: Option<String>, after: Option<String>) -> Self {
        let (kind, text) = match (before, after) {
            (Some(before), Some(after)) => {
                let lines = TextDiff::from_lines(&before, &after).unified_diff().to_string();
                (ChangeKind::Changed, lines)
            }
            (None, after) => (ChangeKind::Added, after.unwrap_or_default()),
            (Some(before), None) => (ChangeKind::Removed, before),
        };
        Self { kind, name: name.to_owned(), file: None, text }
    }
}
