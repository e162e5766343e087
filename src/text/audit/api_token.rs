//! Tokens for the API in words.

use crate::domain::{
    actor::api_token::UsedToken,
    audit::detail::api_token::{NewApiTokenFacts, RefusedApiTokenFacts},
};

/// " with the API token nightly", and who answers for a service; nothing without a token.
pub(super) fn with(token: Option<&UsedToken>) -> String {
    match token {
        None => String::new(),
        Some(UsedToken { name, owner: None, .. }) => format!(" with the API token {name}"),
        Some(UsedToken { owner: Some(owner), .. }) => {
            format!(" with an API token that {owner} owns")
        }
    }
}

/// "made the API token nightly for read, comment from 192.0.2.0/24, until 2027-02-28".
pub(super) fn created(facts: &NewApiTokenFacts) -> String {
    let scopes: Vec<_> = facts.scopes.iter().map(|scope| scope.name()).collect();
    let networks: Vec<_> = facts.networks.iter().map(ToString::to_string).collect();
    let whose = if facts.service { " of a service" } else { "" };
    format!(
        "made the API token {}{whose} for {} from {}, until {}",
        facts.name,
        scopes.join(", "),
        networks.join(", "),
        facts.expires_at.format("%Y-%m-%d %H:%M UTC")
    )
}

/// "had the API token nightly refused, which came from 203.0.113.9".
pub(super) fn refused(facts: &RefusedApiTokenFacts) -> String {
    let RefusedApiTokenFacts { name, source, .. } = facts;
    format!("had the API token {name} refused, which came from {source}")
}
