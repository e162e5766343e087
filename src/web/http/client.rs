//! Who is at the other end of a connection: for sign-ins, and never a right.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{header, request::Parts},
};

use crate::{
    domain::sign_in::{SignInOrigin, Source},
    web::{AppState, error::PageError},
};

/// Where a sign-in comes from.
pub(in crate::web) struct Origin(pub(in crate::web) SignInOrigin);

impl FromRequestParts<AppState> for Origin {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _app: &AppState) -> Result<Self, PageError> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let ConnectInfo(peer) = peer.ok_or_else(PageError::unreadable)?;
        let device = parts.headers.get(header::USER_AGENT);
        let device = device.and_then(|device| device.to_str().ok()).unwrap_or_default();
        Ok(Self(SignInOrigin::new(Source::of(peer.ip()), device)))
    }
}
