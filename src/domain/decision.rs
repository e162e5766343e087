//! What policy answers, and how votes are counted.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{EnumDiscriminants, EnumString, IntoStaticStr};

use super::{Time, actor::Role, digest::Digest, endpoint::EndpointId};

/// The id of the reason that the broker itself gives when no endpoint is left.
pub const NOTHING_LEFT: &str = "broker.nothing_left";

/// The id of the reason that the broker itself gives where a person may not see every site of a request.
pub const OUT_OF_SIGHT: &str = "broker.out_of_sight";

/// How many people approved. A lead counts as a senior too, a senior as an analyst too, so
/// `people >= analyst >= senior >= lead`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(from = "[u8; 4]", into = "[u8; 4]")]
pub struct Tally {
    /// Distinct people with a voting role.
    pub people: u8,
    /// Of these, analysts or higher.
    pub analyst: u8,
    /// Of these, seniors or higher.
    pub senior: u8,
    /// Of these, leads.
    pub lead: u8,
}

impl From<[u8; 4]> for Tally {
    fn from([people, analyst, senior, lead]: [u8; 4]) -> Self {
        Self { people, analyst, senior, lead }
    }
}

impl From<Tally> for [u8; 4] {
    fn from(Tally { people, analyst, senior, lead }: Tally) -> Self {
        [people, analyst, senior, lead]
    }
}

impl Tally {
    /// No approvals.
    pub const NONE: Self = Self { people: 0, analyst: 0, senior: 0, lead: 0 };

    /// Of each number the greater.
    pub fn or(self, other: Self) -> Self {
        Self {
            people: self.people.max(other.people),
            analyst: self.analyst.max(other.analyst),
            senior: self.senior.max(other.senior),
            lead: self.lead.max(other.lead),
        }
    }

    /// Whether no number is smaller.
    pub fn covers(self, least: Self) -> bool {
        self.or(least) == self
    }

    /// The tier of a decision that requires, or took, this many approvals.
    pub const fn tier(self) -> Tier {
        match self {
            Self { lead: 1.., .. } | Self { people: 3.., .. } => Tier::High,
            Self { people: 0 | 1, senior: 0, .. } => Tier::Low,
            Self { .. } => Tier::Medium,
        }
    }

    /// Counts one more person; a role that does not vote adds nothing.
    pub fn and(self, role: Role) -> Self {
        let Some(rank) = role.vote_rank() else { return self };
        let at_least = |least: u8| u8::from(rank >= least);
        Self {
            people: self.people.saturating_add(1),
            analyst: self.analyst.saturating_add(at_least(1)),
            senior: self.senior.saturating_add(at_least(2)),
            lead: self.lead.saturating_add(at_least(3)),
        }
    }
}

/// How much a decision asks of people, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum Tier {
    /// At most one person, of any voting role.
    Low,
    /// Two people, or one senior.
    Medium,
    /// A lead, or three people or more.
    High,
}

impl Tier {
    /// `low`, `medium`, `high`.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// The tier of that name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Tally {
    /// "2 people, one of them a senior".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.people {
            0 => return f.write_str("nobody"),
            1 if self.lead > 0 => return f.write_str("1 person, a lead"),
            1 if self.senior > 0 => return f.write_str("1 person, a senior or lead"),
            1 => return f.write_str("1 person"),
            many => write!(f, "{many} people")?,
        }
        match self.lead {
            0 => {}
            1 => f.write_str(", one of them a lead")?,
            more => write!(f, ", {more} of them leads")?,
        }
        match self.senior {
            few if few <= self.lead => Ok(()),
            1 => f.write_str(", one of them a senior or lead"),
            more => write!(f, ", {more} of them seniors or leads"),
        }
    }
}

/// Policy's answer for a request with the votes it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[derive(EnumDiscriminants, IntoStaticStr)]
#[serde(try_from = "StoredVerdict", into = "StoredVerdict")]
#[strum(serialize_all = "lowercase", const_into_str)]
#[strum_discriminants(name(VerdictName), vis(), derive(Serialize, Deserialize))]
#[strum_discriminants(serde(rename_all = "lowercase"))]
pub enum Verdict {
    /// It may run now. With no votes this is the outcome "auto".
    Run,
    /// It may run once people approve; the least tally that would do.
    Approval(Tally),
    /// It may not run, regardless of approvals.
    Deny,
}

impl Verdict {
    /// `run`, `approval`, `deny`.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// The stored form of a verdict. What an approval takes stands beside its name, and is `null` where
/// none is asked for.
#[derive(Serialize, Deserialize)]
struct StoredVerdict {
    verdict: VerdictName,
    // With a function, serde does not take a missing field for `null`.
    #[serde(deserialize_with = "Option::deserialize")]
    least: Option<Tally>,
}

impl From<Verdict> for StoredVerdict {
    fn from(verdict: Verdict) -> Self {
        let least = match verdict {
            Verdict::Approval(least) => Some(least),
            Verdict::Run | Verdict::Deny => None,
        };
        Self { verdict: verdict.into(), least }
    }
}

impl TryFrom<StoredVerdict> for Verdict {
    type Error = &'static str;

    fn try_from(stored: StoredVerdict) -> Result<Self, Self::Error> {
        match (stored.verdict, stored.least) {
            (VerdictName::Run, None) => Ok(Self::Run),
            (VerdictName::Deny, None) => Ok(Self::Deny),
            (VerdictName::Approval, Some(least)) => Ok(Self::Approval(least)),
            (VerdictName::Approval, None) => Err("an approval without what it takes"),
            (VerdictName::Run | VerdictName::Deny, Some(_)) => Err("a tally without an approval"),
        }
    }
}

/// A policy that decided, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(String, String)", into = "(String, String)")]
pub struct Reason {
    /// The policy's `@id`.
    pub policy: String,
    /// The policy's `@why`.
    pub why: String,
}

impl From<(String, String)> for Reason {
    fn from((policy, why): (String, String)) -> Self {
        Self { policy, why }
    }
}

impl From<Reason> for (String, String) {
    fn from(Reason { policy, why }: Reason) -> Self {
        (policy, why)
    }
}

/// Policy's answer about a request, with all that an auditor needs to ask again.
///
/// The store keeps it as JSON: another name or order of the fields is another text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether it may run.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The deciding policies, sorted by id, without repetition.
    pub reasons: Vec<Reason>,
    /// What went wrong while deciding. Anything here means the verdict is deny.
    pub errors: Vec<String>,
    /// Endpoints that policy keeps out of a fleet-wide request, and why.
    pub kept_out: Vec<(EndpointId, Vec<Reason>)>,
    /// The policy set that answered.
    pub policy_hash: Digest,
    /// The votes that there were.
    pub tally: Tally,
    /// It was told of more: break glass stood in for the people who are missing. Rows from before
    /// break glass existed do not say.
    #[serde(default)]
    pub break_glass: bool,
    /// When policy answered.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub at: Time,
}

impl Decision {
    /// The ids of the deciding policies.
    pub fn policies(&self) -> Vec<&str> {
        self.reasons.iter().map(|reason| reason.policy.as_str()).collect()
    }

    /// Why, in one line.
    pub fn why(&self) -> String {
        match (self.errors.first(), self.reasons.as_slice()) {
            (Some(error), _) => format!("policy could not be evaluated: {error}"),
            (None, []) => "no policy allows it".to_owned(),
            (None, reasons) => {
                reasons.iter().map(|reason| reason.why.as_str()).collect::<Vec<_>>().join("; ")
            }
        }
    }
}

/// Whether policy allows a person or an agent to do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// Whether it may. Never true when there were errors.
    pub allowed: bool,
    /// The deciding policies.
    pub reasons: Vec<Reason>,
    /// What went wrong while deciding.
    pub errors: Vec<String>,
}

impl Authorization {
    /// What a person may not see, who else might do that: for them it does not exist.
    pub fn out_of_sight() -> Self {
        let why = "it reaches endpoints that are not for your team".to_owned();
        let reasons = vec![Reason { policy: OUT_OF_SIGHT.to_owned(), why }];
        Self { allowed: false, reasons, errors: Vec::new() }
    }

    /// Whether it is about what the person may not see.
    pub fn is_out_of_sight(&self) -> bool {
        self.reasons.iter().any(|reason| reason.policy == OUT_OF_SIGHT)
    }

    /// Why not, for the person who asked.
    pub fn why(&self) -> String {
        match (self.errors.first(), self.reasons.as_slice()) {
            (Some(error), _) => format!("policy could not be evaluated: {error}"),
            (None, []) => "no policy allows you to".to_owned(),
            (None, reasons) => {
                reasons.iter().map(|reason| reason.why.as_str()).collect::<Vec<_>>().join("; ")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lead_counts_in_every_voting_role_but_admin_never() {
        let tally = Tally::NONE.and(Role::Lead).and(Role::Analyst).and(Role::Admin);
        assert_eq!(tally, Tally { people: 2, analyst: 2, senior: 1, lead: 1 });
    }

    /// What a reader takes from the words, for a crew of these numbers: people, seniors or leads, leads.
    fn read(words: &str, (people, senior, lead): (u8, u8, u8)) -> bool {
        words.split(", ").all(|part| {
            let (count, rest) = match part.split_once(' ') {
                Some(("one" | "a", rest)) => (1, rest),
                Some((count, rest)) => (count.parse().unwrap(), rest),
                None => return part == "nobody",
            };
            let crew = match rest.strip_prefix("of them ").unwrap_or(rest) {
                "person" | "people" => people,
                "a senior or lead" | "senior or lead" | "seniors or leads" => senior,
                "a lead" | "lead" | "leads" => lead,
                other => panic!("{other:?} in {words:?}"),
            };
            crew >= count
        })
    }

    #[test]
    fn tally_words_match_its_numbers() {
        let crews = || {
            (0..=5_u8).flat_map(|people| {
                (0..=people)
                    .flat_map(move |senior| (0..=senior).map(move |lead| (people, senior, lead)))
            })
        };
        let tally = |(people, senior, lead)| Tally { people, analyst: people, senior, lead };
        for least in crews().map(tally) {
            for crew in crews() {
                let words = least.to_string();
                assert_eq!(read(&words, crew), tally(crew).covers(least), "{words}: {crew:?}");
            }
        }
    }

    #[test]
    fn tally_tier_depends_on_people_and_roles() {
        let tier = |people, senior, lead| Tally { people, analyst: people, senior, lead }.tier();
        assert_eq!([tier(0, 0, 0), tier(1, 0, 0)], [Tier::Low; 2]);
        assert_eq!([tier(1, 1, 0), tier(2, 0, 0), tier(2, 2, 0)], [Tier::Medium; 3]);
        assert_eq!([tier(1, 1, 1), tier(3, 0, 0), tier(5, 5, 5)], [Tier::High; 3]);
    }

    #[test]
    fn tally_reads_as_plain_words() {
        let say =
            |people, senior, lead| Tally { people, analyst: people, senior, lead }.to_string();
        assert_eq!(say(1, 0, 0), "1 person");
        assert_eq!(say(2, 1, 0), "2 people, one of them a senior or lead");
        assert_eq!(say(2, 1, 1), "2 people, one of them a lead");
        assert_eq!(say(3, 2, 2), "3 people, 2 of them leads");
    }
}
