//! What is typed, checked: names and reasons, and how a name that does not fit is refused.

use std::collections::BTreeSet;

use super::BrokerError;
use crate::{
    domain::{
        actor::{NAME_GRAMMAR, TEAMS_MAX, valid_name},
        printable::is_blank,
        proposal::InvalidField,
    },
    store::StoreError,
};

/// A name for a person or an agent.
pub(super) fn check_name(name: &str) -> Result<String, InvalidField> {
    if valid_name(name) {
        return Ok(name.to_owned());
    }
    Err(InvalidField {
        field: "name".to_owned(),
        problem: format!("`{}` is not allowed", name.chars().take(40).collect::<String>()),
        allowed: NAME_GRAMMAR.to_owned(),
    })
}

/// The names of a person's teams.
pub(super) fn check_teams(names: &[String]) -> Result<BTreeSet<String>, InvalidField> {
    let refused = |problem: String, allowed: &str| InvalidField {
        field: "teams".to_owned(),
        problem,
        allowed: allowed.to_owned(),
    };
    if let Some(name) = names.iter().find(|name| !valid_name(name)) {
        let shown: String = name.chars().take(40).collect();
        return Err(refused(format!("`{shown}` is not allowed"), NAME_GRAMMAR));
    }
    let teams: BTreeSet<_> = names.iter().cloned().collect();
    if teams.len() > TEAMS_MAX {
        let problem = format!("{} are too many", teams.len());
        return Err(refused(problem, &format!("at most {TEAMS_MAX}")));
    }
    Ok(teams)
}

/// A text that must be given: not blank, at most 500 characters.
pub(super) fn check_reason(field: &str, text: &str) -> Result<String, InvalidField> {
    let text = text.trim();
    if !is_blank(text) && text.chars().count() <= 500 {
        return Ok(text.to_owned());
    }
    Err(InvalidField {
        field: field.to_owned(),
        problem: "it is missing or too long".to_owned(),
        allowed: "1 to 500 characters".to_owned(),
    })
}

/// A name that nothing has.
pub(super) fn unknown_name(field: &str, name: &str, known: String) -> InvalidField {
    InvalidField {
        field: field.to_owned(),
        problem: format!("there is no {field} `{name}`"),
        allowed: known,
    }
}

/// A disabled person or a revoked agent cannot be changed any more.
pub(super) fn inactive(name: &str, state: &str) -> InvalidField {
    InvalidField {
        field: "name".to_owned(),
        problem: format!("`{name}` is {state}, and stays so"),
        allowed: "one that is active; add another under a new name".to_owned(),
    }
}

/// What the store says of a name that another person or agent has, or had.
pub(super) fn name_taken(error: StoreError, name: &str) -> BrokerError {
    if matches!(error, StoreError::Conflict) {
        return InvalidField {
            field: "name".to_owned(),
            problem: format!("`{name}` is taken"),
            allowed: "a name that nobody has, disabled and revoked ones included".to_owned(),
        }
        .into();
    }
    error.into()
}
