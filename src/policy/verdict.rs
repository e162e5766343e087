//! From Cedar's yes and no to run, approval and deny, over all endpoints of a request.
//!
//! Contexts and entities are built once for a question, and Cedar is asked about no tally of which
//! its earlier answers say enough.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
    slice,
    sync::Arc,
};

use cedar_policy::{Context, Entities, Entity, EntityUid};

use super::{
    CedarAnswer, EvalError, Set,
    entities::{Contexts, Query},
    slices::PolicySlice,
    sorted,
    votes::{EVERYBODY, TallySet, VoteCondition, burden},
};
use crate::domain::{
    decision::{Decision, Reason, Tally, Verdict},
    endpoint::EndpointId,
    facts::{EndpointFacts, PolicyQuestion},
};

mod never;

/// The id in decisions where no policy lets a response wait.
const MAY_NOT_WAIT: &str = "broker.may_not_wait";
const NOBODY_PERMITS: &str = "no policy lets this wait for endpoints that are away: ask without \
                              when_back";

/// The first tally, from one on, that lets the response run at all these sites. Asking beats taking
/// the greater of each number: it holds for any policy, however it counts.
fn least(sites: &mut [EvaluationSite<'_>], from: Tally) -> Result<Option<Tally>, EvalError> {
    'open: loop {
        let open = sites.iter().fold(TallySet::from(from), |open, site| open & site.open);
        let Some(tally) = open.first() else { return Ok(None) };
        for site in &mut *sites {
            if !site.runs_with(tally)? {
                continue 'open;
            }
        }
        return Ok(Some(tally));
    }
}

/// Policy's answer to a question.
pub(super) fn decide(set: &Set, question: &PolicyQuestion) -> Decision {
    let answer = match never::never(set, question) {
        Some(reason) => Ok(SiteDecision::new(Verdict::Deny, vec![reason])),
        None => Evaluation::new(set, question).and_then(|evaluation| evaluation.evaluate()),
    };
    let (decided, errors) = match answer {
        Ok(decided) => (decided, Vec::new()),
        Err(EvalError(errors)) => (SiteDecision::new(Verdict::Deny, Vec::new()), errors),
    };
    Decision {
        verdict: decided.verdict,
        reasons: sorted(decided.reasons),
        errors,
        kept_out: decided.kept_out,
        policy_hash: set.hash,
        tally: question.tally,
        break_glass: false,
        at: question.now,
    }
}

/// An answer for one site, or for a whole question.
struct SiteDecision {
    verdict: Verdict,
    reasons: Vec<Reason>,
    kept_out: Vec<(EndpointId, Vec<Reason>)>,
}

impl SiteDecision {
    fn new(verdict: Verdict, reasons: Vec<Reason>) -> Self {
        Self { verdict, reasons, kept_out: Vec::new() }
    }

    /// The tally it waits for.
    fn needed(&self) -> Option<Tally> {
        match self.verdict {
            Verdict::Approval(tally) => Some(tally),
            Verdict::Run | Verdict::Deny => None,
        }
    }
}

/// A question, ready to be put to Cedar at one site after the other.
pub(super) struct Evaluation<'a> {
    set: &'a Set,
    question: &'a PolicyQuestion,
    agent: Entity,
    /// Cedar's actions of the stages.
    ask: EntityUid,
    wait: EntityUid,
    run: EntityUid,
    contexts: Contexts,
    asking: Vec<Context>,
    running: RefCell<HashMap<Tally, Rc<[Context]>>>,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(set: &'a Set, question: &'a PolicyQuestion) -> Result<Self, EvalError> {
        let action = |stage| format!("{stage}:{}", question.action.kind());
        let contexts = Contexts::new(set.entities.version(), question)?;
        Ok(Self {
            set,
            question,
            agent: set.entities.agent(&question.agent)?,
            ask: set.entities.action_uid(&action("ask")),
            wait: set.entities.action_uid(&action("wait")),
            run: set.entities.action_uid(&action("run")),
            asking: contexts.ask()?,
            contexts,
            running: RefCell::default(),
        })
    }

    /// The contexts of `run` with a tally: one for each form of what is acted on.
    fn running(&self, tally: Tally) -> Result<Rc<[Context]>, EvalError> {
        if let Some(contexts) = self.running.borrow().get(&tally) {
            return Ok(Rc::clone(contexts));
        }
        let contexts: Rc<[Context]> = self.contexts.run(tally)?.into();
        self.running.borrow_mut().insert(tally, Rc::clone(&contexts));
        Ok(contexts)
    }

    /// The first stage alone.
    pub(super) fn ask_everywhere(&self) -> Result<CedarAnswer, EvalError> {
        let sites = self.sites()?;
        let mut allowed = !sites.is_empty();
        let mut reasons = Vec::new();
        for site in sites {
            let answer = site.ask()?;
            allowed &= answer.allowed;
            reasons.extend(answer.reasons);
        }
        Ok(CedarAnswer { allowed, reasons: sorted(reasons) })
    }

    /// The endpoints at which the first stage allows it.
    pub(super) fn ask_at(&self) -> Result<BTreeSet<EndpointId>, EvalError> {
        let mut open = BTreeSet::new();
        for site in self.sites()? {
            if site.ask()?.allowed {
                open.extend(site.endpoints.into_iter().cloned());
            }
        }
        Ok(open)
    }

    /// Denied endpoints are kept out of a fleet-wide request, and deny any other; of the rest the
    /// strictest answer holds.
    fn evaluate(&self) -> Result<SiteDecision, EvalError> {
        let mut denied = Vec::new();
        let mut kept_out = Vec::new();
        let mut open = Vec::new();
        for mut site in self.sites()? {
            let answer = site.evaluate(self.question.tally)?;
            if answer.verdict == Verdict::Deny {
                let ids = site.endpoints.into_iter().cloned();
                kept_out.extend(ids.map(|id| (id, answer.reasons.clone())));
                denied.extend(answer.reasons);
            } else {
                open.push((site, answer));
            }
        }
        kept_out.sort();
        if !self.question.fleet_wide && !kept_out.is_empty() {
            return Ok(SiteDecision::new(Verdict::Deny, denied));
        }
        let rest = if open.is_empty() {
            SiteDecision::new(Verdict::Deny, denied)
        } else {
            strictest(open)?
        };
        Ok(SiteDecision { kept_out, ..rest })
    }

    /// The endpoints, those together that no policy can tell apart: an id or a group counts only
    /// where some policy names it.
    pub(super) fn sites(&self) -> Result<Vec<EvaluationSite<'_>>, EvalError> {
        let named = &self.set.named;
        let mut alike = BTreeMap::new();
        for facts in &self.question.endpoints {
            let id = Some(&facts.id).filter(|id| named.endpoints.contains(id.as_str()));
            let groups = facts.groups.iter().filter(|name| named.groups.contains(*name));
            let groups: BTreeSet<_> = groups.collect();
            let look = (id, groups, facts.platform, facts.criticality, facts.unknown_outcome);
            let (_, ids) = alike.entry(look).or_insert_with(|| (facts, Vec::new()));
            ids.push(&facts.id);
        }
        alike.into_values().map(|(facts, ids)| EvaluationSite::new(self, facts, ids)).collect()
    }
}

/// Approval beats running at once; the tally is the least with which all sites run.
fn strictest(open: Vec<(EvaluationSite<'_>, SiteDecision)>) -> Result<SiteDecision, EvalError> {
    let (mut sites, answers): (Vec<_>, Vec<_>) = open.into_iter().unzip();
    let Some(from) = answers.iter().filter_map(SiteDecision::needed).max_by_key(|t| burden(*t))
    else {
        let reasons = answers.into_iter().flat_map(|answer| answer.reasons).collect();
        return Ok(SiteDecision::new(Verdict::Run, reasons));
    };
    let held = answers.into_iter().filter(|answer| answer.needed().is_some());
    let reasons = held.flat_map(|answer| answer.reasons).collect();
    let verdict = least(&mut sites, from)?.map_or(Verdict::Deny, Verdict::Approval);
    Ok(SiteDecision::new(verdict, reasons))
}

/// Endpoints for which every policy gives the same answer.
pub(super) struct EvaluationSite<'a> {
    evaluation: &'a Evaluation<'a>,
    endpoints: Vec<&'a EndpointId>,
    uid: EntityUid,
    entities: Entities,
    /// The answers to `run` so far.
    answers: Vec<(Tally, CedarAnswer)>,
    /// The tallies with which it may run, by these answers, and those with which it surely does.
    open: TallySet,
    runs: TallySet,
}

impl<'a> EvaluationSite<'a> {
    /// The facts are those of any of the endpoints.
    fn new(
        evaluation: &'a Evaluation<'a>,
        facts: &EndpointFacts,
        endpoints: Vec<&'a EndpointId>,
    ) -> Result<Self, EvalError> {
        let policy_entities = &evaluation.set.entities;
        let endpoint = policy_entities.endpoint(facts)?;
        let uid = endpoint.uid();
        let entities = policy_entities.with([evaluation.agent.clone(), endpoint])?;
        let (answers, open, runs) = (Vec::new(), TallySet::ALL, TallySet::NONE);
        Ok(Self { evaluation, endpoints, uid, entities, answers, open, runs })
    }

    fn evaluate(&mut self, given: Tally) -> Result<SiteDecision, EvalError> {
        let asked = self.ask()?;
        if !asked.allowed {
            return Ok(SiteDecision::new(Verdict::Deny, asked.reasons));
        }
        let waits = self.may_wait()?;
        if !waits.allowed {
            return Ok(SiteDecision::new(Verdict::Deny, waits.reasons));
        }
        let now = self.run(given)?;
        if now.allowed {
            let reasons = now.reasons.into_iter().chain(waits.reasons).collect();
            return Ok(SiteDecision::new(Verdict::Run, reasons));
        }
        let Some(tally) = least(slice::from_mut(self), Tally::NONE)? else {
            // Where votes cannot matter, everybody's would change nothing.
            let (given, everybody) = (TallySet::of(given), TallySet::of(EVERYBODY));
            let same = self.slice(&self.evaluation.run)?.1.is_same(given, everybody);
            let reasons = if same { now.reasons } else { self.run(EVERYBODY)?.reasons };
            return Ok(SiteDecision::new(Verdict::Deny, reasons));
        };
        let held = if now.reasons.is_empty() { self.run(tally)?.reasons } else { now.reasons };
        Ok(SiteDecision::new(Verdict::Approval(tally), held))
    }

    /// Whether the response runs with a tally.
    fn runs_with(&mut self, tally: Tally) -> Result<bool, EvalError> {
        let sure = !(self.runs & TallySet::of(tally)).is_empty();
        Ok(sure || self.run(tally)?.allowed)
    }

    fn ask(&self) -> Result<CedarAnswer, EvalError> {
        let answers = self.query(&self.evaluation.ask, &self.evaluation.asking)?.1;
        Ok(CedarAnswer::all(answers))
    }

    /// Whether it may wait for endpoints that are away, where it is to: only what a policy permits may.
    fn may_wait(&self) -> Result<CedarAnswer, EvalError> {
        if !self.evaluation.question.when_back {
            return Ok(CedarAnswer { allowed: true, reasons: Vec::new() });
        }
        let answers = self.query(&self.evaluation.wait, &self.evaluation.asking)?.1;
        let mut answer = CedarAnswer::all(answers);
        if !answer.allowed && answer.reasons.is_empty() {
            let (policy, why) = (MAY_NOT_WAIT.to_owned(), NOBODY_PERMITS.to_owned());
            answer.reasons = vec![Reason { policy, why }];
        }
        Ok(answer)
    }

    /// Cedar's answer with a tally; what else it tells is kept.
    fn run(&mut self, tally: Tally) -> Result<CedarAnswer, EvalError> {
        if let Some((_, answer)) = self.answers.iter().find(|(asked, _)| *asked == tally) {
            return Ok(answer.clone());
        }
        let contexts = self.evaluation.running(tally)?;
        let (slice, answers) = self.query(&self.evaluation.run, &contexts)?;
        let (mut open, mut runs) = (TallySet::ALL, TallySet::ALL);
        for answer in &answers {
            let (also_open, also_runs) = self.implied(&slice, answer, TallySet::of(tally));
            (open, runs) = (open & also_open, runs & also_runs);
        }
        (self.open, self.runs) = (self.open & open, self.runs | runs);
        let answer = CedarAnswer::all(answers);
        self.answers.push((tally, answer.clone()));
        Ok(answer)
    }

    /// With which tallies it may run, and with which it surely does, by an answer to one of them.
    fn implied(
        &self,
        slice: &PolicySlice,
        answer: &CedarAnswer,
        asked: TallySet,
    ) -> (TallySet, TallySet) {
        let any = |set: TallySet, other| set | other;
        let held = answer.reasons.iter().map(|reason| self.evaluation.set.votes(&reason.policy));
        let held = held.map(|votes| votes.holds_too(asked)).fold(TallySet::NONE, any);
        let may_hold = |others: &[VoteCondition]| {
            others.iter().map(|votes| votes.may_hold(asked)).fold(TallySet::NONE, any)
        };
        if answer.allowed {
            (TallySet::ALL, held.without(may_hold(&slice.forbids)) | asked)
        } else if answer.reasons.is_empty() {
            (may_hold(&slice.permits).without(asked), TallySet::NONE)
        } else {
            (TallySet::ALL.without(held | asked), TallySet::NONE)
        }
    }

    /// The policies that can have a say here.
    fn slice(&self, action: &EntityUid) -> Result<(Query, Arc<PolicySlice>), EvalError> {
        let Evaluation { set, agent, .. } = self.evaluation;
        let (principal, resource) = (agent.uid(), self.uid.clone());
        let query = Query { principal, action: action.clone(), resource };
        let slice = set.index.slice(&query, &self.entities)?;
        Ok((query, slice))
    }

    /// Cedar's answers over all contexts.
    fn query(
        &self,
        action: &EntityUid,
        contexts: &[Context],
    ) -> Result<(Arc<PolicySlice>, Vec<CedarAnswer>), EvalError> {
        let set = self.evaluation.set;
        let (query, slice) = self.slice(action)?;
        let answer = |context: &Context| {
            let request = set.entities.cedar_request(&query, context.clone())?;
            set.ask(&slice, &request, &self.entities)
        };
        let answers = contexts.iter().map(answer).collect::<Result<_, _>>()?;
        Ok((slice, answers))
    }
}

impl CedarAnswer {
    /// One answer out of those to several contexts: a refusal of one is the answer, with its reasons.
    fn all(mut answers: Vec<Self>) -> Self {
        if answers.len() == 1
            && let Some(only) = answers.pop()
        {
            return only;
        }
        let allowed = answers.iter().all(|answer| answer.allowed);
        let deciding = answers.into_iter().filter(|answer| answer.allowed == allowed);
        let reasons = sorted(deciding.flat_map(|answer| answer.reasons));
        Self { allowed, reasons }
    }
}
