//! Whether responses are switched on, by the endpoints' own word
//! (`GET /agents/{id}/config/com/active-response`).
//!
//! To answer, the manager asks the endpoint, and an endpoint that is gone blocks the manager for a
//! minute. So only a few are asked, one at a time, with a deadline, and answers are kept.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::TimeDelta;
use tokio::time::timeout;

use super::{
    Wazuh,
    api::{connection::ManagerConnection, fields::Fields},
};
use crate::{
    connector::http::error::ConnectorError,
    domain::{
        Time,
        endpoint::{Candidate, EndpointId, SkipReason},
    },
};

/// No more endpoints than this are asked for one request.
const ASKED_MAX: usize = 10;
/// How long one may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// How long what an endpoint said is believed: a response that finds it changed is refused.
const BELIEVED: TimeDelta = TimeDelta::minutes(10);
/// Short: a person who just switched responses on should not have to wait.
const BELIEVED_OFF: TimeDelta = TimeDelta::seconds(30);

/// What endpoints said, and when.
#[derive(Debug, Default)]
pub(super) struct ResponseSettings(Mutex<HashMap<EndpointId, (ResponseSetting, Time)>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ResponseSetting {
    On,
    Off,
    /// It did not answer in time.
    Nothing,
}

impl ResponseSettings {
    fn known(&self, id: &EndpointId, now: Time) -> Option<ResponseSetting> {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (word, at) = said.get(id).copied()?;
        let believed = match word {
            ResponseSetting::On | ResponseSetting::Nothing => BELIEVED,
            ResponseSetting::Off => BELIEVED_OFF,
        };
        (TimeDelta::zero()..believed).contains(&(now - at)).then_some(word)
    }

    fn keep(&self, id: &EndpointId, word: ResponseSetting, now: Time) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|_, (_, at)| now - *at < BELIEVED);
        said.insert(id.clone(), (word, now));
    }
}

impl Wazuh {
    /// Skips endpoints that say that responses are switched off there, and marks those that do
    /// not answer. What is not known counts as on: the response itself asks again.
    pub(super) async fn ask_whether_on(&self, candidates: &mut [Candidate], now: Time) {
        let few = candidates.len() <= ASKED_MAX;
        // Also where the manager's configuration is in the way: another term would have to pass here.
        let open = |candidate: &&mut Candidate| {
            matches!(candidate.command, Ok(_) | Err(SkipReason::NotConfigured(_)))
        };
        for candidate in candidates.iter_mut().filter(open).filter(|c| !c.silent) {
            let id = &candidate.endpoint.id;
            let word = match self.response_settings.known(id, now) {
                None if few => self.ask(id, now).await,
                known => known,
            };
            match word {
                Some(ResponseSetting::Off) => {
                    let why = "active response is switched off in the endpoint's ossec.conf";
                    candidate.command = Err(SkipReason::SwitchedOff(why.to_owned()));
                }
                Some(ResponseSetting::Nothing) => candidate.silent = true,
                Some(ResponseSetting::On) | None => {}
            }
            if word == Some(ResponseSetting::Nothing) {
                // It blocks the manager now: another question would only make it worse.
                return;
            }
        }
    }

    async fn ask(&self, id: &EndpointId, now: Time) -> Option<ResponseSetting> {
        let _turn = self.turn().await;
        // Another request may have asked while this one waited.
        if let Some(word) = self.response_settings.known(id, now) {
            return Some(word);
        }
        let word = match timeout(ANSWER, self.manager.switched_off(id, now)).await {
            Ok(Ok(true)) => ResponseSetting::Off,
            Ok(Ok(false)) => ResponseSetting::On,
            Ok(Err(_cannot_say)) => return None,
            Err(_elapsed) => ResponseSetting::Nothing,
        };
        self.response_settings.keep(id, word, now);
        Some(word)
    }
}

impl ManagerConnection {
    async fn switched_off(&self, id: &EndpointId, now: Time) -> Result<bool, ConnectorError> {
        let path = format!("/agents/{id}/config/com/active-response");
        let answer = self.read(&path, "agent:read", now).await?;
        let mut fields = Fields::of(&answer);
        let disabled = fields.needed_text("active-response.disabled");
        disabled.map(|word| word == "yes").ok_or_else(|| self.malformed(&fields))
    }
}
