//! Requests are assigned to a person, or snoozed by one. Neither decides anything, and agents never
//! see it.

use chrono::TimeDelta;

use crate::{
    broker::{
        Broker, BrokerError, SignedIn,
        requests::vote::{VoteContext, reject_many::check_number},
    },
    domain::{
        Time,
        actor::Actor,
        audit::{
            AuditDetail, AuditEvent,
            detail::request::{AssignmentFacts, SnoozeFacts},
        },
        facts::Verb,
        id::RequestId,
        lifecycle::Refusal,
        proposal::InvalidField,
        request::{Request, StateName},
    },
    store::{Tx, audit, requests},
};

/// For how many minutes requests can be snoozed.
pub const SNOOZE_MINUTES: [u32; 3] = [15, 60, 240];

/// What a person does with requests that wait for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Triage {
    /// They are assigned to the person.
    Assign,
    /// They are assigned to nobody.
    Unassign,
    /// They are hidden from the person's own inbox for so many minutes, but not beyond the reminder
    /// before their deadline.
    Snooze(u32),
    /// They are shown again.
    Unsnooze,
}

impl Broker {
    /// Does the same with each of these requests, or with none where one of them cannot be.
    pub async fn triage(
        &self,
        who: &SignedIn,
        ids: &[RequestId],
        triage: Triage,
    ) -> Result<(), BrokerError> {
        check_number(ids)?;
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    for id in ids {
                        self.triage_one(tx, who, (*id, triage), now).await?;
                    }
                    Ok::<_, BrokerError>(())
                })
            })
            .await
    }

    async fn triage_one(
        &self,
        tx: &mut Tx<'_>,
        who: &SignedIn,
        (id, triage): (RequestId, Triage),
        now: Time,
    ) -> Result<(), BrokerError> {
        let VoteContext { request, may, person, .. } =
            self.vote_context(tx, who, id, (Verb::Comment, now)).await?;
        if !may.allowed {
            return Err(Refusal::NotAllowed { why: may.why() }.into());
        }
        if request.state.name() != StateName::Pending {
            let problem = format!("{id} is {} by now", request.state.name());
            return Err(not_here(problem, "requests that wait for people").into());
        }
        let detail = match triage {
            Triage::Assign | Triage::Unassign => {
                let to = (triage == Triage::Assign).then_some(&person);
                requests::assign(tx, id, to.map(|person| person.id), now).await?;
                let to = to.map(|person| person.name.clone());
                AuditDetail::RequestAssigned(AssignmentFacts { to })
            }
            Triage::Snooze(minutes) => {
                let until = Some(self.snoozed_until(&request, minutes, now)?);
                requests::snooze(tx, person.id, id, until).await?;
                AuditDetail::RequestSnoozed(SnoozeFacts { until })
            }
            Triage::Unsnooze => {
                requests::snooze(tx, person.id, id, None).await?;
                AuditDetail::RequestSnoozed(SnoozeFacts { until: None })
            }
        };
        let mut event = AuditEvent::new(Actor::from(&person), None, detail);
        event.request = Some(id);
        audit::append(tx, &event, now).await?;
        Ok(())
    }

    fn snoozed_until(
        &self,
        request: &Request,
        minutes: u32,
        now: Time,
    ) -> Result<Time, InvalidField> {
        let before = TimeDelta::from_std(self.settings().remind_before).unwrap_or(TimeDelta::MAX);
        let reminder = request.deadline.checked_sub_signed(before).unwrap_or(now);
        if reminder <= now {
            let problem = format!("the reminder before the deadline of {} has come", request.id);
            return Err(not_here(problem, "requests whose reminder is still to come"));
        }
        Ok(reminder.min(now + TimeDelta::minutes(minutes.into())))
    }
}

fn not_here(problem: String, allowed: &str) -> InvalidField {
    InvalidField { field: "requests".to_owned(), problem, allowed: allowed.to_owned() }
}
