//! Tokens of the manager's API.
//!
//! Deliberately absent: a logout. It would end all tokens of the user, also those of calls that
//! are under way. Source: `api/api/authentication.py`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::{client::ManagerClient, fields::Fields, manager_error::refusal};
use crate::{
    connector::{
        http::{
            error::ConnectorError,
            secret::{CurrentSecret, Secret},
        },
        wazuh::api::rate_budget::CallPurpose,
    },
    domain::Time,
};

/// `auth_token_exp_timeout` of a fresh manager, for tokens that do not say how long they live.
const LIFE_SECS: i64 = 900;
/// The longest life that is believed.
const LIFE_SECS_MAX: i64 = 86_400;
/// A token is not used in the end of its life: a call may take that long.
const MARGIN_SECS: i64 = 60;
/// After a refused login nothing is tried for this long: 50 wrong passwords lock this machine out for
/// five minutes, the dashboard beside the broker included.
const REFUSED_SECS: i64 = 10;
/// The longest token, in characters: servers take header lines of 8 KiB.
const TOKEN_CHARS_MAX: usize = 7000;

/// The login of one user, and its token while it lives.
#[derive(Debug)]
pub(in crate::connector::wazuh) struct Login {
    user: String,
    password: CurrentSecret,
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
    pub(in crate::connector::wazuh) fn new(user: String, password: Secret) -> Self {
        Self { user, password: CurrentSecret::new(password), held: Mutex::default() }
    }

    /// A token that lives: the one at hand, or that of a new login.
    pub(in crate::connector::wazuh) async fn token(
        &self,
        client: &ManagerClient,
        purpose: CallPurpose,
        now: Time,
    ) -> Result<Secret, ConnectorError> {
        let mut held = self.held.lock().await;
        if let Some(token) = held.token.as_ref().filter(|token| now < token.use_until) {
            return Ok(token.text.clone());
        }
        let wait = |at: Time| now >= at && now - at < TimeDelta::seconds(REFUSED_SECS);
        if held.refused_at.is_some_and(wait) && !self.password.renew()? {
            return Err(ConnectorError::LoginRefused { system: client.http.system.clone() });
        }
        let text = match self.log_in(client, purpose, now).await {
            Ok(text) => text,
            Err(error) => {
                let refused = matches!(
                    error,
                    ConnectorError::LoginRefused { .. } | ConnectorError::Settings { .. }
                );
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
    pub(in crate::connector::wazuh) async fn forget(&self, refused: &Secret) {
        let mut held = self.held.lock().await;
        if held.token.as_ref().is_some_and(|token| token.text == *refused) {
            held.token = None;
        }
    }

    /// Logs in; where the password is refused and its file holds another one by now, once more with
    /// that one.
    async fn log_in(
        &self,
        client: &ManagerClient,
        purpose: CallPurpose,
        now: Time,
    ) -> Result<Secret, ConnectorError> {
        match self.log_in_once(client, purpose, now).await {
            Err(ConnectorError::LoginRefused { .. }) if self.password.renew()? => {
                self.log_in_once(client, purpose, now).await
            }
            done => done,
        }
    }

    async fn log_in_once(
        &self,
        client: &ManagerClient,
        purpose: CallPurpose,
        now: Time,
    ) -> Result<Secret, ConnectorError> {
        let http = &client.http;
        let request = http
            .post("/security/user/authenticate")
            .basic_auth(&self.user, Some(self.password.get().expose()));
        let reply = client.send(request, 1, purpose, now).await?;
        match reply.status {
            200 => {
                let answer: Value =
                    reply.json().map_err(|detail| http.malformed(&reply, detail))?;
                let mut fields = Fields::of(&answer);
                match fields.needed_text_of("data.token", TOKEN_CHARS_MAX) {
                    Some(token) if token.bytes().all(|b| b.is_ascii_graphic()) => {
                        Ok(Secret::new(token))
                    }
                    Some(_) => {
                        let why = "`data.token` holds signs that no header can carry";
                        Err(http.malformed(&reply, why.to_owned()))
                    }
                    None => Err(http.malformed(&reply, fields.complaint())),
                }
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
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let Claims { exp, nbf, iat } = serde_json::from_slice(&payload).ok()?;
    exp.checked_sub(nbf.or(iat)?)
}
