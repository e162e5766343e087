//! Tokens of the manager's API.
//!
//! Deliberately absent: a logout. It would end all tokens of the user, also those of calls that
//! are under way. Source: `api/api/authentication.py`.

use chrono::TimeDelta;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{client::ManagerClient, manager_error::refusal};
use crate::{
    connector::{
        http::{error::ConnectorError, secret::Secret},
        wazuh::rate_budget::CallPurpose,
    },
    domain::Time,
};

/// `auth_token_exp_timeout` of a fresh manager, for tokens that do not say how long they live.
const LIFE_SECS: i64 = 900;
/// The longest life that is believed.
const LIFE_SECS_MAX: i64 = 86_400;
/// A token is not used in the end of its life: a call may take that long.
const MARGIN_SECS: i64 = 60;
/// After a refused login nothing is tried for so long: 50 wrong passwords circuit this machine out
/// for five minutes, the dashboard beside the broker included.
const REFUSED_SECS: i64 = 10;

/// The login of one user, and its token while it lives.
#[derive(Debug)]
pub(super) struct Login {
    user: String,
    password: Secret,
    /// Held during a login, so that there is one at a time.
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    token: Option<Token>,
    refused_at: Option<Time>,
}

#[derive(Debug)]
struct Token {
    text: Secret,
    use_until: Time,
}

impl Login {
    pub(super) fn new(user: String, password: Secret) -> Self {
        Self { user, password, held: Mutex::default() }
    }

    /// A token that lives: the one at hand, or that of a new login.
    pub(super) async fn token(
        &self,
        line: &ManagerClient,
        purpose: CallPurpose,
        now: Time,
    ) -> Result<Secret, ConnectorError> {
        let mut held = self.held.lock().await;
        if let Some(token) = held.token.as_ref().filter(|token| now < token.use_until) {
            return Ok(token.text.clone());
        }
        let wait = |at: Time| now >= at && now - at < TimeDelta::seconds(REFUSED_SECS);
        if held.refused_at.is_some_and(wait) {
            return Err(ConnectorError::LoginRefused { system: line.http.system.clone() });
        }
        let text = match self.log_in(line, purpose, now).await {
            Ok(text) => text,
            Err(error) => {
                let refused = matches!(error, ConnectorError::LoginRefused { .. });
                held.refused_at = refused.then_some(now);
                return Err(error);
            }
        };
        let life = life_secs(text.expose()).unwrap_or(LIFE_SECS).clamp(0, LIFE_SECS_MAX);
        let margin = MARGIN_SECS.min(life / 2);
        let use_until = now + TimeDelta::seconds(life - margin);
        *held = Held { token: Some(Token { text: text.clone(), use_until }), refused_at: None };
        Ok(text)
    }

    /// Drops a token that was refused, unless a newer one took its place already.
    pub(super) async fn forget(&self, refused: &Secret) {
        let mut held = self.held.lock().await;
        if held.token.as_ref().is_some_and(|token| token.text == *refused) {
            held.token = None;
        }
    }

    async fn log_in(
        &self,
        line: &ManagerClient,
        purpose: CallPurpose,
        now: Time,
    ) -> Result<Secret, ConnectorError> {
        #[derive(Deserialize)]
        struct Answer {
            data: Data,
        }
        #[derive(Deserialize)]
        struct Data {
            token: String,
        }
        let http = &line.http;
        let request = http
            .post("/security/user/authenticate")
            .basic_auth(&self.user, Some(self.password.expose()));
        let reply = line.send(request, 1, purpose, now).await?;
        match reply.status {
            200 => {
                let answer: Answer =
                    reply.json().map_err(|detail| http.malformed(&reply, detail))?;
                Ok(Secret::new(answer.data.token))
            }
            401 => Err(ConnectorError::LoginRefused { system: http.system.clone() }),
            _ => Err(refusal(http, &reply, "to sign in")),
        }
    }
}

/// How long a token lives, by its own words: the difference of two times that the manager wrote,
/// because its clock may differ from ours.
fn life_secs(token: &str) -> Option<i64> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
        nbf: Option<i64>,
        iat: Option<i64>,
    }
    let payload = base64url(token.split('.').nth(1)?)?;
    let Claims { exp, nbf, iat } = serde_json::from_slice(&payload).ok()?;
    exp.checked_sub(nbf.or(iat)?)
}

/// Reads base64 in its URL form without padding (RFC 4648, section 5).
fn base64url(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bits, mut count) = (0_u32, 0_u32);
    let mut bytes = Vec::with_capacity(text.len());
    for sign in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == sign)?;
        bits = (bits << 6) | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    Some(bytes)
}
