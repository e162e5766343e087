//! Which votes a policy speaks of. One answer of Cedar then tells what it would say to other votes,
//! and the least tally is found without asking for each.
//!
//! Nothing runs on what is inferred here: what runs, Cedar has allowed with the votes that stand.

use std::{collections::HashMap, ops::BitAnd, ops::BitOr};

use cedar_policy::{
    Authorizer, Entities, Policy, PolicySet, Request,
    pst::{self, ActionConstraint, Clause, PrincipalConstraint, ResourceConstraint},
};

use super::{EvalError, PolicyEffect, lint};
use crate::domain::decision::Tally;

/// The most people that a policy can wait for.
const PEOPLE_MAX: u8 = 5;

pub(super) const EVERYBODY: Tally =
    Tally { people: PEOPLE_MAX, analyst: PEOPLE_MAX, senior: PEOPLE_MAX, lead: PEOPLE_MAX };

/// Every tally that votes can reach, the least burdensome first: fewer people, then fewer leads,
/// then fewer seniors. Everybody who votes is at least an analyst.
pub(super) fn tallies() -> impl Iterator<Item = Tally> {
    (0..=PEOPLE_MAX).flat_map(|people| {
        (0..=people).flat_map(move |lead| {
            (lead..=people).map(move |senior| Tally { people, analyst: people, senior, lead })
        })
    })
}

/// How much a tally asks of people: the order of [`tallies`].
pub(super) fn burden(tally: Tally) -> (u8, u8, u8) {
    (tally.people, tally.lead, tally.senior)
}

/// Some of the [`tallies`], a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TallySet(u64);

impl TallySet {
    pub(super) const NONE: Self = Self(0);
    /// All of them, and the bits that stand for none.
    pub(super) const ALL: Self = Self(u64::MAX);

    /// This one alone; none where it is not one of the [`tallies`].
    pub(super) fn of(tally: Tally) -> Self {
        tallies().position(|other| other == tally).map_or(Self::NONE, |place| Self(1 << place))
    }

    /// Those that something holds for.
    fn where_it<E>(mut holds: impl FnMut(usize) -> Result<bool, E>) -> Result<Self, E> {
        (0..tallies().count()).try_fold(Self::NONE, |set, place| {
            Ok(if holds(place)? { set | Self(1 << place) } else { set })
        })
    }

    /// Those that ask at least as much of people.
    pub(super) fn from(least: Tally) -> Self {
        let from = tallies().position(|tally| burden(tally) >= burden(least));
        from.map_or(Self::NONE, |place| Self(u64::MAX << place))
    }

    pub(super) fn first(self) -> Option<Tally> {
        usize::try_from(self.0.trailing_zeros()).ok().and_then(|place| tallies().nth(place))
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    fn has(self, other: Self) -> bool {
        !(self & other).is_empty()
    }
}

impl BitAnd for TallySet {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for TallySet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What a policy makes of votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum VoteCondition {
    /// It does not read them.
    Free,
    /// It needs one of these tallies, and something that does not read votes.
    Needs(TallySet),
    /// It is not known.
    Unknown,
}

impl VoteCondition {
    /// Where it held with one tally: all with which it surely holds.
    pub(super) fn holds_too(self, asked: TallySet) -> TallySet {
        match self {
            Self::Free => TallySet::ALL,
            Self::Needs(these) => these,
            Self::Unknown => asked,
        }
    }

    /// Where it did not hold with one tally: all with which it may hold.
    pub(super) fn may_hold(self, asked: TallySet) -> TallySet {
        match self {
            Self::Free => TallySet::NONE,
            Self::Needs(these) if these.has(asked) => TallySet::NONE,
            Self::Needs(these) => these,
            Self::Unknown => TallySet::ALL.without(asked),
        }
    }

    /// The least votes that a policy of this effect waits for and that this crew cannot give; none
    /// where it can, and where the policy does not wait for people.
    pub(super) fn missing(self, effect: PolicyEffect, crew: Tally) -> Option<Tally> {
        let Self::Needs(these) = self else { return None };
        let enough = match effect {
            PolicyEffect::Permit => these,
            PolicyEffect::Forbid => TallySet::ALL.without(these),
        };
        let given = tallies().any(|tally| crew.covers(tally) && enough.has(TallySet::of(tally)));
        enough.first().filter(|_| !given)
    }

    /// Whether it surely holds with both tallies or with neither.
    pub(super) fn is_same(self, one: TallySet, other: TallySet) -> bool {
        match self {
            Self::Free => true,
            Self::Needs(these) => !one.is_empty() && these.has(one) == these.has(other),
            Self::Unknown => false,
        }
    }
}

/// Reads policies for what they make of votes. Few texts are about votes alone, and each is put to
/// Cedar once.
pub(super) struct VoteReader {
    requests: Vec<Request>,
    known: HashMap<String, VoteCondition>,
}

impl VoteReader {
    /// Takes one request for each of the [`tallies`], with a context that holds nothing but votes.
    pub(super) fn new(
        request: impl Fn(Tally) -> Result<Request, EvalError>,
    ) -> Result<Self, EvalError> {
        let requests = tallies().map(request).collect::<Result<_, _>>()?;
        Ok(Self { requests, known: HashMap::new() })
    }

    pub(super) fn condition(&mut self, policy: &Policy) -> VoteCondition {
        let Ok(parsed) = policy.to_pst() else { return VoteCondition::Unknown };
        let mut about_votes = lint::parts(parsed.body().clauses());
        about_votes.retain(|part| lint::reads_votes(lint::condition(part)));
        if about_votes.is_empty() {
            return VoteCondition::Free;
        }
        if about_votes.iter().any(|part| lint::reads_else(lint::condition(part))) {
            return VoteCondition::Unknown;
        }
        let text = about_votes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        if let Some(known) = self.known.get(&text) {
            return *known;
        }
        let found = self.tallies_of(parsed.body().clone(), about_votes);
        let condition = found.map_or(VoteCondition::Unknown, VoteCondition::Needs);
        self.known.insert(text, condition);
        condition
    }

    /// The tallies with which these clauses hold.
    fn tallies_of(
        &self,
        mut body: pst::Template,
        clauses: Vec<Clause>,
    ) -> Result<TallySet, EvalError> {
        body.principal = PrincipalConstraint::Any;
        body.action = ActionConstraint::Any;
        body.resource = ResourceConstraint::Any;
        let policy = pst::Policy::Static(body.try_with_clauses(clauses)?.try_into()?);
        let set = PolicySet::from_policies([Policy::from_pst(policy)?])?;
        let (authorizer, nothing) = (Authorizer::new(), Entities::empty());
        TallySet::where_it(|place| {
            let request = self.requests.get(place).ok_or_else(|| EvalError(Vec::new()))?;
            let response = authorizer.is_authorized(request, &set, &nothing);
            match response.diagnostics().errors().next() {
                Some(error) => Err(EvalError(vec![error.to_string()])),
                None => Ok(response.diagnostics().reason().next().is_some()),
            }
        })
    }
}
