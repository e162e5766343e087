//! One call of one tool by one agent.

use std::{
    convert::Infallible,
    future::pending,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use rmcp::{
    Peer, RoleServer,
    model::{ProgressNotificationParam, ProgressToken},
};
use tokio_util::sync::CancellationToken;

mod lookups;
mod plans;

use super::{
    answer::{self, AnswerContext, AnswerSubject, ToolAnswer},
    arguments::ToolArguments,
    tools::{
        CANCEL_REASON_CHARS_MAX, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX, TIMEOUT_SECONDS_DEFAULT,
        ToolName, WAIT_SECONDS_MAX,
    },
};
use crate::{
    broker::{Broker, BrokerError, queries::RequestFilter, requests::submit::Submitted},
    domain::{
        action::ActionKind, actor::Agent, halt::HaltCause, id::RequestId, proposal::InvalidField,
        request::Request,
    },
    text::agent_message::{Obstacle, without_addresses},
};

/// How long a token that the command line revoked or replaced may still wait: this process is told
/// of its own writes alone.
const RECHECK: Duration = Duration::from_secs(2);

/// How often a caller hears that its call still waits: some clients give up after five seconds
/// without a word.
const PROGRESS: Duration = Duration::from_secs(3);

/// Tells a client that its call still waits, and nothing else.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) peer: Peer<RoleServer>,
    pub(super) token: ProgressToken,
    /// Whether anything was told, so that a stream has begun.
    pub(super) begun: AtomicBool,
}

/// Who calls, and what may end the call.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) broker: &'a Broker,
    pub(super) public_url: &'a str,
    pub(super) agent: &'a Agent,
    /// The broker is about to stop.
    pub(super) stop: &'a CancellationToken,
    /// Where a caller that wants to hear of a wait hears of it.
    pub(super) progress: Option<Progress>,
    /// The caller has hung up. Ends a wait and nothing else.
    pub(super) gone: &'a CancellationToken,
}

impl Call<'_> {
    pub(super) async fn run(
        &self,
        tool: ToolName,
        arguments: ToolArguments,
    ) -> Result<ToolAnswer, BrokerError> {
        let mut subject = AnswerSubject::Request;
        let mut act = async |kind, arguments: ToolArguments| {
            let (own, rest) = arguments.split_off("dry_run");
            if self.of_action(kind, own.flag("dry_run")).await? {
                let (_, proposal) = ToolArguments::new(rest).split_off("wait_seconds");
                let (request, repeats) = self.broker.dry_run(self.agent, kind, &proposal).await?;
                subject = AnswerSubject::DryRun { repeats };
                return Ok(request);
            }
            let submitted = self.act(kind, ToolArguments::new(rest)).await?;
            if submitted.stands {
                subject = AnswerSubject::Standing;
            }
            Ok::<_, BrokerError>(submitted.request)
        };
        let request = match tool {
            ToolName::Action(kind) => act(kind, arguments).await?,
            ToolName::UndoRequest => self.undo(&arguments).await?,
            ToolName::GetRequest => {
                arguments.check_fields(tool)?;
                self.broker.request_of_agent(self.agent, arguments.request_id()?).await?
            }
            ToolName::WaitForDecision => {
                arguments.check_fields(tool)?;
                let allowed = 1..=WAIT_SECONDS_MAX;
                let seconds =
                    arguments.number("timeout_seconds", allowed, TIMEOUT_SECONDS_DEFAULT)?;
                self.wait(arguments.request_id()?, seconds).await?
            }
            ToolName::CancelRequest => {
                arguments.check_fields(tool)?;
                let reason = arguments.text("reason", CANCEL_REASON_CHARS_MAX)?;
                self.broker.cancel_as_agent(self.agent, arguments.request_id()?, reason).await?
            }
            ToolName::ListRequests => return self.list(&arguments).await,
            ToolName::ProposePlan => return self.propose_plan(arguments).await,
            ToolName::GetPlan => return self.get_plan(&arguments).await,
            ToolName::CancelPlan => return self.cancel_plan(&arguments).await,
            ToolName::ListEndpoints => return self.list_endpoints(&arguments).await,
            ToolName::FindResponses => return self.find_responses(&arguments).await,
            ToolName::GetAlert => return self.get_alert(&arguments).await,
            ToolName::GetLimits => return self.get_limits(&arguments).await,
        };
        let request = match subject {
            AnswerSubject::DryRun { .. } => request,
            AnswerSubject::Request | AnswerSubject::Standing => {
                self.broker.with_hold(request).await?
            }
        };
        let context = AnswerContext { subject, ..self.answer_context(&request).await };
        Ok(answer::of_request(&request, &context))
    }

    async fn answer_context(&self, request: &Request) -> AnswerContext<'_> {
        AnswerContext {
            agent: self.agent.id,
            subject: AnswerSubject::Request,
            // What the store cannot say now, it could say neither to policy nor at the claim.
            active: self.broker.active_before(request).await.unwrap_or_default(),
            public_url: self.public_url,
            several_managers: self.broker.several_managers(),
            has_evidence: self.broker.confirm_within(&request.manager).is_some(),
            children: self.broker.children_of(request).await,
            undo: self.broker.undo_option(request).await,
            undos: self.broker.undos_of_agent(self.agent, request).await,
            stopped: self.stopped(request).await,
            outages: self
                .broker
                .outage_of(&request.manager)
                .as_deref()
                .map(without_addresses)
                .into_iter()
                .collect(),
        }
    }

    /// What has to be seen to by people before it can be sent, now or once it is approved.
    async fn stopped(&self, request: &Request) -> Option<Obstacle> {
        if request.state.name().terminal() {
            return None;
        }
        if let Err(halt) = self.broker.readiness().await {
            return Some(Obstacle::Halt(halt.cause));
        }
        let unreadable = Obstacle::Halt(HaltCause::Unreadable);
        let Ok(freezes) = self.broker.frozen().await else { return Some(unreadable) };
        let stops = freezes.iter().any(|freeze| freeze.extent.stops(request));
        stops.then_some(Obstacle::KillSwitch)
    }

    async fn act(
        &self,
        kind: ActionKind,
        arguments: ToolArguments,
    ) -> Result<Submitted, BrokerError> {
        let (own, proposal) = arguments.split_off("wait_seconds");
        let seconds = own.number("wait_seconds", 0..=WAIT_SECONDS_MAX, 0);
        let seconds = self.of_action(kind, seconds).await?;
        let Submitted { request, stands } = self.broker.submit(self.agent, kind, &proposal).await?;
        Ok(Submitted { request: self.wait_after_ask(request, seconds).await?, stands })
    }

    /// What this door reads of an action's arguments itself is part of the proposal, too.
    async fn of_action<T>(
        &self,
        kind: ActionKind,
        read: Result<T, InvalidField>,
    ) -> Result<T, BrokerError> {
        match read {
            Ok(value) => Ok(value),
            Err(error) => Err(self.broker.refuse_proposal(self.agent, kind, error.into()).await),
        }
    }

    async fn undo(&self, arguments: &ToolArguments) -> Result<Request, BrokerError> {
        arguments.check_fields(ToolName::UndoRequest)?;
        let seconds = arguments.number("wait_seconds", 0..=WAIT_SECONDS_MAX, 0)?;
        let (id, reason) = (arguments.request_id()?, arguments.reason()?);
        let request = self.broker.undo_as_agent(self.agent, id, &reason).await?;
        self.wait_after_ask(request, seconds).await
    }

    /// A request that was just stored, after the wait that the agent wanted.
    async fn wait_after_ask(&self, request: Request, seconds: u32) -> Result<Request, BrokerError> {
        if seconds == 0 || request.state.name().terminal() {
            return Ok(request);
        }
        match self.wait(request.id, seconds).await {
            Ok(waited) => Ok(waited),
            // It is stored: a failed wait must not look like a failed request.
            Err(error) => {
                tracing::warn!(%error, request.id = %request.id, "cannot wait for a request");
                Ok(request)
            }
        }
    }

    async fn list(&self, arguments: &ToolArguments) -> Result<ToolAnswer, BrokerError> {
        arguments.check_fields(ToolName::ListRequests)?;
        let limit = arguments.number("limit", 1..=LIST_LIMIT_MAX, LIST_LIMIT_DEFAULT)?;
        let filter = RequestFilter {
            state: arguments.state()?,
            before: arguments.before()?,
            ..RequestFilter::default()
        };
        // One more than is shown tells whether there are more.
        let found = self.broker.requests_of_agent(self.agent, &filter, limit + 1).await?;
        Ok(answer::of_list(&found, limit))
    }

    async fn wait(&self, id: RequestId, seconds: u32) -> Result<Request, BrokerError> {
        let time = Duration::from_secs(seconds.into());
        tokio::select! {
            waited = self.broker.wait_for(self.agent, id, time) => waited,
            never = self.tell_progress(seconds) => match never {},
            () = self.stop.cancelled() => self.broker.request_of_agent(self.agent, id).await,
            () = self.gone.cancelled() => self.broker.request_of_agent(self.agent, id).await,
            () = self.revoked() => Err(BrokerError::NotFound),
        }
    }

    /// Says every few seconds how long the call has waited. Whether that is heard does not matter.
    async fn tell_progress(&self, seconds: u32) -> Infallible {
        let Some(Progress { peer, token, begun }) = &self.progress else { return pending().await };
        let clock = self.broker.clock();
        let begin = clock.now();
        for step in 1.. {
            let waited = PROGRESS * step;
            clock.reach(begin + waited).await;
            let note = ProgressNotificationParam::new(token.clone(), waited.as_secs_f64())
                .with_total(seconds.into())
                .with_message("still waiting; nothing to do");
            begun.store(true, Ordering::Relaxed);
            let _heard = peer.notify_progress(note).await.is_ok();
        }
        pending().await
    }

    /// Ends when the token that came with this call no longer opens anything: it was revoked, or the
    /// agent has another one. What is answered then does not
    /// matter: the bearer check, which asks again before anything leaves, turns it into a 401.
    async fn revoked(&self) {
        let clock = self.broker.clock();
        let mut changes = self.broker.system_changes();
        loop {
            changes.mark_unchanged();
            if self.broker.token_is_active(self.agent).await.is_ok_and(|active| !active) {
                return;
            }
            tokio::select! {
                Ok(()) = changes.changed() => {}
                () = clock.reach(clock.now() + RECHECK) => {}
            }
        }
    }
}
