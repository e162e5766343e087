//! What a request meets on its endpoints, before it is sent: what is active for its target, and
//! what its command would do to that.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use crate::{
    broker::{Broker, BrokerError},
    domain::{
        Time,
        action::Term,
        active_response::{
            AlreadyActive, CommandEffect, CommandState, Forecast, RestsOn, SentCommand, may_lift,
        },
        id::RequestId,
        request::{Outcome, Request, Target},
    },
    store::{
        Read, StoreError,
        requests::{self, EndpointCommand, EndpointCommands, StandingRuleResponse},
    },
};

impl Broker {
    /// What a request that is not sent yet meets on its endpoints; nothing afterwards.
    pub(in crate::broker) async fn already_active(
        &self,
        read: &mut impl Read,
        request: &Request,
        now: Time,
    ) -> Result<Vec<AlreadyActive>, StoreError> {
        let open = |target: &&Target| target.outcome.is_none();
        if request.state.name().terminal() || !request.targets.iter().any(|t| open(&t)) {
            return Ok(Vec::new());
        }
        let asked = request.targets.iter().filter(open).map(|target| &target.endpoint.id);
        let known = requests::commands(read, &request.action, asked, now).await?;
        let rules =
            requests::standing_rule_responses(read, &request.manager, &request.action, now).await?;
        let meets = |target: &Target| {
            let on = requests::commands_on(&known, &target.endpoint);
            let own = on.and_then(|on| meets(request, target, on, now));
            let there = |rule: &&StandingRuleResponse| rule.endpoint == target.endpoint.id;
            match rules.iter().find(there).filter(|_| request.undoes.is_none()) {
                Some(rule) => Some(with_rule_response(own, target, rule.since)),
                None => own,
            }
        };
        Ok(request.targets.iter().filter(open).filter_map(meets).collect())
    }

    /// What a request that is not sent yet meets on its endpoints, for one who may see it.
    pub async fn active_before(
        &self,
        request: &Request,
    ) -> Result<Vec<AlreadyActive>, BrokerError> {
        let now = self.clock().now();
        Ok(self.already_active(&mut self.store().reader().await?, request, now).await?)
    }

    /// The newest of the same agent's requests that a draft would add nothing to: together they are
    /// the same response for the same time, surely active on all the draft's endpoints, with half of
    /// the time left or more, and with no undo under way.
    pub(in crate::broker) async fn standing(
        &self,
        read: &mut impl Read,
        draft: &Request,
        now: Time,
    ) -> Result<Option<Request>, StoreError> {
        let met = self.already_active(read, draft, now).await?;
        let lasts = |met: &AlreadyActive| match (draft.term, met.ends) {
            (Term::Seconds(seconds), Some(ends)) => {
                ends - now >= TimeDelta::seconds(seconds.into()) / 2
            }
            (Term::Permanent, Some(_)) => false,
            (_, None) => true,
        };
        let adds = |met: &AlreadyActive| met.shortens() || !met.is_active() || !lasts(met);
        if met.len() < draft.targets.len() || met.iter().any(adds) {
            return Ok(None);
        }
        let rests_on = met.iter().flat_map(|met| &met.rests_on);
        let own = rests_on.filter(|one| one.agent == draft.agent).map(|one| one.request);
        let own: BTreeSet<_> = own.collect();
        let mut standing = Vec::new();
        for id in own {
            let Some(request) = requests::load(read, id).await? else { continue };
            if request.term == draft.term && requests::open_undo(read, id).await?.is_none() {
                standing.push(request);
            }
        }
        let surely = |wanted: &Target| {
            standing.iter().flat_map(|request| &request.targets).any(|target| {
                target.endpoint.same_machine(&wanted.endpoint)
                    && matches!(
                        target.outcome,
                        Some(Outcome::Sent | Outcome::Confirmed(_) | Outcome::Verified(_))
                    )
            })
        };
        let all = draft.targets.iter().all(surely);
        Ok(standing.into_iter().max_by_key(|request| request.asked_at).filter(|_| all))
    }

    /// The other requests that an undo of this one would lift with it: what rests on the same rule
    /// or timer on its endpoints.
    pub async fn undo_also_lifts(&self, request: &Request) -> Result<Vec<RestsOn>, BrokerError> {
        let (mut reader, now) = (self.store().reader().await?, self.clock().now());
        let asked = request.active_targets().map(|target| &target.endpoint.id);
        let known = requests::commands(&mut reader, &request.action, asked, now).await?;
        let entry = request.action.kind().entry();
        let effect = |target: &Target| match request.term {
            _ if entry.companion_in(&target.command).is_some() => {
                CommandEffect::Release(request.id)
            }
            Term::Seconds(_) => CommandEffect::Expire,
            Term::Permanent => CommandEffect::Clear,
        };
        // The undo has no id yet.
        let undo = RequestId::from(uuid::Uuid::nil());
        let mut lifted: Vec<RestsOn> = Vec::new();
        for target in request.active_targets() {
            let Some(on) = requests::commands_on(&known, &target.endpoint) else { continue };
            for (command, _) in also_lifted((undo, request.id), on, effect(target), now) {
                if !lifted.iter().any(|known| known.request == command.sent.request) {
                    lifted.push(rests_on(command));
                }
            }
        }
        Ok(lifted)
    }
}

fn meets(
    request: &Request,
    target: &Target,
    on: &EndpointCommands,
    now: Time,
) -> Option<AlreadyActive> {
    let stands = |(command, state): &(&EndpointCommand, CommandState)| {
        command.outcome.may_be_active() && state.stands(now)
    };
    let standing: Vec<_> = on.states().filter(stands).collect();
    let kind = request.action.kind();
    let effect = CommandEffect::of(kind, request.term, &target.command);
    let (forecast, forecast_since, relevant) = match effect {
        CommandEffect::Add(_) | CommandEffect::Hold(_) => {
            let (sent, asked) = (on.sent(), (request.id, now));
            let forecast = Forecast::of(on.keeping, &sent, effect, asked)?;
            (Some(forecast), forecast.since(on.keeping, &sent, effect, asked), standing)
        }
        CommandEffect::Release(_)
        | CommandEffect::Expire
        | CommandEffect::Clear
        | CommandEffect::SeenEnd => {
            let undone = request.undoes.unwrap_or(request.id);
            let lifted = also_lifted((request.id, undone), on, effect, now);
            (None, lifted.iter().map(|(command, _)| command.sent.at).max(), lifted)
        }
    };
    let rests_on: Vec<_> = relevant.iter().map(|(command, _)| rests_on(command)).collect();
    if forecast.is_none() && rests_on.is_empty() {
        return None;
    }
    let ends = relevant.iter().map(|(_, state)| state.ends);
    Some(AlreadyActive {
        endpoint: target.endpoint.id.clone(),
        name: target.endpoint.name.clone(),
        since: relevant.iter().map(|(command, _)| command.sent.at).min(),
        ends: ends.reduce(|one, other| Some(one?.max(other?))).flatten(),
        rests_on,
        rule_response: None,
        forecast,
        forecast_since,
    })
}

/// What is met where a response that is not ours is active too.
fn with_rule_response(own: Option<AlreadyActive>, target: &Target, since: Time) -> AlreadyActive {
    let alone = || AlreadyActive {
        endpoint: target.endpoint.id.clone(),
        name: target.endpoint.name.clone(),
        since: Some(since),
        ends: None,
        rests_on: Vec::new(),
        rule_response: None,
        forecast: Some(Forecast::MeetsRuleResponse),
        forecast_since: None,
    };
    // Where only a timer is left of ours, it may be the timer of the other.
    let own = own.filter(|own| own.since.is_some());
    AlreadyActive { rule_response: Some(since), ..own.unwrap_or_else(alone) }
}

/// The requests that an undo lifts beside the one that it is for.
fn also_lifted(
    (undo, undone): (RequestId, RequestId),
    on: &EndpointCommands,
    effect: CommandEffect,
    now: Time,
) -> Vec<(&EndpointCommand, CommandState)> {
    let sent = SentCommand { request: undo, at: now, effect, started: true };
    let lifted = may_lift(on.keeping, &on.sent(), sent);
    let other = |(command, before): &(&EndpointCommand, CommandState)| {
        command.outcome.may_be_active()
            && before.stands(now)
            && lifted.contains(&command.sent.request)
            && command.sent.request != undone
    };
    on.states().filter(other).collect()
}

fn rests_on(command: &EndpointCommand) -> RestsOn {
    RestsOn {
        request: command.sent.request,
        agent: command.agent,
        asked_by: command.asked_by.clone(),
        since: command.sent.at,
        certain: matches!(command.outcome, Outcome::Confirmed(_) | Outcome::Verified(_)),
    }
}
