//! What the broker finds of an alert that an agent names.

use super::responses::actions_on;
use crate::{
    broker::{Broker, BrokerError},
    connector::asked_by,
    domain::{action::Action, actor::Agent, facts::AlertFacts, proposal::InvalidField},
};

impl Broker {
    /// The alert of that id at a manager, or at the only one: the facts that policy would have. What
    /// it says of a target counts only where one is given.
    pub async fn alert_for_agent(
        &self,
        agent: &Agent,
        (alert_id, target, manager): (&str, Option<&str>, Option<&str>),
    ) -> Result<AlertFacts, BrokerError> {
        let _place = self.lookup_slot(agent)?;
        let action = match target {
            Some(target) => {
                actions_on(self.engine().catalogue().responses(), target)?.into_iter().next()
            }
            None => Action::any(),
        };
        let action = action.ok_or(BrokerError::NotFound)?;
        let known = match (manager, self.managers()) {
            (Some(name), _) => self.manager(name),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let connector = known.ok_or_else(|| {
            let names: Vec<_> = self.managers().iter().map(|one| one.name()).collect();
            InvalidField {
                field: "manager".to_owned(),
                problem: manager.map_or_else(
                    || "there is more than one manager, and none is named".to_owned(),
                    |name| format!("there is no manager `{name}`"),
                ),
                allowed: names.join(", "),
            }
        })?;
        Ok(asked_by(agent.id, connector.find_alert(alert_id, &action, self.clock().now())).await)
    }
}
