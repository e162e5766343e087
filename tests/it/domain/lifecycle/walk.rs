//! The walk, breadth first, over every request that can be reached.

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    fmt,
    sync::{Arc, OnceLock},
};

use countersign::domain::{
    Time,
    decision::Verdict,
    endpoint::EndpointId,
    id::{AttemptId, PersonId, PlanId},
    lifecycle::{Refusal, Transition},
    request::{PlanStep, Request, State, StateName},
};
use uuid::Uuid;

use super::{
    every_input::every_input,
    fixtures::{USE_BY, VERDICTS, child, drafted, drafted_to_wait, minute},
    input::{Input, Moved, Said, Which},
};

/// With more approvals than these nothing new happens.
const VOTES_MAX: usize = 2;

/// A request with what the walk itself remembers of the way to it.
#[derive(Debug, Clone)]
pub(super) struct Situation {
    pub(super) request: Request,
    /// Somebody changed the stored bytes after the digest was taken.
    pub(super) tampered: bool,
    /// Endpoints in a call that was permitted and of which nobody is sure that nothing was sent.
    pub(super) maybe_sent: BTreeSet<EndpointId>,
}

/// One call of a transition function.
pub(super) struct Step {
    pub(super) before: Arc<Situation>,
    pub(super) input: Input,
    pub(super) result: Result<Option<Box<Moved>>, Refusal>,
}

/// Short, because a failed assertion prints it.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = self
            .result
            .as_ref()
            .map(|moved| moved.as_ref().map(|moved| &moved.transition.request().state));
        write!(f, "{:?} on {:?} gives {result:?}", self.input, self.before.request.state)
    }
}

impl Step {
    pub(super) fn moved(&self) -> Option<&Moved> {
        self.result.as_ref().ok()?.as_deref()
    }

    pub(super) fn state(&self) -> StateName {
        self.before.request.state.name()
    }
}

/// A move: from this state (none before the request was asked), by this function, to that state.
pub(crate) type Edge = (Option<StateName>, &'static str, StateName);

/// Everything that the walk saw.
#[derive(Debug)]
pub(crate) struct Walk {
    pub(super) beginnings: Vec<Transition>,
    pub(super) steps: Vec<Step>,
}

impl Walk {
    /// The steps that moved a request: before, input, after.
    pub(super) fn moves(&self) -> impl Iterator<Item = (&Step, &Moved)> {
        self.steps.iter().filter_map(|step| Some((step, step.moved()?)))
    }

    /// Every transition, the beginnings included.
    pub(super) fn transitions(&self) -> impl Iterator<Item = &Transition> {
        self.beginnings.iter().chain(self.moves().map(|(_, moved)| &moved.transition))
    }

    /// Every move, without repetition.
    pub(crate) fn edges(&self) -> BTreeSet<Edge> {
        let begun = self.beginnings.iter().map(|transition| {
            let child = transition.request().parent().is_some();
            (None, if child { "begin_children" } else { "asked" }, to(transition))
        });
        let moved = self.moves().map(|(step, moved)| {
            (Some(step.state()), step.input.function(), to(&moved.transition))
        });
        begun.chain(moved).collect()
    }
}

fn to(transition: &Transition) -> StateName {
    transition.request().state.name()
}

/// The walk, made once.
pub(crate) fn walk() -> &'static Walk {
    static WALK: OnceLock<Walk> = OnceLock::new();
    WALK.get_or_init(|| {
        let mut beginnings: Vec<_> = VERDICTS.map(ask).into_iter().collect();
        let waits = drafted_to_wait(Verdict::Run).submit(minute(USE_BY), minute(0));
        beginnings.extend([waits, child()]);
        let steps = explore(&beginnings);
        Walk { beginnings, steps }
    })
}

/// A step of a plan, which can do all that a request can.
fn ask(verdict: Verdict) -> Transition {
    let mut step = drafted(verdict);
    step.plan = Some(PlanStep { plan: PlanId::from(Uuid::from_u128(12)), number: 2 });
    step.digest = step.computed_digest();
    step.submit(minute(USE_BY), minute(0))
}

fn explore(beginnings: &[Transition]) -> Vec<Step> {
    let inputs = every_input();
    let mut seen = HashSet::new();
    let mut steps = Vec::new();
    let mut open: VecDeque<_> = beginnings.iter().flat_map(sound_and_tampered).collect();
    while let Some(situation) = open.pop_front() {
        let crowded = situation.request.votes.len() > VOTES_MAX;
        if crowded || !seen.insert(likeness(&situation)) {
            continue;
        }
        let before = Arc::new(situation);
        for &input in &inputs {
            let result = input.apply(before.request.clone()).map(|moved| moved.map(Box::new));
            if let Ok(Some(moved)) = &result {
                open.push_back(before.then(input, moved));
            }
            steps.push(Step { before: Arc::clone(&before), input, result });
        }
    }
    steps
}

fn sound_and_tampered(beginning: &Transition) -> [Situation; 2] {
    let request = beginning.request().clone();
    let sound = Situation { request, tampered: false, maybe_sent: BTreeSet::new() };
    let mut tampered = Situation { tampered: true, ..sound.clone() };
    "elsewhere".clone_into(&mut tampered.request.manager);
    [sound, tampered]
}

impl Situation {
    /// The situation after a move. The version rises, as the store raises it.
    fn then(&self, input: Input, moved: &Moved) -> Self {
        let mut request = moved.transition.request().clone();
        request.version += 1;
        let mut maybe_sent = self.maybe_sent_knowing(input);
        if let Some(permit) = &moved.permit {
            maybe_sent.extend(permit.order().endpoints.iter().cloned());
        }
        Self { request, tampered: self.tampered, maybe_sent }
    }

    /// Where something may have been sent, once the report in the input is known.
    pub(super) fn maybe_sent_knowing(&self, input: Input) -> BTreeSet<EndpointId> {
        let (Input::Answer { attempt: Which::Open, report: Said::Nothing, .. }
        | Input::Answer { attempt: Which::Open, report: Said::AllAway, .. }) = input
        else {
            return self.maybe_sent.clone();
        };
        let open = self.request.attempts.iter().find(|attempt| attempt.answered_at.is_none());
        let cleared = self
            .request
            .targets
            .iter()
            .filter(|target| open.is_some_and(|attempt| target.attempt == Some(attempt.id)));
        let cleared: BTreeSet<_> = cleared.map(|target| target.endpoint.id.clone()).collect();
        self.maybe_sent.difference(&cleared).cloned().collect()
    }
}

/// What makes two situations different enough to visit both.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Likeness {
    state: StateName,
    wait: Option<(u32, bool)>,
    use_by: Option<Time>,
    approved_by: BTreeSet<PersonId>,
    glass_broken: bool,
    /// Looked at only before anybody approved: it stops nobody.
    held: bool,
    targets: Vec<(&'static str, bool)>,
    tampered: bool,
    maybe_sent: BTreeSet<EndpointId>,
}

fn likeness(situation: &Situation) -> Likeness {
    let request = &situation.request;
    let use_by = match request.state {
        State::Approved { use_by } | State::Dispatching { use_by } => Some(use_by),
        State::Waiting { until } => Some(until),
        State::Pending
        | State::Settled { .. }
        | State::Denied { .. }
        | State::Rejected { .. }
        | State::Cancelled { .. }
        | State::Expired { .. }
        | State::Withdrawn { .. } => None,
    };
    let votes_matter = matches!(request.state.name(), StateName::Pending | StateName::Approved);
    let votes = request.votes.iter().filter(|_| votes_matter);
    let waits = |id: AttemptId| {
        request.attempts.iter().any(|attempt| attempt.id == id && attempt.answered_at.is_none())
    };
    Likeness {
        state: request.state.name(),
        wait: request.wait.map(|wait| (wait.seconds, wait.parent.is_some())),
        use_by,
        approved_by: votes.map(|vote| vote.person.id).collect(),
        glass_broken: votes_matter && request.review.is_some(),
        held: request.held_because.is_some() && request.votes.is_empty(),
        targets: request
            .targets
            .iter()
            .map(|target| {
                let outcome = target.outcome.as_ref().map_or("", |outcome| outcome.name());
                (outcome, target.attempt.is_some_and(waits))
            })
            .collect(),
        tampered: situation.tampered,
        maybe_sent: situation.maybe_sent.clone(),
    }
}
