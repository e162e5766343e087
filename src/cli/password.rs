//! Passwords on the command line.

use std::path::{Path, PathBuf};

use clap::Args;

use super::CliError;
use crate::{
    broker::BrokerError,
    connector::{SecretForm, secret_text},
    domain::actor::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, password_length_allowed},
};

/// Where a password comes from: a file, or the keyboard without echo. Never an argument, which
/// other users of the machine could see.
#[derive(Debug, Args)]
pub(super) struct PasswordFrom {
    /// A file that holds the password; without it you are asked.
    #[arg(long)]
    password_file: Option<PathBuf>,
}

/// The password that a person has, from a file or the keyboard.
pub(super) fn existing(name: &str, file: Option<&PathBuf>) -> Result<String, CliError> {
    match file {
        Some(file) => from_file(file),
        None => ask(&format!("Password of {name}: ")),
    }
}

fn from_file(file: &Path) -> Result<String, CliError> {
    let wrong = |why: String| CliError::Use(format!("--password-file {}: {why}", file.display()));
    let bytes = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let password = secret_text(&bytes, SecretForm::Password).map_err(wrong)?;
    Ok(password.to_string())
}

fn ask(prompt: &str) -> Result<String, CliError> {
    rpassword::prompt_password(prompt).map_err(|error| {
        CliError::Use(format!("cannot ask for a password here ({error}); use --password-file"))
    })
}

impl PasswordFrom {
    /// Whether nobody has to be asked.
    pub(super) const fn has_file(&self) -> bool {
        self.password_file.is_some()
    }

    pub(super) fn read(&self) -> Result<String, CliError> {
        if let Some(file) = &self.password_file {
            return from_file(file);
        }
        let password =
            ask(&format!("Password ({PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters): "))?;
        // Before it is typed a second time for nothing.
        if !password_length_allowed(&password) {
            return Err(BrokerError::WeakPassword.into());
        }
        if ask("Once more: ")? != password {
            return Err(CliError::Use("the two passwords differ".to_owned()));
        }
        Ok(password)
    }
}
