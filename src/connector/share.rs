//! For which agent a manager is asked: one agent's burst uses up no more than its share of the calls.

use tokio::task_local;

use crate::domain::id::AgentId;

task_local! {
    static ASKER: AgentId;
}

/// Counts every question within as one of this agent.
pub async fn asked_by<T>(agent: AgentId, question: impl Future<Output = T> + Send) -> T {
    ASKER.scope(agent, Box::pin(question)).await
}

/// The agent that asks; none where no agent does.
pub(super) fn asker() -> Option<AgentId> {
    ASKER.try_with(|agent| *agent).ok()
}
