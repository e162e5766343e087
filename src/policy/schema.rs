//! The words that policies are written in: those of this version, and those that a folder from an
//! earlier one still holds.

use super::entities::input::action_declarations;
use crate::domain::{action::Catalogue, digest::Digest};

/// Entities are built in code to fit it, so a policy folder must hold this very text, or that of an
/// earlier version.
const SCHEMA: &str = include_str!("../../policies/schema.cedarschema");

/// The schemas that earlier versions wrote into policy folders, by their SHA-256: 0.1.0.
const EARLIER: [&str; 1] = ["fb2308f104ce62ffd94e764b20289df86ef45dbbbd5a8e3c998c21c365eefe0b"];

/// How `confidence` is written, and how it was: it was 0 where the agent said nothing.
const CONFIDENCE: (&str, &str) = ("confidence?: Long", "confidence: Long");

/// Where the actions that agents ask for begin, and what follows them.
const ACTIONS: (&str, &str) = ("  action \"ask\", ", "\n  // ---- what people do");

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

    /// What policies are held against: the text of the folder, with the actions of a catalogue.
    pub(super) fn text(self, catalogue: &Catalogue) -> String {
        let text = with_actions(catalogue);
        match self {
            Self::Current => text,
            Self::Earlier => text.replace(CONFIDENCE.0, CONFIDENCE.1),
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

/// The schema that ships, with the actions of a catalogue in the place of those that are built in.
fn with_actions(catalogue: &Catalogue) -> String {
    let parts = SCHEMA
        .split_once(ACTIONS.0)
        .and_then(|(before, rest)| rest.split_once(ACTIONS.1).map(|(_, after)| (before, after)));
    let (before, after) = parts.unwrap_or((SCHEMA, ""));
    format!("{before}{}{}{after}", action_declarations(catalogue), ACTIONS.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_that_ships_has_the_built_in_actions() {
        assert_eq!(with_actions(Catalogue::built_in()), SCHEMA);
    }
}
