//! The policies that can have a say, found by action and resource: Cedar evaluates every policy of
//! the set that it is given, and most name another action, or an endpoint or group that is not
//! meant.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use cedar_policy::{
    ActionConstraint, Effect, Entities, EntityTypeName, EntityUid, Policy, PolicySet,
    PrincipalConstraint, ResourceConstraint, Schema,
};

use super::{
    EvalError,
    entities::Query,
    votes::{TallySet, VoteCondition},
};

/// How many policies the cached slices of one action hold together, at most. A set of a thousand
/// that all name one group needs two slices; only sets that name very many need more than this.
const CACHED_MAX: usize = 20_000;

/// A policy set by what its policies say of action and resource.
#[derive(Debug)]
pub(super) struct PolicyIndex(HashMap<EntityUid, ActionPolicies>);

/// The policies that can have a say where one action is asked for.
#[derive(Debug)]
struct ActionPolicies {
    /// Who may ask for it, and on what, by the schema.
    principals: HashSet<EntityTypeName>,
    resources: HashSet<EntityTypeName>,
    /// Those that name no resource in their head, or say it in a way that is not known here.
    anywhere: Vec<IndexedPolicy>,
    /// Those for one resource, or for all in it.
    at: HashMap<EntityUid, Vec<IndexedPolicy>>,
    slices: Mutex<HashMap<Vec<EntityUid>, Arc<PolicySlice>>>,
}

type IndexedPolicy = (Policy, VoteCondition);

/// The policies that can have a say in one question.
#[derive(Debug)]
pub(super) struct PolicySlice {
    pub(super) cedar: PolicySet,
    /// What its permits make of votes, and its forbids: each once.
    pub(super) permits: Vec<VoteCondition>,
    pub(super) forbids: Vec<VoteCondition>,
}

impl PolicyIndex {
    pub(super) fn new(policies: &[IndexedPolicy], schema: &Schema) -> Result<Self, EvalError> {
        let hierarchy = schema.action_entities()?;
        let index = |action: &EntityUid| {
            let above: HashSet<_> = hierarchy.ancestors(action).into_iter().flatten().collect();
            let fits = |named: &EntityUid| named == action || above.contains(named);
            let mut found = ActionPolicies::new(action, schema);
            for policy in policies {
                let applies = match policy.0.action_constraint() {
                    ActionConstraint::Any => true,
                    ActionConstraint::Eq(named) => fits(&named),
                    ActionConstraint::In(named) => named.iter().any(fits),
                };
                let of_others = match policy.0.principal_constraint() {
                    PrincipalConstraint::Is(kind) | PrincipalConstraint::IsIn(kind, _) => {
                        !found.principals.contains(&kind)
                    }
                    PrincipalConstraint::Any
                    | PrincipalConstraint::In(_)
                    | PrincipalConstraint::Eq(_) => false,
                };
                if applies && !of_others {
                    found.add(policy);
                }
            }
            (action.clone(), found)
        };
        Ok(Self(schema.actions().map(index).collect()))
    }

    /// The policies that can have a say: every other one is sure not to hold.
    pub(super) fn slice(
        &self,
        query: &Query,
        entities: &Entities,
    ) -> Result<Arc<PolicySlice>, EvalError> {
        let asked = self.0.get(&query.action).filter(|action| action.takes(query));
        let Some(action) = asked else {
            let Query { principal, action, resource } = query;
            return Err(EvalError(vec![format!("{principal} cannot do {action} on {resource}")]));
        };
        let around = entities.ancestors(&query.resource).into_iter().flatten();
        action.slice(around.chain([&query.resource]))
    }
}

impl ActionPolicies {
    fn new(action: &EntityUid, schema: &Schema) -> Self {
        Self {
            principals: schema
                .principals_for_action(action)
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
            resources: schema.resources_for_action(action).into_iter().flatten().cloned().collect(),
            anywhere: Vec::new(),
            at: HashMap::new(),
            slices: Mutex::default(),
        }
    }

    fn add(&mut self, policy: &IndexedPolicy) {
        let place = match policy.0.resource_constraint() {
            ResourceConstraint::Eq(named)
            | ResourceConstraint::In(named)
            | ResourceConstraint::IsIn(_, named) => self.at.entry(named).or_default(),
            ResourceConstraint::Any | ResourceConstraint::Is(_) => &mut self.anywhere,
        };
        place.push(policy.clone());
    }

    fn takes(&self, query: &Query) -> bool {
        self.principals.contains(query.principal.type_name())
            && self.resources.contains(query.resource.type_name())
    }

    /// The policies for any resource, and those for these.
    fn slice<'a>(
        &self,
        resources: impl Iterator<Item = &'a EntityUid>,
    ) -> Result<Arc<PolicySlice>, EvalError> {
        let mut named: Vec<_> =
            resources.filter(|named| self.at.contains_key(named)).cloned().collect();
        named.sort();
        let mut slices = self.slices.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slice) = slices.get(&named) {
            return Ok(Arc::clone(slice));
        }
        let of_these = named.iter().filter_map(|named| self.at.get(named)).flatten();
        let slice = Arc::new(PolicySlice::new(self.anywhere.iter().chain(of_these))?);
        let held: usize = slices.values().map(|slice| slice.len()).sum();
        if held + slice.len() > CACHED_MAX {
            slices.clear();
        }
        slices.insert(named, Arc::clone(&slice));
        Ok(slice)
    }
}

impl PolicySlice {
    fn new<'a>(policies: impl Iterator<Item = &'a IndexedPolicy>) -> Result<Self, EvalError> {
        let (mut cedar, mut permits, mut forbids) = (PolicySet::new(), Vec::new(), Vec::new());
        for (policy, votes) in policies {
            let alike = match policy.effect() {
                Effect::Permit => &mut permits,
                Effect::Forbid => &mut forbids,
            };
            if !alike.contains(votes) {
                alike.push(*votes);
            }
            cedar.add(policy.clone())?;
        }
        Ok(Self { cedar, permits, forbids })
    }

    /// Whether all its policies hold with both tallies, or with neither, each.
    pub(super) fn is_same(&self, one: TallySet, other: TallySet) -> bool {
        self.permits.iter().chain(&self.forbids).all(|votes| votes.is_same(one, other))
    }

    /// How much room it takes in the cache: the empty slice too.
    fn len(&self) -> usize {
        self.cedar.num_of_policies() + 1
    }
}
