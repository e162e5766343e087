//! The kill switch: thrown by one, released by two.

use crate::{
    broker::{
        Authority, Broker, BrokerError, SignedIn,
        input::{check_reason, unknown_name},
        unchecked::Unchecked,
    },
    domain::{
        actor::{Actor, Person},
        audit::{AuditDetail, AuditEvent, detail::system::SwitchFacts},
        facts::{Authentication, Principal, Resource, Verb},
        kill_switch::{Extent, Freeze, KeyTurn, Release},
        lifecycle::Refusal,
        notice::Notice,
    },
    store::{Read, Tx, accounts, audit, notices, system},
};

/// What became of the wish to release the kill switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfreeze {
    /// It is off.
    Released,
    /// It stays on until a second person says the same.
    Waits(Release),
}

impl Broker {
    /// Stops so much: nothing of it is claimed and nothing is sent.
    pub async fn freeze(
        &self,
        who: &SignedIn,
        extent: &Extent,
        reason: &str,
    ) -> Result<(), BrokerError> {
        self.authorize(&who.principal(self.clock().now()), Verb::Freeze, &Resource::System)?;
        if let Extent::Manager(name) = extent {
            let known = self.manager_names(who).await?;
            if !known.contains(name) {
                return Err(unknown_name("manager", name, known.join(", ")).into());
            }
        }
        self.unchecked().freeze(Authority::Session(who), extent, reason).await
    }

    /// Says that so much may go on; the second person who says it releases it.
    pub async fn unfreeze(
        &self,
        who: &SignedIn,
        extent: &Extent,
        reason: &str,
    ) -> Result<Unfreeze, BrokerError> {
        self.authorize(&who.principal(self.clock().now()), Verb::Unfreeze, &Resource::System)?;
        let may = |person: &Person| self.may_release(person);
        self.unchecked().unfreeze(Authority::Session(who), extent, reason, may).await
    }

    /// What the kill switch stops now, oldest first, without first words that count no longer.
    pub async fn frozen(&self) -> Result<Vec<Freeze>, BrokerError> {
        let mut reader = self.store().reader().await?;
        let (mut all, now) = (system::frozen(&mut reader).await?, self.clock().now());
        for freeze in &mut all {
            let may = |person: &Person| self.may_release(person);
            if freeze.first(now).is_none() || !first_key_stands(&mut reader, freeze, &may).await? {
                freeze.release = None;
            }
        }
        Ok(all)
    }

    fn may_release(&self, person: &Person) -> bool {
        let person = Principal::Person(person.clone(), Authentication::BEST);
        self.engine().may(&person, Verb::Unfreeze, &Resource::System).allowed
    }
}

impl Unchecked {
    /// Throws the kill switch. Nothing changes where so much is stopped already, but that a
    /// release which was begun has to begin again.
    pub(in crate::broker) async fn freeze(
        &self,
        by: Authority<'_>,
        extent: &Extent,
        reason: &str,
    ) -> Result<(), BrokerError> {
        let reason = &check_reason("reason", reason)?;
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let actor = &by.actor(tx, now).await?;
                    check_agent_exists(tx, extent).await?;
                    let freeze = Freeze {
                        extent: extent.clone(),
                        at: now,
                        by: actor.name().to_owned(),
                        reason: reason.clone(),
                        release: None,
                    };
                    let new = system::freeze(tx, &freeze).await?;
                    let event = switch_event(AuditDetail::Frozen, actor, extent, reason);
                    audit::append(tx, &event, now).await?;
                    // Whoever throws it again tells nobody anything new.
                    if let Some(notice) = Notice::of_switch(event.kind(), extent, now)
                        && new
                    {
                        notices::insert(tx, &notice).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Says that so much may go on; the second person who says it releases it. The command line
    /// counts as one person. `may` tells whether the first may still say so.
    pub(in crate::broker) async fn unfreeze(
        &self,
        by: Authority<'_>,
        extent: &Extent,
        reason: &str,
        may: impl Fn(&Person) -> bool + Send + Sync,
    ) -> Result<Unfreeze, BrokerError> {
        let (reason, may) = (&check_reason("reason", reason)?, &may);
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let actor = &by.actor(tx, now).await?;
                    let all = system::frozen(tx).await?;
                    let Some(freeze) = all.into_iter().find(|freeze| freeze.extent == *extent)
                    else {
                        return Ok(Unfreeze::Released);
                    };
                    let stands = first_key_stands(tx, &freeze, may).await?;
                    let (detail, done): (fn(_) -> _, _) =
                        match freeze.turn(actor, reason, stands, now) {
                            KeyTurn::Again => return Err(Refusal::SecondPersonMissing.into()),
                            KeyTurn::First(first) => {
                                system::record_first_key(tx, extent, Some(&first)).await?;
                                (AuditDetail::ReleaseAsked, Unfreeze::Waits(first))
                            }
                            KeyTurn::Second => {
                                system::unfreeze(tx, extent).await?;
                                (AuditDetail::Unfrozen, Unfreeze::Released)
                            }
                        };
                    let event = switch_event(detail, actor, extent, reason);
                    audit::append(tx, &event, now).await?;
                    if let Some(notice) = Notice::of_switch(event.kind(), extent, now) {
                        notices::insert(tx, &notice).await?;
                    }
                    Ok::<_, BrokerError>(done)
                })
            })
            .await
    }

    /// What the kill switch stops now, oldest first.
    pub(in crate::broker) async fn frozen(&self) -> Result<Vec<Freeze>, BrokerError> {
        Ok(system::frozen(&mut self.store().reader().await?).await?)
    }
}

pub(super) fn switch_event(
    detail: impl Fn(SwitchFacts) -> AuditDetail,
    actor: &Actor,
    extent: &Extent,
    reason: &str,
) -> AuditEvent {
    let facts = SwitchFacts { reason: reason.to_owned(), extent: extent.clone() };
    AuditEvent::new(actor.clone(), Some(extent.to_string()), detail(facts))
}

/// Whether whoever turned the first key may still do so.
async fn first_key_stands(
    read: &mut impl Read,
    freeze: &Freeze,
    may: &(impl Fn(&Person) -> bool + Sync),
) -> Result<bool, BrokerError> {
    let Some(first) = freeze.release.as_ref().and_then(|first| first.person) else {
        return Ok(true);
    };
    let person = accounts::person_by_id(read, first).await?;
    Ok(person.is_some_and(|person| person.is_active() && may(&person)))
}

/// A switch for an agent that nobody knows would stop nothing.
async fn check_agent_exists(tx: &mut Tx<'_>, extent: &Extent) -> Result<(), BrokerError> {
    let Extent::Agent(name) = extent else { return Ok(()) };
    let agents = accounts::agents(tx).await?;
    if agents.iter().any(|agent| agent.name == *name) {
        return Ok(());
    }
    let known: Vec<_> = agents.into_iter().map(|agent| agent.name).collect();
    Err(unknown_name("agent", name, known.join(", ")).into())
}
