//! For whom a manager is asked: one agent's burst uses up no more than its share of the calls, and
//! what is approved may use those that are left for responses.

use tokio::task_local;

use crate::domain::id::AgentId;

task_local! {
    static ASKER: AgentId;
    static APPROVED: ();
}

/// Lets every question within use more of the budget than other questions: it is about a response that
/// is approved.
pub async fn for_approved<T>(question: impl Future<Output = T> + Send) -> T {
    APPROVED.scope((), Box::pin(question)).await
}

/// Whether the question is about what is approved.
pub(super) fn is_approved() -> bool {
    APPROVED.try_with(|()| ()).is_ok()
}

/// Counts every question within as one of this agent.
pub async fn asked_by<T>(agent: AgentId, question: impl Future<Output = T> + Send) -> T {
    ASKER.scope(agent, Box::pin(question)).await
}

/// The agent that asks; none where no agent does.
pub(super) fn asker() -> Option<AgentId> {
    ASKER.try_with(|agent| *agent).ok()
}
