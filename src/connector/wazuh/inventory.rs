//! What the manager knows of endpoints (`GET /agents`), and which of them can run a response.
//!
//! An endpoint that does not say something gets the strict reading.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use serde::Deserialize;

use super::{
    Wazuh,
    api::connection::{ManagerConnection, time, version},
    command_names::Discovered,
    commands::CommandRequest,
};
use crate::{
    connector::http::error::ConnectorError,
    domain::{
        Time,
        endpoint::{Candidate, Endpoint, EndpointId, Inventory, Platform, Selection, SkipReason},
    },
};

/// Named ids per call: the URL stays short.
const IDS_PER_CALL: usize = 100;
/// Endpoints per page: few calls for a large fleet, as all of a minute's are counted.
const PAGE: usize = 2000;
/// The largest fleet.
const ENDPOINTS_MAX: usize = 100_000;
const SELECT: &str = "id,name,ip,status,group,os.platform,version,dateAdd,node_name,lastKeepAlive";
/// An endpoint that has been quiet for longer than this, while others spoke, may be gone. They speak
/// every few seconds, and the manager takes 15 minutes to notice.
const SILENT: TimeDelta = TimeDelta::seconds(90);
/// The oldest agent that gets a response as JSON; to older ones the alert, and with it the
/// target, is not sent.
const VERSION_MIN: (u32, u32) = (4, 2);

/// What `os.platform` says on Linux: `ID` of `/etc/os-release`, or the words of Wazuh's
/// `src/shared/version_op.c` where there is none.
const LINUX: &[&str] = &[
    "almalinux",
    "alpine",
    "amzn",
    "arch",
    "archarm",
    "azurelinux",
    "centos",
    "cloudlinux",
    "debian",
    "elementary",
    "fedora",
    "gentoo",
    "kali",
    "linuxmint",
    "manjaro",
    "mariner",
    "nixos",
    "ol",
    "openeuler",
    "openEuler",
    "opensuse",
    "opensuse-leap",
    "opensuse-tumbleweed",
    "parrot",
    "photon",
    "pop",
    "raspbian",
    "rhel",
    "rocky",
    "scientific",
    "slackware",
    "sled",
    "sles",
    "sles_sap",
    "suse",
    "ubuntu",
    "void",
];

#[derive(Deserialize)]
struct ApiAgentPage {
    affected_items: Vec<ApiAgent>,
    total_affected_items: usize,
}

/// An endpoint in the manager's words; what is not known is left out.
#[derive(Deserialize)]
struct ApiAgent {
    id: String,
    name: Option<String>,
    ip: Option<String>,
    status: Option<String>,
    #[serde(default)]
    group: Vec<String>,
    #[serde(default)]
    os: AgentOs,
    version: Option<String>,
    #[serde(rename = "dateAdd")]
    date_added: Option<String>,
    node_name: Option<String>,
    #[serde(rename = "lastKeepAlive")]
    last_keep_alive: Option<String>,
}

#[derive(Deserialize, Default)]
struct AgentOs {
    platform: Option<String>,
}

impl Wazuh {
    /// The endpoints of a selection with their commands, in the order of ids.
    pub(super) async fn inventory(
        &self,
        selection: &Selection,
        wanted: CommandRequest<'_>,
        now: Time,
    ) -> Result<Inventory, ConnectorError> {
        let agents = self.manager.agents(selection, now).await?;
        let unknown = match selection {
            Selection::All => Vec::new(),
            Selection::Ids(ids) => {
                // Also those that the API user may not see: the manager does not distinguish the two.
                ids.iter().filter(|id| !agents.contains_key(*id)).cloned().collect()
            }
        };
        let active = || agents.values().filter(|agent| agent.active());
        let nodes = active().filter_map(|agent| agent.node_name.clone()).collect();
        let discovered = match self.names.discover(&self.manager, &nodes, now).await {
            Err(error) if !wanted.needs_names() => Discovered::nothing(&error, now),
            discovered => discovered?,
        };
        let there = self.manager.ahead().map(|ahead| now + ahead);
        let newest = active().filter_map(ApiAgent::seen).chain(there).max();
        let mut candidates: Vec<_> = agents
            .into_iter()
            .map(|(id, agent)| agent.candidate(id, newest, (wanted, &discovered)))
            .collect();
        if matches!(selection, Selection::Ids(_)) {
            self.ask_whether_on(&mut candidates, now).await;
        }
        Ok(Inventory { candidates, unknown, read_at: now })
    }
}

impl ManagerConnection {
    /// What the manager says of the endpoints of a selection, by id.
    async fn agents(
        &self,
        selection: &Selection,
        now: Time,
    ) -> Result<BTreeMap<EndpointId, ApiAgent>, ConnectorError> {
        let mut agents = BTreeMap::new();
        match selection {
            Selection::All => self.collect("q=id!=000", &mut agents, now).await?,
            Selection::Ids(ids) => {
                for chunk in ids.chunks(IDS_PER_CALL) {
                    let chunk: Vec<_> = chunk.iter().map(EndpointId::as_str).collect();
                    let filter = format!("agents_list={}", chunk.join(","));
                    self.collect(&filter, &mut agents, now).await?;
                }
                let asked: BTreeSet<_> = ids.iter().collect();
                agents.retain(|id, _| asked.contains(id));
            }
        }
        // The manager itself cannot be a target.
        agents.retain(|id, _| id.as_str().bytes().any(|digit| digit != b'0'));
        Ok(agents)
    }

    /// Reads all pages of a list. Sorted by id, so that an endpoint that joins meanwhile moves
    /// none of those that are still to be read.
    async fn collect(
        &self,
        filter: &str,
        agents: &mut BTreeMap<EndpointId, ApiAgent>,
        now: Time,
    ) -> Result<(), ConnectorError> {
        for offset in (0..ENDPOINTS_MAX).step_by(PAGE) {
            let path =
                format!("/agents?{filter}&select={SELECT}&sort=id&limit={PAGE}&offset={offset}");
            let page: ApiAgentPage = self.read(&path, "agent:read", now).await?;
            let last =
                page.affected_items.len() < PAGE || offset + PAGE >= page.total_affected_items;
            for agent in page.affected_items {
                if let Some(id) = EndpointId::parse(&agent.id) {
                    agents.insert(id, agent);
                }
            }
            if last {
                return Ok(());
            }
        }
        let (system, limit) =
            (self.reads.http.system.clone(), format!("{ENDPOINTS_MAX} endpoints"));
        Err(ConnectorError::TooLarge { system, limit })
    }
}

impl ApiAgent {
    fn active(&self) -> bool {
        self.status.as_deref() == Some("active")
    }

    /// When the manager last heard of it.
    fn seen(&self) -> Option<Time> {
        self.last_keep_alive.as_deref().and_then(time)
    }

    /// `newest`: when the manager last heard of any endpoint, or its own present time.
    fn candidate(
        self,
        id: EndpointId,
        newest: Option<Time>,
        (wanted, discovered): (CommandRequest<'_>, &Discovered),
    ) -> Candidate {
        let platform = platform(self.os.platform.as_deref());
        let quiet = |seen: Time| newest.is_some_and(|newest| newest - seen > SILENT);
        let silent = self.active() && self.seen().is_none_or(quiet);
        let command = self
            .fit()
            .and_then(|()| wanted.command(platform, discovered.on(self.node_name.as_deref())));
        let endpoint = Endpoint {
            id,
            name: self.name.unwrap_or_default(),
            date_added: self.date_added.unwrap_or_default(),
            platform,
            groups: self.group,
            address: self.ip.filter(|ip| ip != "any"),
        };
        Candidate { endpoint, command, silent }
    }

    /// Whether it can take a response at all.
    fn fit(&self) -> Result<(), SkipReason> {
        if !self.active() {
            let status = self.status.as_deref().unwrap_or("unknown");
            return Err(SkipReason::NotActive(status.to_owned()));
        }
        let text = self.version.as_deref().unwrap_or("of unknown version");
        if version(text).is_none_or(|version| version < VERSION_MIN) {
            return Err(SkipReason::TooOld(text.to_owned()));
        }
        if self.date_added.is_none() {
            let why = "the manager does not say when it was added, so it cannot be told from \
                       another machine under its id";
            return Err(SkipReason::NoCommand(why.to_owned()));
        }
        Ok(())
    }
}

fn platform(word: Option<&str>) -> Platform {
    match word {
        Some("windows") => Platform::Windows,
        Some("darwin") => Platform::MacOs,
        Some(word) if LINUX.contains(&word) => Platform::Linux,
        Some(_) | None => Platform::Other,
    }
}
