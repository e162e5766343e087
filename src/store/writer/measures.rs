//! What is counted of what is committed, since this process opened the database.

use chrono::TimeDelta;
use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};
use strum::VariantArray as _;

use crate::{
    clock::Clock,
    domain::{
        Time,
        audit::{
            AuditDetail, AuditEvent, EventKind,
            detail::{dispatch::AnswerFacts, outcome::EndpointOutcome, request::VerdictName},
        },
        request::Outcome,
    },
};

/// Numbers by one word of ours.
pub type CountsByWord = Family<[(&'static str, &'static str); 1], Counter>;

/// The bounds of the times of a commit, in seconds.
const COMMIT_SECONDS: [f64; 11] =
    [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// The bounds of the times that requests wait for people, in seconds.
const WAIT_SECONDS: [f64; 10] =
    [5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0];

/// What is counted of what is committed. Clones count together.
#[derive(Debug, Clone)]
pub struct CommitMeasures {
    /// How long a commit took, in seconds.
    pub commit_seconds: Histogram,
    /// How long a request waited for the people that it needs, in seconds.
    pub approval_wait_seconds: Histogram,
    /// Audit entries, by `kind`.
    pub entries: CountsByWord,
    /// Requests, by the `verdict` that they got when they were asked.
    pub asked: CountsByWord,
    /// Endpoints that a call, or its absence, said something about, by `outcome`.
    pub dispatched: CountsByWord,
}

impl Default for CommitMeasures {
    /// Each word counts from the start: a line that comes and goes is hard to watch.
    fn default() -> Self {
        let entries = of_words("kind", EventKind::ALL.map(EventKind::name));
        let asked = of_words("verdict", VerdictName::VARIANTS.iter().map(|v| v.name()));
        Self {
            commit_seconds: Histogram::new(COMMIT_SECONDS),
            approval_wait_seconds: Histogram::new(WAIT_SECONDS),
            entries,
            asked,
            dispatched: of_words("outcome", Outcome::NAMES),
        }
    }
}

fn of_words(label: &'static str, words: impl IntoIterator<Item = &'static str>) -> CountsByWord {
    let counts = CountsByWord::default();
    for word in words {
        drop(counts.get_or_create_owned(&[(label, word)]));
    }
    counts
}

/// What an audit entry counts for.
#[derive(Debug)]
pub(in crate::store) struct Counted {
    kind: &'static str,
    verdict: Option<&'static str>,
    outcomes: Vec<&'static str>,
}

impl Counted {
    pub(in crate::store) fn of(event: &AuditEvent) -> Self {
        let verdict = if let AuditDetail::RequestAsked(asked) = &event.detail {
            Some(asked.decision.verdict.name())
        } else {
            None
        };
        let outcomes = if let AuditDetail::DispatchAnswered(answer) = &event.detail {
            names(match answer {
                AnswerFacts::Call(call) => &call.outcomes,
                AnswerFacts::AllDisconnected(none) => &none.outcomes,
            })
        } else {
            Vec::new()
        };
        Self { kind: event.kind().name(), verdict, outcomes }
    }
}

fn names(outcomes: &[EndpointOutcome]) -> Vec<&'static str> {
    outcomes.iter().map(|of| of.outcome.name()).collect()
}

impl CommitMeasures {
    /// Counts a commit that began then.
    pub(super) fn commit(&self, began: Time, clock: &Clock) {
        self.commit_seconds.observe((clock.now() - began).as_seconds_f64());
    }

    /// Counts what a change did, once it is stored.
    pub(super) fn count<'c>(
        &self,
        waited: &[TimeDelta],
        recorded: impl Iterator<Item = &'c Counted>,
    ) {
        for waited in waited {
            self.approval_wait_seconds.observe(waited.as_seconds_f64());
        }
        for Counted { kind, verdict, outcomes } in recorded {
            self.entries.get_or_create(&[("kind", *kind)]).inc();
            if let Some(verdict) = verdict {
                self.asked.get_or_create(&[("verdict", *verdict)]).inc();
            }
            for outcome in outcomes {
                self.dispatched.get_or_create(&[("outcome", *outcome)]).inc();
            }
        }
    }
}
