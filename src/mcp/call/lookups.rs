//! What an agent looks up before it asks.

use super::Call;
use crate::{
    broker::{
        BrokerError,
        queries::for_agents::{
            endpoints::{EndpointFilter, EndpointOption},
            responses::ResponseQuery,
        },
    },
    domain::endpoint::EndpointId,
    mcp::{
        answer::{ToolAnswer, lookups},
        arguments::ToolArguments,
        tools::{
            ENDPOINTS_DEFAULT, ENDPOINTS_MAX, NAME_CHARS_MAX, RESPONSES_DEFAULT, RESPONSES_MAX,
            TARGET_CHARS_MAX, ToolName,
        },
    },
};

impl Call<'_> {
    pub(super) async fn list_endpoints(
        &self,
        arguments: &ToolArguments,
    ) -> Result<ToolAnswer, BrokerError> {
        arguments.check_fields(ToolName::ListEndpoints)?;
        let limit = arguments.number("limit", 1..=ENDPOINTS_MAX, ENDPOINTS_DEFAULT)?;
        let filter = EndpointFilter {
            query: arguments.text("query", NAME_CHARS_MAX)?.to_owned(),
            platform: arguments.platform()?,
            group: arguments.given("group", NAME_CHARS_MAX)?,
            manager: arguments.given("manager", NAME_CHARS_MAX)?,
        };
        let after = arguments.after()?;
        let mut found = self.broker.endpoints_for_agent(self.agent, &filter).await?;
        if let Some((manager, id)) = &after {
            found.retain(|one| is_after(one, (manager.as_deref(), id)));
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(lookups::of_endpoints(&found, limit, self.broker.several_managers()))
    }

    pub(super) async fn find_responses(
        &self,
        arguments: &ToolArguments,
    ) -> Result<ToolAnswer, BrokerError> {
        arguments.check_fields(ToolName::FindResponses)?;
        let limit = arguments.number("limit", 1..=RESPONSES_MAX, RESPONSES_DEFAULT)?;
        let target = arguments.given("target", TARGET_CHARS_MAX)?;
        let action = arguments.given("action", NAME_CHARS_MAX)?;
        let (target, action) = (target.as_deref(), action.as_deref());
        let wanted = ResponseQuery { target, action, arguments: arguments.fields(), limit };
        let (found, more) = self.broker.active_for_agent(self.agent, wanted).await?;
        Ok(lookups::of_responses(&found, more))
    }

    pub(super) async fn get_alert(
        &self,
        arguments: &ToolArguments,
    ) -> Result<ToolAnswer, BrokerError> {
        arguments.check_fields(ToolName::GetAlert)?;
        let alert = arguments.alert_id()?;
        let target = arguments.given("target", TARGET_CHARS_MAX)?;
        let manager = arguments.given("manager", NAME_CHARS_MAX)?;
        let named = (&*alert, target.as_deref(), manager.as_deref());
        let alert = self.broker.alert_for_agent(self.agent, named).await?;
        Ok(lookups::of_alert(&alert, target.is_some()))
    }

    pub(super) async fn get_limits(
        &self,
        arguments: &ToolArguments,
    ) -> Result<ToolAnswer, BrokerError> {
        arguments.check_fields(ToolName::GetLimits)?;
        let left = self.broker.limits_of_agent(self.agent).await?;
        Ok(lookups::of_limits(&self.agent.name, &left))
    }
}

/// Whether an endpoint comes after the last one of an earlier answer. One that is gone by now still
/// has its place.
fn is_after(one: &EndpointOption, (manager, id): (Option<&str>, &EndpointId)) -> bool {
    (&*one.manager, &one.endpoint.id) > (manager.unwrap_or(&one.manager), id)
}
