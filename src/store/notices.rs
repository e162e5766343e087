//! The outbox: notices are written with what caused them, deliveries say what became of them.

use chrono::TimeDelta;

use super::{
    Read, StoreError, Tx,
    row::{At, count, integer, maybe_text},
    sqlite::{Query, Row, query},
};
use crate::domain::{
    Time,
    decision::Tier,
    id::{PersonId, RequestId},
    notice::{Notice, NoticeKind, NoticeSubject},
    request::StateName,
};

/// A notice with its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredNotice {
    /// Its number: 1, 2, 3, …
    pub number: i64,
    /// The notice.
    pub notice: Notice,
}

/// Who gets a notice by which channel, and from when on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// `webhook.` and its name, or `mail`.
    pub channel: String,
    /// The person, for a channel that addresses people.
    pub person: Option<PersonId>,
    /// Not before this moment.
    pub first_try_at: Time,
}

/// One notice to one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The notice, with its number.
    pub noted: StoredNotice,
    /// By which channel.
    pub channel: String,
    /// To whom; none for a webhook.
    pub person: Option<PersonId>,
    /// Which try this is: 1, 2, 3, …
    pub tries: u32,
    /// Since when it is to be delivered.
    pub since: Time,
}

/// The most notices that one message sums up.
const IN_ONE_MESSAGE_MAX: u32 = 500;

impl Delivery {
    /// Whether one message carries both: it has one receiver and says one thing.
    fn goes_with(&self, other: &Self) -> bool {
        let says = |delivery: &Self| match delivery.noted.notice.about {
            NoticeSubject::Request { state, .. } => Some((delivery.noted.notice.kind, state)),
            NoticeSubject::Plan { .. } => Some((delivery.noted.notice.kind, StateName::Pending)),
            NoticeSubject::Switch(_) | NoticeSubject::Account(_) | NoticeSubject::Nothing => None,
        };
        let same = self.noted.number == other.noted.number;
        self.person == other.person && (same || says(self).is_some() && says(self) == says(other))
    }
}

/// What became of the deliveries of a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelActivity {
    /// When something last arrived.
    pub delivered_at: Option<Time>,
    /// Deliveries that are still tried.
    pub waiting: u64,
    /// Deliveries that were given up.
    pub given_up: u64,
    /// What went wrong last, among those that wait or were given up.
    pub problem: Option<String>,
}

/// Writes a notice down. What is said once of a request and was said is not written again.
pub async fn insert(tx: &mut Tx<'_>, notice: &Notice) -> Result<(), StoreError> {
    if !tx.notifies {
        return Ok(());
    }
    query(
        "INSERT INTO notice (at, kind, request_id, facts) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
    )
    .bind(notice.at.timestamp_micros())
    .bind(notice.kind.name())
    .bind(notice.request().map(|id| id.to_string()))
    .bind(notice.facts().to_string())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The oldest notices that have no deliveries yet.
pub async fn pending_fan_out(
    read: &mut impl Read,
    limit: u32,
) -> Result<Vec<StoredNotice>, StoreError> {
    let sql = "SELECT * FROM notice WHERE spread_at IS NULL ORDER BY id LIMIT $1";
    let rows = query(sql).bind(limit).fetch_all(read.connection()).await?;
    rows.iter().map(noted).collect()
}

/// Gives a notice its deliveries: to each channel, a person where it has receivers of its own.
/// Nothing happens where it has them already.
pub async fn fan_out(
    tx: &mut Tx<'_>,
    number: i64,
    receivers: &[Receiver],
    now: Time,
) -> Result<(), StoreError> {
    let done = query("UPDATE notice SET spread_at = $2 WHERE id = $1 AND spread_at IS NULL")
        .bind(number)
        .bind(now.timestamp_micros())
        .execute(tx.connection())
        .await?;
    if done == 0 {
        return Ok(());
    }
    for Receiver { channel, person, first_try_at } in receivers {
        query(
            "INSERT INTO delivery (notice_id, channel, receiver, next_try_at)
             VALUES ($1, $2, $3, $4)",
        )
        .bind(number)
        .bind(channel)
        .bind(receiver(*person))
        .bind(first_try_at.timestamp_micros())
        .execute(tx.connection())
        .await?;
    }
    Ok(())
}

/// Makes due what waits for the end of a person's quiet hours.
pub async fn release_held(tx: &mut Tx<'_>, person: PersonId, now: Time) -> Result<(), StoreError> {
    query(
        "UPDATE delivery SET next_try_at = $2
         WHERE receiver = $1 AND tries = 0 AND next_try_at > $2
           AND delivered_at IS NULL AND given_up_at IS NULL",
    )
    .bind(person.to_string())
    .bind(now.timestamp_micros())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The deliveries of a channel whose turn it is, in one message: to one receiver, and where there are
/// several, of one kind about requests. Of the notices of one request, or of the kill
/// switch, a receiver gets the later one only when the earlier one arrived or was given up; one that
/// waits for the end of quiet hours keeps none back. What is
/// urgent does not wait behind what is not: an agent that asks and cancels causes a lot of that.
pub async fn next_deliveries(
    read: &mut impl Read,
    channel: &str,
    now: Time,
) -> Result<Vec<Delivery>, StoreError> {
    let urgent = NoticeKind::ALL.into_iter().filter(|kind| kind.urgent());
    let urgent: Vec<_> = urgent.map(NoticeKind::name).collect();
    let rows = query(
        "SELECT notice.*, receiver, tries FROM delivery JOIN notice ON notice.id = notice_id
         WHERE channel = $1 AND next_try_at <= $2
           AND delivered_at IS NULL AND given_up_at IS NULL
           AND NOT EXISTS (
               SELECT 1 FROM delivery AS earlier JOIN notice AS before
                   ON before.id = earlier.notice_id
               WHERE earlier.channel = delivery.channel AND earlier.receiver = delivery.receiver
                 AND earlier.delivered_at IS NULL AND earlier.given_up_at IS NULL
                 AND (earlier.tries > 0 OR earlier.next_try_at <= $2)
                 AND before.id < notice.id AND before.request_id IS notice.request_id)
         ORDER BY notice.kind NOT IN (SELECT value FROM json_each($3)), next_try_at, notice.id
         LIMIT $4",
    )
    .bind(channel)
    .bind(now.timestamp_micros())
    .bind(serde_json::json!(urgent).to_string())
    .bind(IN_ONE_MESSAGE_MAX)
    .fetch_all(read.connection())
    .await?;
    let due = rows.iter().map(|row| delivery_of(row, channel));
    let mut due = due.collect::<Result<Vec<_>, _>>()?;
    if let Some(first) = due.first().cloned() {
        due.retain(|other| first.goes_with(other));
    }
    Ok(due)
}

fn delivery_of(row: &Row, channel: &str) -> Result<Delivery, StoreError> {
    let at = At { table: "delivery", id: channel };
    let columns = at.columns(row);
    let person = columns.text("receiver")?;
    let person = (!person.is_empty()).then(|| at.parse(&person)).transpose()?;
    let since = columns.maybe_time("spread_at")?;
    Ok(Delivery {
        noted: noted(row)?,
        channel: channel.to_owned(),
        person,
        tries: columns.number::<u32>("tries")?.saturating_add(1),
        since: since.ok_or_else(|| at.wrong("its notice was never spread"))?,
    })
}

/// Writes down that a delivery is being tried, before it is; and when it is tried again should
/// nothing more be heard of it.
pub async fn record_try(
    tx: &mut Tx<'_>,
    delivery: &Delivery,
    next_try_at: Time,
) -> Result<(), StoreError> {
    let sql = "UPDATE delivery SET tries = $4, next_try_at = $5
         WHERE notice_id = $1 AND channel = $2 AND receiver = $3";
    of(sql, delivery)
        .bind(delivery.tries)
        .bind(next_try_at.timestamp_micros())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Records that a delivery arrived.
pub async fn delivered(tx: &mut Tx<'_>, delivery: &Delivery, now: Time) -> Result<(), StoreError> {
    let sql = "UPDATE delivery SET delivered_at = $4, problem = NULL
         WHERE notice_id = $1 AND channel = $2 AND receiver = $3";
    of(sql, delivery).bind(now.timestamp_micros()).execute(tx.connection()).await?;
    Ok(())
}

/// Records why a delivery did not arrive; with a time, that it is given up.
pub async fn failed(
    tx: &mut Tx<'_>,
    delivery: &Delivery,
    problem: &str,
    given_up_at: Option<Time>,
) -> Result<(), StoreError> {
    let sql = "UPDATE delivery SET problem = $4, given_up_at = $5
         WHERE notice_id = $1 AND channel = $2 AND receiver = $3";
    of(sql, delivery)
        .bind(problem)
        .bind(given_up_at.map(|at| at.timestamp_micros()))
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// What became of the deliveries of a channel.
pub async fn channel_activity(
    read: &mut impl Read,
    channel: &str,
) -> Result<ChannelActivity, StoreError> {
    let row = query(
        "SELECT max(delivered_at) AS delivered_at,
             count(*) FILTER (WHERE delivered_at IS NULL AND given_up_at IS NULL) AS waiting,
             count(given_up_at) AS given_up,
             (SELECT problem FROM delivery WHERE channel = $1 AND problem IS NOT NULL
              ORDER BY coalesce(given_up_at, next_try_at) DESC LIMIT 1) AS problem
         FROM delivery WHERE channel = $1",
    )
    .bind(channel)
    .fetch_one(read.connection())
    .await?;
    let at = At { table: "delivery", id: channel };
    Ok(ChannelActivity {
        delivered_at: at.columns(&row).maybe_time("delivered_at")?,
        waiting: count(&row, "waiting")?,
        given_up: count(&row, "given_up")?,
        problem: maybe_text(&row, "problem")?,
    })
}

/// Requests that time alone gives reason to speak of, with the kind, unless it was said before:
/// pending ones whose deadline is near, and broken glasses whose review is near or overdue.
pub async fn near_deadline(
    read: &mut impl Read,
    now: Time,
    within: TimeDelta,
) -> Result<Vec<(RequestId, NoticeKind)>, StoreError> {
    let rows = query(
        "WITH near (id, at, kind) AS (
             SELECT id, deadline, 'request.deadline_near' FROM request
             WHERE state = 'pending' AND state IN ('pending', 'approved', 'dispatching')
               AND deadline > $1 AND deadline <= $2
             UNION ALL
             SELECT id, review_due_at,
                 CASE WHEN review_due_at <= $1 THEN 'review.overdue' ELSE 'review.due' END
             FROM request
             WHERE review_due_at IS NOT NULL AND reviewed_at IS NULL AND review_due_at <= $2)
         SELECT id, kind FROM near
         WHERE NOT EXISTS (SELECT 1 FROM notice
             WHERE notice.request_id = near.id AND notice.kind = near.kind
               AND notice.kind IN ('request.deadline_near', 'request.escalated', 'review.due', 'review.overdue'))
         ORDER BY at, id LIMIT 100",
    )
    .bind(now.timestamp_micros())
    .bind((now + within).timestamp_micros())
    .fetch_all(read.connection())
    .await?;
    let at = At { table: "notice", id: "by time" };
    rows.iter()
        .map(|row| {
            let row = at.columns(row);
            Ok((row.parse("id")?, row.parse("kind")?))
        })
        .collect()
}

/// Requests that wait and of which others are to be told, unless they were: those of a tier that began to
/// wait at `since` or before, by tier.
pub async fn to_escalate(
    read: &mut impl Read,
    since: &[(Tier, Time)],
) -> Result<Vec<RequestId>, StoreError> {
    let since =
        since.iter().map(|(tier, at)| (tier.name().to_owned(), at.timestamp_micros().into()));
    let since: serde_json::Map<String, serde_json::Value> = since.collect();
    let rows = query(
        "SELECT request.id FROM request JOIN json_each($1) AS tier
         WHERE state = 'pending' AND state IN ('pending', 'approved', 'dispatching')
           AND asked_at <= tier.value
           AND EXISTS (SELECT 1 FROM notice AS waiting
               WHERE waiting.request_id = request.id AND waiting.kind = 'request.waiting'
                 AND waiting.at <= tier.value AND waiting.facts ->> 'tier' = tier.key)
           AND NOT EXISTS (SELECT 1 FROM notice AS told
               WHERE told.request_id = request.id AND told.kind = 'request.escalated'
                 AND told.kind IN
                     ('request.deadline_near', 'request.escalated', 'review.due', 'review.overdue'))
         ORDER BY asked_at, request.id LIMIT 100",
    )
    .bind(serde_json::Value::Object(since).to_string())
    .fetch_all(read.connection())
    .await?;
    let at = At { table: "notice", id: "by time" };
    rows.iter().map(|row| at.columns(row).parse("id")).collect()
}

/// Forgets notices that got their deliveries before a moment. What is said once of a request is
/// kept, so that it is not said again.
pub async fn prune(tx: &mut Tx<'_>, before: Time) -> Result<(), StoreError> {
    query(
        "DELETE FROM notice WHERE spread_at < $1
           AND kind NOT IN ('request.deadline_near', 'request.escalated', 'review.due', 'review.overdue')",
    )
    .bind(before.timestamp_micros())
    .execute(tx.connection())
    .await?;
    query("DELETE FROM delivery WHERE notice_id IN (SELECT id FROM notice WHERE spread_at < $1)")
        .bind(before.timestamp_micros())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Whether [`prune`] has something to do.
pub async fn prunable(read: &mut impl Read, before: Time) -> Result<bool, StoreError> {
    let row = query(
        "SELECT EXISTS (SELECT 1 FROM notice
             WHERE spread_at < $1
               AND (kind NOT IN ('request.deadline_near', 'request.escalated', 'review.due', 'review.overdue')
                    OR EXISTS (SELECT 1 FROM delivery WHERE notice_id = notice.id))) AS some",
    )
    .bind(before.timestamp_micros())
    .fetch_one(read.connection())
    .await?;
    Ok(integer(&row, "some")? == 1)
}

/// A statement about one delivery: its first three parameters.
fn of(sql: &'static str, delivery: &Delivery) -> Query {
    query(sql).bind(delivery.noted.number).bind(&delivery.channel).bind(receiver(delivery.person))
}

fn receiver(person: Option<PersonId>) -> String {
    person.map(|id| id.to_string()).unwrap_or_default()
}

fn noted(row: &Row) -> Result<StoredNotice, StoreError> {
    let number = integer(row, "id")?;
    let id = number.to_string();
    let at = At { table: "notice", id: &id };
    let row = at.columns(row);
    let facts = row.json("facts")?;
    let notice = Notice::from_parts(
        row.parse("kind")?,
        row.maybe_parse("request_id")?,
        &facts,
        row.time("at")?,
    );
    Ok(StoredNotice { number, notice: notice.ok_or_else(|| at.wrong("a fact is missing"))? })
}
