//! What a person says of the notifications that they get.

use std::collections::BTreeMap;

use super::Broker;
use crate::{
    broker::{BrokerError, SignedIn},
    domain::{
        Time,
        actor::quiet_hours::QuietHours,
        audit::{AuditDetail, AuditEvent, detail::accounts::QuietHoursFacts},
        id::PersonId,
    },
    store::{Read, StoreError, accounts, audit, notices},
};

/// How notifications reach a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnChannels {
    /// Where they are mailed; none where nobody set an address.
    pub mail: Option<String>,
    /// Whether this server sends mail at all.
    pub mails: bool,
    /// The channels that all people share.
    pub shared: Vec<String>,
    /// When what can wait is not mailed.
    pub quiet: Option<QuietHours>,
    /// Whether the person is on call: then quiet hours do not count.
    pub on_call: bool,
    /// Minutes that the clock of quiet hours is ahead of UTC: that of the business hours.
    pub utc_offset_minutes: i16,
}

impl Broker {
    /// How notifications reach whoever asks.
    pub async fn own_channels(&self, who: &SignedIn) -> Result<OwnChannels, BrokerError> {
        let (to_people, shared): (Vec<_>, Vec<_>) =
            self.channels().iter().partition(|channel| channel.addresses_people());
        let person = who.profile();
        Ok(OwnChannels {
            mail: person.mail.clone(),
            mails: !to_people.is_empty(),
            shared: shared.iter().map(|channel| channel.name().to_owned()).collect(),
            quiet: accounts::quiet_hours(&mut self.store().reader().await?, who.id()).await?,
            on_call: person.on_call,
            utc_offset_minutes: self.settings().business_hours.utc_offset_minutes,
        })
    }

    /// Sets when one gets no mail that can wait; none where one always does. What was held is due now.
    pub async fn set_quiet_hours(
        &self,
        who: &SignedIn,
        hours: Option<QuietHours>,
    ) -> Result<(), BrokerError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let active = who.active(tx, now).await?;
                    let before = accounts::quiet_hours(tx, who.id()).await?;
                    if before == hours {
                        return Ok(());
                    }
                    accounts::set_quiet_hours(tx, who.id(), hours).await?;
                    notices::release_held(tx, who.id(), now).await?;
                    let text = |hours: Option<QuietHours>| hours.map(|hours| hours.to_string());
                    let facts = QuietHoursFacts { hours: text(hours), before: text(before) };
                    let on = Some(active.person().name.clone());
                    let detail = AuditDetail::QuietHoursChanged(facts);
                    audit::append(tx, &AuditEvent::new(active.actor(), on, detail), now).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await
    }

    /// When the quiet hours of people are over that go on now; nobody is among them who is on call.
    pub(super) async fn quiet_now(
        &self,
        read: &mut impl Read,
        now: Time,
    ) -> Result<BTreeMap<PersonId, Time>, StoreError> {
        let offset = self.settings().business_hours.utc_offset_minutes;
        let all = accounts::quiet_people(read).await?.into_iter();
        Ok(all.filter_map(|(person, hours)| Some((person, hours.end(now, offset)?))).collect())
    }
}
