//! Several requests are rejected with one reason. Each is a vote of its own, for what was shown of
//! it: what changed meanwhile is left alone.

use std::collections::BTreeMap;

use crate::{
    broker::{Broker, BrokerError, SignedIn},
    domain::{
        id::RequestId,
        lifecycle::{Displayed, Refusal},
        proposal::InvalidField,
    },
};

/// One form rejects at most this many requests.
pub const REJECT_MAX: usize = 50;

/// What became of one request of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RejectOutcome {
    /// It is rejected.
    Rejected,
    /// It was left alone, and why.
    LeftAlone(Refusal),
}

impl Broker {
    /// Rejects what was shown of each, one after the other. Once one is rejected, an error ends it
    /// with those that were: the others are as they were.
    pub async fn reject_many(
        &self,
        who: &SignedIn,
        picked: &[(RequestId, Displayed)],
        reason: &str,
    ) -> Result<BTreeMap<RequestId, RejectOutcome>, BrokerError> {
        let ids: Vec<_> = picked.iter().map(|(id, _)| *id).collect();
        check_number(&ids)?;
        let mut outcomes = BTreeMap::new();
        for (id, shown) in picked {
            let outcome = match self.reject(who, *id, *shown, reason).await {
                Ok(_rejected) => RejectOutcome::Rejected,
                Err(BrokerError::Refused(refusal @ Refusal::ReasonMissing)) => {
                    return Err(refusal.into());
                }
                Err(BrokerError::Refused(refusal)) => RejectOutcome::LeftAlone(refusal),
                Err(other) if outcomes.is_empty() => return Err(other),
                Err(BrokerError::NotFound | BrokerError::NotAllowed(_)) => continue,
                Err(_others_stay) => break,
            };
            outcomes.insert(*id, outcome);
        }
        Ok(outcomes)
    }
}

/// At most [`REJECT_MAX`], each once.
pub(in crate::broker) fn check_number(ids: &[RequestId]) -> Result<Vec<RequestId>, InvalidField> {
    let twice = |(place, id): (usize, &RequestId)| ids.iter().take(place).any(|one| one == id);
    let problem = match ids.len() {
        0 => "none is ticked".to_owned(),
        many if many > REJECT_MAX => format!("{many} are ticked"),
        _ if ids.iter().enumerate().any(twice) => "one is there twice".to_owned(),
        _ => return Ok(ids.to_vec()),
    };
    let allowed = format!("1 to {REJECT_MAX} requests, each once");
    Err(InvalidField { field: "requests".to_owned(), problem, allowed })
}
