//! Sign-ins in words.

use std::collections::BTreeSet;

use crate::domain::audit::detail::accounts::{
    BesidePassword, NewPersonFacts, RefusedSignInFacts, SignInFacts, TeamsFacts,
};

/// "signed in with a passkey from 203.0.113.9".
pub(super) fn signed_in(facts: &SignInFacts) -> String {
    let what = match (facts.beside_password, facts.provider.as_str()) {
        _ if facts.password_given_again => "entered the password again".to_owned(),
        _ if facts.passkey => "signed in with a passkey".to_owned(),
        (Some(BesidePassword::Passkey), _) => {
            "signed in with the password and a passkey".to_owned()
        }
        (Some(BesidePassword::RecoveryCode), _) => {
            "signed in with the password and a recovery code".to_owned()
        }
        (None, "") => "signed in".to_owned(),
        (None, at) if facts.confirmed => format!("signed in again at {at}, for one act"),
        (None, at) => format!("signed in at {at}"),
    };
    format!("{what}{}", from(&facts.source))
}

/// "added a person as lead, who signed in at" and the issuer.
pub(super) fn person_added(facts: &NewPersonFacts) -> String {
    let at = facts.identity.as_ref().map(|identity| &identity.issuer);
    let at = at.map_or_else(String::new, |issuer| format!(", who signed in at {issuer}"));
    format!("added a person as {}{at}{}", facts.role, in_teams(&facts.teams))
}

/// "set a person's teams to apac, emea", or took them out of all.
pub(super) fn teams_changed(facts: &TeamsFacts) -> String {
    if facts.teams.is_empty() {
        return "took a person out of all teams".to_owned();
    }
    let names: Vec<_> = facts.teams.iter().map(String::as_str).collect();
    format!("set a person's teams to {}", names.join(", "))
}

/// " in the team emea", " in the teams apac, emea"; nothing for none.
fn in_teams(teams: &BTreeSet<String>) -> String {
    let names: Vec<_> = teams.iter().map(String::as_str).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!(" in the team {one}"),
        many => format!(" in the teams {}", many.join(", ")),
    }
}

/// "could not sign in from 203.0.113.9, 3 times".
pub(super) fn refused(facts: &RefusedSignInFacts) -> String {
    let what = if facts.set_up { "entered a wrong set-up code" } else { "could not sign in" };
    let tries = match facts.tries {
        1 => String::new(),
        more => format!(", {more} times"),
    };
    format!("{what}{}{tries}", from(&facts.source))
}

/// " from 203.0.113.9".
fn from(source: &str) -> String {
    if source.is_empty() { String::new() } else { format!(" from {source}") }
}
