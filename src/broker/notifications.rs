//! Telling people: who gets a notice, and bringing it there. What is told was recorded with
//! its cause; here it goes out, at least once, and nothing else waits for it.

mod escalation;
pub mod feeds;
mod preferences;
mod recipients;

pub use preferences::OwnChannels;

use std::{collections::BTreeMap, time::Duration};

use chrono::TimeDelta;

use super::{Broker, BrokerError};
use crate::{
    connector::{Channel, Message},
    domain::{
        Time,
        actor::Person,
        id::PersonId,
        len_u64,
        notice::{Notice, NoticeId, NoticeKind, NoticeSubject, plan_path},
        public_url::PublicUrl,
        request::{Request, StateName},
    },
    failpoint,
    store::{
        Read, StoreError, accounts,
        notices::{self, ChannelActivity, Delivery, Receiver},
        requests,
    },
};

/// What failed is tried again after this long, and each time after twice as long, up to the second.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(10), Duration::from_hours(1));
/// What has not arrived after so long is given up.
const GIVE_UP_HOURS: i64 = 24;
/// What was told is forgotten after so long; the audit has its cause.
const KEEP_DAYS: i64 = 30;
/// The most notices that one step gives their deliveries.
const SPREAD_MAX: u32 = 100;

/// What a step of one channel did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryResult {
    /// Nothing is to be delivered now.
    Nothing,
    /// A notice arrived.
    Arrived,
    /// It did not, and is tried again later or given up.
    Failed,
}

/// How a channel is doing.
#[derive(Debug, Clone)]
pub struct ChannelState {
    /// `webhook.` and its name, or `mail`.
    pub name: String,
    /// Its form, and where it goes: the host alone.
    pub place: String,
    /// What the store knows of it.
    pub doing: ChannelActivity,
}

impl Broker {
    /// Notes what time gives reason to speak of, and gives everything new its deliveries.
    pub async fn notify(&self) -> Result<(), BrokerError> {
        if !self.channels().is_empty() {
            self.remind().await?;
            self.escalate().await?;
        }
        self.fan_out().await
    }

    /// Notes what time alone gives reason to speak of: deadlines that are near, reviews that are
    /// near or overdue. Each once.
    async fn remind(&self) -> Result<(), BrokerError> {
        let now = self.clock().now();
        let within = TimeDelta::from_std(self.settings().remind_before).unwrap_or(TimeDelta::MAX);
        let near = notices::near_deadline(&mut self.store().reader().await?, now, within).await?;
        for (id, kind) in near {
            self.note_if_due(id, kind, now).await?;
        }
        Ok(())
    }

    /// Gives each new notice its deliveries: one for each webhook, and one for each person with a
    /// mail address whom it concerns. Forgets what is old.
    async fn fan_out(&self) -> Result<(), BrokerError> {
        let now = self.clock().now();
        let old = now - TimeDelta::days(KEEP_DAYS);
        let mut reader = self.store().reader().await?;
        let new = notices::pending_fan_out(&mut reader, SPREAD_MAX).await?;
        let prunable = notices::prunable(&mut reader, old).await?;
        drop(reader);
        let new = &new;
        // All of a step at once: what is delivered meanwhile sums them up.
        let fanned_out = self.store().write_quietly(|tx| {
            Box::pin(async move {
                let quiet = &self.quiet_now(tx, now).await?;
                let mut any = false;
                for noted in new {
                    let receivers = self.receivers(tx, &noted.notice, (now, quiet)).await?;
                    notices::fan_out(tx, noted.number, &receivers, now).await?;
                    any |= !receivers.is_empty();
                }
                Ok::<_, BrokerError>(any)
            })
        });
        // A page shows how many deliveries wait, but not a notice without any.
        if !new.is_empty() && fanned_out.await? {
            self.store().announce();
        }
        if prunable {
            let forget = self.store().write_quietly(|tx| Box::pin(notices::prune(tx, old)));
            forget.await?;
        }
        Ok(())
    }

    /// The channels that a notice goes to and from when on, each person of one that addresses people apart.
    /// `quiet` says of people whose quiet hours go on when they are over.
    async fn receivers(
        &self,
        read: &mut impl Read,
        notice: &Notice,
        (now, quiet): (Time, &BTreeMap<PersonId, Time>),
    ) -> Result<Vec<Receiver>, BrokerError> {
        let mut receivers = Vec::new();
        for channel in self.channels() {
            let name = channel.name().to_owned();
            if !channel.addresses_people() {
                receivers.push(Receiver { channel: name, person: None, first_try_at: now });
                continue;
            }
            for person in self.recipients(read, notice).await? {
                let waits_until = quiet.get(&person).filter(|_| notice.kind.can_wait());
                receivers.push(Receiver {
                    channel: name.clone(),
                    person: Some(person),
                    first_try_at: waits_until.copied().unwrap_or(now),
                });
            }
        }
        Ok(receivers)
    }

    /// Delivers what is due by this channel to one receiver, in one message. The attempt is recorded
    /// before it is made, and how it ended afterwards: a crash between the two repeats the message,
    /// under the same name where no other notice joined it.
    pub async fn deliver_next(&self, channel: &str) -> Result<DeliveryResult, BrokerError> {
        let Some(channel) = self.channels().iter().find(|one| one.name() == channel) else {
            return Ok(DeliveryResult::Nothing);
        };
        let now = self.clock().now();
        let mut reader = self.store().reader().await?;
        let due = notices::next_deliveries(&mut reader, channel.name(), now).await?;
        let Some(first) = due.first() else { return Ok(DeliveryResult::Nothing) };
        let receiver = receiver_now(&mut reader, first).await?;
        let (due, unseen) = self.part_by_sight(&mut reader, receiver.as_ref(), due).await?;
        if !unseen.is_empty() {
            drop(reader);
            let why = "the person's team does not see it any more".to_owned();
            self.record_delivery(&unseen, &Err(why), true).await?;
            return Ok(DeliveryResult::Failed);
        }
        let due = &due;
        let Some(first) = due.first() else { return Ok(DeliveryResult::Nothing) };
        let address = receiver.and_then(|person| person.mail);
        let alone = due.len() == 1;
        let targets =
            if let (true, NoticeSubject::Request { id, .. }) = (alone, first.noted.notice.about) {
                let request = requests::load(&mut reader, id).await?;
                request.map(|request| request.targets).unwrap_or_default()
            } else {
                Vec::new()
            };
        drop(reader);
        failpoint::reached("notice due").await;
        let next_try_at = now + self.spread_out(BACK_OFF, first.tries);
        let recorded = self.store().write_quietly(|tx| {
            Box::pin(async move {
                for delivery in due {
                    notices::record_try(tx, delivery, next_try_at).await?;
                }
                Ok::<_, StoreError>(())
            })
        });
        recorded.await?;
        let hopeless = first.person.is_some() && address.is_none();
        let sent = if hopeless {
            Err("the person is disabled or suspended, or has no mail address".to_owned())
        } else {
            let message = self.message(first, due, address);
            channel.deliver(&Message { targets, ..message }).await
        };
        self.measures().message(channel.name(), sent.is_ok());
        self.record_delivery(due, &sent, hopeless).await?;
        Ok(if sent.is_ok() { DeliveryResult::Arrived } else { DeliveryResult::Failed })
    }

    /// The deliveries that their receiver may see by now, and those that a team does not see any more:
    /// they may have waited for a day.
    async fn part_by_sight(
        &self,
        read: &mut impl Read,
        receiver: Option<&Person>,
        due: Vec<Delivery>,
    ) -> Result<(Vec<Delivery>, Vec<Delivery>), StoreError> {
        let Some(person) = receiver else { return Ok((due, Vec::new())) };
        let (mut seen, mut unseen) = (Vec::new(), Vec::new());
        for delivery in due {
            let sites = recipients::sites_of(read, &delivery.noted.notice).await?;
            let part = if self.sees_all_of(person, &sites) { &mut seen } else { &mut unseen };
            part.push(delivery);
        }
        Ok((seen, unseen))
    }

    /// Writes down how a message ended, for each notice that it carried.
    async fn record_delivery(
        &self,
        due: &[Delivery],
        sent: &Result<(), String>,
        hopeless: bool,
    ) -> Result<(), StoreError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    for delivery in due {
                        let late = now - delivery.since >= TimeDelta::hours(GIVE_UP_HOURS);
                        let given_up = (late || hopeless).then_some(now);
                        match sent {
                            Ok(()) => notices::delivered(tx, delivery, now).await?,
                            Err(why) => notices::failed(tx, delivery, why, given_up).await?,
                        }
                    }
                    Ok(())
                })
            })
            .await
    }

    /// How each channel is doing.
    pub(super) async fn channel_states(
        &self,
        read: &mut impl Read,
    ) -> Result<Vec<ChannelState>, StoreError> {
        let mut states = Vec::new();
        for channel in self.channels() {
            states.push(ChannelState {
                name: channel.name().to_owned(),
                place: channel.address(),
                doing: notices::channel_activity(read, channel.name()).await?,
            });
        }
        Ok(states)
    }

    /// A message about the first of what is due, with the number of the others.
    fn message(&self, first: &Delivery, due: &[Delivery], to: Option<String>) -> Message {
        let notice = first.noted.notice;
        let mut receiver = first.person.map(|id| id.to_string()).unwrap_or_default();
        for delivery in due.iter().skip(1) {
            receiver = format!("{receiver}+{}", delivery.noted.number);
        }
        let more = len_u64(due.len().saturating_sub(1));
        let plan = notice.plan();
        let of_plan = |delivery: &Delivery| delivery.noted.notice.plan() == plan;
        let path = match plan.filter(|_| due.iter().all(of_plan)) {
            _ if more == 0 => notice.path(),
            Some(plan) => plan_path(plan),
            None => "/".to_owned(),
        };
        Message {
            id: NoticeId::new(first.noted.number, notice.at, &first.channel, &receiver),
            notice,
            targets: Vec::new(),
            more,
            link: format!("{}{path}", self.settings().public_url),
            to,
            now: self.clock().now(),
        }
    }

    /// How long after this try the next one follows: up to a quarter less, so that not everything
    /// comes back at once.
    fn spread_out(&self, (first, last): (Duration, Duration), tries: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        let full = first.saturating_mul(doubled).min(last);
        let [share] = self.clock().random::<1>();
        full.saturating_sub(full * u32::from(share) / (4 * 256))
    }
}

/// Whether there is still reason to remind.
fn reminder_due(kind: NoticeKind, request: &Request) -> bool {
    let review = request.review.as_ref().is_some_and(|review| review.done.is_none());
    match kind {
        NoticeKind::DeadlineNear | NoticeKind::Escalated => {
            request.state.name() == StateName::Pending
        }
        NoticeKind::ReviewDue | NoticeKind::ReviewOverdue => review,
        NoticeKind::Waiting
        | NoticeKind::PlanWaiting
        | NoticeKind::Decided
        | NoticeKind::Doubt
        | NoticeKind::GlassBroken
        | NoticeKind::Frozen
        | NoticeKind::ReleaseAsked
        | NoticeKind::Unfrozen
        | NoticeKind::SignInsThrottled
        | NoticeKind::PasskeyChanged
        | NoticeKind::SecondFactorChanged
        | NoticeKind::PersonLinked
        | NoticeKind::RecoveryCodeUsed
        | NoticeKind::ApiTokenChanged
        | NoticeKind::Test => false,
    }
}

/// The person that a delivery goes to, as they are by now; nobody where they do not count any more.
async fn receiver_now(
    read: &mut impl Read,
    delivery: &Delivery,
) -> Result<Option<Person>, StoreError> {
    let Some(person) = delivery.person else { return Ok(None) };
    Ok(accounts::person_by_id(read, person).await?.filter(Person::is_active))
}

/// A message that tries whether notices arrive; nothing happened.
pub fn test_message(
    channel: &Channel,
    public_url: &PublicUrl,
    to: Option<String>,
    now: Time,
) -> Message {
    let notice = Notice { kind: NoticeKind::Test, about: NoticeSubject::Nothing, at: now };
    Message {
        id: NoticeId::new(0, now, channel.name(), ""),
        notice,
        targets: Vec::new(),
        more: 0,
        link: format!("{public_url}{}", notice.path()),
        to,
        now,
    }
}
