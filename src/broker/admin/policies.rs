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
        Engine, PolicyError, PolicyFiles, PolicyText,
        cases::{self, CaseResult},
    },
    store::{Read, Store, StoreError, accounts, audit, requests, system},
};

pub mod folder;

/// Loads a policy set and runs its test cases: a set that fails one is no set.
pub fn load_and_test(folder: &Path) -> Result<Engine, PolicyError> {
    tested(PolicyFiles::read(folder)?)
}

/// [`load_and_test`], of files that were read.
pub fn tested(files: PolicyFiles) -> Result<Engine, PolicyError> {
    let engine = Engine::new(files)?;
    match cases::run(&engine)?.into_iter().find(|case| !case.passed) {
        None => Ok(engine),
        Some(CaseResult { file, name: case, expected, got, .. }) => {
            Err(PolicyError::CaseFails { file, case, expected, got })
        }
    }
}

/// The files of the set that was activated last; none before the first start, and after one of a
/// version that kept none.
pub async fn kept_set(store: &Store) -> Result<Option<PolicyFiles>, StoreError> {
    Ok(system::policy_files(&mut store.reader().await?).await?.map(PolicyFiles::kept))
}

impl Broker {
    /// Where the set of this broker is another than the one that was active last, records that it
    /// is active now, and decides open requests again.
    pub async fn record_active_policy(&self, by: &Actor) -> Result<(), BrokerError> {
        let (engine, mut reader) = (self.engine(), self.store().reader().await?);
        let before = system::active_policy(&mut reader).await?;
        let kept = system::policy_files(&mut reader).await?;
        drop(reader);
        let texts = engine.files().texts();
        if before == Some(engine.hash()) && kept.as_ref() == Some(texts) {
            return Ok(());
        }
        if before == Some(engine.hash()) && kept.is_none() {
            let keep = self
                .store()
                .write(|tx| Box::pin(async move { system::keep_policy_files(tx, texts).await }));
            return Ok(keep.await?);
        }
        self.activate(engine.clone(), Authority::Trusted(by), before).await
    }

    /// Makes the set in this folder the active one, if the folder and the active set are those whose
    /// difference was shown. A bad set leaves the old one active.
    pub async fn activate_policy(
        &self,
        who: &SignedIn,
        folder: &Path,
        shown: Digest,
    ) -> Result<(), BrokerError> {
        self.authorize_admin(who, Verb::ActivatePolicy)?;
        let (broker, who, folder) = (self.clone(), who.clone(), folder.to_owned());
        // The caller may hang up: a set that is recorded becomes active all the same.
        let task = tokio::spawn(async move {
            match broker.activate_shown(&who, &folder, shown).await {
                Err(BrokerError::Policy(error)) => {
                    let facts = RefusalFacts { why: error.to_string() };
                    let detail = AuditDetail::PolicyRefused(facts);
                    let event = |actor| AuditEvent::new(actor, None, detail.clone());
                    broker.record_of(&who, event).await?;
                    Err(error.into())
                }
                done => done,
            }
        });
        match task.await.map_err(JoinError::try_into_panic) {
            Ok(done) => done,
            Err(Ok(panic)) => resume_unwind(panic),
            Err(Err(_stopping)) => Err(StoreError::Busy.into()),
        }
    }

    /// One at a time, from the look at what is active until that has changed: what becomes active is
    /// what the newest event names, and follows the set that it was compared with.
    async fn activate_shown(
        &self,
        who: &SignedIn,
        folder: &Path,
        shown: Digest,
    ) -> Result<(), BrokerError> {
        let _one_at_a_time = self.activation().lock().await;
        let before = self.engine().hash();
        let set = self.shown_set(folder, shown).await??;
        let engine = set.ok_or(Refusal::PolicyChanged)?;
        self.activate(engine, Authority::Session(who), Some(before)).await
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
        let (texts, catalogue) = (engine.files().texts(), &engine.catalogue().clone());
        let detail = &AuditDetail::PolicyActivated(facts);
        let now = self.clock().now();
        let recorded = self.store().write(|tx| {
            Box::pin(async move {
                let actor = by.actor(tx, now).await?;
                system::keep_policy_set(tx, hash, source, now).await?;
                system::keep_policy_files(tx, texts).await?;
                system::keep_entries(tx, catalogue).await?;
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
        let fresh = self.decide_unless_stopped(reader, &request, &agent, now).await?;
        Ok(request.redecide(fresh, cause).is_ok_and(|transition| transition.is_some()))
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
                    let fresh = self.decide_unless_stopped(tx, &request, &agent, now).await?;
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
