//! What waits for people, with no more than policy must know to say for whom.

use std::collections::HashMap;

use super::load::action_alone;
use crate::{
    domain::{
        Time,
        actor::Agent,
        facts::RequestFacts,
        id::{AgentId, PersonId, PlanId},
    },
    store::{
        Read, StoreError, accounts,
        row::{At, Columns, text},
        sqlite::query,
    },
};

/// A request that waits for people.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Until when people may decide.
    pub deadline: Time,
    /// What policy may know of it: the same as of the whole request.
    pub facts: RequestFacts,
    /// Whether the person who looks has approved it already.
    pub voted: bool,
    /// The plan that it is a step of, and the heading of that.
    pub plan: Option<(PlanId, String)>,
}

/// All that wait, earliest deadline first, as one person sees them.
pub async fn pending(read: &mut impl Read, person: PersonId) -> Result<Vec<Pending>, StoreError> {
    let rows = query(
        "SELECT id, deadline, agent_id, owner_id, issuer_id, asker_id, action, action_entry,
             argument, plan_id, (SELECT heading FROM plan WHERE plan.id = plan_id) AS heading,
             (SELECT max(criticality) FROM request_endpoint
              WHERE request_id = request.id AND command IS NOT NULL) AS criticality,
             EXISTS (SELECT 1 FROM vote WHERE request_id = request.id AND person_id = $1
                     AND retracted_at IS NULL) AS voted
         FROM request WHERE state = 'pending' AND state IN ('pending', 'approved', 'dispatching') ORDER BY deadline, id",
    )
    .bind(person.to_string())
    .fetch_all(read.connection())
    .await?;
    let (mut agents, mut found) = (HashMap::new(), Vec::with_capacity(rows.len()));
    for row in &rows {
        let id = text(row, "id")?;
        let at = At { table: "request", id: &id };
        let row = at.columns(row);
        let asker = row.parse("agent_id")?;
        let known: Option<Agent> = agents.get(&asker).cloned();
        let agent = if let Some(agent) = known { agent } else { agent_of(read, at, asker).await? };
        agents.entry(asker).or_insert_with(|| agent.clone());
        found.push(read_row(row, agent)?);
    }
    Ok(found)
}

async fn agent_of(read: &mut impl Read, at: At<'_>, id: AgentId) -> Result<Agent, StoreError> {
    accounts::agent_by_id(read, id).await?.ok_or_else(|| at.wrong("its agent is gone"))
}

fn read_row(row: Columns<'_>, agent: Agent) -> Result<Pending, StoreError> {
    Ok(Pending {
        deadline: row.time("deadline")?,
        voted: row.flag("voted")?,
        plan: row.maybe_parse("plan_id")?.zip(row.maybe_text("heading")?),
        facts: RequestFacts {
            id: row.parse("id")?,
            agent,
            owner_then: row.parse("owner_id")?,
            issuer_then: row.maybe_parse("issuer_id")?,
            asker: row.maybe_parse("asker_id")?,
            action: action_alone(row)?,
            criticality: row.maybe_number("criticality")?.unwrap_or(5),
        },
    })
}
