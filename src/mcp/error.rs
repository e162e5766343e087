//! What the model reads when there is no request to show.

use super::tools::ToolName;
use crate::{
    broker::{BrokerError, queries::StoreError},
    clock::Clock,
    text::{halt::for_agents, visible::visible},
};

/// The same for an id that is malformed, unknown or another agent's: an id is a name, not a right.
const NOT_FOUND: &str = "There is no such request of yours. Allowed: a request_id that an earlier \
                         answer gave you; list_requests shows them.";

const NO_PLAN: &str = "There is no such plan of yours. Allowed: a plan_id that an earlier answer gave \
                       you; get_request of one of its steps has it.";

/// A sentence, which hides nothing of what it repeats. The cause of a fault goes to the log, under
/// a reference that the sentence names.
pub(super) fn sentence(error: &BrokerError, tool: ToolName, clock: &Clock) -> String {
    let sentence = match error {
        BrokerError::Invalid(invalid) if tool.asks() => format!("{invalid} Nothing was stored."),
        BrokerError::Invalid(invalid) => invalid.to_string(),
        BrokerError::Refused(refusal) => format!("Nothing changed: {refusal}."),
        // In its own words: it says what is too much and what to do.
        BrokerError::RateLimited(_) => format!("{error}."),
        BrokerError::Halted(halt) => for_agents(halt.cause).to_owned(),
        BrokerError::NotFound if matches!(tool, ToolName::GetPlan | ToolName::CancelPlan) => {
            NO_PLAN.to_owned()
        }
        BrokerError::NotFound => NOT_FOUND.to_owned(),
        BrokerError::NotAllowed(why) => format!("Policy does not allow it: {why}."),
        // Neither where it is nor what it said: that is for people.
        BrokerError::Manager(cause) => format!("Nothing was stored: {}.", cause.for_agents()),
        BrokerError::Store(StoreError::Busy | StoreError::Conflict) if tool.asks() => {
            "Countersign is busy. Nothing was stored; try again in a moment.".to_owned()
        }
        BrokerError::Store(StoreError::Busy | StoreError::Conflict) => {
            "Countersign is busy; try again in a moment.".to_owned()
        }
        BrokerError::Store(_)
        | BrokerError::Policy(_)
        | BrokerError::SessionOver
        | BrokerError::TokenOver
        | BrokerError::ScopeMissing(_)
        | BrokerError::SignInRefused
        | BrokerError::SecondFactorMissing(_)
        | BrokerError::SignInThrottled(_)
        | BrokerError::PasswordsBusy
        | BrokerError::WeakPassword
        | BrokerError::UsualPassword
        | BrokerError::ProviderUnavailable(_)
        | BrokerError::ProviderRefused(_)
        | BrokerError::Hashing(_) => fault(error, clock),
    };
    visible(&sentence)
}

fn fault(error: &BrokerError, clock: &Clock) -> String {
    let reference: String = clock.secret().chars().take(8).collect();
    tracing::error!(%error, reference, "an agent's call failed");
    format!(
        "Countersign failed (reference {reference}; its log has the cause). Before you ask for a \
         response again, call list_requests: the request may have been stored."
    )
}
