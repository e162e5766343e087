//! Who is told next where nobody decides: by tier, after some minutes, once for a request.

use chrono::TimeDelta;

use super::{Broker, BrokerError, reminder_due};
use crate::{
    broker::Escalation,
    domain::{
        Time,
        actor::Person,
        decision::Tier,
        id::RequestId,
        notice::{Notice, NoticeKind, NoticeSubject},
    },
    store::{notices, requests},
};

impl Broker {
    /// Notes what is said of a request while it waits, unless it was decided meanwhile.
    pub(super) async fn note_if_due(
        &self,
        id: RequestId,
        kind: NoticeKind,
        now: Time,
    ) -> Result<(), BrokerError> {
        self.store()
            .write_quietly(|tx| {
                Box::pin(async move {
                    let request = requests::load(tx, id).await?.ok_or(BrokerError::NotFound)?;
                    if reminder_due(kind, &request) {
                        notices::insert(tx, &Notice::for_request(kind, &request, now)).await?;
                    }
                    Ok::<_, BrokerError>(())
                })
            })
            .await
    }

    /// Notes which requests have waited so long that others are told.
    pub(super) async fn escalate(&self) -> Result<(), BrokerError> {
        let now = self.clock().now();
        let began = |(tier, next): (&Tier, &Escalation)| {
            let after = TimeDelta::from_std(next.after).unwrap_or(TimeDelta::MAX);
            Some((*tier, now.checked_sub_signed(after)?))
        };
        let since: Vec<_> = self.settings().escalate.iter().filter_map(began).collect();
        if since.is_empty() {
            return Ok(());
        }
        let found = notices::to_escalate(&mut self.store().reader().await?, &since).await?;
        for id in found {
            self.note_if_due(id, NoticeKind::Escalated, now).await?;
        }
        Ok(())
    }

    /// Whether a person is among those who are told next.
    pub(super) fn is_told_next(&self, person: &Person, notice: &Notice) -> bool {
        let NoticeSubject::Request { tier, .. } = notice.about else { return false };
        self.settings().escalate.get(&tier).is_some_and(|next| next.tells(person))
    }
}
