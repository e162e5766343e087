//! Where a target is blocked or disabled.

use std::collections::BTreeMap;

use crate::{
    broker::{Broker, BrokerError},
    domain::{
        action::{Action, Catalogue},
        actor::Agent,
        id::RequestId,
        proposal::InvalidField,
    },
    store::requests::{self, ActiveFilter, ActiveRow, ActiveSort},
};

/// The most rows that one look-up reads: those of the target come first.
const READ_MAX: u32 = 500;

/// What is active for a target on an endpoint, or may be.
#[derive(Debug, Clone)]
pub struct FoundResponse {
    /// Where it is active, since when and until when.
    pub row: ActiveRow,
    /// The agent's own requests that it rests on.
    pub own: Vec<RequestId>,
}

impl Broker {
    /// What is active for an address or account, or may be: at most `limit` rows, and whether there
    /// are more. Requests of others are not named.
    pub async fn responses_to(
        &self,
        agent: &Agent,
        target: &str,
        limit: usize,
    ) -> Result<(Vec<FoundResponse>, bool), BrokerError> {
        let _place = self.lookup_slot(agent)?;
        target_of(self.engine().catalogue(), target)?;
        let search = target.to_owned();
        let filter = ActiveFilter { search, sort: ActiveSort::Target, descending: false };
        let (mut reader, now) = (self.store().reader().await?, self.clock().now());
        let mut rows = requests::active(&mut reader, &filter, (0, READ_MAX), now).await?;
        drop(reader);
        rows.retain(|row| row.action.argument() == target);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let (mut is_own, mut found) = (BTreeMap::new(), Vec::new());
        for row in rows {
            let mut own = Vec::new();
            for one in &row.rests_on {
                let known = match is_own.get(&one.id) {
                    Some(known) => *known,
                    None => match self.request_of_agent(agent, one.id).await {
                        Ok(_) => true,
                        Err(BrokerError::NotFound) => false,
                        Err(error) => return Err(error),
                    },
                };
                is_own.insert(one.id, known);
                own.extend(known.then_some(one.id));
            }
            found.push(FoundResponse { row, own });
        }
        Ok((found, more))
    }
}

/// What a target is the target of. An address is no account here.
pub(super) fn target_of(catalogue: &Catalogue, target: &str) -> Result<Action, InvalidField> {
    let one = catalogue.responses().iter().filter(|kind| kind.parameters().len() == 1);
    let parsed = one.map(|kind| Action::parse(*kind, target));
    let mut allowed = Vec::new();
    for parsed in parsed {
        match parsed {
            Ok(action) => return Ok(action),
            Err(grammar) => allowed.push(grammar),
        }
    }
    let target: String = target.chars().take(80).collect();
    Err(InvalidField {
        field: "target".to_owned(),
        problem: format!("\"{target}\" is not allowed"),
        allowed: allowed.join("; or "),
    })
}
