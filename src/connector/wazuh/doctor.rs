//! Everything that a first installation gets wrong. It reads and asks; it never sends a response.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Wazuh,
    api::{connection::ManagerInfo, envelope::Items},
    command_names::CommandTable,
    commands::CommandRequest,
    indexer::{freshness::age_text, search::IndexerClient},
    scripts::{EXPIRY_SECS, script},
};
use crate::{
    connector::{
        Diagnosis,
        http::{client::HttpClient, error::ConnectorError},
    },
    domain::{
        Time,
        action::{Action, ActionKind, Term},
        endpoint::{Candidate, Platform, Selection},
    },
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
/// More entries overrun the memory of an endpoint's execd (wazuh/wazuh#38358).
const NAMES_MAX: usize = 64;
/// `restart-ossec0` and `restart-wazuh0`, which every `ar.conf` has.
const NAMES_BUILT_IN: usize = 2;
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
            Err(ConnectorError::Unreachable { .. } | ConnectorError::Certificate { .. }) => {}
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
        let Some(ahead) = self.manager.ahead() else {
            let advice = "look at its clock by hand";
            return Diagnosis::bad("clock", "it does not say what time it is", advice);
        };
        let found = match ahead.num_seconds() {
            0 => "the clocks agree".to_owned(),
            seconds if seconds > 0 => format!("its clock is {seconds} s ahead of this machine's"),
            seconds => format!("its clock is {} s behind this machine's", -seconds),
        };
        if ahead.abs() <= SKEW_MAX {
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
                    findings.push(names_of(node, names.as_deref().map_err(String::as_str)));
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
        findings.push(self.endpoints(now).await);
    }

    /// The nodes of a cluster, by name.
    async fn nodes(&self, findings: &mut Vec<Diagnosis>, now: Time) -> BTreeSet<String> {
        #[derive(Deserialize)]
        struct Node {
            name: String,
        }
        match self.manager.read("/cluster/nodes", SHOWS_NAMES.1, now).await {
            Ok(Items { affected_items }) => {
                let names: BTreeSet<_> =
                    affected_items.into_iter().map(|node: Node| node.name).collect();
                let shown: Vec<_> = names.iter().map(String::as_str).collect();
                findings.push(Diagnosis::good("cluster", format!("nodes: {}", shown.join(", "))));
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
        let rights: Map<String, Value> = match read {
            Ok(rights) => rights,
            Err(error) => return failed("rights", &error),
        };
        let granted: BTreeSet<&str> = rights.iter().filter_map(right_text).collect();
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

    /// Endpoints per platform, how many can be reached, and why not the others.
    async fn endpoints(&self, now: Time) -> Diagnosis {
        // A target that exists nowhere: the question needs one.
        let action = Action::BlockIp(IpAddr::from([203, 0, 113, 1]));
        let undo = &self.settings.undo_commands;
        let wanted = CommandRequest { action: &action, term: Term::Permanent, undo };
        let candidates = match self.inventory(&Selection::All, wanted, now).await {
            Ok(inventory) => inventory.candidates,
            Err(error) => return failed("endpoints", &error),
        };
        let mut platforms: BTreeMap<Platform, Vec<&Candidate>> = BTreeMap::new();
        for candidate in &candidates {
            platforms.entry(candidate.endpoint.platform).or_default().push(candidate);
        }
        let by_platform: Vec<_> =
            platforms.iter().map(|(platform, all)| commands_text(*platform, all)).collect();
        if candidates.iter().any(|candidate| candidate.command.is_ok()) {
            return Diagnosis::good("endpoints", by_platform.join("; "));
        }
        let advice = "connect endpoints, or let the API user see them (agent:read)";
        let found = if by_platform.is_empty() {
            "there are none".to_owned()
        } else {
            by_platform.join("; ")
        };
        Diagnosis::bad("endpoints", found, advice)
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
            Err(ConnectorError::Unreachable { .. } | ConnectorError::Certificate { .. }) => return,
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
    match about.unsupported() {
        None => Diagnosis::good("version", about.words()),
        Some(why) => Diagnosis::bad("version", about.words(), why),
    }
}

/// Something that failed, and what to do about it.
fn failed(check: &'static str, error: &ConnectorError) -> Diagnosis {
    let advice = match error {
        ConnectorError::Unreachable { .. } => {
            "correct the url, start it, or open the way to it".to_owned()
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
    if let Some(error @ ConnectorError::Unreachable { .. }) = error {
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

/// What the names of a node make possible.
fn names_of(node: &str, names: Result<&CommandTable, &str>) -> Diagnosis {
    let place = if node.is_empty() { String::new() } else { format!("{node}: ") };
    let names = match names {
        Ok(names) => names,
        Err(why) => {
            return Diagnosis::bad("names", format!("{place}{why}"), "mend the API user's role");
        }
    };
    let (mut found, mut advice) = (Vec::new(), Vec::new());
    for kind in ActionKind::RESPONSES {
        for platform in Platform::ALL {
            let Some(script) = script(kind, platform) else { continue };
            let seconds: Vec<_> = names.durations(script).iter().map(u32::to_string).collect();
            if seconds.is_empty() {
                continue;
            }
            let has_expiry = names.command(script, EXPIRY_SECS).is_some();
            let undo = if has_expiry { "" } else { ", no early undo" };
            found.push(format!("{kind} on {} {} s{undo}", platform.name(), seconds.join(", ")));
            if !has_expiry {
                let command = names.command_name(script);
                advice.push(format!("add a block for {command} with timeout {EXPIRY_SECS}"));
            }
        }
    }
    if found.is_empty() {
        found.push("none that ends by itself".to_owned());
        advice.push(
            "add <active-response> blocks with timeouts (docs/operating.md), or only permanent \
             responses work"
                .to_owned(),
        );
    }
    let count = names.whole().len() + NAMES_BUILT_IN;
    found.push(format!("{count} of {NAMES_MAX} entries in ar.conf"));
    if count > NAMES_MAX {
        advice.push("take blocks away: more entries crash the endpoints' agents".to_owned());
    }
    let found = format!("{place}{}", found.join("; "));
    advice.dedup();
    if advice.is_empty() {
        return Diagnosis::good("names", found);
    }
    Diagnosis::bad("names", found, advice.join("; "))
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
    format!("{}: {reached} of {}{rest}", platform.name(), all.len())
}
