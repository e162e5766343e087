//! Files that the command line writes or needs.

use std::{fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use super::CliError;

/// Writes a file for its owner alone; one that exists stays as it is.
pub(super) fn new_file(path: &Path, text: &str) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Commands beside the server must not make an empty database by mistake.
pub(super) fn must_exist(database: &Path) -> Result<(), CliError> {
    if database.exists() {
        return Ok(());
    }
    Err(CliError::Use(format!(
        "there is no database {}; run `countersign init` first",
        database.display()
    )))
}
