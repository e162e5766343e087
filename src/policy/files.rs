//! The files of a policy set: what a folder holds, and what the store keeps of the active set.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use super::PolicyError;
use crate::{
    domain::digest::{Canonical, Digest},
    trusted_file,
};

const SCHEMA_FILE: &str = "schema.cedarschema";
const CASES_FOLDER: &str = "tests/";
/// How the names of files with entries of the catalogue end.
const ENTRIES: &str = ".toml";

/// The schema, the policies, their test cases and entries of the catalogue, read once: what was looked
/// at is what is used.
#[derive(Debug, Clone, Default)]
pub struct PolicyFiles {
    /// Where they come from, for messages.
    place: PathBuf,
    /// Text by path below the folder.
    texts: BTreeMap<String, String>,
}

impl PolicyFiles {
    /// Reads `schema.cedarschema`, every `*.cedar`, every `*.toml` and every `tests/*.json` of a
    /// folder.
    pub fn read(folder: &Path) -> Result<Self, PolicyError> {
        let schema = folder.join(SCHEMA_FILE);
        if !folder.is_dir() {
            return Err(PolicyError::Empty { folder: folder.to_owned() });
        }
        if !schema.exists() {
            return Err(PolicyError::Schema { path: schema });
        }
        let mut texts = BTreeMap::from([(SCHEMA_FILE.to_owned(), read(&schema)?)]);
        texts.extend(files(folder, "cedar")?);
        texts.extend(files(folder, "toml")?);
        let cases = folder.join(CASES_FOLDER);
        if cases.is_dir() {
            let named = |(name, text)| (format!("{CASES_FOLDER}{name}"), text);
            texts.extend(files(&cases, "json")?.into_iter().map(named));
        }
        Ok(Self { place: folder.to_owned(), texts })
    }

    /// The files of the active set, as the store keeps them.
    pub fn kept(texts: BTreeMap<String, String>) -> Self {
        Self { place: PathBuf::from("the active set"), texts }
    }

    /// Text by path below the folder.
    pub const fn texts(&self) -> &BTreeMap<String, String> {
        &self.texts
    }

    /// Over the names and texts of all files, the test cases included.
    pub fn digest(&self) -> Digest {
        Canonical::new(1, "policy files")
            .list(self.texts.iter(), |canonical, (name, text)| canonical.text(name).text(text))
            .digest()
    }

    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    pub(super) fn schema_path(&self) -> PathBuf {
        self.place.join(SCHEMA_FILE)
    }

    pub(super) fn schema(&self) -> &str {
        self.texts.get(SCHEMA_FILE).map_or("", String::as_str)
    }

    /// Name and text of every file of policies, by name.
    pub(super) fn policies(&self) -> impl Iterator<Item = (&str, &str)> {
        let texts = self.texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        texts.filter(|(name, _)| {
            !name.starts_with(CASES_FOLDER) && *name != SCHEMA_FILE && !name.ends_with(ENTRIES)
        })
    }

    /// Name and text of every file with entries of the catalogue, by name.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        let texts = self.texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        texts.filter(|(name, _)| name.ends_with(ENTRIES))
    }

    /// Name and text of every file of test cases, by name.
    pub(super) fn cases(&self) -> impl Iterator<Item = (&str, &str)> {
        let texts = self.texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        texts.filter(|(name, _)| name.starts_with(CASES_FOLDER))
    }
}

/// Name and text of every file with an extension, by name.
fn files(folder: &Path, extension: &str) -> Result<Vec<(String, String)>, PolicyError> {
    let unreadable = |cause| PolicyError::Unreadable { path: folder.to_owned(), cause };
    trusted_file::check_writers(folder).map_err(|why| refused(folder, why))?;
    let home = folder.canonicalize().map_err(unreadable)?;
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.retain(|path| path.extension() == Some(OsStr::new(extension)));
    paths.sort();
    let named = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        check_link(&path, &home)?;
        read(&path).map(|text| (name, text))
    };
    paths.into_iter().map(named).collect()
}

fn read(path: &Path) -> Result<String, PolicyError> {
    trusted_file::read(path).map_err(|why| refused(path, why))
}

fn refused(path: &Path, why: String) -> PolicyError {
    PolicyError::Unreadable { path: path.to_owned(), cause: io::Error::other(why) }
}

/// Fails where a file of a folder is a link to somewhere else: whoever may write there decides.
fn check_link(path: &Path, folder: &Path) -> Result<(), PolicyError> {
    let target = path.canonicalize().map_err(|error| refused(path, error.to_string()))?;
    if target.starts_with(folder) {
        return Ok(());
    }
    let why = format!("it leads to {}; put the file itself here", target.display());
    Err(refused(path, why))
}
