//! The manager's list of endpoints (`GET /agents`): read in few calls, row by row.

use std::{collections::BTreeMap, collections::BTreeSet, net::IpAddr, sync::Arc};

use chrono::TimeDelta;
use serde_json::Value;
use tokio::sync::Mutex;

use super::{
    Wazuh,
    api::{
        connection::{ManagerConnection, time},
        fields::Fields,
    },
    platform::OperatingSystem,
};
use crate::{
    connector::{
        http::{client::first_chars, error::ConnectorError},
        share::asker,
    },
    domain::{
        Time,
        endpoint::{EndpointId, Selection},
    },
};

/// Named ids per call: the URL stays short.
const IDS_PER_CALL: usize = 100;
/// Endpoints per page: few calls for a large fleet, as all of a minute's are counted.
const PAGE: usize = 2000;
/// The largest fleet.
const ENDPOINTS_MAX: usize = 100_000;
const SELECT: &str = "id,name,ip,status,group,os.platform,os.uname,version,dateAdd,node_name,\
                      lastKeepAlive";
/// All endpoints but the manager itself.
const ALL: &str = "q=id!=000";
/// So many calls by names are not worth a look at the fleet.
const FEW_CALLS: usize = 4;
/// For how long asks rest on one list of all endpoints. What is about to be sent rests on a new one.
const FLEET_FRESH: TimeDelta = TimeDelta::seconds(5);

/// The list of all endpoints that the asks of the same seconds share, and when it was read.
#[derive(Debug, Default)]
pub(super) struct Fleet(Mutex<Option<(Time, Arc<Listed>)>>);

/// What the manager listed.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) agents: BTreeMap<EndpointId, ApiAgent>,
    /// Why rows belong to no endpoint.
    pub(super) without_id: Vec<String>,
}

/// An endpoint in the manager's words; what is left out or odd there is left out.
#[derive(Debug, Clone)]
pub(super) struct ApiAgent {
    pub(super) name: Option<String>,
    pub(super) ip: Option<String>,
    pub(super) status: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) system: OperatingSystem,
    pub(super) version: Option<String>,
    pub(super) date_added: Option<String>,
    pub(super) node_name: Option<String>,
    /// When the manager last heard of it.
    pub(super) seen: Option<Time>,
    /// What is odd about the row.
    pub(super) odd: Option<String>,
}

impl Wazuh {
    /// What the manager says of a selection, and when it said so. For asks, all endpoints are read
    /// once within some seconds: a burst costs the manager no more than one of them.
    pub(super) async fn listed(
        &self,
        selection: &Selection,
        now: Time,
    ) -> Result<(Time, Arc<Listed>), ConnectorError> {
        if asker().is_none() || !matches!(selection, Selection::All) {
            return Ok((now, Arc::new(self.manager.agents(selection, now).await?)));
        }
        let mut fleet = self.fleet.0.lock().await;
        if let Some((read_at, listed)) = &*fleet
            && (now - *read_at).abs() < FLEET_FRESH
        {
            return Ok((*read_at, Arc::clone(listed)));
        }
        let listed = Arc::new(self.manager.agents(selection, now).await?);
        *fleet = Some((now, Arc::clone(&listed)));
        Ok((now, listed))
    }
}

impl ManagerConnection {
    /// What the manager says of the endpoints of a selection, by id.
    pub(super) async fn agents(
        &self,
        selection: &Selection,
        now: Time,
    ) -> Result<Listed, ConnectorError> {
        let mut listed = Listed::default();
        match selection {
            Selection::All => self.collect(ALL, &mut listed, now).await?,
            Selection::Ids(ids) => {
                self.collect_named(ids, &mut listed, now).await?;
                let asked: BTreeSet<_> = ids.iter().collect();
                listed.agents.retain(|id, _| asked.contains(id));
            }
        }
        // The manager itself cannot be a target.
        listed.agents.retain(|id, _| id.as_str().bytes().any(|digit| digit != b'0'));
        Ok(listed)
    }

    /// The addresses of all endpoints; one that cannot be read is left out.
    pub(super) async fn endpoint_addresses(
        &self,
        now: Time,
    ) -> Result<Vec<IpAddr>, ConnectorError> {
        let listed = self.agents(&Selection::All, now).await?;
        let addresses = listed.agents.into_values().filter_map(|agent| agent.ip?.parse().ok());
        Ok(addresses.collect())
    }

    /// Which of these endpoints are connected.
    pub(super) async fn connected(
        &self,
        ids: Vec<EndpointId>,
        now: Time,
    ) -> Result<BTreeSet<EndpointId>, ConnectorError> {
        let listed = self.agents(&Selection::Ids(ids), now).await?;
        let active = listed.agents.into_iter().filter(|(_, agent)| agent.active());
        Ok(active.map(|(id, _)| id).collect())
    }

    /// Reads named endpoints in the fewest calls: some at once by their names, or for many of a fleet
    /// all of it by pages.
    async fn collect_named(
        &self,
        ids: &[EndpointId],
        listed: &mut Listed,
        now: Time,
    ) -> Result<(), ConnectorError> {
        let calls = ids.len().div_ceil(IDS_PER_CALL);
        if calls > FEW_CALLS && self.collect_within(ALL, calls, listed, now).await? {
            return Ok(());
        }
        *listed = Listed::default();
        for chunk in ids.chunks(IDS_PER_CALL) {
            let chunk: Vec<_> = chunk.iter().map(EndpointId::as_str).collect();
            let filter = format!("agents_list={}", chunk.join(","));
            self.collect(&filter, listed, now).await?;
        }
        Ok(())
    }

    /// Reads all pages of a list. Sorted by id, so that an endpoint that joins meanwhile moves
    /// none of those that are still to be read.
    async fn collect(
        &self,
        filter: &str,
        listed: &mut Listed,
        now: Time,
    ) -> Result<(), ConnectorError> {
        let complete = self.collect_within(filter, ENDPOINTS_MAX / PAGE, listed, now).await?;
        if complete {
            return Ok(());
        }
        let (system, limit) =
            (self.reads.http.system.clone(), format!("{ENDPOINTS_MAX} endpoints"));
        Err(ConnectorError::TooLarge { system, limit })
    }

    /// The same in at most so many calls; whether it is complete. It stops at once where the manager
    /// says that there is more.
    async fn collect_within(
        &self,
        filter: &str,
        calls: usize,
        listed: &mut Listed,
        now: Time,
    ) -> Result<bool, ConnectorError> {
        for offset in (0..calls * PAGE).step_by(PAGE) {
            let path =
                format!("/agents?{filter}&select={SELECT}&sort=id&limit={PAGE}&offset={offset}");
            let page = self.read(&path, "agent:read", now).await?;
            let mut fields = Fields::of(&page);
            let Some(rows) = fields.needed_list("affected_items") else {
                return Err(self.malformed(&fields));
            };
            for row in rows {
                match ApiAgent::read(row) {
                    Ok((id, agent)) => drop(listed.agents.insert(id, agent)),
                    Err(why) => listed.without_id.push(why),
                }
            }
            // Where the total cannot be read, a page that is not full is the last.
            let total = fields.number("total_affected_items").map(usize::try_from);
            let total = total.and_then(Result::ok).unwrap_or(usize::MAX);
            if rows.len() < PAGE || offset + PAGE >= total {
                return Ok(true);
            }
            if total != usize::MAX && total > calls * PAGE {
                return Ok(false);
            }
        }
        Ok(false)
    }
}

impl ApiAgent {
    /// Reads a row; the error says why it belongs to no endpoint.
    fn read(row: &Value) -> Result<(EndpointId, Self), String> {
        let mut fields = Fields::of(row);
        let id = fields.needed_text("id");
        let parsed = id.and_then(EndpointId::parse);
        if let (Some(text), None) = (id, &parsed) {
            let problem = format!("is {}, not {}", first_chars(&text), EndpointId::GRAMMAR);
            fields.note("id", &problem);
        }
        let Some(id) = parsed else {
            let odd = fields.odd().unwrap_or_default();
            let name = Fields::of(row).text("name").map(|name| first_chars(&name));
            return Err(name.map_or(odd.clone(), |name| format!("{odd} (its name is {name})")));
        };
        let mut text = |path| fields.text(path).map(str::to_owned);
        let agent = Self {
            name: text("name"),
            ip: text("ip").filter(|ip| ip != "any"),
            status: text("status"),
            version: text("version"),
            date_added: text("dateAdd"),
            node_name: text("node_name"),
            seen: text("lastKeepAlive").as_deref().and_then(time),
            system: OperatingSystem::of(
                text("os.uname").as_deref(),
                text("os.platform").as_deref(),
            ),
            groups: fields.texts("group").into_iter().map(str::to_owned).collect(),
            odd: fields.odd(),
        };
        Ok((id, agent))
    }

    /// Whether it is connected, by the manager's word.
    pub(super) fn active(&self) -> bool {
        self.status.as_deref() == Some("active")
    }

    /// Whether it was connected and may come back, by the manager's word.
    pub(super) fn away(&self) -> bool {
        self.status.as_deref() == Some("disconnected")
    }
}
