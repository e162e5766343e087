//! Cedar: the only place where something is allowed or not.
//!
//! A policy set is read and held against strict rules once ([`Engine::load`]) and never changes
//! afterwards. It answers two questions: may this response run there ([`Engine::decide`]), and may
//! this one do that ([`Engine::may`]). Cedar itself only allows or forbids; the third outcome,
//! "when people approve", comes from asking `run` with the votes as a fact.
//!
//! Invariant: any error while deciding means no. Cedar skips a `forbid` that errors, which would
//! let through what it forbids.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use cedar_policy::{
    Authorizer, Context, Decision as CedarDecision, Entities, Policy, PolicySet, Request,
};
use strum::IntoStaticStr;

use crate::domain::{
    action::Catalogue,
    actor::{Person, Role},
    decision::{Authorization, Decision, Reason, Tally},
    digest::Digest,
    endpoint::EndpointId,
    facts::{PolicyQuestion, Principal, RequestFacts, Resource, Verb},
    id::PersonId,
    site::Site,
};

pub mod cases;
mod difference;
mod entities;
mod error;
mod files;
mod lint;
mod load;
mod schema;
mod slices;
mod starter;
mod verdict;
mod votes;

pub(crate) use self::difference::difference;
pub use self::{
    difference::{ChangeKind, PolicyChange},
    entities::RequestLook,
    error::{PolicyError, PolicyFault},
    files::PolicyFiles,
    starter::{STARTER, write_starter_policies},
};
use self::{
    entities::{Named, PolicyEntities, Query, sites::SiteAnswers},
    schema::SchemaVersion,
    slices::{PolicyIndex, PolicySlice},
    verdict::Evaluation,
    votes::{VoteCondition, VoteReader},
};

/// A policy set that passed all checks. Cheap to clone; it never changes.
#[derive(Debug, Clone)]
pub struct Engine(Arc<Set>);

#[derive(Debug)]
struct Set {
    /// The whole set; what is asked are slices of it.
    cedar: PolicySet,
    index: PolicyIndex,
    texts: Vec<PolicyText>,
    /// Of each policy by its id: its reason, and what it makes of votes.
    by_id: HashMap<String, (String, VoteCondition)>,
    hash: Digest,
    /// Endpoints, groups and teams that are not named look alike.
    named: Named,
    /// Whether a policy names a request.
    names_request: bool,
    entities: PolicyEntities,
    catalogue: Catalogue,
    authorizer: Authorizer,
    files: PolicyFiles,
    /// Which sites people see.
    sites: SiteAnswers,
    /// How often Cedar was asked.
    evaluations: AtomicU64,
}

/// One policy as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyText {
    /// Its `@id`, which decisions and the audit name.
    pub id: String,
    /// Its `@why`: the sentence that people and agents read.
    pub why: String,
    /// What it does when its conditions hold.
    pub effect: PolicyEffect,
    /// The file it stands in, without the folder.
    pub file: String,
    /// As it is written, annotations included.
    pub text: String,
}

/// What a policy does when its conditions hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[derive(IntoStaticStr)]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum PolicyEffect {
    /// Allows, unless a `forbid` holds too.
    Permit,
    /// Refuses, whatever permits.
    Forbid,
}

impl PolicyEffect {
    /// `permit`, `forbid`.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// Facts that the policies of earlier versions do not read, and what follows.
const LACKING: [(&str, &str); 4] = [
    (
        "context.facts.would_shorten",
        "no policy reads `context.facts.would_shorten`, so what runs without people may end another \
         response early; add `run.would-shorten` from the 20_run.cedar that `countersign init` \
         writes",
    ),
    (
        "context.facts.alert_on_target_endpoint",
        "no policy reads `context.facts.alert_on_target_endpoint`, so an alert of any machine may \
         let something run without people; take `run.at-once` from the 20_run.cedar that \
         `countersign init` writes",
    ),
    (
        "context.facts.reach",
        "no policy reads `context.facts.reach`, so a response in pieces passes every limit on \
         endpoints; take `run.at-once` and `run.many-endpoints` from the 20_run.cedar that \
         `countersign init` writes",
    ),
    (
        "context.facts.lifted_seconds_ago",
        "no policy reads `context.facts.lifted_seconds_ago`, so what people ended may run again \
         without them; add `run.ended-lately` from the 20_run.cedar that `countersign init` writes",
    ),
];

impl Engine {
    /// [`Engine::new`] of the files in a folder.
    pub fn load(folder: &Path) -> Result<Self, PolicyError> {
        Self::new(PolicyFiles::read(folder)?)
    }

    /// Parses the files, and refuses a set with any fault.
    pub fn new(files: PolicyFiles) -> Result<Self, PolicyError> {
        load::load(files).map(|set| Self(Arc::new(set)))
    }

    /// What it was made of.
    pub fn files(&self) -> &PolicyFiles {
        &self.0.files
    }

    /// The actions that can be asked for while this set is active.
    pub fn catalogue(&self) -> &Catalogue {
        &self.0.catalogue
    }

    /// Over the names and texts of the schema, all policy files and all entries of the catalogue.
    pub fn hash(&self) -> Digest {
        self.0.hash
    }

    /// What is to be known of a set that an earlier version wrote: what it lacks, and what to do.
    pub fn notes(&self) -> Vec<&'static str> {
        let earlier = self.0.entities.version() == SchemaVersion::Earlier;
        let lacks = |fact| !self.0.cedar.policies().any(|policy| lint::reads(policy, fact));
        let schema = earlier.then_some(
            "schema.cedarschema is of an earlier version, so a confidence that the agent does not \
             state counts as 0; replace it with the one that `countersign init` writes, and ask \
             `context.claim has confidence` first",
        );
        let anywhere = Site::anywhere();
        let somebody = |role| Person::new(PersonId::from(uuid::Uuid::nil()), String::new(), role);
        let blind = !Role::ALL.into_iter().any(|role| self.may_view(&somebody(role), &anywhere));
        let blind = blind.then_some(
            "no policy permits `view` of `Countersign::Site` to whoever is in no team, so nobody sees any \
             request; take `people.read` from the 40_people.cedar that `countersign init` writes",
        );
        let schema = schema.into_iter().chain(blind);
        let unread = LACKING.iter().filter(|(fact, _)| lacks(fact)).map(|(_, note)| *note);
        schema.chain(unread).collect()
    }

    /// File and id of each policy that ships and that this set lacks: a later version may have
    /// brought it, or somebody left it out on purpose.
    pub fn lacks(&self) -> Vec<(&'static str, String)> {
        let mut shipped = starter::shipped_ids();
        shipped.retain(|(_, id)| self.policies().iter().all(|policy| policy.id != *id));
        shipped
    }

    /// The policies that wait for more votes than this crew can give, each with the least votes that
    /// it waits for, in the order of [`Engine::policies`].
    pub fn missing_votes(&self, crew: Tally) -> Vec<(&str, Tally)> {
        let missing = |policy: &PolicyText| self.0.votes(&policy.id).missing(policy.effect, crew);
        self.policies()
            .iter()
            .filter_map(|policy| Some((policy.id.as_str(), missing(policy)?)))
            .collect()
    }

    /// The policies, in the order of files and of places within them.
    pub fn policies(&self) -> &[PolicyText] {
        &self.0.texts
    }

    /// How many times Cedar evaluated policies since the set was loaded: a count for tests, which
    /// hold it against the number of decisions.
    pub fn evaluations(&self) -> u64 {
        self.0.evaluations.load(Ordering::Relaxed)
    }

    /// Whether a request may run: now, once people approve, or never.
    pub fn decide(&self, question: &PolicyQuestion) -> Decision {
        verdict::decide(&self.0, question)
    }

    /// Whether a person or an agent may do something with a request, or with the system. A person may
    /// do nothing with a request of which they may not see every site.
    pub fn may(&self, who: &Principal, verb: Verb, on: &Resource) -> Authorization {
        let answer = authorization(self.0.may(who, verb, on));
        if answer.allowed && self.hides(who, on) { Authorization::out_of_sight() } else { answer }
    }

    /// Whether it is a request of which a person may not see every site.
    fn hides(&self, who: &Principal, on: &Resource) -> bool {
        let (Principal::Person(person, _), Resource::Request(facts)) = (who, on) else {
            return false;
        };
        !facts.sites.iter().all(|site| self.may_view(person, site))
    }

    /// Whether some policy names a team: else it sees nothing.
    pub fn names_team(&self, team: &str) -> bool {
        self.0.named.teams.contains(team)
    }

    /// Whether a person may see what is at a site. Any error means no.
    pub fn may_view(&self, person: &Person, site: &Site) -> bool {
        self.0.sites.may_view(&self.0, person, site)
    }

    /// What policy is told of a request, its id apart: [`Engine::may`] answers the same for all that
    /// look so. None where a policy names a request, so that each is asked for by itself.
    pub fn look(&self, facts: &RequestFacts) -> Option<RequestLook> {
        (!self.0.names_request).then(|| RequestLook::of(facts))
    }

    /// The endpoints at which the agent may ask for this at all, by the first stage alone. Any error
    /// means none.
    pub fn may_ask_at(&self, question: &PolicyQuestion) -> BTreeSet<EndpointId> {
        let asked = Evaluation::new(&self.0, question).and_then(|evaluation| evaluation.ask_at());
        asked.unwrap_or_default()
    }

    /// The first stage alone: whether the agent may ask for this at all, at every endpoint named.
    fn may_ask(&self, question: &PolicyQuestion) -> Authorization {
        authorization(
            Evaluation::new(&self.0, question).and_then(|evaluation| evaluation.ask_everywhere()),
        )
    }
}

/// What Cedar said to one request.
#[derive(Debug, Clone)]
struct CedarAnswer {
    allowed: bool,
    reasons: Vec<Reason>,
}

/// Why Cedar could not evaluate a request. It always means no.
#[derive(Debug)]
struct EvalError(Vec<String>);

impl<E: std::error::Error> From<E> for EvalError {
    fn from(error: E) -> Self {
        Self(vec![error.to_string()])
    }
}

impl Set {
    /// Texts and policies are in the same order.
    fn new(
        (texts, policies): (Vec<PolicyText>, Vec<Policy>),
        (hash, files): (Digest, PolicyFiles),
        (entities, catalogue): (PolicyEntities, Catalogue),
    ) -> Result<Self, EvalError> {
        let mut reader = VoteReader::new(|tally| entities.votes_request(tally))?;
        let conditions = policies.iter().map(|policy| reader.condition(policy));
        let indexed: Vec<_> = policies.iter().cloned().zip(conditions).collect();
        let ids = indexed.iter().map(|(policy, votes)| (policy.id().to_string(), *votes));
        let whys = texts.iter().map(|policy| (policy.id.as_str(), policy.why.as_str()));
        let whys: HashMap<_, _> = whys.collect();
        let why = |id: &str| whys.get(id).copied().unwrap_or_default().to_owned();
        Ok(Self {
            index: PolicyIndex::new(&indexed, entities.schema())?,
            by_id: ids.map(|(id, votes)| (id.clone(), (why(&id), votes))).collect(),
            names_request: entities.has_request(policies.iter().flat_map(Policy::entity_literals)),
            named: entities.named(policies.iter().flat_map(Policy::entity_literals)),
            cedar: PolicySet::from_policies(policies)?,
            texts,
            hash,
            entities,
            catalogue,
            authorizer: Authorizer::new(),
            files,
            sites: SiteAnswers::default(),
            evaluations: AtomicU64::new(0),
        })
    }

    fn may(&self, who: &Principal, verb: Verb, on: &Resource) -> Result<CedarAnswer, EvalError> {
        let (query, context, entities) = self.entities.person_request(who, verb, on)?;
        self.evaluate(&query, context, &entities)
    }

    fn evaluate(
        &self,
        query: &Query,
        context: Context,
        entities: &Entities,
    ) -> Result<CedarAnswer, EvalError> {
        let slice = self.index.slice(query, entities)?;
        self.ask(&slice, &self.entities.cedar_request(query, context)?, entities)
    }

    fn ask(
        &self,
        slice: &PolicySlice,
        request: &Request,
        entities: &Entities,
    ) -> Result<CedarAnswer, EvalError> {
        self.evaluations.fetch_add(1, Ordering::Relaxed);
        let response = self.authorizer.is_authorized(request, &slice.cedar, entities);
        let mut errors: Vec<_> = response.diagnostics().errors().map(ToString::to_string).collect();
        if !errors.is_empty() {
            errors.sort();
            return Err(EvalError(errors));
        }
        let reasons = response.diagnostics().reason().map(|id| self.reason(id.as_ref()));
        Ok(CedarAnswer {
            allowed: response.decision() == CedarDecision::Allow,
            reasons: sorted(reasons),
        })
    }

    fn reason(&self, id: &str) -> Reason {
        let why = self.by_id.get(id).map(|(why, _)| why.clone()).unwrap_or_default();
        Reason { policy: id.to_owned(), why }
    }

    /// What a policy makes of votes.
    fn votes(&self, id: &str) -> VoteCondition {
        self.by_id.get(id).map_or(VoteCondition::Unknown, |(_, votes)| *votes)
    }
}

fn authorization(answer: Result<CedarAnswer, EvalError>) -> Authorization {
    match answer {
        Ok(CedarAnswer { allowed, reasons }) => {
            Authorization { allowed, reasons, errors: Vec::new() }
        }
        Err(EvalError(errors)) => Authorization { allowed: false, reasons: Vec::new(), errors },
    }
}

/// By id, each once.
fn sorted(reasons: impl IntoIterator<Item = Reason>) -> Vec<Reason> {
    let by_id: BTreeMap<_, _> =
        reasons.into_iter().map(|reason| (reason.policy.clone(), reason)).collect();
    by_id.into_values().collect()
}

#[cfg(test)]
mod tests;
