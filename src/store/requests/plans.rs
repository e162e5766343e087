//! Plans: their rows and their steps.

use std::time::Duration;

use super::{children::with_children, list::ids, load::load};
use crate::{
    domain::{
        digest::Digest,
        id::{AgentId, PlanId},
        plan::Plan,
        request::{PlanStep, Request},
    },
    store::{
        Read, StoreError, Tx,
        row::{At, NewRow, integer, text},
        sqlite::query,
    },
};

/// How a plan is recognised when it is asked for again.
#[derive(Debug, Clone, Copy)]
pub struct PlanKey<'a> {
    /// Equal for plans that ask for the same in the same order, in whatever words.
    pub ask: Digest,
    /// The agent's own name for the plan.
    pub idempotency_key: Option<&'a str>,
}

/// Stores a new plan, once its steps are stored.
pub async fn insert(tx: &mut Tx<'_>, plan: &Plan, key: PlanKey<'_>) -> Result<(), StoreError> {
    let id = plan.id.to_string();
    let at = At { table: "plan", id: &id };
    let use_within = u64::try_from(plan.use_within.as_micros()).unwrap_or(u64::MAX);
    NewRow::of("plan")
        .set("id", &id)
        .set("agent_id", plan.agent.to_string())
        .set("agent_name", &plan.agent_name)
        .set("heading", &plan.heading)
        .set("reason", &plan.reason)
        .set("on_failure", plan.on_failure.name())
        .set("digest", plan.digest.to_string())
        .set("ask_digest", key.ask.to_string())
        .set("idempotency_key", key.idempotency_key)
        .set("asked_at", plan.asked_at.timestamp_micros())
        .set("use_within", at.integer(use_within)?)
        .insert(tx)
        .await
}

/// A plan with its steps.
pub async fn load_plan(read: &mut impl Read, id: PlanId) -> Result<Option<Plan>, StoreError> {
    let key = id.to_string();
    let row = query(
        "SELECT agent_id, agent_name, heading, reason, on_failure, digest, asked_at, use_within
         FROM plan WHERE id = $1",
    )
    .bind(&key)
    .fetch_optional(read.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let row = At { table: "plan", id: &key }.columns(&row);
    Ok(Some(Plan {
        id,
        agent: row.parse("agent_id")?,
        agent_name: row.text("agent_name")?,
        heading: row.text("heading")?,
        reason: row.text("reason")?,
        on_failure: row.parse("on_failure")?,
        digest: row.read("digest", Digest::parse)?,
        asked_at: row.time("asked_at")?,
        use_within: Duration::from_micros(row.number("use_within")?),
        steps: steps(read, id).await?,
    }))
}

async fn steps(read: &mut impl Read, id: PlanId) -> Result<Vec<Request>, StoreError> {
    let rows = query("SELECT id FROM request WHERE plan_id = $1 ORDER BY plan_step")
        .bind(id.to_string())
        .fetch_all(read.connection())
        .await?;
    let mut steps = Vec::with_capacity(rows.len());
    for id in ids(&rows)? {
        if let Some(step) = load(read, id).await? {
            steps.push(with_children(read, step).await?);
        }
    }
    Ok(steps)
}

/// The agent's plan of the same key, with what it asks for.
pub async fn plan_of_key(
    read: &mut impl Read,
    agent: AgentId,
    key: &str,
) -> Result<Option<(PlanId, Digest)>, StoreError> {
    let row = query("SELECT id, ask_digest FROM plan WHERE agent_id = $1 AND idempotency_key = $2")
        .bind(agent.to_string())
        .bind(key)
        .fetch_optional(read.connection())
        .await?;
    let Some(row) = row else { return Ok(None) };
    let id = text(&row, "id")?;
    let row = At { table: "plan", id: &id }.columns(&row);
    Ok(Some((row.parse("id")?, row.read("ask_digest", Digest::parse)?)))
}

/// The agent's plan that asks for the same and is not over.
pub async fn same_open_plan(
    read: &mut impl Read,
    agent: AgentId,
    ask: Digest,
) -> Result<Option<PlanId>, StoreError> {
    let row = query(
        "SELECT id FROM plan
         WHERE agent_id = $1 AND ask_digest = $2
           AND EXISTS (SELECT 1 FROM request WHERE plan_id = plan.id AND ended_at IS NULL)
         ORDER BY id DESC LIMIT 1",
    )
    .bind(agent.to_string())
    .bind(ask.to_string())
    .fetch_optional(read.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let id = text(&row, "id")?;
    At { table: "plan", id: &id }.columns(&row).parse("id").map(Some)
}

/// Whether the steps before this one are over.
pub async fn is_due(read: &mut impl Read, step: PlanStep) -> Result<bool, StoreError> {
    let row = query(
        "SELECT NOT EXISTS (SELECT 1 FROM request
                            WHERE plan_id = $1 AND plan_step < $2 AND ended_at IS NULL) AS due",
    )
    .bind(step.plan.to_string())
    .bind(step.number)
    .fetch_one(read.connection())
    .await?;
    Ok(integer(&row, "due")? == 1)
}

/// Whether a step after this one is not over.
pub async fn is_followed(read: &mut impl Read, step: PlanStep) -> Result<bool, StoreError> {
    let row = query(
        "SELECT EXISTS (SELECT 1 FROM request
                        WHERE plan_id = $1 AND plan_step > $2 AND ended_at IS NULL) AS followed",
    )
    .bind(step.plan.to_string())
    .bind(step.number)
    .fetch_one(read.connection())
    .await?;
    Ok(integer(&row, "followed")? == 1)
}
