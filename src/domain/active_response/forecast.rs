//! What a request would meet on its endpoints, and what its command would do there.

use super::{CommandEffect, CommandState, RuleKeeping, SentCommand, World, worlds};
use crate::domain::{
    Time,
    action::Term,
    endpoint::EndpointId,
    id::{AgentId, RequestId},
};

/// What another command would do to what is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forecast {
    /// The timer that runs gets a new end; nothing else happens.
    ReplacesTimer {
        /// When it ends now.
        from: Time,
        /// When it would end.
        to: Time,
    },
    /// A rule more; neither ends the other.
    AddsRule,
    /// It is active, stays active, and ends when it would have ended.
    ChangesNothing,
    /// It starts, but the timer that runs ends it together with what is active.
    EndsWithTimer {
        /// When.
        at: Time,
    },
    /// Its timer also ends what would not have ended by itself.
    EndsPermanent {
        /// When.
        at: Time,
    },
    /// A response that is not ours is active, and nobody knows until when: what would become of it,
    /// and of the new one, nobody knows either.
    MeetsRuleResponse,
    /// It would not start: an undo removed the rule, but the timer of that rule still runs.
    DoesNotStart {
        /// Until when the timer runs.
        until: Time,
    },
}

impl Forecast {
    /// What a command that adds would do; none where it meets nothing. Of all worlds that are
    /// possible, one where something would be shortened counts.
    pub fn of(
        keeping: RuleKeeping,
        commands: &[SentCommand],
        effect: CommandEffect,
        (request, at): (RequestId, Time),
    ) -> Option<Self> {
        let new = SentCommand { request, at, effect, started: true };
        let worlds = worlds(keeping, commands);
        let mut all = worlds.iter().filter_map(|world| Self::in_world(world, new));
        let first = all.next()?;
        if first.shortens() { Some(first) } else { all.find(|one| one.shortens()).or(Some(first)) }
    }

    /// When the last of the commands was sent without which it would be another forecast.
    pub fn since(
        self,
        keeping: RuleKeeping,
        commands: &[SentCommand],
        effect: CommandEffect,
        asked: (RequestId, Time),
    ) -> Option<Time> {
        let differs = |count: &usize| {
            let before = commands.get(..*count).unwrap_or_default();
            Self::of(keeping, before, effect, asked) != Some(self)
        };
        let last = (0..commands.len()).rev().find(differs)?;
        commands.get(last).map(|command| command.at)
    }

    fn in_world(world: &World, new: SentCommand) -> Option<Self> {
        let effect = new.effect;
        if matches!(effect, CommandEffect::Hold(_)) {
            return world.is_active(new.at).then_some(Self::AddsRule);
        }
        let (before, now) = (&world.states, new.at);
        let (keeping, after) = (world.keeping, world.after(new).states);
        let new = after.last()?;
        if !world.is_active(now) {
            let until = world.timer.filter(|timer| timer.ends > now)?.ends;
            return match new.ends {
                Some(_) if new.only_timer => Some(Self::DoesNotStart { until }),
                Some(at) => Some(Self::EndsWithTimer { at }),
                None => None,
            };
        }
        let moved = |(before, after): &(&CommandState, &CommandState)| {
            before.stands(now) && before.ends != after.ends
        };
        Some(match (before.iter().zip(&after).find(moved), new.ends) {
            (Some((CommandState { ends: Some(from), .. }, _)), Some(to)) => {
                Self::ReplacesTimer { from: *from, to }
            }
            (Some((CommandState { ends: None, .. }, _)), Some(at)) => Self::EndsPermanent { at },
            _ if new.only_timer => Self::ChangesNothing,
            (_, Some(at)) if effect == CommandEffect::Add(Term::Permanent) => {
                Self::EndsWithTimer { at }
            }
            _ if keeping == RuleKeeping::Stacked => Self::AddsRule,
            _ => Self::ChangesNothing,
        })
    }

    /// Whether something would end earlier than was decided: what is active, or the new one itself.
    pub fn shortens(self) -> bool {
        match self {
            Self::ReplacesTimer { from, to } => to < from,
            Self::AddsRule | Self::ChangesNothing => false,
            // What is not known has its strictest value.
            Self::EndsWithTimer { .. }
            | Self::EndsPermanent { .. }
            | Self::MeetsRuleResponse
            | Self::DoesNotStart { .. } => true,
        }
    }
}

/// What is active on one endpoint for the target of a request that is not sent yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlreadyActive {
    /// Which endpoint.
    pub endpoint: EndpointId,
    /// Its name: text from outside.
    pub name: String,
    /// When the first of it began; none where only a timer is left of it.
    pub since: Option<Time>,
    /// When all of it ends; none where it does not end by itself, or where only a response that is
    /// not ours is active.
    pub ends: Option<Time>,
    /// What it rests on, oldest first. Of an undo: the other requests that it would lift, too.
    pub rests_on: Vec<RestsOn>,
    /// Since when a response that is not ours is active too, or alone; nobody knows until when.
    pub rule_response: Option<Time>,
    /// What the command would do to it; none of an undo, which lifts it.
    pub forecast: Option<Forecast>,
    /// When the last command was sent without which the command would do something else.
    pub forecast_since: Option<Time>,
}

/// A request that an active response rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestsOn {
    /// The request.
    pub request: RequestId,
    /// The agent that asked for it.
    pub agent: AgentId,
    /// Who asked: the agent's name, or the person's.
    pub asked_by: String,
    /// When it was sent.
    pub since: Time,
    /// Whether it surely started.
    pub certain: bool,
}

impl AlreadyActive {
    /// Whether the same that is asked for is active, or may be.
    pub fn is_active(&self) -> bool {
        self.forecast.is_some() && self.since.is_some()
    }

    /// Since when something would end earlier than was decided, as it would now; none where
    /// nothing would.
    pub fn shortens_since(&self) -> Option<Time> {
        self.forecast_since.max(self.rule_response).filter(|_| self.shortens())
    }

    /// Whether what others decided would end earlier, or the request itself would.
    pub fn shortens(&self) -> bool {
        self.rule_response.is_some() || self.forecast.is_none_or(Forecast::shortens)
    }
}
