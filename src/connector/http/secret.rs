//! How outside systems prove themselves, and what may not be shown.

use std::{fmt, path::PathBuf};

use zeroize::Zeroizing;

/// How an outside system proves that it is the right one. Deliberately absent: a way to trust
/// anyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// By a certificate that one of the authorities in this file issued.
    Ca {
        /// A PEM file.
        file: PathBuf,
        /// The name that the certificate must carry, where it is not the URL's host.
        server_name: Option<String>,
    },
    /// By this very certificate: chain, name and dates do not count.
    Pin {
        /// SHA-256 of its DER form.
        sha256: [u8; 32],
    },
    /// Not at all: `http://`, on this machine only.
    Plain,
}

/// A password or a token. Never shown, and wiped from memory when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    pub(in crate::connector) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
