//! A person's own sessions and sign-ins.

use chrono::TimeDelta;

use crate::{
    broker::{Broker, BrokerError, SESSION_HOURS, SESSION_IDLE_MINUTES, SignedIn},
    domain::{
        Time,
        audit::{AuditDetail, AuditEntry, AuditEvent, detail::accounts::SessionsFacts},
        digest::Digest,
    },
    store::{
        accounts::{self, ListedSession},
        audit::{self, AuditFilter},
    },
};

/// So many of the last sign-ins are told.
const SIGN_INS_MAX: u32 = 20;

/// One of a person's own sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnSession {
    /// What names it to its person; it opens nothing.
    pub id: Digest,
    /// Whether it is the one that asks.
    pub this: bool,
    /// When it began.
    pub began_at: Time,
    /// When it was last used, to a minute.
    pub used_at: Time,
    /// The address it began at, as text; empty where it is not known.
    pub source: String,
    /// What the browser said it is: text from outside. May be empty.
    pub device: String,
}

impl Broker {
    /// One's own sessions, the last used first, at most 100.
    pub async fn own_sessions(&self, who: &SignedIn) -> Result<Vec<OwnSession>, BrokerError> {
        let listed = self.listed_sessions(who).await?;
        let own = |listed: ListedSession| OwnSession {
            id: session_id(listed.token),
            this: listed.token == who.session(),
            began_at: listed.created_at,
            used_at: listed.seen_at,
            source: listed.source,
            device: listed.device,
        };
        Ok(listed.into_iter().map(own).collect())
    }

    /// Ends one of one's own sessions. [`BrokerError::NotFound`] where there is none of that id.
    pub async fn end_own_session(&self, who: &SignedIn, id: Digest) -> Result<(), BrokerError> {
        let listed = self.listed_sessions(who).await?;
        let session = listed.iter().find(|listed| session_id(listed.token) == id);
        let token = session.ok_or(BrokerError::NotFound)?.token;
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let active = who.active(tx, now).await?;
                    if !accounts::end_session(tx, token).await? {
                        return Ok(());
                    }
                    let on = Some(active.person().name.clone());
                    let detail = AuditDetail::SessionsEnded(SessionsFacts { sessions: 1 });
                    audit::append(tx, &AuditEvent::new(active.actor(), on, detail), now).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await
    }

    /// Ends all of one's own sessions but the one that asks.
    pub async fn end_other_sessions(&self, who: &SignedIn) -> Result<(), BrokerError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let active = who.active(tx, now).await?;
                    let sessions =
                        accounts::end_other_sessions(tx, who.id(), who.session()).await?;
                    if sessions == 0 {
                        return Ok(());
                    }
                    let on = Some(active.person().name.clone());
                    let detail = AuditDetail::SessionsEnded(SessionsFacts { sessions });
                    audit::append(tx, &AuditEvent::new(active.actor(), on, detail), now).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await
    }

    /// The newest entries about one's own sign-ins, failed ones under one's name included.
    pub async fn own_sign_ins(&self, who: &SignedIn) -> Result<Vec<AuditEntry>, BrokerError> {
        let filter = AuditFilter {
            kind: Some("session".to_owned()),
            actor: Some(who.name().to_owned()),
            ..AuditFilter::default()
        };
        let mut reader = self.store().reader().await?;
        Ok(audit::page(&mut reader, &filter, None, SIGN_INS_MAX).await?)
    }

    async fn listed_sessions(&self, who: &SignedIn) -> Result<Vec<ListedSession>, BrokerError> {
        let now = self.clock().now();
        let begun = now - TimeDelta::hours(SESSION_HOURS);
        let used = now - TimeDelta::minutes(SESSION_IDLE_MINUTES);
        let mut reader = self.store().reader().await?;
        Ok(accounts::sessions_of(&mut reader, who.id(), (begun, used)).await?)
    }
}

/// What names a session to its person: the hash of its token stays here.
fn session_id(token: Digest) -> Digest {
    Digest::of(format!("countersign session\n{token}").as_bytes())
}
