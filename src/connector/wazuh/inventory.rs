//! What the manager knows of endpoints (`GET /agents`), and which of them can run a response.
//!
//! An endpoint that does not say something gets the strict reading.

use std::{collections::BTreeMap, ops::RangeInclusive};

use chrono::{DateTime, TimeDelta};

use super::{
    Wazuh,
    api::connection::version,
    command_names::Discovered,
    commands::{CommandPlace, CommandRequest},
    fleet::{ApiAgent, Listed},
};
use crate::{
    connector::http::{client::first_chars, error::ConnectorError},
    domain::{
        Time,
        action::Term,
        endpoint::{
            Candidate, Endpoint, EndpointId, Inventory, OtherTerm, Platform, Selection, SkipReason,
        },
    },
};

/// An endpoint that has been quiet for longer than this, while others spoke, may be gone. They speak
/// every few seconds, and the manager takes 15 minutes to notice.
const SILENT: TimeDelta = TimeDelta::seconds(90);
/// How far the clocks may be apart where the manager does not say what time it is.
const CLOCKS_APART: TimeDelta = TimeDelta::days(1);
/// The oldest agent that gets a response as JSON; to older ones the alert, and with it the
/// target, is not sent.
const VERSION_MIN: (u32, u32) = (4, 2);

/// An inventory with what has no place in one.
pub(super) struct Survey {
    pub(super) inventory: Inventory,
    /// Why rows belong to no endpoint: they have no readable id.
    pub(super) without_id: Vec<String>,
    /// Connected endpoints, by the manager's word for a platform that is not known.
    pub(super) unknown_platforms: BTreeMap<String, Vec<EndpointId>>,
}

impl Wazuh {
    /// The endpoints of a selection with their commands, in the order of ids.
    pub(super) async fn survey(
        &self,
        selection: &Selection,
        wanted: CommandRequest<'_>,
        now: Time,
    ) -> Result<Survey, ConnectorError> {
        let (read_at, listed) = self.listed(selection, now).await?;
        let Listed { agents, without_id } = &*listed;
        let active = || agents.values().filter(|agent| agent.active() && agent.odd.is_none());
        let known = || agents.values().filter(|agent| agent.odd.is_none());
        // An endpoint that is away gets the command of the node that it reported to.
        let nodes = known().filter(|agent| agent.active() || agent.away());
        let nodes = nodes.filter_map(|agent| agent.node_name.clone()).collect();
        let discovered = match self.names.discover(&self.manager, &nodes, now).await {
            Err(error) if !wanted.needs_names() => Discovered::nothing(&error, now),
            discovered => discovered?,
        };
        let heard = self.last_heard(active(), read_at);
        let unknown = match selection {
            Selection::All => Vec::new(),
            Selection::Ids(ids) => {
                // Also those that the API user may not see: the manager does not distinguish the two.
                ids.iter().filter(|id| !agents.contains_key(*id)).cloned().collect()
            }
        };
        let mut unknown_platforms: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (id, agent) in agents.iter().filter(|(_, agent)| agent.active() && agent.odd.is_none())
        {
            if let Some(words) = agent.system.unknown_words() {
                unknown_platforms.entry(words.to_owned()).or_default().push(id.clone());
            }
        }
        let candidates = agents
            .iter()
            .map(|(id, agent)| {
                let companions = self.settings.has_companions(&agent.groups);
                agent.candidate(id, (&heard, companions), (wanted, &discovered))
            })
            .collect();
        let mut inventory = Inventory { candidates, unknown, other_terms: Vec::new(), read_at };
        if let Some(why) = without_id.first() {
            inventory.doubt_unknown(why);
        }
        if matches!(selection, Selection::Ids(_)) {
            self.ask_whether_on(&mut inventory.candidates, now).await;
        }
        if !inventory.candidates.iter().any(|candidate| candidate.command.is_ok()) {
            inventory.other_terms =
                self.other_terms(&inventory.candidates, agents, (wanted, &discovered));
        }
        Ok(Survey { inventory, without_id: without_id.clone(), unknown_platforms })
    }

    /// How long a response could last instead: every timeout that is configured somewhere, asked of
    /// every endpoint that nothing but the manager's configuration keeps from running it.
    fn other_terms(
        &self,
        candidates: &[Candidate],
        agents: &BTreeMap<EndpointId, ApiAgent>,
        (wanted, discovered): (CommandRequest<'_>, &Discovered),
    ) -> Vec<OtherTerm> {
        // An undo is for what stands, however long that lasts.
        let open = |candidate: &&Candidate| {
            matches!(candidate.command, Err(SkipReason::NotConfigured(_)))
                && !wanted.kind().is_undo()
        };
        let ids = candidates.iter().filter(open).map(|candidate| &candidate.endpoint.id);
        let agents: Vec<_> = ids.filter_map(|id| agents.get_key_value(id)).collect();
        let possible = |term| {
            let wanted = CommandRequest { term, ..wanted };
            let command = |(id, agent): &(&EndpointId, &ApiAgent)| {
                let companions = self.settings.has_companions(&agent.groups);
                Some((
                    EndpointId::clone(id),
                    agent.command(id, companions, (wanted, discovered)).ok()?,
                ))
            };
            let commands: BTreeMap<_, _> = agents.iter().filter_map(command).collect();
            (!commands.is_empty()).then_some(OtherTerm { term, commands })
        };
        let terms = discovered.timeouts().into_iter().map(Term::Seconds).chain([Term::Permanent]);
        terms.filter_map(possible).collect()
    }

    /// The times at which an endpoint counts as heard of lately.
    fn last_heard<'a>(
        &self,
        active: impl Iterator<Item = &'a ApiAgent>,
        now: Time,
    ) -> RangeInclusive<Time> {
        let there = self.manager.ahead().map(|ahead| now + ahead);
        // A time that has not come must not make all others look silent.
        let latest = there.unwrap_or(now + CLOCKS_APART) + SILENT;
        let newest = active.filter_map(|agent| agent.seen).filter(|seen| *seen <= latest);
        let newest = newest.chain(there).max();
        newest.map_or(DateTime::UNIX_EPOCH, |newest| newest - SILENT)..=latest
    }
}

impl ApiAgent {
    /// `lately`: when it must have been heard of not to count as silent.
    fn candidate(
        &self,
        id: &EndpointId,
        (lately, has_companions): (&RangeInclusive<Time>, bool),
        (wanted, discovered): (CommandRequest<'_>, &Discovered),
    ) -> Candidate {
        let silent = self.active() && self.seen.is_none_or(|seen| !lately.contains(&seen));
        let command = || self.command(id, has_companions, (wanted, discovered));
        let when_back = self.away().then(|| self.ready(id).and_then(|()| command()).ok()).flatten();
        let command = self.fit(id).and_then(|()| command());
        let endpoint = Endpoint {
            id: id.clone(),
            name: self.name.clone().unwrap_or_default(),
            date_added: self.date_added.clone().unwrap_or_default(),
            platform: self.system.platform,
            groups: self.groups.clone(),
            address: self.ip.clone(),
        };
        Candidate { endpoint, command, silent, when_back }
    }

    /// What it would be sent, if it can take a response at all.
    fn command(
        &self,
        id: &EndpointId,
        has_companions: bool,
        (wanted, discovered): (CommandRequest<'_>, &Discovered),
    ) -> Result<String, SkipReason> {
        match self.system.unknown(wanted.kind()) {
            Some(why) => Err(SkipReason::NoCommand(why)),
            None => wanted.command(CommandPlace {
                platform: self.system.platform,
                names: discovered.on(self.node_name.as_deref()),
                has_companions,
                kept_for: wanted.kept_for(id),
            }),
        }
    }

    /// Whether it can take a response at all.
    fn fit(&self, id: &EndpointId) -> Result<(), SkipReason> {
        if let Some(odd) = &self.odd {
            return Err(unreadable(id, odd));
        }
        let Some(status) = &self.status else {
            return Err(unreadable(id, "`status` is missing"));
        };
        if !self.active() {
            return Err(SkipReason::NotActive(status.clone()));
        }
        self.ready(id)
    }

    /// Whether it could take a response, were it connected.
    fn ready(&self, id: &EndpointId) -> Result<(), SkipReason> {
        if let Some(odd) = &self.odd {
            return Err(unreadable(id, odd));
        }
        let unknown_version = |why: &str| {
            let why = format!("the agent of {id} is of unknown version: `version` is {why}");
            Err(SkipReason::Unreadable(why))
        };
        match self.version.as_deref().map(|text| (text, version(text))) {
            None => return unknown_version("missing"),
            Some((text, None)) => return unknown_version(&first_chars(&text)),
            Some((text, Some(version))) if version < VERSION_MIN => {
                return Err(SkipReason::TooOld(text.to_owned()));
            }
            Some((_, Some(_))) => {}
        }
        // Name and date tell it from another machine under its id.
        match (&self.name, &self.date_added) {
            (None, _) => Err(unreadable(id, "`name` is missing")),
            (_, None) => Err(unreadable(id, "`dateAdd` is missing")),
            (Some(_), Some(_)) => Ok(()),
        }
    }
}

impl Inventory {
    /// Ids that no row names may be those of rows that cannot be read.
    fn doubt_unknown(&mut self, why: &str) {
        for id in std::mem::take(&mut self.unknown) {
            let why = format!("the manager's list has a row without a readable id: {why}");
            let endpoint = Endpoint {
                id: id.clone(),
                name: String::new(),
                date_added: String::new(),
                platform: Platform::Other,
                groups: Vec::new(),
                address: None,
            };
            let command = Err(SkipReason::Unreadable(why));
            self.candidates.push(Candidate { endpoint, command, silent: false, when_back: None });
        }
        self.candidates.sort_by(|one, other| one.endpoint.id.cmp(&other.endpoint.id));
    }
}

fn unreadable(id: &EndpointId, odd: &str) -> SkipReason {
    SkipReason::Unreadable(format!("the manager's row of {id} cannot be read: {odd}"))
}
