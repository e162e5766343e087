//! Policy sets become active, and open requests are decided again.

use std::{panic::resume_unwind, path::Path};

use tokio::task::JoinError;

use crate::{
    broker::{Broker, BrokerError, SignedIn},
    domain::{
        actor::Actor,
        audit::{
            AuditDetail, AuditEvent,
            detail::{request::RefusalFacts, system::PolicySetFacts},
        },
        digest::Digest,
        facts::{Resource, Verb},
        id::RequestId,
        lifecycle::Refusal,
    },
    policy::{
        Engine, PolicyError, PolicyText,
        cases::{self, CaseResult},
    },
    store::{StoreError, accounts, audit, requests, system},
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
        self.activate(self.engine(), &Actor::System, before).await
    }

    /// Makes the set in this folder the active one. A bad set leaves the old one active.
    pub async fn activate_policy(&self, who: &SignedIn, folder: &Path) -> Result<(), BrokerError> {
        let principal = who.principal(self.clock().now());
        self.authorize(&principal, Verb::ActivatePolicy, &Resource::System)?;
        let before = self.engine().hash();
        match load_and_test(folder) {
            Ok(engine) => {
                let (broker, actor) = (self.clone(), who.actor());
                // The caller may hang up: a set that is recorded becomes active all the same.
                let task =
                    tokio::spawn(
                        async move { broker.activate(engine, &actor, Some(before)).await },
                    );
                match task.await.map_err(JoinError::try_into_panic) {
                    Ok(done) => done,
                    Err(Ok(panic)) => resume_unwind(panic),
                    Err(Err(_stopping)) => Err(StoreError::Busy.into()),
                }
            }
            Err(error) => {
                let facts = RefusalFacts { why: error.to_string() };
                let detail = AuditDetail::PolicyRefused(facts);
                self.record(&AuditEvent::new(who.actor(), None, detail)).await?;
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
        actor: &Actor,
        before: Option<Digest>,
    ) -> Result<(), BrokerError> {
        let hash = engine.hash();
        let source = &engine
            .policies()
            .iter()
            .map(|policy| policy.text.as_str())
            .collect::<Vec<_>>()
            .join("\n");
        let policies = u64::try_from(engine.policies().len()).unwrap_or(u64::MAX);
        let facts = PolicySetFacts { before, policies };
        let detail = AuditDetail::PolicyActivated(facts);
        let event = &AuditEvent::new(actor.clone(), Some(hash.to_string()), detail);
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    system::keep_policy_set(tx, hash, source, now).await?;
                    audit::append(tx, event, now).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await?;
        self.set_engine(engine);
        let open = requests::open(&mut self.store().reader().await?).await?;
        for id in open {
            self.redecide(id, "the policy set changed").await?;
        }
        Ok(())
    }

    /// Decides an open request again, with the votes that stand.
    pub(in crate::broker) async fn redecide(
        &self,
        id: RequestId,
        cause: &str,
    ) -> Result<(), BrokerError> {
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
