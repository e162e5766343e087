//! Which endpoints are named, and of which manager.

use serde_json::{Map, Value};

use super::{
    AGENT_IDS_MAX, InvalidField, MANAGER_GRAMMAR, abbreviate, flag, is_manager_name, present,
};
use crate::domain::endpoint::{EndpointId, Selection};

/// The manager and its endpoints: one request acts on one manager.
pub(super) fn reach(
    arguments: &Map<String, Value>,
) -> Result<(Option<String>, Selection), InvalidField> {
    const ALLOWED: &str = "exactly one of agent_ids (a list of endpoint ids) and all_agents: true";
    let manager = manager(arguments)?;
    let all = flag(arguments, "all_agents")?;
    match (present(arguments, "agent_ids"), all) {
        (None, false) => Err(InvalidField::new("agent_ids", "no endpoint is named", ALLOWED)),
        (Some(_), true) => Err(InvalidField::new("agent_ids", "it comes with all_agents", ALLOWED)),
        (None, true) => Ok((manager, Selection::All)),
        (Some(value), false) => agent_ids(value, manager.as_deref()),
    }
}

/// The endpoints that are named, each with its manager where that is named; none where the field is
/// left out.
pub fn endpoints(
    arguments: &Map<String, Value>,
) -> Result<Vec<(Option<String>, EndpointId)>, InvalidField> {
    let Some(value) = present(arguments, "agent_ids") else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for (manager, id) in each(value)? {
        let one = (manager.map(str::to_owned), id);
        if !found.contains(&one) {
            found.push(one);
        }
    }
    Ok(found)
}

/// The items of a list of endpoints.
fn each(value: &Value) -> Result<Vec<(Option<&str>, EndpointId)>, InvalidField> {
    let allowed = format!(
        "a list of 1 to {AGENT_IDS_MAX} endpoint ids, each text of {}, or with its manager before \
         it, such as main/001; 000 is the manager itself and cannot be a target",
        EndpointId::GRAMMAR
    );
    let refused = |value: &Value| InvalidField::value("agent_ids", value, allowed.clone());
    let list = value.as_array().ok_or_else(|| refused(value))?;
    if list.is_empty() || list.len() > AGENT_IDS_MAX {
        let problem = format!("it holds {} ids", list.len());
        return Err(InvalidField::new("agent_ids", problem, allowed));
    }
    list.iter().map(|item| item.as_str().and_then(endpoint).ok_or_else(|| refused(item))).collect()
}

fn manager(arguments: &Map<String, Value>) -> Result<Option<String>, InvalidField> {
    let Some(value) = present(arguments, "manager") else { return Ok(None) };
    value
        .as_str()
        .filter(|name| is_manager_name(name))
        .map(|name| Some(name.to_owned()))
        .ok_or_else(|| InvalidField::value("manager", value, MANAGER_GRAMMAR))
}

fn agent_ids(
    value: &Value,
    argument: Option<&str>,
) -> Result<(Option<String>, Selection), InvalidField> {
    let mut ids = Vec::new();
    // Outside: the first id has not been read. Inside: it names no manager, nor does the argument.
    let mut manager = argument.map(Some);
    let items = value.as_array().into_iter().flatten();
    for ((named, id), item) in each(value)?.into_iter().zip(items) {
        let named = named.or(argument);
        // An id without a manager among others with one could mean a machine of any manager.
        if *manager.get_or_insert(named) != named {
            return Err(another_manager(item));
        }
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok((manager.flatten().map(str::to_owned), Selection::Ids(ids)))
}

/// Reads `001` or `main/001`.
fn endpoint(text: &str) -> Option<(Option<&str>, EndpointId)> {
    let (manager, id) = match text.split_once('/') {
        None => (None, text),
        Some((manager, id)) => (Some(manager), id),
    };
    let sound = manager.is_none_or(is_manager_name) && id.bytes().any(|digit| digit != b'0');
    EndpointId::parse(id).filter(|_| sound).map(|id| (manager, id))
}

fn another_manager(item: &Value) -> InvalidField {
    let problem = format!("{} does not name the manager that the rest names", abbreviate(item));
    let allowed = "endpoints of one manager, because one request acts on one manager; name it in \
                   `manager`, or before each id";
    InvalidField::new("agent_ids", problem, allowed)
}
