//! From Cedar's yes and no to run, approval and deny, over all endpoints of a request.

use std::{
    collections::{BTreeMap, BTreeSet},
    slice,
};

use cedar_policy::{Context, Entities, Entity, EntityUid};

use super::{CedarAnswer, EvalError, Set, entities, sorted};
use crate::domain::{
    decision::{Decision, Reason, Tally, Verdict},
    endpoint::EndpointId,
    facts::{EndpointFacts, PolicyQuestion},
};

/// The most people that a policy can wait for.
const PEOPLE_MAX: u8 = 5;

const EVERYBODY: Tally =
    Tally { people: PEOPLE_MAX, analyst: PEOPLE_MAX, senior: PEOPLE_MAX, lead: PEOPLE_MAX };

/// Every tally that votes can reach, the least burdensome first: fewer people, then fewer leads,
/// then fewer seniors. Everybody who votes is at least an analyst.
fn tallies() -> impl Iterator<Item = Tally> {
    (0..=PEOPLE_MAX).flat_map(|people| {
        (0..=people).flat_map(move |lead| {
            (lead..=people).map(move |senior| Tally { people, analyst: people, senior, lead })
        })
    })
}

/// How much a tally asks of people: the order of [`tallies`].
fn burden(tally: Tally) -> (u8, u8, u8) {
    (tally.people, tally.lead, tally.senior)
}

/// The first tally, from one on, that lets the response run at all these sites. Asking beats taking
/// the greater of each number: it holds for any policy, however it counts.
fn least(sites: &[EvaluationSite<'_>], from: Tally) -> Result<Option<Tally>, EvalError> {
    'tally: for tally in tallies().filter(|tally| burden(*tally) >= burden(from)) {
        for site in sites {
            if !site.run(tally)?.allowed {
                continue 'tally;
            }
        }
        return Ok(Some(tally));
    }
    Ok(None)
}

/// Policy's answer to a question.
pub(super) fn decide(set: &Set, question: &PolicyQuestion) -> Decision {
    let answer = Evaluation::new(set, question).and_then(|evaluation| evaluation.evaluate());
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
    /// One for each form of what is acted on; each must be allowed.
    contexts: Vec<Context>,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(set: &'a Set, question: &'a PolicyQuestion) -> Result<Self, EvalError> {
        let agent = set.entities.agent(&question.agent)?;
        Ok(Self {
            set,
            question,
            agent,
            contexts: entities::contexts(set.entities.version(), question)?,
        })
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

    /// Denied endpoints are kept out of a fleet-wide request, and deny any other; of the rest the
    /// strictest answer holds.
    fn evaluate(&self) -> Result<SiteDecision, EvalError> {
        let mut denied = Vec::new();
        let mut kept_out = Vec::new();
        let mut open = Vec::new();
        for site in self.sites()? {
            let answer = site.evaluate(self.question.tally)?;
            if answer.verdict == Verdict::Deny {
                kept_out.extend(site.endpoints.into_iter().map(|id| (id, answer.reasons.clone())));
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
        let Set { entities: policy_entities, named, .. } = self.set;
        let mut alike = BTreeMap::new();
        for facts in &self.question.endpoints {
            let id = Some(&facts.id).filter(|id| named.contains(&policy_entities.endpoint_uid(id)));
            let groups =
                facts.groups.iter().filter(|name| named.contains(&policy_entities.group_uid(name)));
            let groups: BTreeSet<_> = groups.collect();
            let look = (id, groups, facts.platform, facts.criticality, facts.unknown_outcome);
            let (_, ids) = alike.entry(look).or_insert_with(|| (facts, Vec::new()));
            ids.push(facts.id.clone());
        }
        alike.into_values().map(|(facts, ids)| EvaluationSite::new(self, facts, ids)).collect()
    }
}

/// Approval beats running at once; the tally is the least with which all sites run.
fn strictest(open: Vec<(EvaluationSite<'_>, SiteDecision)>) -> Result<SiteDecision, EvalError> {
    let (sites, answers): (Vec<_>, Vec<_>) = open.into_iter().unzip();
    let Some(from) = answers.iter().filter_map(SiteDecision::needed).max_by_key(|t| burden(*t))
    else {
        let reasons = answers.into_iter().flat_map(|answer| answer.reasons).collect();
        return Ok(SiteDecision::new(Verdict::Run, reasons));
    };
    let held = answers.into_iter().filter(|answer| answer.needed().is_some());
    let reasons = held.flat_map(|answer| answer.reasons).collect();
    let verdict = least(&sites, from)?.map_or(Verdict::Deny, Verdict::Approval);
    Ok(SiteDecision::new(verdict, reasons))
}

/// Endpoints for which every policy gives the same answer.
pub(super) struct EvaluationSite<'a> {
    evaluation: &'a Evaluation<'a>,
    endpoints: Vec<EndpointId>,
    uid: EntityUid,
    entities: Entities,
}

impl<'a> EvaluationSite<'a> {
    /// The facts are those of any of the endpoints.
    fn new(
        evaluation: &'a Evaluation<'a>,
        facts: &EndpointFacts,
        endpoints: Vec<EndpointId>,
    ) -> Result<Self, EvalError> {
        let policy_entities = &evaluation.set.entities;
        let endpoint = policy_entities.endpoint(facts)?;
        let uid = endpoint.uid();
        let entities = policy_entities.with([evaluation.agent.clone(), endpoint])?;
        Ok(Self { evaluation, endpoints, uid, entities })
    }

    fn evaluate(&self, given: Tally) -> Result<SiteDecision, EvalError> {
        let asked = self.ask()?;
        if !asked.allowed {
            return Ok(SiteDecision::new(Verdict::Deny, asked.reasons));
        }
        let now = self.run(given)?;
        if now.allowed {
            return Ok(SiteDecision::new(Verdict::Run, now.reasons));
        }
        let Some(tally) = least(slice::from_ref(self), Tally::NONE)? else {
            return Ok(SiteDecision::new(Verdict::Deny, self.run(EVERYBODY)?.reasons));
        };
        let held = if now.reasons.is_empty() { self.run(tally)?.reasons } else { now.reasons };
        Ok(SiteDecision::new(Verdict::Approval(tally), held))
    }

    fn ask(&self) -> Result<CedarAnswer, EvalError> {
        self.query("ask", |context| Ok(context.clone()))
    }

    fn run(&self, tally: Tally) -> Result<CedarAnswer, EvalError> {
        self.query("run", |context| entities::with_votes(context, tally))
    }

    /// Cedar's answer over all contexts: a refusal of one is the answer, with its reasons.
    fn query(
        &self,
        stage: &str,
        complete: impl Fn(&Context) -> Result<Context, EvalError>,
    ) -> Result<CedarAnswer, EvalError> {
        let Evaluation { set, question, agent, contexts } = self.evaluation;
        let action = format!("{stage}:{}", question.action.kind());
        let mut answers = Vec::new();
        for context in contexts {
            let (uid, context) = (self.uid.clone(), complete(context)?);
            let request = set.entities.cedar_request(agent.uid(), &action, uid, context)?;
            answers.push(set.ask(&request, &self.entities)?);
        }
        let allowed = answers.iter().all(|answer| answer.allowed);
        let deciding = answers.into_iter().filter(|answer| answer.allowed == allowed);
        let reasons = sorted(deciding.flat_map(|answer| answer.reasons));
        Ok(CedarAnswer { allowed, reasons })
    }
}
