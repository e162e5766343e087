//! Which file of `src` names which other: the whole crate at once, so that a name is followed
//! through the file that re-exports it to the one that has it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    module_of, product,
    use_paths::{Names, names},
};

/// Every file with what it names, by its place in the crate: `broker::queries::inbox`.
pub(super) struct Graph(BTreeMap<String, Names>);

impl Graph {
    pub(super) fn of_crate() -> Self {
        Self::of(&product())
    }

    pub(super) fn of(files: &[(String, String)]) -> Self {
        let read = |(path, text): &(String, String)| {
            let module = module_of(path);
            (module.join("::"), names(&module, text))
        };
        Self(files.iter().map(read).collect())
    }

    /// Where the files stand.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The files that a file names. It is no arrow that a file names what is below it: a folder's
    /// own file declares, re-exports and joins its parts.
    pub(super) fn arrows(&self, from: &str) -> BTreeSet<&str> {
        let below = format!("{from}::");
        self.named(from).into_iter().filter(|to| !to.starts_with(&below)).collect()
    }

    /// The same with what is below.
    pub(super) fn named(&self, from: &str) -> BTreeSet<&str> {
        let named = self.0[from].inside.iter().filter_map(|path| self.home(path));
        named.filter(|to| *to != from).collect()
    }

    /// The file that has what a path names.
    fn home(&self, path: &[String]) -> Option<&str> {
        let mut path = path.to_vec();
        loop {
            let known = |length: usize| {
                let found = self.0.get_key_value(&path[..length].join("::"));
                found.map(|(file, names)| (length, file, names))
            };
            let (length, file, names) = (1..=path.len()).rev().find_map(known)?;
            let exported = path.get(length).and_then(|name| names.known.get(name));
            match exported {
                Some(original) if !original.starts_with(&path[..=length]) => {
                    path = [original, &path[length + 1..]].concat();
                }
                _ => return Some(file),
            }
        }
    }

    /// Files that lead back to themselves: of each circle all its files.
    pub(super) fn circles(&self) -> Vec<Vec<&str>> {
        let reach: BTreeMap<_, _> = self.files().map(|file| (file, self.reached(file))).collect();
        let mut circles = BTreeSet::new();
        for (file, reached) in &reach {
            let circle: Vec<_> =
                reached.iter().copied().filter(|other| reach[other].contains(file)).collect();
            if !circle.is_empty() {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }

    fn reached(&self, from: &str) -> BTreeSet<&str> {
        let (mut reached, mut open) = (BTreeSet::new(), self.arrows(from));
        while let Some(next) = open.pop_first() {
            if reached.insert(next) {
                open.extend(self.arrows(next));
            }
        }
        reached
    }
}
