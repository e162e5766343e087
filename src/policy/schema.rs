//! The words that policies are written in: those of this version, and those that a folder from an
//! earlier one still holds.

use std::borrow::Cow;

use crate::domain::digest::Digest;

/// Entities are built in code to fit it, so a policy folder must hold this very text, or that of an
/// earlier version.
const SCHEMA: &str = include_str!("../../policies/schema.cedarschema");

/// The schemas that earlier versions wrote into policy folders, by their SHA-256: 0.1.0.
const EARLIER: [&str; 1] = ["fb2308f104ce62ffd94e764b20289df86ef45dbbbd5a8e3c998c21c365eefe0b"];

/// How `confidence` is written, and how it was: it was 0 where the agent said nothing.
const CONFIDENCE: (&str, &str) = ("confidence?: Long", "confidence: Long");

/// Which schema a policy folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SchemaVersion {
    /// The one of this version.
    Current,
    /// One of an earlier version. Its policies were written without `has`, so what became optional
    /// since then is always there for them, with the value that it had.
    Earlier,
}

impl SchemaVersion {
    /// The version of a schema's text; none where nobody but its folder knows it.
    pub(super) fn of(text: &str) -> Option<Self> {
        if text == SCHEMA {
            return Some(Self::Current);
        }
        let digest = Digest::of(text.as_bytes()).to_string();
        EARLIER.contains(&digest.as_str()).then_some(Self::Earlier)
    }

    /// What policies are held against.
    pub(super) fn text(self) -> Cow<'static, str> {
        match self {
            Self::Current => SCHEMA.into(),
            Self::Earlier => SCHEMA.replace(CONFIDENCE.0, CONFIDENCE.1).into(),
        }
    }

    /// What stands for a confidence that the agent did not state.
    pub(super) const fn unstated_confidence(self) -> Option<u8> {
        match self {
            Self::Current => None,
            Self::Earlier => Some(0),
        }
    }
}
