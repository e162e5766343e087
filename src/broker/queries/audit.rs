//! Reading the audit, which is itself recorded.

use super::view::PAGE_ROWS;
use crate::{
    broker::{Authority, Broker, BrokerError, SignedIn, TokenHolder, unchecked::Unchecked},
    domain::{
        address::pattern::TargetPattern,
        audit::{
            AuditDetail, AuditEntry, AuditEvent, EventKind,
            detail::system::{AuditReadFacts, AuditReadFilter},
        },
        digest::Digest,
        facts::Verb,
        len_u64,
    },
    store::{
        Read, StoreError,
        audit::{self, AuditFilter},
    },
};

/// A page of the audit.
#[derive(Debug, Clone, Default)]
pub struct AuditFound {
    /// The newest entries that match.
    pub rows: Vec<AuditEntry>,
    /// The first place that was looked at, where there are more to look at.
    pub looked_until: Option<u64>,
    /// Where nothing was found: how many there would be without each part, at most [`PAGE_ROWS`].
    pub without: Vec<(AuditPart, u64)>,
}

/// A part of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditPart {
    /// The kind, or the group of kinds.
    Kind,
    /// [`AuditFilter::actor`].
    Actor,
    /// [`AuditFilter::endpoint`].
    Endpoint,
    /// [`AuditFilter::target`].
    Target,
    /// [`AuditFilter::request`].
    Request,
    /// [`AuditFilter::policy`].
    Policy,
    /// [`AuditFilter::since`] and [`AuditFilter::until`].
    Time,
}

impl AuditPart {
    const ALL: [Self; 7] = [
        Self::Kind,
        Self::Actor,
        Self::Endpoint,
        Self::Target,
        Self::Request,
        Self::Policy,
        Self::Time,
    ];

    /// The same filter without this part; none where that is not asked for.
    fn taken_from(self, filter: &AuditFilter) -> Option<AuditFilter> {
        let all = filter.clone();
        let less = match self {
            Self::Kind => AuditFilter { kind: None, group: None, ..all },
            Self::Actor => AuditFilter { actor: None, ..all },
            Self::Endpoint => AuditFilter { endpoint: None, ..all },
            Self::Target => AuditFilter { target: None, ..all },
            Self::Request => AuditFilter { request: None, ..all },
            Self::Policy => AuditFilter { policy: None, ..all },
            Self::Time => AuditFilter { since: None, until: None, ..all },
        };
        (less != *filter).then_some(less)
    }
}

impl Broker {
    /// The newest audit entries that match, older than the place `before`. A target that nothing
    /// has exactly is a part of one, or a network.
    pub async fn audit(
        &self,
        who: &SignedIn,
        filter: &AuditFilter,
        before: Option<u64>,
    ) -> Result<AuditFound, BrokerError> {
        self.authorize_read(who, Verb::ViewAudit)?;
        let mut reader = self.reader_for(who).await?;
        let found = resolved(&mut reader, filter, before).await?;
        let mut without = Vec::new();
        let rows = audit::page(&mut reader, &found, before, PAGE_ROWS).await?;
        let full = u32::try_from(rows.len()).is_ok_and(|rows| rows >= PAGE_ROWS);
        let first = audit::first_of_newest(&mut reader, before).await?;
        let looked_until = (found.targets.is_some() && !full && first > 1).then_some(first);
        for part in AuditPart::ALL.into_iter().filter(|_| rows.is_empty() && before.is_none()) {
            let Some(less) = part.taken_from(filter) else { continue };
            let less = resolved(&mut reader, &less, before).await?;
            let number = len_u64(audit::page(&mut reader, &less, before, PAGE_ROWS).await?.len());
            without.extend((number > 0).then_some((part, number)));
        }
        drop(reader);
        self.unchecked().note_audit_read(Authority::Session(who), filter, rows.len()).await?;
        Ok(AuditFound { rows, looked_until, without })
    }

    /// The audit entry at this place; none where there is none.
    pub async fn audit_entry(
        &self,
        who: &SignedIn,
        seq: u64,
    ) -> Result<Option<AuditEntry>, BrokerError> {
        self.authorize_read(who, Verb::ViewAudit)?;
        let (all, after) = (AuditFilter::default(), Some(seq.saturating_add(1)));
        let mut reader = self.reader_for(who).await?;
        let found = audit::page(&mut reader, &all, after, 1).await?;
        drop(reader);
        self.unchecked().note_audit_read(Authority::Session(who), &all, found.len()).await?;
        Ok(found.into_iter().find(|entry| entry.seq == seq))
    }

    /// The audit for a program that keeps a copy: what comes after a place, the oldest first, at most
    /// `limit`. That is recorded, unless there was nothing new but what this recorded: programs that ask
    /// again and again do not fill the audit with it.
    pub async fn audit_with_token(
        &self,
        who: &TokenHolder,
        after: u64,
        limit: u32,
    ) -> Result<Vec<(AuditEntry, Digest)>, BrokerError> {
        self.authorize_token_read(who, Verb::ViewAudit)?;
        let found = audit::after(&mut self.reader_for_token(who).await?, after, limit).await?;
        let of_program = |(entry, _): &(AuditEntry, Digest)| {
            entry.kind == EventKind::AuditRead.name()
                && entry.typed_detail().is_ok_and(|detail| {
                    matches!(detail, AuditDetail::AuditRead(facts) if facts.token.is_some())
                })
        };
        if !found.iter().all(of_program) {
            let (filter, rows) = (AuditReadFilter::default(), len_u64(found.len()));
            let facts = AuditReadFacts { filter, rows, token: Some(who.used()) };
            let detail = AuditDetail::AuditRead(facts);
            self.record_of_token(who, |actor| AuditEvent::new(actor, None, detail.clone())).await?;
        }
        Ok(found)
    }
}

/// The filter with the targets that its pattern finds, where nothing has exactly that target.
async fn resolved(
    read: &mut impl Read,
    filter: &AuditFilter,
    before: Option<u64>,
) -> Result<AuditFilter, StoreError> {
    let Some(target) = &filter.target else { return Ok(filter.clone()) };
    let pattern = TargetPattern::parse(target);
    match pattern {
        Some(pattern) if !audit::is_target(read, target).await? => {
            let targets = Some(audit::targets(read, &pattern, before).await?);
            Ok(AuditFilter { target: None, targets, ..filter.clone() })
        }
        Some(_) | None => Ok(filter.clone()),
    }
}

impl Unchecked {
    async fn note_audit_read(
        &self,
        by: Authority<'_>,
        filter: &AuditFilter,
        rows: usize,
    ) -> Result<(), BrokerError> {
        let AuditFilter { kind, actor, endpoint, target, request, policy, group, .. } =
            filter.clone();
        let kind = kind.or_else(|| group.map(|group| group.name().to_owned()));
        let filter = AuditReadFilter { kind, actor, endpoint, target, request, policy };
        let facts = AuditReadFacts { filter, rows: len_u64(rows), token: None };
        let detail = &AuditDetail::AuditRead(facts);
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let event = AuditEvent::new(by.actor(tx, now).await?, None, detail.clone());
                    audit::append(tx, &event, now).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await
    }
}
