//! The set that ships: every file under `policies/`, built into the program.

use std::{
    ffi::OsStr,
    fs::{DirBuilder, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use cedar_policy::PolicySet;

macro_rules! shipped {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../policies/", $path)))),*]
    };
}

/// Path under the policy folder, and text, of every file of the set to start from.
pub const STARTER: &[(&str, &str)] = shipped![
    "schema.cedarschema",
    "10_ask.cedar",
    "20_run.cedar",
    "30_never.cedar",
    "40_people.cedar",
    "50_agents.cedar",
    "tests/ask.json",
    "tests/run.json",
    "tests/never.json",
    "tests/people.json",
];

/// File and id of every policy that ships.
pub(super) fn shipped_ids() -> Vec<(&'static str, String)> {
    let ids = |(file, text): &(&'static str, &str)| {
        let file = *file;
        let set: PolicySet = text.parse().unwrap_or_default();
        let ids: Vec<_> =
            set.policies().filter_map(|one| one.annotation("id")).map(str::to_owned).collect();
        ids.into_iter().map(move |id| (file, id))
    };
    let cedar =
        STARTER.iter().filter(|(file, _)| Path::new(file).extension() == Some(OsStr::new("cedar")));
    let mut all: Vec<_> = cedar.flat_map(ids).collect();
    all.sort();
    all
}

/// Writes the policies that ship, with their test cases, into a folder.
pub fn write_starter_policies(folder: &Path) -> std::io::Result<()> {
    for (name, text) in STARTER {
        let file = folder.join(name);
        if let Some(parent) = file.parent() {
            DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
        }
        // With any umask: nobody else may write what decides.
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o644).open(file);
        file?.write_all(text.as_bytes())?;
    }
    Ok(())
}
