//! The manager's API: reads, and the one call that acts. Every call passes the rate budget.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{client::ManagerClient, fields::Fields, login::Login, manager_error::refusal};
use crate::{
    clock::Clock,
    connector::{
        http::{
            client::{BaseUrl, Connections, HttpClient, Reply, TransportError, first_chars},
            error::{ConnectorError, TOKEN_SECOND},
            secret::Secret,
        },
        wazuh::{
            api::rate_budget::{CallPurpose, RateBudget},
            settings::WazuhSettings,
        },
    },
    domain::{Time, endpoint::EndpointId},
};

/// The oldest API that takes a response's target, and the first that takes no responses.
const VERSIONS: ((u32, u32), (u32, u32)) = ((4, 2), (5, 0));
/// The most of an answer to a read.
const READ_MIB_MAX: usize = 8;

/// What a manager says of itself.
#[derive(Debug, Clone)]
pub(in crate::connector::wazuh) struct ManagerInfo {
    /// The version of its API, such as `4.14.7`; none where it cannot be read.
    pub(in crate::connector::wazuh) api_version: Option<String>,
    /// The name of its machine; none where it cannot be read.
    pub(in crate::connector::wazuh) hostname: Option<String>,
    /// What is odd about its words.
    pub(in crate::connector::wazuh) odd: Option<String>,
}

impl ManagerInfo {
    /// "API 4.14.7 on wazuh-manager".
    pub(in crate::connector::wazuh) fn words(&self) -> String {
        let version =
            self.api_version.as_ref().map_or("of unknown version".to_owned(), first_chars);
        let hostname = self.hostname.as_ref().map_or("an unknown machine".to_owned(), first_chars);
        format!("API {version} on {hostname}")
    }

    /// What keeps it from taking responses the way this connector sends them.
    pub(in crate::connector::wazuh) fn unsupported(&self) -> Option<&'static str> {
        let (first, gone) = VERSIONS;
        match self.api_version.as_deref().and_then(version) {
            None => Some("Countersign does not know this version; it needs Wazuh 4.2 to 4.14"),
            Some(version) if version < first => {
                Some("it is too old: upgrade it to Wazuh 4.2 or newer, below 5.0")
            }
            Some(version) if version >= gone => Some(
                "Wazuh 5 has no active response in its API, so nothing can be sent; stay on 4.14 \
                 as long as you need responses",
            ),
            Some(_) => None,
        }
    }
}

/// Major and minor of a version such as `4.14.7` or `Wazuh v4.14.7`.
pub(in crate::connector::wazuh) fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.strip_prefix("Wazuh ").unwrap_or(text).trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[derive(Debug)]
pub(in crate::connector::wazuh) struct ManagerConnection {
    pub(in crate::connector::wazuh) reads: ManagerClient,
    pub(in crate::connector::wazuh) calls: ManagerClient,
    pub(in crate::connector::wazuh) budget: Arc<RateBudget>,
    pub(in crate::connector::wazuh) login: Login,
    clock: Clock,
    /// How the clocks differ, as of the manager's last answer.
    difference: Mutex<Option<ClockDifference>>,
    /// Major and minor version of its API, as it last said.
    version: Mutex<Option<(u32, u32)>>,
}

/// How far the manager's clock is ahead of ours.
#[derive(Debug, Clone, Copy)]
pub(in crate::connector::wazuh) struct ClockDifference {
    pub(in crate::connector::wazuh) ahead: TimeDelta,
    /// By how much that may be wrong: the time of the answer may lie anywhere in its round trip, and
    /// the manager writes whole seconds.
    pub(in crate::connector::wazuh) within: TimeDelta,
}

impl ManagerConnection {
    pub(in crate::connector::wazuh) fn new(
        settings: &WazuhSettings,
    ) -> Result<Self, ConnectorError> {
        let WazuhSettings { name, url, user, password, tls, .. } = settings;
        let section = settings.section();
        let address = BaseUrl::read(url, tls, &section)?;
        let system = format!("the manager {name} at {}", address.url);
        let budget = Arc::new(RateBudget::new(system.clone(), settings.calls_per_minute_max));
        let client = |connections, deadline| {
            let place = (system.clone(), address.clone());
            let http = HttpClient::new(place, tls, &section, connections, deadline)?;
            Ok::<_, ConnectorError>(ManagerClient { http, budget: Arc::clone(&budget) })
        };
        Ok(Self {
            reads: client(Connections::Kept, settings.read_deadline)?,
            calls: client(Connections::Fresh, settings.call_deadline)?,
            login: Login::new(user.clone(), password.clone()),
            clock: settings.clock.clone(),
            difference: Mutex::default(),
            version: Mutex::default(),
            budget,
        })
    }

    /// Reads the `data` of an answer. A token that is refused is renewed: it may have died before
    /// its time, when the user's rights changed or the manager restarted. The new one is dead too
    /// where it was made in the second of such a change, and that second is waited out once.
    pub(in crate::connector::wazuh) async fn read(
        &self,
        path: &str,
        right: &str,
        now: Time,
    ) -> Result<Value, ConnectorError> {
        let mut reply = self.read_once(path, now).await?;
        if reply.status == 401 {
            reply = self.read_once(path, now).await?;
        }
        if reply.status == 401 {
            self.clock.pause(TOKEN_SECOND).await;
            reply = self.read_once(path, now + TOKEN_SECOND).await?;
        }
        let http = &self.reads.http;
        if reply.status != 200 {
            return Err(refusal(http, &reply, right));
        }
        let answer: Value = reply.json().map_err(|detail| http.malformed(&reply, detail))?;
        let mut fields = Fields::of(&answer);
        let data = fields.needed_object("data");
        data.cloned().ok_or_else(|| self.malformed(&fields))
    }

    /// The error for an answer that is of no use because of what is odd about it.
    pub(in crate::connector::wazuh) fn malformed(&self, fields: &Fields<'_>) -> ConnectorError {
        ConnectorError::Answer {
            system: self.reads.http.system.clone(),
            status: 200,
            detail: fields.complaint(),
        }
    }

    async fn read_once(&self, path: &str, now: Time) -> Result<Reply, ConnectorError> {
        let token = self.login.token(&self.reads, CallPurpose::Ask, now).await?;
        let request = self.reads.http.get(path).bearer_auth(token.expose());
        let reply = self.reads.send(request, READ_MIB_MAX, CallPurpose::Ask, now).await?;
        if reply.status == 401 {
            self.login.forget(&token).await;
        }
        Ok(reply)
    }

    /// Asks who it is, and what time it is there.
    pub(in crate::connector::wazuh) async fn info(
        &self,
        now: Time,
    ) -> Result<ManagerInfo, ConnectorError> {
        let begun = self.clock.now();
        // Logged in before, so that the login is no part of the round trip.
        self.login.token(&self.reads, CallPurpose::Ask, now).await?;
        let sent = self.clock.now();
        let answer = self.read("/", "to use the API", now).await?;
        let trip = self.clock.now() - sent;
        let mut fields = Fields::of(&answer);
        let api_version = fields.needed_text("api_version").map(str::to_owned);
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) =
            api_version.as_deref().and_then(version);
        let hostname = fields.text("hostname").map(str::to_owned);
        if let Some(there) = fields.text("timestamp").and_then(time) {
            let half = TimeDelta::milliseconds(500);
            let difference = ClockDifference {
                ahead: there + half - (now + (sent - begun) + trip / 2),
                within: trip / 2 + half,
            };
            *self.difference.lock().unwrap_or_else(PoisonError::into_inner) = Some(difference);
        }
        Ok(ManagerInfo { api_version, hostname, odd: fields.odd() })
    }

    /// Major and minor version; none before it was asked, or where it cannot be read.
    pub(in crate::connector::wazuh) fn version(&self) -> Option<(u32, u32)> {
        *self.version.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The UUID of the installation; none from a version that has none
    /// (`framework/wazuh/core/manager.py`).
    pub(in crate::connector::wazuh) async fn uuid(
        &self,
        now: Time,
    ) -> Result<Option<String>, ConnectorError> {
        let answer = self.read("/manager/info", "manager:read or cluster:read", now).await?;
        let item = answer.pointer("/affected_items/0/uuid");
        Ok(item.and_then(Value::as_str).map(|uuid| first_chars(&uuid)))
    }

    /// How far the manager's clock is ahead of ours; none before it said what time it is.
    pub(in crate::connector::wazuh) fn ahead(&self) -> Option<TimeDelta> {
        self.difference().map(|difference| difference.ahead)
    }

    /// How far the manager's clock is ahead of ours, asked anew. What was known before counts no more:
    /// our own clock may have been set.
    pub(in crate::connector::wazuh) async fn ahead_now(
        &self,
        now: Time,
    ) -> Result<Option<TimeDelta>, ConnectorError> {
        self.difference.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.info(now).await?;
        Ok(self.ahead())
    }

    /// How the clocks differ; none before the manager said what time it is.
    pub(in crate::connector::wazuh) fn difference(&self) -> Option<ClockDifference> {
        *self.difference.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The call that acts: once, on a connection of its own. The list is never empty: without one
    /// the manager would take every endpoint.
    pub(in crate::connector::wazuh) async fn respond(
        &self,
        endpoints: &[EndpointId],
        body: Vec<u8>,
        token: &Secret,
        now: Time,
    ) -> Result<Reply, TransportError> {
        let ids: Vec<_> = endpoints.iter().map(EndpointId::as_str).collect();
        let ids = ids.join(",");
        // wait_for_complete: otherwise the API gives up after 10 s while its work goes on.
        let path = format!("/active-response?agents_list={ids}&wait_for_complete=true");
        let request = self
            .calls
            .http
            .put(&path)
            .header("content-type", "application/json")
            .bearer_auth(token.expose())
            .body(body);
        self.calls.send(request, 1, CallPurpose::Act, now).await
    }
}

/// A time as Wazuh writes it: RFC 3339, or with `+0000` at the end.
pub(in crate::connector::wazuh) fn time(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .ok()
        .map(|time| time.with_timezone(&Utc))
}
