//! Who calls: the token of an agent, and nothing else.

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
    },
    middleware::Next,
    response::Response,
};
use serde_json::Value;

use super::door;

use crate::{broker::Broker, domain::actor::Agent};

/// The same for every token that is not accepted: nobody learns which ones there were.
pub(super) const OPENS_NOTHING: &str = "this token opens nothing: it is missing, wrong, was replaced or revoked. \
                             Send `Authorization: Bearer cs_…`; an admin issues a token on the page \
                             Agents";

/// Lets an agent with a sound token in, as an extension of the request; anybody else gets the
/// same 401.
pub(super) async fn check(
    State(broker): State<Broker>,
    mut request: Request,
    next: Next,
) -> Response {
    let token = token(request.headers());
    let caller = match agent(&broker, token.as_deref()).await {
        Ok(caller) => caller,
        Err(status) => return refusal(status),
    };
    tracing::Span::current().record("agent", &caller.name);
    // Nothing further in needs the token, and what is not there cannot be logged.
    request.headers_mut().remove(AUTHORIZATION);
    request.extensions_mut().insert(caller);
    let response = next.run(request).await;
    // The call may have waited: a token that was revoked meanwhile gets nothing further.
    match agent(&broker, token.as_deref()).await {
        Ok(_still) => response,
        Err(status) => refusal(status),
    }
}

async fn agent(broker: &Broker, token: Option<&str>) -> Result<Agent, StatusCode> {
    let token = token.ok_or(StatusCode::UNAUTHORIZED)?;
    match broker.agent_by_token(token).await {
        Ok(Some(agent)) => Ok(agent),
        Ok(None) => Err(StatusCode::UNAUTHORIZED),
        Err(error) => {
            tracing::error!(%error, "cannot look up an agent's token");
            Err(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

/// The token, where exactly one header holds one of the right form.
fn token(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return None;
    }
    let token = token.trim_start_matches(' ');
    let secret = token.strip_prefix("cs_")?;
    let sound = secret.len() == 64 && secret.bytes().all(|b| b.is_ascii_hexdigit());
    sound.then(|| token.to_owned())
}

fn refusal(status: StatusCode) -> Response {
    if status != StatusCode::UNAUTHORIZED {
        let why = "the broker cannot look up the token at the moment; try again later";
        return door::error(status, &Value::Null, -32_000, why);
    }
    let mut response = door::error(status, &Value::Null, -32_001, OPENS_NOTHING);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}
