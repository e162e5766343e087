//! Taking a response back: a request of its own, with its own decision, approval and audit.

use std::collections::BTreeSet;

use super::draft::{Draft, load};
use crate::{
    broker::{Broker, BrokerError, Caller, SignedIn, signed_in::ActiveCaller},
    connector::{Connector, asked_by},
    domain::{
        Time,
        action::{Action, with_count},
        active_response::RestsOn,
        actor::{Actor, Agent},
        decision::Authorization,
        digest::Canonical,
        endpoint::{Candidate, Inventory, Selection, SkipReason},
        facts::{AlertFacts, Principal, Resource, Verb},
        id::RequestId,
        len_u64,
        lifecycle::Refusal,
        proposal::{Claim, Proposal, check_reason},
        request::{Outcome, Request, StateName, Target},
    },
    store::{Read, Tx, accounts, requests},
};

/// What can be said beforehand about taking a request back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UndoOption {
    /// It can be asked for; what it can and cannot do.
    Possible {
        /// In words.
        note: String,
    },
    /// The manager has no means for it: what to do by hand.
    Impossible {
        /// In words.
        why: String,
    },
    /// There is nothing to take back, and there will not be.
    Nothing,
}

impl Broker {
    /// The agent that asked wants it taken back. For another agent there is no such request.
    pub async fn undo_as_agent(
        &self,
        agent: &Agent,
        id: RequestId,
        reason: &str,
    ) -> Result<Request, BrokerError> {
        asked_by(agent.id, self.undo(Caller::Agent(agent), id, reason)).await
    }

    /// A person wants it taken back.
    pub async fn undo_as_person(
        &self,
        who: &SignedIn,
        id: RequestId,
        reason: &str,
    ) -> Result<Request, BrokerError> {
        self.undo(Caller::Person(who), id, reason).await
    }

    /// What can be said about it beforehand.
    pub async fn undo_option(&self, request: &Request) -> UndoOption {
        // What cannot be read now is read again when the undo is asked for.
        let also = self.undo_also_lifts(request).await.unwrap_or_default();
        if request.wait.is_some()
            && let Ok(mut reader) = self.store().reader().await
            && let Ok(whole) = requests::with_children(&mut reader, request.clone()).await
        {
            drop(reader);
            return self.undo_option_beside(&whole, &also).await;
        }
        self.undo_option_beside(request, &also).await
    }

    /// What takes an action back, as the catalogue says it now.
    fn undo_of(&self, action: &Action) -> Result<Action, Refusal> {
        let undo = action.undo().ok_or_else(|| {
            nothing_to_undo(if action.kind().is_undo() {
                "it takes something back itself"
            } else {
                "the catalogue has nothing that takes it back"
            })
        })?;
        let now = self.engine().catalogue().get(undo.kind().name());
        let now = now.and_then(|kind| Action::parse(kind, &undo.argument()).ok());
        Ok(now.unwrap_or(undo))
    }

    /// [`Broker::undo_option`], where it is known what an undo would lift beside the request.
    pub(in crate::broker) async fn undo_option_beside(
        &self,
        request: &Request,
        also: &[RestsOn],
    ) -> UndoOption {
        let ended = request.state.name().terminal();
        let Ok(action) = self.undo_of(&request.action) else { return UndoOption::Nothing };
        if ended && request.active_targets().next().is_none() {
            return UndoOption::Nothing;
        }
        let known = match self.store().reader().await {
            Ok(mut reader) => self.manager_now(&mut reader, &request.manager).await.ok().flatten(),
            Err(_) => self.manager(&request.manager),
        };
        let Some(connector) = known else {
            let why = format!("the manager {} is no longer configured", request.manager);
            return UndoOption::Impossible { why };
        };
        // What a companion script did, its own undo takes back.
        let companion =
            |target: &Target| action.kind().entry().companion_in(&target.command).is_some();
        let open = |target: &&Target| {
            (!ended || target.outcome.as_ref().is_some_and(Outcome::may_be_active))
                && !companion(target)
        };
        let platforms: BTreeSet<_> =
            request.targets.iter().filter(open).map(|target| target.endpoint.platform).collect();
        let (mut obstacles, now) = (BTreeSet::new(), self.clock().now());
        for platform in platforms {
            let can = connector.can_run(&action, request.term, platform, now).await;
            obstacles.extend(can.err().map(|reason| reason.to_string()));
        }
        if !obstacles.is_empty() {
            let why = obstacles.into_iter().collect::<Vec<_>>().join("; ");
            return UndoOption::Impossible { why };
        }
        let unknown = |target: &Target| matches!(target.outcome, Some(Outcome::Unknown { .. }));
        let mut note =
            if request.active_targets().any(unknown) { OF_UNKNOWN } else { OF_SENT }.to_owned();
        if !also.is_empty() {
            let others = with_count(len_u64(also.len()), "other request");
            note = format!(
                "{note} It also lifts what {others} put in place for the same target: an endpoint \
                 keeps one timer, and often one rule, for it."
            );
        }
        UndoOption::Possible { note }
    }

    async fn undo(
        &self,
        caller: Caller<'_>,
        id: RequestId,
        reason: &str,
    ) -> Result<Request, BrokerError> {
        let reason = reason.trim().to_owned();
        check_reason(&reason)?;
        let mut reader = self.store().reader().await?;
        let who = &caller.principal(self.clock().now());
        let undone = self.load_undoable(&mut reader, who, id).await?;
        if let Some(open) = self.open_undo_for(&mut reader, who, id).await? {
            return Ok(open);
        }
        let agent = asking_agent(&mut reader, caller, &undone).await?;
        let connector = self.manager_now(&mut reader, &undone.manager).await?;
        drop(reader);
        let _place = match caller {
            Caller::Person(_) => {
                self.ensure_room()?;
                None
            }
            Caller::Agent(_) => Some(self.acquire_slot(&agent).await?),
        };
        let connector = connector.ok_or_else(|| {
            nothing_to_undo(&format!("the manager {} is no longer configured", undone.manager))
        })?;
        let proposal = proposed(&undone, self.undo_of(&undone.action)?, reason);
        let now = self.clock().now();
        let (what, of) = ((&proposal.selection, &proposal.action), undone.undone());
        let mut inventory = connector.resolve_undo(&of, what, proposal.term, now).await?;
        keep_same_machines(&mut inventory, &undone);
        let alert = no_alert(connector, now).await;
        let mut request = self.draft(&agent, &proposal, &inventory, (connector.name(), alert));
        request.undoes = Some(id);
        // Its endpoints may have gone into other groups meanwhile.
        self.ensure_in_sight(who, &request)?;
        let same = Canonical::new(1, "undo").text(&id.to_string()).digest();
        let (proposal, ask) = (same, same);
        let draft = &Draft { request, inventory, proposal, ask, idempotency_key: None };
        let agent = &agent;
        let store = match caller {
            Caller::Person(_) => self.store().clone(),
            Caller::Agent(_) => self.store().for_agents(),
        };
        store
            .write(|tx| {
                Box::pin(async move {
                    // The world may have moved while the manager was asked.
                    let active = caller.active(tx, now).await?;
                    let undone = self.load_undoable(tx, &active.principal(now), id).await?;
                    if let Some(open) = self.open_undo_for(tx, &active.principal(now), id).await? {
                        return Ok(open);
                    }
                    ensure_covers(&draft.request, &undone)?;
                    let mut draft = draft.clone();
                    draft.request.asked_by = active.requester();
                    Box::pin(self.store_undo(tx, (undone, active), agent, &draft)).await
                })
            })
            .await
    }

    /// Stores an undo. What still waits for endpoints of what it takes back ends with that.
    async fn store_undo(
        &self,
        tx: &mut Tx<'_>,
        (undone, active): (Request, ActiveCaller),
        agent: &Agent,
        draft: &Draft,
    ) -> Result<Request, BrokerError> {
        let now = draft.request.asked_at;
        let undo = self.store_draft(tx, agent, draft, None).await?;
        if undo.state.name() != StateName::Denied {
            let may = self.may_undo(&active.principal(now), &undone, agent);
            let why = format!("it is taken back by {}", undo.id);
            let cancel = |child: Request| child.cancel(active.actor(), &why, &may, now);
            self.end_children(tx, undone, now, cancel).await?;
        }
        Ok(undo)
    }

    /// The open request that takes this one back already, where it may be seen.
    async fn open_undo_for(
        &self,
        read: &mut impl Read,
        who: &Principal,
        id: RequestId,
    ) -> Result<Option<Request>, BrokerError> {
        let Some(open) = open_undo(read, id).await? else { return Ok(None) };
        let open = load(read, open).await?;
        self.ensure_in_sight(who, &open)?;
        Ok(Some(open))
    }

    /// Refuses an undo that the person may not see.
    fn ensure_in_sight(&self, who: &Principal, undo: &Request) -> Result<(), BrokerError> {
        let Principal::Person(person, _) = who else { return Ok(()) };
        if self.sees_all_of(person, &undo.sites()) {
            return Ok(());
        }
        let why = "its endpoints are in groups by now that are not for your team".to_owned();
        Err(BrokerError::NotAllowed(why))
    }

    fn may_undo(&self, who: &Principal, undone: &Request, agent: &Agent) -> Authorization {
        self.engine().may(who, Verb::Undo, &Resource::Request(undone.facts(agent)))
    }

    /// The request, if this one may take it back and there is something to take back.
    async fn load_undoable(
        &self,
        read: &mut impl Read,
        who: &Principal,
        id: RequestId,
    ) -> Result<Request, BrokerError> {
        let request = requests::load(read, id).await?.ok_or(BrokerError::NotFound)?;
        let agent =
            accounts::agent_by_id(read, request.agent).await?.ok_or(BrokerError::NotFound)?;
        let resource = Resource::Request(request.facts(&agent));
        self.authorize(who, Verb::View, &resource).map_err(|_hidden| BrokerError::NotFound)?;
        self.authorize(who, Verb::Undo, &resource)?;
        self.undo_of(&request.action)?;
        let request = requests::with_children(read, request).await?;
        let state = request.state.name();
        if !request.may_be_undone() {
            let may = self.engine().may(who, Verb::Cancel, &resource);
            let cancelled = request.cancel(Actor::System, "", &may, self.clock().now());
            let hint = if cancelled.is_ok() {
                "cancel it instead"
            } else if state == StateName::Dispatching {
                "ask again once it is settled"
            } else {
                "nothing was sent"
            };
            return Err(nothing_to_undo(&format!("it is {state}; {hint}")).into());
        }
        let children = requests::children(read, id).await?;
        if let Some(sent) = children.iter().find(|child| child.state == StateName::Dispatching) {
            let why = format!("it is being sent to {}; ask again in a moment", sent.endpoint);
            return Err(nothing_to_undo(&why).into());
        }
        if request.active_targets().next().is_none() {
            let hint =
                if state == StateName::Waiting { " yet; cancel it instead" } else { " any more" };
            return Err(nothing_to_undo(&format!("it stands on no endpoint{hint}")).into());
        }
        Ok(request)
    }
}

const OF_SENT: &str = "An undo is a request of its own; that it worked is known only when the \
                       endpoint says so.";
const OF_UNKNOWN: &str = "On some endpoints nobody knows whether it was done. An undo lifts it \
                          there if it was done before the undo arrives; if it was never done, the \
                          undo may block for about a second and lift that. It does not help \
                          against a command that arrives later.";

/// What stands in for the alert of an undo: whether the indexer keeps up.
async fn no_alert(connector: &Connector, now: Time) -> AlertFacts {
    let summary = "an undo needs no alert".to_owned();
    let indexer = connector.indexer_state(now).await;
    AlertFacts { summary, indexer, ..AlertFacts::default() }
}

/// What takes a request back, wherever it stands.
fn proposed(undone: &Request, action: Action, reason: String) -> Proposal {
    let ids = undone.active_targets().map(|target| target.endpoint.id.clone()).collect();
    Proposal {
        action,
        manager: None,
        selection: Selection::Ids(ids),
        when_back: false,
        term: undone.term,
        claim: Claim { reason, alert_id: None, confidence: None },
        idempotency_key: None,
    }
}

fn nothing_to_undo(why: &str) -> Refusal {
    Refusal::NothingToUndo { why: why.to_owned() }
}

/// The agent that asks: the caller, or the one whose request a person takes back.
async fn asking_agent(
    read: &mut impl Read,
    caller: Caller<'_>,
    undone: &Request,
) -> Result<Agent, BrokerError> {
    match caller {
        Caller::Agent(agent) => Ok(agent.clone()),
        Caller::Person(_) => {
            accounts::agent_by_id(read, undone.agent).await?.ok_or(BrokerError::NotFound)
        }
    }
}

/// Fails where a child was sent since the manager was asked: an undo takes all of it back.
fn ensure_covers(undo: &Request, undone: &Request) -> Result<(), Refusal> {
    let taken = undo.targets.iter().map(|target| &target.endpoint.id);
    let left_out = undo.skipped.iter().map(|skipped| &skipped.endpoint.id);
    let known: BTreeSet<_> = taken.chain(left_out).collect();
    match undone.active_targets().find(|target| !known.contains(&target.endpoint.id)) {
        None => Ok(()),
        Some(target) => {
            let why = format!("it was sent to {} just now; ask again", target.endpoint.id);
            Err(nothing_to_undo(&why))
        }
    }
}

/// An undo of this request that is still open.
async fn open_undo(read: &mut impl Read, of: RequestId) -> Result<Option<RequestId>, BrokerError> {
    for id in requests::undos(read, of).await? {
        let undo = load(read, id).await?;
        if !undo.state.name().terminal() {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Another machine under an old id was never acted on, and one that is gone cannot be. Both are
/// named as left out.
fn keep_same_machines(inventory: &mut Inventory, undone: &Request) {
    let left_out = |why: &str| Err(SkipReason::NoCommand(why.to_owned()));
    for Target { endpoint: then, .. } in undone.active_targets() {
        let found = inventory.candidates.iter_mut().find(|c| c.endpoint.id == then.id);
        match found {
            Some(Candidate { command: Err(SkipReason::Unreadable(_)), .. }) => {}
            Some(candidate) if candidate.endpoint.same_machine(then) => {}
            Some(candidate) => candidate.command = left_out("another machine has this id now"),
            None => inventory.candidates.push(Candidate {
                endpoint: then.clone(),
                command: left_out("the manager no longer knows it"),
                silent: false,
                when_back: None,
            }),
        }
    }
}
