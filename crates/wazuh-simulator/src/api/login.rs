//! Logins and tokens. Sources: api/api/authentication.py, middlewares.py, captures 1-6, 79, 95.

use axum::Json;
use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::Simulator;
use crate::api::answer::Problem;
use crate::api::params::Params;
use crate::rights::Rights;
use crate::server::wire::Wire;
use crate::settings::User;

/// `POST` and the deprecated `GET /security/user/authenticate`.
pub(crate) async fn login(
    State(sim): State<Simulator>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    params.only(&["raw"])?;
    let mut guard = sim.world();
    let world = &mut *guard;
    let (now, address) = (world.now(), wire.peer.ip());
    if world.logins.is_blocked(address, now) {
        let detail = "Limit of login attempts reached. The current IP has been blocked due to a \
                      high number of login attempts";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail).code(6000));
    }
    let known = world.settings.users.iter().find(|user| is_login_of(user, &headers));
    let Some(user) = known else {
        world.logins.note_bad(address, now);
        return Err(Problem::unauthorized("Invalid credentials"));
    };
    let token = world.logins.issue(&user.name, now, &world.settings);
    if params.get("raw") == Some("true") {
        return Ok(token.into_response());
    }
    Ok(Json(json!({"data": {"token": token}, "error": 0})).into_response())
}

/// `DELETE /security/user/authenticate`: revokes all tokens of the user, not only this one.
pub(crate) async fn logout(State(sim): State<Simulator>, session: Session) -> Response {
    let mut world = sim.world();
    let now = world.now();
    world.logins.revoke(Some(&session.user), now);
    drop(world);
    let message = format!("User {} was successfully logged out", session.user);
    Json(json!({"message": message, "error": 0})).into_response()
}

/// Whether a call carries the name and password of this user.
pub(crate) fn is_login_of(user: &User, headers: &HeaderMap) -> bool {
    let given = authorization(headers, "basic").and_then(decoded);
    given.as_deref() == Some(format!("{}:{}", user.name, user.password).as_str())
}

/// The call's credentials for this scheme.
pub(crate) fn authorization<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let (given, credentials) =
        headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| credentials.trim())
}

/// Decodes standard base64 to text; `None` if it is not valid base64 or not text.
fn decoded(text: &str) -> Option<String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count) = (0_u32, 0_u32);
    let mut bytes = Vec::with_capacity(text.len());
    for sign in text.trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|known| *known == sign)?;
        bits = (bits << 6) | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    String::from_utf8(bytes).ok()
}

/// A call with a valid token.
pub(crate) struct Session {
    pub(crate) user: String,
    pub(crate) rights: Rights,
}

impl Session {
    /// Requires an action that concerns no endpoint.
    pub(crate) fn require(&self, action: &str) -> Result<(), Problem> {
        if self.rights.allows_at_large(action) { Ok(()) } else { Err(Problem::denied("*:*")) }
    }

    /// Requires an action on a node.
    pub(crate) fn require_on_node(&self, action: &str, node: &str) -> Result<(), Problem> {
        if self.rights.allows_on_node(action, node) {
            Ok(())
        } else {
            Err(Problem::denied("node:id"))
        }
    }
}

impl FromRequestParts<Simulator> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, sim: &Simulator) -> Result<Self, Problem> {
        let token = authorization(&parts.headers, "bearer")
            .ok_or_else(|| Problem::unauthorized("No authorization token provided"))?;
        let world = sim.world();
        let user = world
            .logins
            .owner(token, world.now())
            .ok_or_else(|| Problem::unauthorized("Invalid token"))?;
        let rights = world.rights(&user);
        Ok(Self { user, rights })
    }
}
