//! The manager's API: reads, and the one call that acts.

use std::fmt;

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    error::ConnectorError,
    http::{Address, Connections, Failure, Reply, Site, cut},
    login::Login,
    settings::{Secret, Settings},
};
use crate::domain::{Time, endpoint::EndpointId};

/// What a manager says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagerInfo {
    /// The version of its API, such as `4.14.7`.
    pub api_version: String,
    /// The name of its machine.
    pub hostname: String,
}

impl ManagerInfo {
    /// Whether it takes responses the way this connector sends them: from 4.2 on, and no longer
    /// in 5.0.
    pub fn takes_responses(&self) -> bool {
        version(&self.api_version).is_some_and(|version| ((4, 2)..(5, 0)).contains(&version))
    }
}

impl fmt::Display for ManagerInfo {
    /// "API 4.14.7 on wazuh-manager".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "API {} on {}", cut(&self.api_version), cut(&self.hostname))
    }
}

/// Major and minor of a version such as `4.14.7` or `Wazuh v4.14.7`.
pub(super) fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.strip_prefix("Wazuh ").unwrap_or(text).trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[derive(Debug)]
pub(super) struct Manager {
    pub(super) reads: Site,
    pub(super) calls: Site,
    pub(super) login: Login,
}

impl Manager {
    pub(super) fn new(settings: &Settings) -> Result<Self, ConnectorError> {
        let Settings { name, url, user, password, tls, .. } = settings;
        let address = Address::read(url, tls, "manager")?;
        let system = format!("the manager {name} at {}", address.url);
        let place = || (system.clone(), address.clone());
        let (read, call) = (settings.read_deadline, settings.call_deadline);
        Ok(Self {
            reads: Site::new(place(), tls, "manager", Connections::Kept, read)?,
            calls: Site::new(place(), tls, "manager", Connections::Fresh, call)?,
            login: Login::new(user.clone(), password.clone()),
        })
    }

    /// Reads something. A token that is refused is renewed once: it may have died before its
    /// time, when the user's rights changed or the manager restarted.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        path: &str,
        right: &str,
        now: Time,
    ) -> Result<T, ConnectorError> {
        let mut reply = self.read_once(path, now).await?;
        if reply.status == 401 {
            reply = self.read_once(path, now).await?;
        }
        if reply.status != 200 {
            return Err(self.reads.refusal(&reply, right));
        }
        reply.json().map_err(|detail| self.reads.malformed(&reply, detail))
    }

    async fn read_once(&self, path: &str, now: Time) -> Result<Reply, ConnectorError> {
        let token = self.login.token(&self.reads, now).await?;
        let reply = self.reads.send(self.reads.get(path).bearer_auth(token.expose()), 8).await?;
        if reply.status == 401 {
            self.login.forget(&token).await;
        }
        Ok(reply)
    }

    pub(super) async fn info(&self, now: Time) -> Result<ManagerInfo, ConnectorError> {
        #[derive(Deserialize)]
        struct Answer {
            data: Data,
        }
        #[derive(Deserialize)]
        struct Data {
            api_version: String,
            #[serde(default)]
            hostname: String,
        }
        let Answer { data } = self.read("/", "to use the API", now).await?;
        Ok(ManagerInfo { api_version: data.api_version, hostname: data.hostname })
    }

    /// The call that acts: once, on a connection of its own. The list is never empty: without one
    /// the manager would take every endpoint.
    pub(super) async fn respond(
        &self,
        endpoints: &[EndpointId],
        body: Vec<u8>,
        token: &Secret,
    ) -> Result<Reply, Failure> {
        let ids: Vec<_> = endpoints.iter().map(EndpointId::as_str).collect();
        let ids = ids.join(",");
        // wait_for_complete: otherwise the API gives up after 10 s while its work goes on.
        let path = format!("/active-response?agents_list={ids}&wait_for_complete=true");
        let request = self
            .calls
            .put(&path)
            .header("content-type", "application/json")
            .bearer_auth(token.expose())
            .body(body);
        self.calls.send(request, 1).await
    }
}
