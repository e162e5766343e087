//! How outside systems prove themselves, and what may not be shown.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use zeroize::Zeroizing;

use super::error::ConnectorError;
use crate::trusted_file;

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

/// A password or a token, and the file that it came from. Never shown, and wiped from memory when it
/// is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    text: Zeroizing<String>,
    file: Option<Arc<SecretFile>>,
}

/// A file that holds a secret.
#[derive(Debug, PartialEq, Eq)]
struct SecretFile {
    /// The key in the configuration that names it.
    key: String,
    path: PathBuf,
    form: SecretForm,
}

/// What a file holds beside line breaks at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretForm {
    /// One line, with whatever blanks it has.
    Password,
    /// One word: an address, a token, a signing key. Blanks around it do not count.
    Word,
}

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: Zeroizing::new(text.into()), file: None }
    }

    /// Reads a file that the configuration names under this key. The error says what is wrong with
    /// the file.
    pub fn read(
        key: impl Into<String>,
        path: &Path,
        form: SecretForm,
    ) -> Result<Self, ConnectorError> {
        Arc::new(SecretFile { key: key.into(), path: path.to_owned(), form }).read()
    }

    /// The same secret as its file holds it now; itself where it came from none. What was checked at
    /// the start is checked again: a file that others can read is none.
    pub(in crate::connector) fn read_again(&self) -> Result<Self, ConnectorError> {
        let Some(file) = &self.file else { return Ok(self.clone()) };
        trusted_file::check_private(&file.path).map_err(|why| file.wrong(&why))?;
        Arc::clone(file).read()
    }

    pub(in crate::connector) fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl SecretFile {
    fn read(self: Arc<Self>) -> Result<Secret, ConnectorError> {
        let bytes = trusted_file::read_bytes(&self.path).map(Zeroizing::new);
        let bytes = bytes.map_err(|why| self.wrong(&why))?;
        let text = secret_text(&bytes, self.form).map_err(|why| self.wrong(&why))?;
        Ok(Secret { text, file: Some(self) })
    }

    fn wrong(&self, why: &str) -> ConnectorError {
        let allowed = format!("a readable file that holds the secret and nothing else ({why})");
        ConnectorError::settings(&self.key, self.path.display().to_string(), allowed)
    }
}

/// The secret in the bytes of a file, or what is wrong with them. An editor's mark or a second line
/// would become part of it, and be refused as a wrong password.
pub fn secret_text(bytes: &[u8], form: SecretForm) -> Result<Zeroizing<String>, String> {
    if let Some(mark) = byte_order_mark(bytes) {
        return Err(format!("it begins with {mark}; save it as UTF-8 without a byte order mark"));
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        format!("byte {} of it is not UTF-8; save it as UTF-8", error.valid_up_to() + 1)
    })?;
    let text = match form {
        SecretForm::Password => text.trim_end_matches(['\r', '\n']),
        SecretForm::Word => text.trim(),
    };
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if let Some((at, c)) = text.char_indices().find(|(_, c)| c.is_control()) {
        let (byte, code) = (at + 1, u32::from(c));
        return Err(match c {
            '\r' | '\n' => "it has more than one line".to_owned(),
            _ => format!("byte {byte} of it is the control character U+{code:04X}"),
        });
    }
    if form == SecretForm::Word && text.contains(char::is_whitespace) {
        return Err("it holds more than one word".to_owned());
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// The byte order mark that a file begins with, in words.
pub fn byte_order_mark(bytes: &[u8]) -> Option<&'static str> {
    const MARKS: [(&[u8], &str); 3] = [
        (&[0xEF, 0xBB, 0xBF], "a UTF-8 byte order mark (EF BB BF)"),
        (&[0xFF, 0xFE], "a UTF-16 byte order mark (FF FE)"),
        (&[0xFE, 0xFF], "a UTF-16 byte order mark (FE FF)"),
    ];
    MARKS.iter().find(|(mark, _)| bytes.starts_with(mark)).map(|(_, words)| *words)
}

/// The secret that is used, until it is refused and its file holds another one.
#[derive(Debug)]
pub(in crate::connector) struct CurrentSecret(Mutex<Secret>);

impl CurrentSecret {
    pub(in crate::connector) fn new(secret: Secret) -> Self {
        Self(Mutex::new(secret))
    }

    pub(in crate::connector) fn get(&self) -> Secret {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the file again. Whether it holds another secret now, which is used from now on.
    pub(in crate::connector) fn renew(&self) -> Result<bool, ConnectorError> {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = current.read_again()?;
        let renewed = read != *current;
        *current = read;
        Ok(renewed)
    }
}
