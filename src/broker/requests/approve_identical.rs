//! Several requests that ask for the same are approved with one form: only identical ones of the
//! lowest tier, a few at a time, all of them or none.

use super::vote::VoteContext;
use crate::{
    broker::{Broker, BrokerError, SignedIn},
    domain::{
        Time,
        decision::Tier,
        facts::Verb,
        id::RequestId,
        lifecycle::{Displayed, Refusal},
        proposal::InvalidField,
        request::{Request, StateName},
    },
    store::Tx,
};

pub mod plan;

/// One form approves at most this many requests.
pub const TOGETHER_MAX: usize = 10;

impl Broker {
    /// Approves what was shown of each, all of them or none.
    pub async fn approve_identical(
        &self,
        who: &SignedIn,
        picked: &[(RequestId, Displayed)],
        comment: &str,
    ) -> Result<(), BrokerError> {
        self.ensure_not_halted()?;
        check_picked(picked)?;
        let now = self.clock().now();
        let done = self.store().write(|tx| {
            Box::pin(async move {
                let mut first = None;
                for (id, shown) in picked {
                    let moment = self.vote_context(tx, who, *id, (Verb::Approve, now)).await?;
                    let like = first.get_or_insert_with(|| moment.request.clone());
                    if !identical(&moment.request, like) {
                        return Err(not_together(
                            *id,
                            "it does not ask for the same as the others",
                        ));
                    }
                    Box::pin(self.approve_lowest(tx, moment, (*shown, comment), now)).await?;
                }
                Ok::<_, BrokerError>(())
            })
        });
        let done = done.await;
        if let Err(BrokerError::Refused(refusal @ Refusal::NotTogether { request, .. })) = &done {
            self.note_refused_vote(who, *request, Verb::Approve, refusal).await?;
        }
        done
    }

    /// Approves one of several, if it is of the lowest tier by now.
    async fn approve_lowest(
        &self,
        tx: &mut Tx<'_>,
        moment: VoteContext,
        (shown, comment): (Displayed, &str),
        now: Time,
    ) -> Result<(), BrokerError> {
        let id = moment.request.id;
        ensure_lowest_tier(&moment)?;
        let approved = self.approve_now(tx, moment, (shown, comment), now).await;
        approved.map(drop).map_err(|error| with_request_id(id, error))
    }
}

/// Fails where a request that waits is not of the lowest tier by now.
fn ensure_lowest_tier(moment: &VoteContext) -> Result<(), BrokerError> {
    let VoteContext { request, tier, .. } = moment;
    if request.state.name() != StateName::Pending || *tier == Tier::Low {
        return Ok(());
    }
    Err(not_together(
        request.id,
        "it asks for more than one person's approval, so it is looked at by itself",
    ))
}

/// Whether two requests ask for the same thing, wherever. One that waits for endpoints is sent later.
pub(in crate::broker) fn identical(one: &Request, other: &Request) -> bool {
    one.action == other.action
        && one.term == other.term
        && one.wait.is_some() == other.wait.is_some()
}

fn check_picked(picked: &[(RequestId, Displayed)]) -> Result<(), InvalidField> {
    let twice = |(place, (id, _)): (usize, &(RequestId, Displayed))| {
        picked.iter().take(place).any(|(earlier, _)| earlier == id)
    };
    let problem = match picked.len() {
        0 => "none is ticked".to_owned(),
        many if many > TOGETHER_MAX => format!("{many} are ticked"),
        _ if picked.iter().enumerate().any(twice) => "one is there twice".to_owned(),
        _ => return Ok(()),
    };
    let allowed = format!("1 to {TOGETHER_MAX} requests, each once");
    Err(InvalidField { field: "requests".to_owned(), problem, allowed })
}

fn not_together(request: RequestId, why: &str) -> BrokerError {
    Refusal::NotTogether { request, why: why.to_owned() }.into()
}

/// Says of which request a refusal is.
fn with_request_id(request: RequestId, error: BrokerError) -> BrokerError {
    if let BrokerError::Refused(Refusal::NotAllowed { why }) = error {
        Refusal::NotAllowed { why: format!("{request}: {why}") }.into()
    } else if let BrokerError::Refused(why) = &error {
        not_together(request, &why.to_string())
    } else {
        error
    }
}
