//! Wazuh 4.2 to 4.14: the API of a manager, and the indexer that holds its alerts.
//!
//! Everything that only Wazuh says stands here: paths, codes, names of commands, rules.

mod api;
mod command_names;
mod commands;
mod dispatch;
mod doctor;
mod fleet;
mod indexer;
mod inventory;
mod platform;
mod response_settings;
mod scripts;
mod settings;

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use api::connection::ManagerConnection;
use chrono::TimeDelta;
use command_names::{CommandNames, Discovered};
use commands::{CommandPlace, CommandRequest};
use fleet::Fleet;
use indexer::{evidence::IndexerClock, search::IndexerClient};
use response_settings::ResponseSettings;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    BoxFuture, Capabilities, CorrelationTag, Diagnosis, DispatchResult, DispatchTurn, Driver,
    driver::Health, http::error::ConnectorError, wazuh::api::rate_budget::CallPurpose,
};
use crate::domain::{
    Time,
    action::{Action, Term},
    endpoint::{EndpointId, Inventory, Platform, Selection, SkipReason},
    evidence::{FoundCalls, Observation, RuleResponses, TargetAlerts, Watched},
    facts::{AlertFacts, AlertShown, IndexerState},
    id::RequestId,
    permit::ExecutionPermit,
    request::Undone,
};

pub use indexer::fields::{AlertFields, AlertForm};
pub use settings::{IndexerSettings, KEEP_GRAMMAR, WazuhSettings, kept_host};

/// A Wazuh manager, and perhaps its indexer.
#[derive(Debug)]
pub(super) struct Wazuh {
    settings: WazuhSettings,
    manager: ManagerConnection,
    indexer: Option<IndexerClient>,
    names: CommandNames,
    fleet: Fleet,
    response_settings: ResponseSettings,
    /// One is held by whatever makes the manager wait for an endpoint.
    turns: Arc<Semaphore>,
}

impl Wazuh {
    /// Checks the settings; nothing is called yet.
    pub(super) fn new(settings: WazuhSettings) -> Result<Self, ConnectorError> {
        settings.check()?;
        let manager = ManagerConnection::new(&settings)?;
        let turns = Arc::new(Semaphore::new(settings.calls_in_flight.into()));
        let indexer = settings.indexer.as_ref();
        let indexer = indexer.map(|indexer| IndexerClient::new(indexer, &settings)).transpose()?;
        Ok(Self {
            settings,
            manager,
            indexer,
            names: CommandNames::default(),
            fleet: Fleet::default(),
            response_settings: ResponseSettings::default(),
            turns,
        })
    }

    /// Waits for the turn to make the manager wait for an endpoint.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    /// A moment by the manager's clock, which alerts carry; by ours while it is not known.
    fn there(&self, now: Time) -> Time {
        now + self.manager.ahead().unwrap_or_default()
    }

    /// Our clock beside the manager's, by which alerts are dated.
    fn indexer_clock(&self, now: Time) -> IndexerClock {
        IndexerClock { ahead: self.manager.ahead().unwrap_or_default(), now }
    }

    /// How long an endpoint's own alert may take; none without an indexer.
    fn confirm_within(&self) -> Option<TimeDelta> {
        self.indexer.as_ref().map(|indexer| indexer.confirm_within)
    }
}

impl Wazuh {
    fn wanted<'a>(
        &'a self,
        action: &'a Action,
        term: Term,
        undone: Option<&'a Undone>,
    ) -> CommandRequest<'a> {
        let WazuhSettings { undo_commands: undo, keeps, .. } = &self.settings;
        CommandRequest { action, term, undo, keeps, undone }
    }

    /// Whether some node has a command for it; else the reason of the last one.
    fn runs_on(
        &self,
        discovered: &Discovered,
        action: &Action,
        term: Term,
        platform: Platform,
    ) -> Result<(), SkipReason> {
        let wanted = self.wanted(action, term, None);
        let mut obstacle = Ok(());
        for names in discovered.nodes.values() {
            let names = names.as_deref().map_err(String::as_str);
            let (has_companions, kept_for) = (false, None);
            match wanted.command(CommandPlace { platform, names, has_companions, kept_for }) {
                Ok(_) => return Ok(()),
                Err(why) => obstacle = Err(why),
            }
        }
        obstacle
    }
}

impl Driver for Wazuh {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn url(&self) -> &str {
        &self.manager.reads.http.address.url
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            confirm_within: self.confirm_within(),
            batch_endpoints_max: self.settings.batch_endpoints_max.into(),
            calls_in_flight: self.settings.calls_in_flight.into(),
        }
    }

    fn health(&self, now: Time) -> Health {
        self.manager.budget.health(now)
    }

    fn hosts(&self) -> Vec<String> {
        let indexer = self.indexer.as_ref().map(|indexer| &indexer.http);
        let systems = [Some(&self.manager.reads.http), indexer].into_iter().flatten();
        systems.map(|http| http.address.host.clone()).collect()
    }

    fn endpoint_addresses(&self, now: Time) -> BoxFuture<'_, Result<Vec<IpAddr>, ConnectorError>> {
        Box::pin(self.manager.endpoint_addresses(now))
    }

    fn connected(
        &self,
        ids: Vec<EndpointId>,
        now: Time,
    ) -> BoxFuture<'_, Result<BTreeSet<EndpointId>, ConnectorError>> {
        Box::pin(self.manager.connected(ids, now))
    }

    fn body(&self, command: &str, action: &Action, tag: &CorrelationTag) -> Vec<u8> {
        dispatch::body(command, action, tag)
    }

    fn resolve<'a>(
        &'a self,
        selection: &'a Selection,
        action: &'a Action,
        term: Term,
        now: Time,
    ) -> BoxFuture<'a, Result<Inventory, ConnectorError>> {
        Box::pin(async move {
            let wanted = self.wanted(action, term, None);
            Ok(self.survey(selection, wanted, now).await?.inventory)
        })
    }

    fn resolve_undo<'a>(
        &'a self,
        undone: &'a Undone,
        (selection, action): (&'a Selection, &'a Action),
        term: Term,
        now: Time,
    ) -> BoxFuture<'a, Result<Inventory, ConnectorError>> {
        Box::pin(async move {
            let wanted = self.wanted(action, term, Some(undone));
            Ok(self.survey(selection, wanted, now).await?.inventory)
        })
    }

    fn can_run<'a>(
        &'a self,
        action: &'a Action,
        term: Term,
        platform: Platform,
        now: Time,
    ) -> BoxFuture<'a, Result<(), SkipReason>> {
        Box::pin(async move {
            let discovered = self.names.discover(&self.manager, &BTreeSet::new(), now).await;
            let discovered = discovered.unwrap_or_else(|error| Discovered::nothing(&error, now));
            self.runs_on(&discovered, action, term, platform)
        })
    }

    fn sign_in(&self, now: Time) -> BoxFuture<'_, Result<DispatchTurn, ConnectorError>> {
        Box::pin(async move {
            let ManagerConnection { login, reads, .. } = &self.manager;
            login.token(reads, CallPurpose::Act, now).await?;
            Ok(DispatchTurn(self.turn().await))
        })
    }

    fn dispatch(
        &self,
        permit: ExecutionPermit,
        turn: DispatchTurn,
        now: Time,
    ) -> BoxFuture<'_, DispatchResult> {
        Box::pin(self.send(permit, turn, now))
    }

    fn observe<'a>(
        &'a self,
        watched: &'a [Watched],
        now: Time,
    ) -> BoxFuture<'a, Result<Observation, ConnectorError>> {
        Box::pin(self.find_evidence(watched, now))
    }

    fn find_calls(
        &self,
        request: Option<RequestId>,
        since: Option<Time>,
        now: Time,
    ) -> BoxFuture<'_, Result<FoundCalls, ConnectorError>> {
        Box::pin(self.search_calls(request, since, now))
    }

    fn rule_responses(
        &self,
        since: Time,
        now: Time,
    ) -> BoxFuture<'_, Result<RuleResponses, ConnectorError>> {
        Box::pin(self.find_rule_responses(since, now))
    }

    fn indexer_state(&self, now: Time) -> BoxFuture<'_, IndexerState> {
        Box::pin(async move {
            match &self.indexer {
                None => IndexerState::Unknown,
                Some(indexer) => indexer.state(self.there(now)).await,
            }
        })
    }

    fn probe_indexer(&self, now: Time) -> BoxFuture<'_, Option<Result<String, String>>> {
        Box::pin(async move { Some(self.indexer.as_ref()?.lag(self.there(now)).await) })
    }

    fn alert_url(&self, alert: &AlertShown) -> Option<String> {
        self.indexer.as_ref()?.alert_url(alert)
    }

    fn find_alert<'a>(
        &'a self,
        alert_id: &'a str,
        action: &'a Action,
        now: Time,
    ) -> BoxFuture<'a, AlertFacts> {
        Box::pin(async move {
            let found = match &self.indexer {
                None => Err("no indexer is configured, so no alert can be looked up".to_owned()),
                Some(indexer) => indexer.find(alert_id, action, self.indexer_clock(now)).await,
            };
            found.unwrap_or_else(|summary| AlertFacts { summary, ..AlertFacts::default() })
        })
    }

    fn alerts_naming<'a>(
        &'a self,
        action: &'a Action,
        now: Time,
    ) -> BoxFuture<'a, Result<Option<TargetAlerts>, ConnectorError>> {
        Box::pin(async move {
            match &self.indexer {
                None => Ok(None),
                Some(indexer) => indexer.alerts_naming(action, self.indexer_clock(now)).await,
            }
        })
    }

    fn probe(&self, now: Time) -> BoxFuture<'_, Result<String, ConnectorError>> {
        Box::pin(async move { Ok(self.manager.info(now).await?.words()) })
    }

    fn clock_ahead(&self, now: Time) -> BoxFuture<'_, Result<Option<TimeDelta>, ConnectorError>> {
        Box::pin(self.manager.ahead_now(now))
    }

    fn identity(&self, now: Time) -> BoxFuture<'_, Result<Option<String>, ConnectorError>> {
        Box::pin(self.manager.uuid(now))
    }

    fn probe_if_due(&self, now: Time) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if self.manager.budget.probe_due(now) {
                // The budget records how it ended.
                let _answered = self.manager.info(now).await.is_ok();
            }
        })
    }

    fn diagnose(&self, now: Time) -> BoxFuture<'_, Vec<Diagnosis>> {
        Box::pin(self.findings(now))
    }
}
