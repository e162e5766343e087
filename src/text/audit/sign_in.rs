//! Sign-ins in words.

use crate::domain::audit::detail::accounts::{BesidePassword, RefusedSignInFacts, SignInFacts};

/// "signed in with a passkey from 203.0.113.9".
pub(super) fn signed_in(facts: &SignInFacts) -> String {
    let what = match facts.beside_password {
        _ if facts.password_given_again => "entered the password again",
        _ if facts.passkey => "signed in with a passkey",
        Some(BesidePassword::Passkey) => "signed in with the password and a passkey",
        Some(BesidePassword::RecoveryCode) => "signed in with the password and a recovery code",
        None => "signed in",
    };
    format!("{what}{}", from(&facts.source))
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
