//! Two people take a database over that may lack what was sent.

use crate::{
    broker::{
        BrokerError, admin::kill_switch::switch_event, in_memory::HashQueue, input::check_reason,
        unchecked::Unchecked,
    },
    connector::Connector,
    domain::{
        Time,
        action::Action,
        actor::sign_in::SignInOrigin,
        actor::{Actor, Person},
        audit::{
            AuditDetail, AuditEvent,
            detail::{
                dispatch::{FoundCallFacts, FoundCallsFacts},
                system::{LookFacts, RecoveryFacts},
            },
            high_water_mark::ChainHead,
        },
        evidence::FoundCall,
        id::RequestId,
        kill_switch::{Extent, Freeze},
        len_u64,
        lifecycle::Refusal,
        request::StateName,
    },
    failpoint,
    store::{StoreError, Tx, audit, requests, system},
};

/// What two people say.
#[derive(Debug)]
pub struct RecoveryOrder<'a> {
    /// Their names and passwords.
    pub people: [(&'a str, &'a str); 2],
    /// Why.
    pub reason: &'a str,
    /// Whether the managers' indexers are searched.
    pub look: bool,
}

/// What a recovery came to.
#[derive(Debug)]
pub struct Recovery {
    /// The last entry before the gap; none where all is in it.
    pub since: Option<ChainHead>,
    /// The open requests that were withdrawn.
    pub withdrawn: Vec<RequestId>,
    /// The calls that the database did not know, with their managers.
    pub found: Vec<(String, FoundCall)>,
    /// The managers where nobody looked, or not everywhere, and why.
    pub not_looked: Vec<(String, String)>,
}

impl Unchecked {
    /// Withdraws what is open, records the calls that the indexers show and the database does not
    /// know, throws the kill switch, and begins the high-water mark anew. None, and nothing happens, where the database
    /// lacks nothing. Fails, and nothing happens, where an indexer cannot be searched.
    pub(in crate::broker) async fn recover(
        &self,
        order: &RecoveryOrder<'_>,
        managers: &[Connector],
        may: impl Fn(&Person) -> bool + Send + Sync,
    ) -> Result<Option<Recovery>, BrokerError> {
        let Some(gap) = self.store().gap() else { return Ok(None) };
        let reason = check_reason("reason", order.reason)?;
        let [first, second] = order.people;
        let (first, second) = (self.voucher(first, &may).await?, self.voucher(second, &may).await?);
        if first.id == second.id {
            return Err(Refusal::SecondPersonMissing.into());
        }
        let mut reader = self.store().reader().await?;
        let since = audit::head_before_gap(&mut reader, gap.mark()).await?;
        drop(reader);
        let mut recovery =
            Recovery { since, withdrawn: Vec::new(), found: Vec::new(), not_looked: Vec::new() };
        for manager in managers {
            self.look_in_gap(manager, order.look, &mut recovery).await?;
        }
        let facts = RecoveryFacts {
            reason,
            with: second.name,
            gap: gap.to_string(),
            mark: gap.mark().map(|mark| mark.head),
            since,
            withdrawn: 0,
            found: 0,
            not_looked: recovery.not_looked.iter().map(LookFacts::from).collect(),
        };
        let actor = Actor::from(&first);
        let (withdrawn, found) = self.write_recovery(&actor, &facts, &recovery.found).await?;
        (recovery.withdrawn, recovery.found) = (withdrawn, found);
        failpoint::reached("before the new mark").await;
        self.store().begin_mark().await?;
        Ok(Some(recovery))
    }

    /// One of the two, by name and password.
    async fn voucher(
        &self,
        (name, password): (&str, &str),
        may: impl Fn(&Person) -> bool,
    ) -> Result<Person, BrokerError> {
        let (given, origin) = ((name, password), SignInOrigin::program());
        let (person, _) = self.check_password(given, &origin, HashQueue::People).await?;
        if may(&person) {
            return Ok(person);
        }
        let role = person.role;
        let why =
            format!("{name} is {role}, must change the password first, or may not sign in with it");
        Err(BrokerError::NotAllowed(format!("only leads and admins recover; {why}")))
    }

    async fn look_in_gap(
        &self,
        manager: &Connector,
        look: bool,
        recovery: &mut Recovery,
    ) -> Result<(), BrokerError> {
        let name = manager.name().to_owned();
        let why = if manager.capabilities().confirm_within.is_none() {
            Some("no indexer is configured".to_owned())
        } else if look {
            let since = recovery.since.map(|since| since.at);
            let seen = manager.find_calls(None, since, self.clock().now()).await?;
            recovery.found.extend(seen.calls.into_iter().map(|call| (name.clone(), call)));
            seen.gap
        } else {
            Some("it was told not to look".to_owned())
        };
        recovery.not_looked.extend(why.map(|why| (name, why)));
        Ok(())
    }

    async fn write_recovery(
        &self,
        actor: &Actor,
        facts: &RecoveryFacts,
        seen: &[(String, FoundCall)],
    ) -> Result<(Vec<RequestId>, Vec<(String, FoundCall)>), BrokerError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let mut found = Vec::new();
                    for (manager, call) in seen {
                        if !requests::is_attempt_known(tx, call.attempt).await? {
                            record_call(tx, manager, call, now).await?;
                            found.push((manager.clone(), call.clone()));
                        }
                    }
                    let withdrawn = requests::open(tx).await?;
                    for id in &withdrawn {
                        let request =
                            requests::load(tx, *id).await?.ok_or(BrokerError::NotFound)?;
                        let why = "the database was recovered: what was done since this copy of \
                                   it is not known";
                        requests::advance(tx, request.withdraw(why.to_owned(), now)?, now).await?;
                    }
                    stop_everything(tx, actor, now).await?;
                    let facts = RecoveryFacts {
                        withdrawn: len_u64(withdrawn.len()),
                        found: len_u64(found.len()),
                        ..facts.clone()
                    };
                    let detail = AuditDetail::Recovered(facts);
                    audit::append(tx, &AuditEvent::new(actor.clone(), None, detail), now).await?;
                    Ok::<_, BrokerError>((withdrawn, found))
                })
            })
            .await
    }
}

/// Throws the kill switch: who was disabled or revoked in the gap is active again, and what people
/// stopped or policy refused then is not known.
async fn stop_everything(tx: &mut Tx<'_>, actor: &Actor, now: Time) -> Result<(), StoreError> {
    let reason = "the database was recovered: look at people, agents and what is active first";
    let freeze = Freeze {
        extent: Extent::Everything,
        at: now,
        by: actor.name().to_owned(),
        reason: reason.to_owned(),
        release: None,
    };
    system::freeze(tx, &freeze).await?;
    let event = switch_event(AuditDetail::Frozen, actor, &freeze.extent, reason);
    audit::append(tx, &event, now).await?;
    Ok(())
}

/// Records a call that the database does not know. A request that was still to be sent is over.
async fn record_call(
    tx: &mut Tx<'_>,
    manager: &str,
    call: &FoundCall,
    now: Time,
) -> Result<(), BrokerError> {
    let known = requests::load(tx, call.request).await?;
    if let Some(request) = known.filter(|known| known.state.name() == StateName::Approved) {
        let transition = request.calls_found(std::slice::from_ref(call), now)?;
        requests::advance(tx, transition, now).await?;
        return Ok(());
    }
    let facts = FoundCallsFacts {
        manager: manager.to_owned(),
        calls: vec![FoundCallFacts::from(call)],
        outcomes: Vec::new(),
        state: None,
    };
    let event = AuditEvent {
        actor: Actor::System,
        request: Some(call.request),
        action: call.action.as_ref().map(|action| action.kind().name().to_owned()),
        target: call.action.as_ref().map(Action::argument),
        detail: AuditDetail::CallsFound(facts),
    };
    audit::append(tx, &event, now).await?;
    Ok(())
}
