//! Everything that a first installation gets wrong. It reads and asks; it never sends a response.

mod companions;
mod endpoints;
mod names;

use std::{collections::BTreeSet, time::Duration};

use chrono::TimeDelta;
use names::names_of;
use serde_json::Value;

use super::{
    Wazuh,
    api::{
        connection::{ClockDifference, ManagerInfo},
        fields::{Fields, some_of},
    },
    indexer::{freshness::age_text, search::IndexerClient},
};
use crate::{
    connector::{
        Diagnosis,
        http::{client::HttpClient, error::ConnectorError},
    },
    domain::Time,
};

/// What the connector needs on any manager.
const NEEDED: [&str; 3] = ["agent:read", "active-response:command", "cluster:status"];
/// What shows the names of commands: without and with a cluster.
const SHOWS_NAMES: (&str, &str) = ("manager:read", "cluster:read");
/// Comes with the default policy `agents_read`, and does no harm.
const HARMLESS: &str = "group:read";
/// How many rights that are too many are named.
const RIGHTS_SHOWN_MAX: usize = 12;
/// Above this, ages and times mislead people.
const SKEW_MAX: TimeDelta = TimeDelta::seconds(30);
/// How long a look at a certificate may take.
const LOOK: Duration = Duration::from_secs(10);

impl Wazuh {
    pub(super) async fn findings(&self, now: Time) -> Vec<Diagnosis> {
        let http = &self.manager.reads.http;
        let asked = self.manager.info(now).await;
        let mut findings = reached(("address", "certificate"), http, asked.as_ref().err()).await;
        match asked {
            Ok(about) => {
                let user = &self.settings.user;
                findings.push(Diagnosis::good("login", format!("signed in as {user}")));
                findings.push(version(&about));
                findings.push(self.clock());
                self.inside(&mut findings, now).await;
            }
            Err(
                ConnectorError::Unreachable { .. }
                | ConnectorError::Local { .. }
                | ConnectorError::Certificate { .. },
            ) => {}
            Err(error) => findings.push(failed("login", &error)),
        }
        match &self.indexer {
            None => findings.push(Diagnosis::bad(
                "indexer",
                "no indexer is configured",
                "configure one: without it nothing runs without people, and nobody sees whether \
                 a response started",
            )),
            Some(indexer) => self.indexer_findings(indexer, &mut findings, now).await,
        }
        findings
    }

    fn clock(&self) -> Diagnosis {
        let Some(ClockDifference { ahead, within }) = self.manager.difference() else {
            let advice = "look at its clock by hand";
            return Diagnosis::bad("clock", "it does not say what time it is", advice);
        };
        let whole = |time: TimeDelta| (time.num_milliseconds() + 500).div_euclid(1000);
        let doubt = whole(within).max(1);
        let found = if ahead.abs() <= within {
            format!("the clocks agree to within {doubt} s")
        } else {
            let side = if ahead > TimeDelta::zero() { "ahead of" } else { "behind" };
            let seconds = whole(ahead.abs());
            format!("its clock is {seconds} s {side} this machine's, give or take {doubt} s")
        };
        // What the answer's own delay may explain is no reason to act.
        if ahead.abs() - within <= SKEW_MAX {
            return Diagnosis::good("clock", found);
        }
        Diagnosis::bad("clock", found, "set both clocks by NTP: ages of alerts are wrong meanwhile")
    }

    /// What only a user with a token sees.
    async fn inside(&self, findings: &mut Vec<Diagnosis>, now: Time) {
        let discovered = self.names.discover(&self.manager, &BTreeSet::new(), now).await;
        let cluster = discovered.as_ref().ok().and_then(|discovered| discovered.cluster);
        findings.push(self.rights(cluster, now).await);
        let nodes = match cluster {
            Some(true) => self.nodes(findings, now).await,
            Some(false) | None => BTreeSet::new(),
        };
        match self.names.discover(&self.manager, &nodes, now).await {
            Err(error) => findings.push(failed("names", &error)),
            Ok(discovered) => {
                for (node, names) in &discovered.nodes {
                    let names = names.as_deref().map_err(String::as_str);
                    findings.push(names_of(node, names, &self.settings.undo_commands));
                }
                let known =
                    || discovered.nodes.iter().filter_map(|(n, c)| Some((n, c.as_ref().ok()?)));
                let differs = |(_, names): &(&String, _)| known().any(|(_, other)| other != *names);
                if known().any(|one| differs(&one)) {
                    let advice = "make <command> and <active-response> blocks the same on every \
                                  node: nobody copies them";
                    findings.push(Diagnosis::bad(
                        "names",
                        "the nodes have different names",
                        advice,
                    ));
                }
            }
        }
        findings.extend(self.endpoint_findings(now).await);
        findings.extend(self.companion_findings(now).await);
    }

    /// The nodes of a cluster, by name.
    async fn nodes(&self, findings: &mut Vec<Diagnosis>, now: Time) -> BTreeSet<String> {
        match self.manager.read("/cluster/nodes", SHOWS_NAMES.1, now).await {
            Ok(answer) => {
                let mut fields = Fields::of(&answer);
                let (mut names, mut odd) = (BTreeSet::new(), Vec::new());
                for node in fields.needed_list("affected_items").unwrap_or_default() {
                    let mut node = Fields::of(node);
                    names.extend(node.needed_text("name").map(str::to_owned));
                    odd.extend(node.odd());
                }
                odd.extend(fields.odd());
                let shown: Vec<_> = names.iter().map(String::as_str).collect();
                let shown = format!("nodes: {}", shown.join(", "));
                findings.push(if odd.is_empty() {
                    Diagnosis::good("cluster", shown)
                } else {
                    let found = format!("{shown}; the manager's list has others: {}", some_of(odd));
                    Diagnosis::bad("cluster", found, "look at GET /cluster/nodes")
                });
                names
            }
            Err(error) => {
                findings.push(failed("cluster", &error));
                BTreeSet::new()
            }
        }
    }

    /// Rights that are missing, and rights that are too many.
    async fn rights(&self, cluster: Option<bool>, now: Time) -> Diagnosis {
        let read = self.manager.read("/security/users/me/policies", "to sign in", now).await;
        let rights = match read {
            Ok(rights) => rights,
            Err(error) => return failed("rights", &error),
        };
        let granted: BTreeSet<&str> =
            rights.as_object().into_iter().flatten().filter_map(right_text).collect();
        let shows_names = match cluster {
            Some(true) => vec![SHOWS_NAMES.1],
            None if granted.contains(SHOWS_NAMES.1) => Vec::new(),
            Some(false) | None => vec![SHOWS_NAMES.0],
        };
        let needed = NEEDED.into_iter().chain(shows_names);
        let missing: Vec<_> = needed.filter(|right| !granted.contains(right)).collect();
        let useful = [SHOWS_NAMES.0, SHOWS_NAMES.1, HARMLESS];
        let extra: Vec<_> = granted
            .iter()
            .copied()
            .filter(|right| !NEEDED.contains(right) && !useful.contains(right))
            .filter(|right| !companions::USEFUL.contains(right))
            .collect();
        let black = rights.get("rbac_mode").and_then(Value::as_str) == Some("black");
        let (mut found, mut advice) = (Vec::new(), Vec::new());
        if !missing.is_empty() {
            found.push(format!("missing: {}", missing.join(", ")));
            advice.push(format!("give its role {}", missing.join(", ")));
        }
        if !extra.is_empty() {
            let (shown, rest) = extra.split_at(extra.len().min(RIGHTS_SHOWN_MAX));
            let rest =
                if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            found.push(format!("too many: {}{rest}", shown.join(", ")));
            advice.push("take these away: use a role of its own, not administrator".to_owned());
        }
        if black {
            found.push("the manager is in black mode: what is not denied is allowed".to_owned());
            advice.push("set rbac_mode to white".to_owned());
        }
        if advice.is_empty() {
            return Diagnosis::good("rights", "exactly those that are needed");
        }
        Diagnosis::bad("rights", found.join("; "), advice.join("; "))
    }

    async fn indexer_findings(
        &self,
        indexer: &IndexerClient,
        findings: &mut Vec<Diagnosis>,
        now: Time,
    ) {
        let there = self.there(now);
        let newest = indexer.newest(there).await;
        let checks = ("indexer", "indexer certificate");
        findings.extend(reached(checks, &indexer.http, newest.as_ref().err()).await);
        let advice = "look whether the manager's alerts reach the indexer, and at alerts_index";
        findings.push(match newest {
            Err(
                ConnectorError::Unreachable { .. }
                | ConnectorError::Local { .. }
                | ConnectorError::Certificate { .. },
            ) => return,
            Err(error @ ConnectorError::Answer { status: 400, .. }) => {
                let advice = "look at alerts_index, and whether Wazuh's index template is \
                              installed: filebeat setup --index-management";
                Diagnosis::bad("alerts", error.to_string(), advice)
            }
            Err(error) => failed("alerts", &error),
            Ok(None) => Diagnosis::bad("alerts", "they can be read; there are none", advice),
            Ok(Some(at)) => {
                let age = there - at;
                let found = format!("they can be read; the newest is {} old", age_text(age));
                if indexer.is_stale(age) {
                    Diagnosis::bad("alerts", found, advice)
                } else {
                    Diagnosis::good("alerts", found)
                }
            }
        });
    }
}

fn version(about: &ManagerInfo) -> Diagnosis {
    let found = match &about.odd {
        None => about.words(),
        Some(odd) => format!("{}: in its answer to GET / {odd}", about.words()),
    };
    match (about.unsupported(), &about.odd) {
        (Some(why), _) => Diagnosis::bad("version", found, why),
        (None, Some(_)) => Diagnosis::bad("version", found, "look at GET / of its API"),
        (None, None) => Diagnosis::good("version", found),
    }
}

/// Something that failed, and what to do about it.
fn failed(check: &'static str, error: &ConnectorError) -> Diagnosis {
    let advice = match error {
        ConnectorError::Unreachable { .. } => {
            "correct the url, start it, or open the way to it".to_owned()
        }
        ConnectorError::Local { .. } => {
            "look at this machine: its open files (LimitNOFILE), memory, addresses and resolver"
                .to_owned()
        }
        ConnectorError::Certificate { presented, .. } => format!(
            "compare {presented} with the certificate on that machine; if it is the same, set \
             pin_sha256 to it"
        ),
        ConnectorError::LoginRefused { .. } => "correct user and password_file".to_owned(),
        ConnectorError::Blocked { .. } => "correct the password, then wait five minutes".to_owned(),
        ConnectorError::Forbidden { right, .. } => format!("give the user the right {right}"),
        ConnectorError::RateLimited { seconds, .. }
        | ConnectorError::OverBudget { seconds, .. }
        | ConnectorError::OverShare { seconds, .. }
        | ConnectorError::CircuitOpen { seconds, .. } => format!("try again in {seconds} s"),
        ConnectorError::Busy { .. }
        | ConnectorError::Answer { .. }
        | ConnectorError::TooLarge { .. } => "look into the logs of that system".to_owned(),
        ConnectorError::Settings { allowed, .. } => allowed.clone(),
    };
    Diagnosis::bad(check, error.to_string(), advice)
}

/// Whether a system is there, and which certificate it shows; `error` is what a call came to.
async fn reached(
    (address, certificate): (&'static str, &'static str),
    http: &HttpClient,
    error: Option<&ConnectorError>,
) -> Vec<Diagnosis> {
    if let Some(error @ (ConnectorError::Unreachable { .. } | ConnectorError::Local { .. })) = error
    {
        return vec![failed(address, error)];
    }
    let there = Diagnosis::good(address, format!("{} answers", http.system));
    if let Some(error @ ConnectorError::Certificate { .. }) = error {
        return vec![there, failed(certificate, error)];
    }
    let shown = match http.presented(LOOK).await {
        Ok(None) => Diagnosis::good(certificate, "none: plain http:// on this machine"),
        Ok(Some(presented)) => {
            let found = format!("trusted; its SHA-256 fingerprint is {presented}");
            Diagnosis::good(certificate, found)
        }
        Err(failure) => failed(certificate, &failure.error),
    };
    vec![there, shown]
}

/// An action that the user is allowed on anything.
fn right_text<'a>((action, resources): (&'a String, &Value)) -> Option<&'a str> {
    let mut effects = resources.as_object()?.values();
    effects.any(|effect| effect == "allow").then_some(action)
}
