//! Policy sets become active, and open requests are decided again.

use std::{panic::resume_unwind, path::Path};

use tokio::task::JoinError;

use crate::{
    broker::{Authority, Broker, BrokerError, SignedIn},
    domain::{
        actor::Actor,
        audit::{
            AuditDetail, AuditEvent,
            detail::{
                request::RefusalFacts,
                system::{PolicySetFacts, ReevaluationFacts},
            },
        },
        digest::Digest,
        facts::Verb,
        id::RequestId,
        len_u64,
        lifecycle::Refusal,
    },
    policy::{
        Engine, PolicyError, PolicyText,
        cases::{self, CaseResult},
    },
    store::{Read, StoreError, accounts, audit, requests, system},
};

/// Loads a policy set and runs its test cases: a set that fails one is no set.
pub fn load_and_test(folder: &Path) -> Result<Engine, PolicyError> {
    let engine = Engine::load(folder)?;
    match cases::run(folder, &engine)?.into_iter().find(|case| !case.passed) {
        None => Ok(engine),
        Some(CaseResult { file, name: case, expected, got, .. }) => {
            Err(PolicyError::CaseFails { file, case, expected, got })
        }
    }
}

impl Broker {
    /// At start-up: records which policy set is active, and decides open requests again where
    /// it is another than before.
    pub async fn record_active_policy(&self) -> Result<(), BrokerError> {
        let hash = self.engine().hash();
        let before = system::active_policy(&mut self.store().reader().await?).await?;
        if before == Some(hash) {
            return Ok(());
        }
        self.activate(self.engine(), Authority::Trusted(&Actor::System), before).await
    }

    /// Makes the set in this folder the active one. A bad set leaves the old one active.
    pub async fn activate_policy(&self, who: &SignedIn, folder: &Path) -> Result<(), BrokerError> {
        self.authorize_admin(who, Verb::ActivatePolicy)?;
        let before = self.engine().hash();
        match load_and_test(folder) {
            Ok(engine) => {
                let (broker, who) = (self.clone(), who.clone());
                // The caller may hang up: a set that is recorded becomes active all the same.
                let task = tokio::spawn(async move {
                    broker.activate(engine, Authority::Session(&who), Some(before)).await
                });
                match task.await.map_err(JoinError::try_into_panic) {
                    Ok(done) => done,
                    Err(Ok(panic)) => resume_unwind(panic),
                    Err(Err(_stopping)) => Err(StoreError::Busy.into()),
                }
            }
            Err(error) => {
                let facts = RefusalFacts { why: error.to_string() };
                let detail = AuditDetail::PolicyRefused(facts);
                self.record_of(who, |actor| AuditEvent::new(actor, None, detail.clone())).await?;
                Err(error.into())
            }
        }
    }

    /// The active policy set: its hash and its policies.
    pub fn policy_set(&self, who: &SignedIn) -> Result<(Digest, Vec<PolicyText>), BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let engine = self.engine();
        Ok((engine.hash(), engine.policies().to_vec()))
    }

    /// The event first: a set that is not recorded is not active.
    async fn activate(
        &self,
        engine: Engine,
        by: Authority<'_>,
        before: Option<Digest>,
    ) -> Result<(), BrokerError> {
        let hash = engine.hash();
        let source = &engine
            .policies()
            .iter()
            .map(|policy| policy.text.as_str())
            .collect::<Vec<_>>()
            .join("\n");
        let policies = len_u64(engine.policies().len());
        let facts = PolicySetFacts { before, policies };
        let detail = &AuditDetail::PolicyActivated(facts);
        let now = self.clock().now();
        let recorded = self.store().write(|tx| {
            Box::pin(async move {
                let actor = by.actor(tx, now).await?;
                system::keep_policy_set(tx, hash, source, now).await?;
                let on = Some(hash.to_string());
                let event = AuditEvent::new(actor.clone(), on, detail.clone());
                audit::append(tx, &event, now).await?;
                Ok::<_, BrokerError>(actor)
            })
        });
        let actor = recorded.await?;
        self.set_engine(engine);
        self.reevaluate_open(&actor, hash).await
    }

    /// Asks the active set about every open request. Those whose answer changed are written, each
    /// with its event, and one event sums up.
    async fn reevaluate_open(&self, actor: &Actor, hash: Digest) -> Result<(), BrokerError> {
        const CAUSE: &str = "the policy set changed";
        let mut reader = self.store().reader().await?;
        let open = requests::open(&mut reader).await?;
        if open.is_empty() {
            return Ok(());
        }
        let mut changed = Vec::new();
        for id in &open {
            if self.would_redecide(&mut reader, *id, CAUSE).await? {
                changed.push(*id);
            }
        }
        drop(reader);
        for id in &changed {
            self.redecide(*id, CAUSE).await?;
        }
        let facts =
            ReevaluationFacts { open: len_u64(open.len()), changed: len_u64(changed.len()) };
        let detail = AuditDetail::PolicyReevaluated(facts);
        self.record(&AuditEvent::new(actor.clone(), Some(hash.to_string()), detail)).await?;
        Ok(())
    }

    /// Whether policy's answer about a request is another one by now. A look alone: every write
    /// wakes all who wait for news.
    async fn would_redecide(
        &self,
        reader: &mut impl Read,
        id: RequestId,
        cause: &str,
    ) -> Result<bool, BrokerError> {
        let now = self.clock().now();
        let request = requests::load(reader, id).await?.ok_or(BrokerError::NotFound)?;
        let agent =
            accounts::agent_by_id(reader, request.agent).await?.ok_or(BrokerError::NotFound)?;
        let fresh = self.decide(reader, &request, &agent, now).await?;
        Ok(request.redecide(fresh, cause).is_ok_and(|transition| transition.is_some()))
    }

    /// Decides an open request again, with the votes that stand.
    async fn redecide(&self, id: RequestId, cause: &str) -> Result<(), BrokerError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let request = requests::load(tx, id).await?.ok_or(BrokerError::NotFound)?;
                    let agent = accounts::agent_by_id(tx, request.agent)
                        .await?
                        .ok_or(BrokerError::NotFound)?;
                    let fresh = self.decide(tx, &request, &agent, now).await?;
                    match request.redecide(fresh, cause) {
                        Ok(Some(transition)) => {
                            requests::advance(tx, transition, now).await.map(drop)?;
                        }
                        // It ended in this very moment, or expiry ends it in the next.
                        Ok(None) | Err(Refusal::WrongState { .. } | Refusal::TooLate { .. }) => {}
                        Err(other) => return Err(other.into()),
                    }
                    Ok(())
                })
            })
            .await
    }
}
