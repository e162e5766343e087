//! Who calls: a token in `Authorization: Bearer …`, and nothing else. A session's cookie is not looked at.

use std::net::IpAddr;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header::AUTHORIZATION},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{AT_ONCE_MAX, ApiState, problem::Problem};
use crate::{
    broker::{BrokerError, TokenHolder},
    domain::actor::sign_in::ClientAddress,
};

/// Lets a program with a token in, as an extension of the request.
pub(super) async fn check(
    State(state): State<ApiState>,
    mut request: Request,
    next: Next,
) -> Response {
    let from = request.extensions().get::<ClientAddress>().and_then(|address| address.0);
    let token = bearer(request.headers()).map(str::to_owned);
    let holder = match holder(&state, token.as_deref(), from).await {
        Ok(holder) => holder,
        Err(problem) => return problem.into_response(),
    };
    let Some(_place) = state.under_way.acquire(holder.id()) else {
        let why = format!("this token has {AT_ONCE_MAX} calls under way; wait for one to end");
        return Problem::too_many(&why, 1).into_response();
    };
    tracing::Span::current().record("api_token", holder.id().to_string());
    // Nothing further in needs the token, and what is not there cannot be logged.
    request.headers_mut().remove(AUTHORIZATION);
    request.extensions_mut().insert(holder);
    next.run(request).await
}

async fn holder(
    state: &ApiState,
    token: Option<&str>,
    from: Option<IpAddr>,
) -> Result<TokenHolder, Problem> {
    let Some(token) = token else { return Err(Problem::no_token()) };
    match state.broker.token_holder(token, from).await {
        Ok(Some(holder)) => Ok(holder),
        Ok(None) => Err(Problem::no_token()),
        Err(BrokerError::SignInThrottled(wait)) => {
            let why = "too many wrong tokens came from this address; wait before the next one";
            let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
            Err(Problem::too_many(why, seconds.saturating_add(1)))
        }
        Err(error) => Err(Problem::of(&error, &state.broker)),
    }
}

/// The token, where exactly one header holds one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim_start_matches(' '))
}
