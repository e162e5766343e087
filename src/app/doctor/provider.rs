//! The identity provider: whether it answers, and who could not approve.

use std::collections::BTreeSet;

use super::{CORRECT, Diagnosis};
use crate::{
    app::identity,
    clock::Clock,
    config::Config,
    domain::actor::Role,
    store::{Store, accounts},
};

/// How many names are shown.
const NAMES_SHOWN_MAX: usize = 10;

/// Looks at the identity provider, where one is configured.
pub(super) async fn provider(
    config: &Config,
    store: Option<&Store>,
    clock: &Clock,
) -> Vec<Diagnosis> {
    const PART: &str = "sign-in";
    let provider = match identity::identity_provider(config, clock) {
        Ok(Some(provider)) => provider,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![Diagnosis::bad(PART, error.to_string(), CORRECT)],
    };
    let mut findings = vec![match provider.examine().await {
        Ok(found) => Diagnosis::good(PART, found),
        Err(why) => {
            let advice = "correct [oidc]; until then who signs in there cannot";
            Diagnosis::bad(PART, why, advice)
        }
    }];
    if !provider.says_when().await {
        let names = without_passkey(store).await;
        let who = match names.len() {
            0 => "who signs in there".to_owned(),
            _ => names.iter().take(NAMES_SHOWN_MAX).cloned().collect::<Vec<_>>().join(", "),
        };
        let name = provider.name();
        let found = format!("{name} does not say when people signed in: {who} cannot approve");
        let advice =
            "have it send the claim auth_time; then people confirm there, and add passkeys";
        findings.push(Diagnosis::bad(PART, found, advice));
    }
    let local = config.oidc.as_ref().and_then(|oidc| oidc.local_people.as_ref());
    if let Some(names) = local {
        let listed = names.iter().cloned().collect::<Vec<_>>().join(", ");
        findings.push(if local_admin(store, names).await {
            let found = format!("{listed} may sign in with a password of this server");
            Diagnosis::good(PART, found)
        } else {
            let found = format!("while {} is down no admin can sign in", provider.name());
            let advice = "name an admin of this server in oidc.local_people, better two";
            Diagnosis::bad(PART, found, advice)
        });
    }
    findings
}

/// Whether one of these is an admin who is kept here.
async fn local_admin(store: Option<&Store>, names: &BTreeSet<String>) -> bool {
    let Some(store) = store else { return false };
    let Ok(mut reader) = store.reader().await else { return false };
    let Ok(people) = accounts::people(&mut reader).await else { return false };
    let provided = accounts::identities(&mut reader).await.unwrap_or_default();
    people.iter().any(|person| {
        let kept_here = !provided.contains_key(&person.id);
        names.contains(&person.name)
            && person.role == Role::Admin
            && person.is_active()
            && kept_here
    })
}

/// The people of the provider without a passkey.
async fn without_passkey(store: Option<&Store>) -> Vec<String> {
    let Some(store) = store else { return Vec::new() };
    let Ok(mut reader) = store.reader().await else { return Vec::new() };
    let Ok(people) = accounts::people(&mut reader).await else { return Vec::new() };
    let identities = accounts::identities(&mut reader).await.unwrap_or_default();
    let mut names = Vec::new();
    for person in people {
        if !person.is_active() || !identities.contains_key(&person.id) {
            continue;
        }
        let keys = accounts::passkeys(&mut reader, person.id).await.unwrap_or_default();
        if keys.is_empty() {
            names.push(person.name);
        }
    }
    names
}
