//! The bridge for MCP clients that start a program.

use std::path::PathBuf;

use clap::Args;

use super::CliError;
use crate::{
    app::{bridge, settings::fingerprint},
    connector::Tls,
    text::visible::visible,
};

/// Where the broker is. The token comes from `COUNTERSIGN_TOKEN`: an argument could be seen by
/// other users of the machine.
#[derive(Debug, Args)]
pub(super) struct Stdio {
    /// The broker's address, such as <https://countersign.example>. Plain http:// only on loopback.
    #[arg(long, env = "COUNTERSIGN_URL")]
    url: Option<String>,
    /// PEM file of the authority that signed the broker's certificate, where the system does not
    /// know it.
    #[arg(long, env = "COUNTERSIGN_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// SHA-256 of the broker's certificate instead.
    #[arg(long, env = "COUNTERSIGN_PIN_SHA256", conflicts_with = "ca_file")]
    pin_sha256: Option<String>,
}

pub(super) async fn run(stdio: Stdio) -> Result<(), CliError> {
    let url = stdio.url.unwrap_or_default();
    if url.trim().is_empty() {
        let why = "COUNTERSIGN_URL is not set or empty. Allowed: the broker's address, such as \
                   https://countersign.example";
        return Err(CliError::Use(why.to_owned()));
    }
    let token = std::env::var("COUNTERSIGN_TOKEN").unwrap_or_default();
    if token.trim().is_empty() {
        let why = "COUNTERSIGN_TOKEN is not set or empty. Allowed: the agent's token, such as cs_ and \
                   64 hexadecimal digits";
        return Err(CliError::Use(why.to_owned()));
    }
    let tls = match (stdio.ca_file, stdio.pin_sha256) {
        (Some(file), _) => Some(Tls::Ca { file, server_name: None }),
        (None, None) => None,
        (None, Some(pin)) => {
            let digest = fingerprint(&pin).ok_or_else(|| {
                CliError::Use(format!(
                    "COUNTERSIGN_PIN_SHA256 is `{}`; allowed: 64 hexadecimal digits",
                    visible(&pin)
                ))
            })?;
            Some(Tls::Pin { sha256: *digest.bytes() })
        }
    };
    bridge::run(url.trim(), token.trim().to_owned(), tls).await?;
    Ok(())
}
