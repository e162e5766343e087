//! The arguments of the tools that are not actions, read field by field.
//!
//! What an action takes is read by the domain, for this door and any other.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::tools::ToolName;
use crate::{
    broker::BrokerError,
    domain::{
        endpoint::{EndpointId, Platform},
        id::{PlanId, RequestId},
        proposal::{self, InvalidField},
        request::StateName,
    },
};

/// The longest value that an error repeats, in characters.
const REPEATED_CHARS_MAX: usize = 80;

/// What came with a call.
#[derive(Debug)]
pub(super) struct ToolArguments(Map<String, Value>);

impl ToolArguments {
    /// Nothing is checked yet.
    pub(super) const fn new(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// Fails where a field does not belong to the tool.
    pub(super) fn check_fields(&self, tool: ToolName) -> Result<(), InvalidField> {
        let known: Vec<_> = tool.fields().into_iter().map(|(name, _)| name).collect();
        match self.0.keys().find(|field| !known.contains(&field.as_str())) {
            None => Ok(()),
            Some(field) => {
                let field: String = field.chars().take(REPEATED_CHARS_MAX).collect();
                Err(invalid(&field, "there is no such field", known.join(", ")))
            }
        }
    }

    /// Takes a field out and leaves the rest for the domain.
    pub(super) fn split_off(mut self, field: &str) -> (Self, Map<String, Value>) {
        let taken = self.0.remove_entry(field);
        (Self(taken.into_iter().collect()), self.0)
    }

    /// The request that a call is about. An id that cannot be one is not found, like any other
    /// that is not the agent's.
    pub(super) fn request_id(&self) -> Result<RequestId, BrokerError> {
        let allowed = "the request_id of an earlier answer";
        let value = self.present("request_id").ok_or_else(|| missing("request_id", allowed))?;
        value.as_str().and_then(|id| id.parse().ok()).ok_or(BrokerError::NotFound)
    }

    /// The plan that a call is about; see [`ToolArguments::request_id`].
    pub(super) fn plan_id(&self) -> Result<PlanId, BrokerError> {
        let allowed = "the plan_id of an earlier answer";
        let value = self.present("plan_id").ok_or_else(|| missing("plan_id", allowed))?;
        value.as_str().and_then(|id| id.parse().ok()).ok_or(BrokerError::NotFound)
    }

    /// All fields, for the domain.
    pub(super) const fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    /// A whole number.
    pub(super) fn number(
        &self,
        field: &str,
        allowed: RangeInclusive<u32>,
        default: u32,
    ) -> Result<u32, InvalidField> {
        let Some(value) = self.present(field) else { return Ok(default) };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        number.filter(|number| allowed.contains(number)).ok_or_else(|| {
            let allowed = format!("a whole number from {} to {}", allowed.start(), allowed.end());
            wrong(field, value, allowed)
        })
    }

    /// Whether something is wanted; not where it is absent.
    pub(super) fn flag(&self, field: &str) -> Result<bool, InvalidField> {
        let Some(value) = self.present(field) else { return Ok(false) };
        value.as_bool().ok_or_else(|| wrong(field, value, "true or false"))
    }

    /// A text; empty where it is absent.
    pub(super) fn text(&self, field: &str, chars_max: usize) -> Result<&str, InvalidField> {
        let Some(value) = self.present(field) else { return Ok("") };
        value
            .as_str()
            .filter(|text| text.chars().count() <= chars_max)
            .ok_or_else(|| wrong(field, value, format!("text of at most {chars_max} characters")))
    }

    /// A text; none where it is absent.
    pub(super) fn given(
        &self,
        field: &str,
        chars_max: usize,
    ) -> Result<Option<String>, InvalidField> {
        let text = self.text(field, chars_max)?;
        Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
    }

    /// The alert that a call is about.
    pub(super) fn alert_id(&self) -> Result<String, InvalidField> {
        let id = proposal::alert_id(&self.0)?;
        id.ok_or_else(|| missing("alert_id", proposal::ALERT_ID))
    }

    /// The platform to list, where one is given.
    pub(super) fn platform(&self) -> Result<Option<Platform>, InvalidField> {
        let Some(value) = self.present("platform") else { return Ok(None) };
        let platform = value.as_str().and_then(|name| name.parse().ok());
        let allowed = || Platform::ALL.map(Platform::name).join(", ");
        platform.map(Some).ok_or_else(|| wrong("platform", value, allowed()))
    }

    /// The endpoint after which a list goes on, with its manager where the answer named it.
    pub(super) fn after(&self) -> Result<Option<(Option<String>, EndpointId)>, InvalidField> {
        let Some(value) = self.present("after") else { return Ok(None) };
        let place = value.as_str().and_then(|place| {
            let (manager, id) =
                place.rsplit_once('/').map_or((None, place), |(m, id)| (Some(m), id));
            Some((manager.map(str::to_owned), EndpointId::parse(id)?))
        });
        place.map(Some).ok_or_else(|| wrong("after", value, "the `next` of an earlier answer"))
    }

    /// Why something is asked for.
    pub(super) fn reason(&self) -> Result<String, InvalidField> {
        proposal::reason(&self.0)
    }

    /// The state to list, where one is given.
    pub(super) fn state(&self) -> Result<Option<StateName>, InvalidField> {
        let Some(value) = self.present("state") else { return Ok(None) };
        let state = value.as_str().and_then(StateName::parse);
        state
            .map(Some)
            .ok_or_else(|| wrong("state", value, StateName::ALL.map(StateName::name).join(", ")))
    }

    /// The place at which a list goes on.
    pub(super) fn before(&self) -> Result<Option<RequestId>, InvalidField> {
        let Some(value) = self.present("before") else { return Ok(None) };
        let id = value.as_str().and_then(|id| id.parse().ok());
        id.map(Some).ok_or_else(|| wrong("before", value, "the `next` of an earlier answer"))
    }

    /// A field that is there; `null` counts as absent, as some clients send it for one left out.
    fn present(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }
}

fn invalid(field: &str, problem: impl Into<String>, allowed: impl Into<String>) -> InvalidField {
    InvalidField { field: field.to_owned(), problem: problem.into(), allowed: allowed.into() }
}

fn missing(field: &str, allowed: &str) -> InvalidField {
    invalid(field, "it is missing", allowed)
}

fn wrong(field: &str, value: &Value, allowed: impl Into<String>) -> InvalidField {
    let text = value.to_string();
    let mut short: String = text.chars().take(REPEATED_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    invalid(field, format!("{short} is not allowed"), allowed)
}
