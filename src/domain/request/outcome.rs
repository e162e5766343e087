//! What becomes of one endpoint.

use chrono::TimeDelta;
use strum::{EnumDiscriminants, EnumString, IntoStaticStr, VariantNames};

use crate::domain::{Time, all_variants, evidence::Evidence, id::RequestId};

/// How long evidence that comes late is still looked for: an endpoint runs one script after the
/// other, and one that hangs holds up the rest.
const LATE_MINUTES: i64 = 60;

/// How the reason of an outcome begins where nobody could look for evidence. No text from outside
/// begins it: [`Outcome::nobody_looked`] tells by it.
pub const NOBODY_LOOKED: &str = "nobody could look: ";

/// The reason of an outcome where a person found that the undo was not done.
pub const UNDO_FAILED: &str = "a person found that the undo was not done";

/// What is known about one endpoint of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[derive(EnumDiscriminants, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case", const_into_str)]
#[strum_discriminants(name(OutcomeName), vis(), derive(EnumString))]
#[strum_discriminants(strum(serialize_all = "snake_case"))]
pub enum Outcome {
    /// The manager put the command into its queue for this endpoint. Not more.
    Sent,
    /// It was refused for this endpoint.
    Refused {
        /// The manager's code; none where a person found out that nothing was done.
        code: Option<u32>,
        /// The manager's words, or the person's.
        message: String,
    },
    /// Certainly nothing was sent to it.
    NotSent {
        /// What kept it from being sent.
        why: String,
    },
    /// It may or may not have been sent.
    Unknown {
        /// What was lost, such as the answer.
        why: String,
    },
    /// It started on the endpoint.
    Confirmed(Proof),
    /// The endpoint's script did it, and has read back that it is so: its own alert, with a version.
    Verified(Evidence),
    /// It was sent, and the endpoint's own alert did not come, or nobody could look for it.
    Unconfirmed {
        /// How long was waited, and for what; or, after [`NOBODY_LOOKED`], why nobody could look.
        why: String,
    },
    /// Its time is over.
    Ended {
        /// The endpoint's own alert; without one it should have ended, without proof.
        seen: Option<Evidence>,
    },
    /// Another request took it back.
    Reverted {
        /// The undo that took it back.
        by: RequestId,
        /// The endpoint's own alert; without one the undo was sent, without proof that it worked.
        seen: Option<Evidence>,
    },
}

/// What shows that a response started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The endpoint's own alert.
    Alert(Evidence),
    /// A person checked: who, and what was seen.
    Person(String),
}

impl Outcome {
    /// The words for all outcomes, in the order of a life.
    pub const NAMES: [&str; Self::VARIANTS.len()] = all_variants(Self::VARIANTS);

    /// One of [`Outcome::NAMES`].
    pub const fn name(&self) -> &'static str {
        self.into_str()
    }

    /// The word under which the store keeps it: what is verified is confirmed, and its evidence says
    /// more.
    pub const fn stored_name(&self) -> &'static str {
        match self {
            Self::Verified(_) => "confirmed",
            Self::Sent
            | Self::Refused { .. }
            | Self::NotSent { .. }
            | Self::Unknown { .. }
            | Self::Confirmed(_)
            | Self::Unconfirmed { .. }
            | Self::Ended { .. }
            | Self::Reverted { .. } => self.name(),
        }
    }

    /// The manager's code of a refusal.
    pub const fn code(&self) -> Option<u32> {
        match self {
            Self::Refused { code, .. } => *code,
            Self::Sent
            | Self::NotSent { .. }
            | Self::Unknown { .. }
            | Self::Confirmed(_)
            | Self::Verified(_)
            | Self::Unconfirmed { .. }
            | Self::Ended { .. }
            | Self::Reverted { .. } => None,
        }
    }

    /// Why, or who says so; empty where there is nothing to add.
    pub fn detail(&self) -> &str {
        match self {
            Self::Refused { message, .. } => message,
            Self::NotSent { why } | Self::Unknown { why } | Self::Unconfirmed { why } => why,
            Self::Confirmed(Proof::Person(words)) => words,
            Self::Sent
            | Self::Confirmed(Proof::Alert(_))
            | Self::Verified(_)
            | Self::Ended { .. }
            | Self::Reverted { .. } => "",
        }
    }

    /// Whether it is unconfirmed because nobody could look, not because nothing was seen.
    pub fn nobody_looked(&self) -> bool {
        matches!(self, Self::Unconfirmed { why } if why.starts_with(NOBODY_LOOKED))
    }

    /// Whether it is unconfirmed because an undo turned out not to have been done. What was known
    /// of its start before is looked for again.
    pub fn undo_failed(&self) -> bool {
        matches!(self, Self::Unconfirmed { why } if why == UNDO_FAILED)
    }

    /// Whether an undo was sent, and no alert shows that it ended what it is for.
    pub const fn undone_unseen(&self) -> bool {
        matches!(self, Self::Reverted { seen: None, .. })
    }

    /// Whether a person found that it was not done.
    pub const fn found_not_done(&self) -> bool {
        matches!(self, Self::Refused { code: None, .. })
    }

    /// The endpoint's own alert.
    pub const fn evidence(&self) -> Option<&Evidence> {
        match self {
            Self::Confirmed(Proof::Alert(evidence)) | Self::Verified(evidence) => Some(evidence),
            Self::Ended { seen } | Self::Reverted { seen, .. } => seen.as_ref(),
            Self::Sent
            | Self::Refused { .. }
            | Self::NotSent { .. }
            | Self::Unknown { .. }
            | Self::Confirmed(Proof::Person(_))
            | Self::Unconfirmed { .. } => None,
        }
    }

    /// The alert that shows that it ended: its own, or that of another request.
    pub const fn evidence_of_end(&self) -> Option<&Evidence> {
        if self.may_be_active() { None } else { self.evidence() }
    }

    /// The request that took it back.
    pub const fn reverted_by(&self) -> Option<RequestId> {
        match self {
            Self::Reverted { by, .. } => Some(*by),
            Self::Sent
            | Self::Refused { .. }
            | Self::NotSent { .. }
            | Self::Unknown { .. }
            | Self::Confirmed(_)
            | Self::Verified(_)
            | Self::Unconfirmed { .. }
            | Self::Ended { .. } => None,
        }
    }

    /// Whether the response may be active on the endpoint, its time aside.
    pub const fn may_be_active(&self) -> bool {
        match self {
            Self::Sent
            | Self::Unknown { .. }
            | Self::Confirmed(_)
            | Self::Verified(_)
            | Self::Unconfirmed { .. } => true,
            Self::Refused { .. }
            | Self::NotSent { .. }
            | Self::Ended { .. }
            | Self::Reverted { .. } => false,
        }
    }

    /// Whether a person may say what happened.
    pub const fn needs_person(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Unconfirmed { .. })
    }

    /// Until when the collector waits for evidence before it draws its conclusion; none where there
    /// is nothing to wait for.
    pub fn watch_until(&self, watch: Watch) -> Option<Time> {
        let Watch { since, now, ends, confirm_within, reports } = watch;
        let grace = confirm_within.unwrap_or_default();
        let late = confirm_within.map(|_| since + TimeDelta::minutes(LATE_MINUTES));
        match self {
            Self::Sent => confirm_within.map(|window| since + window).or(ends),
            // The report of how it ended comes after the alert of its start.
            Self::Confirmed(Proof::Alert(_)) if reports && ends.is_none() => {
                confirm_within.map(|window| since + window)
            }
            Self::Confirmed(_) | Self::Verified(_) => ends.map(|end| end + grace),
            Self::Unconfirmed { .. } => ends.map(|end| end + grace).or(late),
            Self::Unknown { .. } => ends.map(|end| end + grace).max(late),
            Self::Reverted { seen: None, .. } => confirm_within.map(|window| now + window),
            Self::Refused { .. }
            | Self::NotSent { .. }
            | Self::Ended { .. }
            | Self::Reverted { seen: Some(_), .. } => None,
        }
    }

    /// Puts a stored outcome together again.
    pub fn from_parts(parts: OutcomeParts) -> Option<Self> {
        let OutcomeParts { name, code, detail, evidence, reverted_by } = parts;
        let outcome = match name.parse().ok()? {
            OutcomeName::Sent => Self::Sent,
            OutcomeName::Refused => Self::Refused { code, message: detail },
            OutcomeName::NotSent => Self::NotSent { why: detail },
            OutcomeName::Unknown => Self::Unknown { why: detail },
            // The store keeps what is verified among what is confirmed: evidence tells them apart.
            OutcomeName::Confirmed | OutcomeName::Verified => match evidence.clone() {
                Some(alert) if alert.version.is_some() => Self::Verified(alert),
                Some(alert) => Self::Confirmed(Proof::Alert(alert)),
                None => Self::Confirmed(Proof::Person(detail)),
            },
            OutcomeName::Unconfirmed => Self::Unconfirmed { why: detail },
            OutcomeName::Ended => Self::Ended { seen: evidence.clone() },
            OutcomeName::Reverted => Self::Reverted { by: reverted_by?, seen: evidence.clone() },
        };
        // A fact that the outcome has no place for was not written with it.
        let facts = (outcome.code(), outcome.evidence(), outcome.reverted_by());
        (facts == (code, evidence.as_ref(), reverted_by)).then_some(outcome)
    }
}

/// How many endpoints of a request have each outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Endpoints that take part.
    pub targets: u64,
    /// Endpoints that do not.
    pub skipped: u64,
    /// By [`Outcome::name`], in the order of [`Outcome::NAMES`].
    pub outcomes: [u64; Outcome::NAMES.len()],
}

impl Counts {
    /// The outcomes that occur, with their numbers.
    pub fn reached(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Outcome::NAMES.into_iter().zip(self.outcomes).filter(|(_, count)| *count > 0)
    }

    /// Counts what is known of endpoints that take part.
    pub fn of<'a>(outcomes: impl Iterator<Item = Option<&'a Outcome>>) -> Self {
        let mut counts = Self::default();
        for outcome in outcomes {
            counts.targets += 1;
            let named = outcome.map(Outcome::name);
            for (name, count) in Outcome::NAMES.iter().zip(&mut counts.outcomes) {
                *count += u64::from(named == Some(name));
            }
        }
        counts
    }
}

/// A stored outcome.
#[derive(Debug)]
pub struct OutcomeParts {
    /// [`Outcome::name`].
    pub name: String,
    /// [`Outcome::code`].
    pub code: Option<u32>,
    /// [`Outcome::detail`].
    pub detail: String,
    /// [`Outcome::evidence`].
    pub evidence: Option<Evidence>,
    /// [`Outcome::reverted_by`].
    pub reverted_by: Option<RequestId>,
}

/// What bounds the wait for evidence on one endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    /// When it was sent.
    pub since: Time,
    /// When this became known.
    pub now: Time,
    /// When the response ends by itself.
    pub ends: Option<Time>,
    /// How long the endpoint's own alert may take; none without a source of evidence.
    pub confirm_within: Option<TimeDelta>,
    /// Whether the script reports how it ended.
    pub reports: bool,
}
