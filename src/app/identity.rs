//! The identity provider, from the configuration's words.

use super::{AppError, notifications};
use crate::{
    clock::Clock,
    config::Config,
    connector::{ClaimNames, IdentityProvider, ProviderSettings, Secret, SecretForm},
};

/// Where people sign in beside this server.
pub(super) fn identity_provider(
    config: &Config,
    clock: &Clock,
) -> Result<Option<IdentityProvider>, AppError> {
    let Some(oidc) = &config.oidc else { return Ok(None) };
    let secret = |file| Secret::read("oidc.client_secret_file", file, SecretForm::Word);
    let proof = (oidc.ca_file.as_deref(), oidc.pin_sha256.as_deref());
    Ok(Some(IdentityProvider::new(ProviderSettings {
        name: oidc.name.clone(),
        issuer: oidc.issuer.clone(),
        tls: notifications::tls("oidc", proof)?,
        client_id: oidc.client_id.clone(),
        client_secret: oidc.client_secret_file.as_deref().map(secret).transpose()?,
        redirect_url: format!("{}/sign-in/provider/back", config.server.public_url),
        scopes: oidc.scopes.clone(),
        claims: ClaimNames {
            name: oidc.name_claim.clone(),
            display_name: oidc.display_name_claim.clone(),
            groups: oidc.role_claim.clone(),
        },
        clock: clock.clone(),
    })?))
}
