//! Which endpoints can be reached, and what cannot be read or is not known of the others.

use std::collections::BTreeMap;

use super::{
    super::{Wazuh, api::fields::some_of, inventory::Survey},
    failed,
};
use crate::{
    connector::Diagnosis,
    domain::{
        Time,
        action::{Action, Term},
        endpoint::{Candidate, Platform, Selection, SkipReason},
    },
};

impl Wazuh {
    /// Endpoints per platform, how many can be reached, and why not the others.
    pub(super) async fn endpoint_findings(&self, now: Time) -> Vec<Diagnosis> {
        // Any target: the question needs one.
        let Some(action) = Action::any() else { return Vec::new() };
        let wanted = self.wanted(&action, Term::Permanent, None);
        let survey = match self.survey(&Selection::All, wanted, now).await {
            Ok(survey) => survey,
            Err(error) => return vec![failed("endpoints", &error)],
        };
        let mut findings = vec![reachable(&survey.inventory.candidates)];
        findings.extend(unreadable(&survey));
        findings.extend(unknown_platforms(&survey));
        findings
    }
}

fn reachable(candidates: &[Candidate]) -> Diagnosis {
    let mut platforms: BTreeMap<Platform, Vec<&Candidate>> = BTreeMap::new();
    for candidate in candidates {
        platforms.entry(candidate.endpoint.platform).or_default().push(candidate);
    }
    let by_platform: Vec<_> =
        platforms.iter().map(|(platform, all)| commands_text(*platform, all)).collect();
    if candidates.iter().any(|candidate| candidate.command.is_ok()) {
        return Diagnosis::good("endpoints", by_platform.join("; "));
    }
    let advice = "connect endpoints, or let the API user see them (agent:read)";
    let found =
        if by_platform.is_empty() { "there are none".to_owned() } else { by_platform.join("; ") };
    Diagnosis::bad("endpoints", found, advice)
}

/// Rows that are left out.
fn unreadable(survey: &Survey) -> Option<Diagnosis> {
    let of_endpoints = survey.inventory.candidates.iter().filter_map(|c| match &c.command {
        Err(SkipReason::Unreadable(why)) => Some(why.clone()),
        Ok(_) | Err(_) => None,
    });
    let mut found: Vec<_> = of_endpoints.collect();
    if !survey.without_id.is_empty() {
        let (count, odd) = (survey.without_id.len(), some_of(survey.without_id.clone()));
        found.insert(0, format!("{count} of the manager's rows have no readable id: {odd}"));
    }
    let advice = "they are left out of every response: look at GET /agents, and restart or enrol \
                  their agents again";
    (!found.is_empty()).then(|| Diagnosis::bad("endpoints", some_of(found), advice))
}

/// Connected endpoints that nothing is known to run on.
fn unknown_platforms(survey: &Survey) -> Option<Diagnosis> {
    let said = survey
        .unknown_platforms
        .iter()
        .map(|(words, ids)| format!("{words} ({})", some_of(ids.iter().map(ToString::to_string))));
    let advice = "nothing is sent there. A Wazuh agent names its system (os.uname) whenever it \
                  starts: restart it; if it is no Linux, macOS or Windows, Wazuh has no response \
                  for it";
    let found = || format!("unknown platform: {}", some_of(said));
    (!survey.unknown_platforms.is_empty()).then(|| Diagnosis::bad("platforms", found(), advice))
}

/// "linux: 5 of 7 (2 silent)".
fn commands_text(platform: Platform, all: &[&Candidate]) -> String {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for candidate in all {
        match &candidate.command {
            Err(reason) => *reasons.entry(reason.code()).or_default() += 1,
            Ok(_) if candidate.silent => *reasons.entry("silent").or_default() += 1,
            Ok(_) => {}
        }
    }
    let reached = all.iter().filter(|candidate| candidate.command.is_ok()).count();
    let reasons: Vec<_> = reasons.iter().map(|(code, count)| format!("{count} {code}")).collect();
    let rest =
        if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    format!("{}: {reached} of {}{rest}", platform.words(), all.len())
}
