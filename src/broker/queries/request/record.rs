//! What became of what was asked: the pages of an agent, a person, an endpoint and a target, and the
//! overview.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::{
    broker::{Broker, BrokerError, SignedIn},
    domain::{
        Time, decision::Tier, endpoint::EndpointId, facts::Verb, proposal::InvalidField,
        request::Fate,
    },
    store::record::{self, Record, RecordEntry, RecordOf},
};

/// So many days can be shown: the last 7, or the last 30.
pub const RECORD_DAYS: [usize; 2] = [7, 30];

/// The days that a page shows: whole days of UTC, the last of them today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordDays {
    /// The beginning of the first.
    pub since: Time,
    /// How many.
    pub days: usize,
}

impl RecordDays {
    /// The days of a page, from what its address says; the last 30 where it says nothing.
    pub fn of(asked: &str, now: Time) -> Result<Self, InvalidField> {
        let [_, month] = RECORD_DAYS;
        let offered = |days: &usize| {
            if asked.is_empty() { *days == month } else { days.to_string() == asked }
        };
        let days = RECORD_DAYS.into_iter().find(offered).ok_or_else(|| InvalidField {
            field: "days".to_owned(),
            problem: format!("`{}` is not offered", asked.chars().take(40).collect::<String>()),
            allowed: RECORD_DAYS.map(|days| days.to_string()).join(", "),
        })?;
        let today = now.timestamp().div_euclid(86_400).saturating_mul(86_400);
        let today = Time::from_timestamp(today, 0).unwrap_or(now);
        let before = i64::try_from(days.saturating_sub(1)).unwrap_or(0);
        Ok(Self { since: today - TimeDelta::days(before), days })
    }
}

/// What everybody did, for a lead.
#[derive(Debug, Clone)]
pub struct Overview {
    /// How many wait, by tier and class of age ([`record::AGES_MINUTES`]).
    pub waiting: BTreeMap<(Option<Tier>, usize), u64>,
    /// What became of what was asked.
    pub record: Record,
    /// How many people decided on each day.
    pub decided: BTreeMap<(usize, Fate), u64>,
    /// On how many endpoints responses were active at the end of each day.
    pub active: Vec<u64>,
    /// What became of the requests that each policy had a say in.
    pub policies: BTreeMap<(String, Fate), u64>,
}

impl Broker {
    /// What became of what was asked in these days, and the newest of it.
    pub async fn what_became_of(
        &self,
        who: &SignedIn,
        of: &RecordOf,
        days: RecordDays,
    ) -> Result<(Record, Vec<RecordEntry>), BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let mut reader = self.reader_for(who).await?;
        let counted = record::record(&mut reader, of, days.since).await?;
        Ok((counted, record::newest(&mut reader, of, days.since).await?))
    }

    /// What an endpoint was called when a request last named it. [`BrokerError::NotFound`] where none
    /// ever did.
    pub async fn endpoint_name(
        &self,
        who: &SignedIn,
        manager: &str,
        endpoint: &EndpointId,
    ) -> Result<String, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let mut reader = self.reader_for(who).await?;
        record::endpoint_name(&mut reader, manager, endpoint).await?.ok_or(BrokerError::NotFound)
    }

    /// [`BrokerError::NotFound`] where nothing was ever asked for on this target.
    pub async fn ensure_target_known(
        &self,
        who: &SignedIn,
        argument: &str,
    ) -> Result<(), BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let known = record::is_target_known(&mut self.reader_for(who).await?, argument).await?;
        if known { Ok(()) } else { Err(BrokerError::NotFound) }
    }

    /// What waits, and what everybody did in these days.
    pub async fn overview(
        &self,
        who: &SignedIn,
        days: RecordDays,
    ) -> Result<Overview, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let (mut reader, now) = (self.reader_for(who).await?, self.clock().now());
        let RecordDays { since, days } = days;
        Ok(Overview {
            waiting: record::waiting_by_age(&mut reader, now).await?,
            record: record::record(&mut reader, &RecordOf::All, since).await?,
            decided: record::decided_by_day(&mut reader, since).await?,
            active: record::active_by_day(&mut reader, (since, days), now).await?,
            policies: record::policies_since(&mut reader, since).await?,
        })
    }
}
