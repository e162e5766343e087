//! Endpoints that an agent names: a name that one endpoint has stands for its id.

use std::{borrow::Cow, collections::HashMap};

use serde_json::{Map, Value};

use crate::{
    broker::{Broker, BrokerError},
    domain::{
        action::{Action, ActionKind, Term},
        endpoint::{EndpointId, Selection},
        proposal::{AGENT_IDS_MAX, InvalidField, Proposal},
    },
};

const FIELD: &str = "agent_ids";
/// The longest name that is looked for, in characters: Wazuh has none longer.
const NAME_CHARS_MAX: usize = 128;

/// The managers and ids of the endpoints of each name.
type ByName = HashMap<String, Vec<(String, EndpointId)>>;

impl Broker {
    /// Reads a proposal whose endpoints may be given by name. What looks like an id is one.
    pub(super) async fn read_proposal(
        &self,
        kind: ActionKind,
        arguments: &Map<String, Value>,
    ) -> Result<Proposal, BrokerError> {
        Ok(Proposal::parse(kind, &*self.with_ids(Some(kind), arguments).await?)?)
    }

    /// The arguments with ids in the place of names. Without an action, endpoints of any manager can be
    /// meant.
    pub(in crate::broker) async fn with_ids<'a>(
        &self,
        kind: Option<ActionKind>,
        arguments: &'a Map<String, Value>,
    ) -> Result<Cow<'a, Map<String, Value>>, BrokerError> {
        let items = arguments.get(FIELD).and_then(Value::as_array);
        let Some(items) = items.filter(|items| items.len() <= AGENT_IDS_MAX) else {
            return Ok(Cow::Borrowed(arguments));
        };
        if !items.iter().any(|item| name(item).is_some()) {
            return Ok(Cow::Borrowed(arguments));
        }
        let known = self.names(kind, arguments).await?;
        let id = |item: &Value| match name(item) {
            None => Ok(item.clone()),
            Some(name) => self.id_of(name, &known).map(Value::from),
        };
        let ids = items.iter().map(id).collect::<Result<Vec<_>, _>>()?;
        let mut arguments = arguments.clone();
        arguments.insert(FIELD.to_owned(), ids.into());
        Ok(Cow::Owned(arguments))
    }

    /// The names that endpoints have at the managers that a proposal can mean. Nobody is asked for a
    /// proposal that is unsound otherwise.
    async fn names(
        &self,
        kind: Option<ActionKind>,
        arguments: &Map<String, Value>,
    ) -> Result<ByName, BrokerError> {
        let (of_manager, action, term) = match kind {
            Some(kind) => {
                let mut of_all = arguments.clone();
                of_all.remove(FIELD);
                of_all.insert("all_agents".to_owned(), true.into());
                let of_all = Proposal::parse(kind, &of_all)?;
                (of_all.manager, of_all.action, of_all.term)
            }
            None => (None, Action::any().ok_or(BrokerError::NotFound)?, Term::Permanent),
        };
        let (mut known, now) = (ByName::new(), self.clock().now());
        for manager in self.managers() {
            if of_manager.as_ref().is_some_and(|named| named != manager.name()) {
                continue;
            }
            let all = manager.resolve(&Selection::All, &action, term, now).await?;
            for candidate in all.candidates {
                let place = (manager.name().to_owned(), candidate.endpoint.id);
                known.entry(candidate.endpoint.name).or_default().push(place);
            }
        }
        Ok(known)
    }

    /// The id of the one endpoint of that name, with its manager where there are several.
    fn id_of(&self, given: &str, known: &ByName) -> Result<String, InvalidField> {
        let (manager, name) = match given.split_once('/') {
            Some((manager, name)) => (Some(manager), name),
            None => (None, given),
        };
        let several = self.several_managers();
        let whole = |(manager, id): &(String, EndpointId)| {
            if several { format!("{manager}/{id}") } else { id.to_string() }
        };
        let found = known.get(name).into_iter().flatten();
        let found = found.filter(|(of, _)| manager.is_none_or(|named| named == of));
        let found: Vec<_> = found.map(whole).collect();
        let refused = |problem: String, allowed: String| InvalidField {
            field: FIELD.to_owned(),
            problem,
            allowed,
        };
        match found.as_slice() {
            [only] => Ok(only.clone()),
            [] => {
                let given: String = given.chars().take(80).collect();
                let allowed = "ids or whole names of endpoints; list_endpoints shows them";
                Err(refused(format!("there is no endpoint called `{given}`"), allowed.to_owned()))
            }
            several => {
                let problem = format!("{} endpoints are called `{name}`", several.len());
                Err(refused(
                    problem,
                    several.iter().take(5).cloned().collect::<Vec<_>>().join(", "),
                ))
            }
        }
    }
}

/// What cannot be an id.
fn name(item: &Value) -> Option<&str> {
    let given = item.as_str()?;
    let name = given.split_once('/').map_or(given, |(_, name)| name);
    let can_be = !name.is_empty()
        && name.chars().count() <= NAME_CHARS_MAX
        && !name.bytes().all(|byte| byte.is_ascii_digit());
    can_be.then_some(given)
}
