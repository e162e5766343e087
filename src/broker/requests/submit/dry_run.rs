//! What would become of a proposal: policy is asked as for an ask, and nothing is asked for.

use serde_json::{Map, Value};

use super::find_repeated;
use crate::{
    broker::{Broker, BrokerError, signed_in::active_agent},
    connector::{Connector, ConnectorError, asked_by},
    domain::{
        Time,
        action::{ActionKind, Term},
        actor::{Actor, Agent},
        audit::{
            AuditDetail, AuditEvent,
            detail::request::{DecisionFacts, DryRunFacts},
        },
        endpoint::{EndpointId, Inventory, Selection},
        id::RequestId,
        proposal::Proposal,
        request::Request,
    },
    store::audit,
};

/// How endpoints are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Survey {
    /// As for a request: the manager may ask those that are named whether they take responses.
    Asked,
    /// By the manager's list alone: no endpoint hears of it.
    Listed,
}

impl Survey {
    /// The endpoints of a proposal at a manager.
    pub(super) async fn of(
        self,
        connector: &Connector,
        proposal: &Proposal,
        now: Time,
    ) -> Result<Inventory, ConnectorError> {
        let Proposal { selection, action, term, .. } = proposal;
        let ids = match (self, selection) {
            (Self::Asked, _) | (Self::Listed, Selection::All) => {
                return connector.resolve(selection, action, *term, now).await;
            }
            (Self::Listed, Selection::Ids(ids)) => ids,
        };
        let mut found = only(connector.resolve(&Selection::All, action, *term, now).await?, ids);
        if found.candidates.iter().all(|candidate| candidate.command.is_err()) {
            // No manager has a timeout so short, so that it names all that it has.
            let least = Term::Seconds(1);
            let all = connector.resolve(&Selection::All, action, least, now).await?;
            found.other_terms = only(all, ids).other_terms;
        }
        Ok(found)
    }
}

/// What an inventory of all endpoints says of some.
fn only(mut all: Inventory, ids: &[EndpointId]) -> Inventory {
    all.candidates.retain(|candidate| ids.contains(&candidate.endpoint.id));
    for other in &mut all.other_terms {
        other.commands.retain(|id, _| ids.contains(id));
    }
    all.other_terms.retain(|other| !other.commands.is_empty());
    let known = all.by_id();
    let unknown = ids.iter().filter(|id| !known.contains_key(id)).cloned().collect();
    Inventory { unknown, ..all }
}

impl Broker {
    /// The request that a proposal would become, with policy's answer, and the agent's open request
    /// that it would give in its place. Stores that it was tried, and nothing else; counts as an ask
    /// within the minute, and never as a refusal.
    pub async fn dry_run(
        &self,
        agent: &Agent,
        kind: ActionKind,
        arguments: &Map<String, Value>,
    ) -> Result<(Request, Option<RequestId>), BrokerError> {
        match asked_by(agent.id, self.try_dry_run(agent, kind, arguments)).await {
            Ok(tried) => Ok(tried),
            Err(error) => Err(self.refuse_proposal(agent, kind, error).await),
        }
    }

    async fn try_dry_run(
        &self,
        agent: &Agent,
        kind: ActionKind,
        arguments: &Map<String, Value>,
    ) -> Result<(Request, Option<RequestId>), BrokerError> {
        let _place = self.acquire_slot(agent).await?;
        let proposal = &self.read_proposal(kind, arguments).await?;
        let draft = self.frozen_draft(agent, proposal, Survey::Listed).await?;
        let mut reader = self.store().reader().await?;
        let agent = &active_agent(&mut reader, agent).await?;
        let repeats = find_repeated(&mut reader, agent, (proposal, draft.ask)).await?;
        let now = draft.request.asked_at;
        let first = self.decide_first(&mut reader, &draft.request, agent, now).await?;
        drop(reader);
        let request = self.decided(draft.request, first.decision, first.history).into_request();
        let detail = AuditDetail::ProposalDryRun(DryRunFacts {
            effect: request.effect(),
            manager: request.manager.clone(),
            decision: DecisionFacts::from(&request.decision),
            step: None,
        });
        let mut event = AuditEvent::new(Actor::from(agent), None, detail);
        event.action = Some(kind.name().to_owned());
        let event = &event;
        let store = self.store().for_agents();
        store
            .write(|tx| {
                Box::pin(async move {
                    // Others of its asks may have been stored in the meantime.
                    self.check_rate(tx, agent, (1, self.clock().now())).await?;
                    audit::append(tx, event, now).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await?;
        Ok((request, repeats))
    }
}
