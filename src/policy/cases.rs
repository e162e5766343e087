//! Test cases beside the policies: small JSON files that say what a set should answer.
//!
//! Each case names a stage, with what differs from a plain situation, and the answer:
//! `{ "name": "...", "decide": { "permanent": true }, "expect": { ... } }`. The fields are those of
//! `Expected` below, of `ProposalForm` (`ask`, `decide`) in `cases/form.rs`, and of `PersonActionForm`
//! (`may`) in `cases/people.rs`.

use std::fmt;

use serde::Deserialize;

use super::{Engine, PolicyError};
use crate::domain::decision::{Authorization, Decision, Reason, Verdict};

mod alert;
mod form;
mod people;

/// What one case came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseResult {
    /// The file, without the folder.
    pub file: String,
    /// The case's name: the rule it holds, as a sentence.
    pub name: String,
    /// Whether the answer was as expected.
    pub passed: bool,
    /// The answer that the case expects.
    pub expected: String,
    /// The answer of the set.
    pub got: String,
    /// The policies that decided.
    pub decided_by: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    ask: Option<form::ProposalForm>,
    decide: Option<form::ProposalForm>,
    may: Option<people::PersonActionForm>,
    expect: Expected,
}

/// An answer as a case writes it down.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// `run`, `approval` or `deny`; of the other stages `yes` or `no`.
    answer: String,
    /// With `approval`, who is needed: "2 people, one of them a lead".
    needs: Option<String>,
    /// The deciding policies, by id.
    policies: Vec<String>,
    /// The endpoints that policy keeps out, by id.
    #[serde(default)]
    kept_out: Vec<String>,
    /// What went wrong. No case can expect that.
    #[serde(skip)]
    errors: Vec<String>,
}

/// Puts every case in `tests/*.json` beside a set's policies to the set.
pub fn run(engine: &Engine) -> Result<Vec<CaseResult>, PolicyError> {
    let mut results = Vec::new();
    for (file, text) in engine.files().cases() {
        let refused = |detail| PolicyError::Case { file: file.to_owned(), detail };
        let cases: Vec<Case> =
            serde_json::from_str(text).map_err(|error| refused(error.to_string()))?;
        for case in cases {
            let got = put(&case, engine)
                .map_err(|detail| refused(format!("case `{}`: {detail}", case.name)))?;
            results.push(CaseResult {
                file: file.to_owned(),
                name: case.name,
                passed: got == case.expect,
                expected: case.expect.to_string(),
                got: got.to_string(),
                decided_by: got.policies,
            });
        }
    }
    Ok(results)
}

/// The questions of all cases that ask for a response.
#[cfg(test)]
pub(super) fn questions(engine: &Engine) -> Vec<crate::domain::facts::PolicyQuestion> {
    let cases = engine.files().cases();
    let cases = cases.flat_map(|(_, text)| serde_json::from_str::<Vec<Case>>(text).unwrap());
    let proposals = cases.filter_map(|case| case.decide.or(case.ask));
    proposals.map(|proposal| proposal.question(engine.catalogue()).unwrap()).collect()
}

fn put(case: &Case, engine: &Engine) -> Result<Expected, String> {
    match (&case.ask, &case.decide, &case.may) {
        (Some(proposal), None, None) => {
            Ok(engine.may_ask(&proposal.question(engine.catalogue())?).into())
        }
        (None, Some(proposal), None) => {
            Ok(engine.decide(&proposal.question(engine.catalogue())?).into())
        }
        (None, None, Some(deed)) => {
            let (who, verb, on) = deed.parts(engine.catalogue())?;
            Ok(engine.may(&who, verb, &on).into())
        }
        _ => Err("it needs exactly one of `ask`, `decide`, `may`".to_owned()),
    }
}

impl From<Authorization> for Expected {
    fn from(answer: Authorization) -> Self {
        Self {
            answer: if answer.allowed { "yes" } else { "no" }.to_owned(),
            needs: None,
            policies: ids(answer.reasons),
            kept_out: Vec::new(),
            errors: answer.errors,
        }
    }
}

impl From<Decision> for Expected {
    fn from(decision: Decision) -> Self {
        Self {
            answer: decision.verdict.name().to_owned(),
            needs: match decision.verdict {
                Verdict::Approval(tally) => Some(tally.to_string()),
                Verdict::Run | Verdict::Deny => None,
            },
            policies: ids(decision.reasons),
            kept_out: decision.kept_out.into_iter().map(|(id, _)| id.to_string()).collect(),
            errors: decision.errors,
        }
    }
}

fn ids(reasons: Vec<Reason>) -> Vec<String> {
    reasons.into_iter().map(|reason| reason.policy).collect()
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.answer)?;
        if let Some(needs) = &self.needs {
            write!(f, " of {needs}")?;
        }
        match self.policies.as_slice() {
            [] => f.write_str(", by no policy")?,
            policies => write!(f, ", by {}", policies.join(", "))?,
        }
        if !self.kept_out.is_empty() {
            write!(f, ", without {}", self.kept_out.join(", "))?;
        }
        self.errors.iter().try_for_each(|error| write!(f, ", error: {error}"))
    }
}
