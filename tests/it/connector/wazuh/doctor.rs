//! What `countersign doctor` says about a manager and its indexer. It never sends a response.

use crate::harness::kind;
use std::time::Duration;

use chrono::TimeDelta;
use countersign::{
    clock::Clock,
    connector::{Connector, Diagnosis, Secret, Tls},
    domain::endpoint::Platform,
};
use serde_json::json;
use wazuh_simulator::{Endpoint, Os, Rights, Settings, Status, User};

use crate::connector::{
    fake_server::{Tap, say, token},
    fixtures::{Lab, now, settings},
    tls::Authority,
};

fn right_rights() -> Rights {
    Rights::broker().allow("manager:read", &["*:*:*"]).allow("cluster:status", &["*:*:*"])
}

/// A manager on which all is well.
fn sound() -> Settings {
    let alert = json!({"id": "1.1", "rule": {"id": "5763"}});
    let names = ["firewall-drop600", "firewall-drop1", "netsh600", "netsh1"];
    let names = names.iter().map(|&name| name.to_owned()).collect();
    Settings { names, alerts: vec![alert], ..Settings::default() }.only_user(User::new(
        "wazuh",
        "wazuh",
        right_rights(),
    ))
}

/// What is found by the real clock, which the simulator has too.
async fn examine(manager: Settings) -> Vec<Diagnosis> {
    let lab = Lab::start(manager).await;
    let findings = lab.connector.diagnose(Clock::system().now()).await;
    assert_eq!(lab.sim.received().len(), 0, "the doctor sends nothing");
    findings
}

fn find<'a>(findings: &'a [Diagnosis], check: &str) -> &'a Diagnosis {
    findings
        .iter()
        .find(|finding| finding.check == check)
        .unwrap_or_else(|| panic!("no finding about {check}: {findings:#?}"))
}

/// Asserts that this is wrong, what is found and what to do.
fn assert_bad(findings: &[Diagnosis], check: &str, found: &str, advice: &str) {
    let finding = find(findings, check);
    assert!(finding.found.contains(found), "{finding:?}");
    assert!(finding.advice.as_ref().is_some_and(|said| said.contains(advice)), "{finding:?}");
}

#[tokio::test]
async fn sound_manager_needs_no_fixes() {
    let findings = examine(sound()).await;
    let bad: Vec<_> = findings.iter().filter(|finding| finding.fails).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    let checks: Vec<_> = findings.iter().map(|finding| finding.check).collect();
    let expected = [
        "address",
        "certificate",
        "login",
        "version",
        "clock",
        "rights",
        "names",
        "endpoints",
        "companions",
        "indexer",
        "indexer certificate",
        "alerts",
    ];
    assert_eq!(checks, expected);
    let names = &find(&findings, "names").found;
    assert!(names.contains("block_ip on linux 600 s; "), "{names}");
    assert!(names.contains("10 of 64 entries in ar.conf"), "{names}");
    assert_eq!(find(&findings, "endpoints").found, "linux: 2 of 2; windows: 1 of 1");
}

const README: &str = include_str!("../../../../deploy/active-response/README.md");

/// What is found where the scripts are on the group `linux`, and the user has these rights beside.
async fn companions(more: &[&str], change: impl FnOnce(&mut Settings)) -> Vec<Diagnosis> {
    let rights = more.iter().fold(right_rights(), |rights, right| rights.allow(right, &["*:*"]));
    let mut manager = sound().only_user(User::new("wazuh", "wazuh", rights));
    change(&mut manager);
    let groups = vec!["linux".to_owned()];
    let lab = Lab::start_with(manager, |settings| settings.companion_groups = groups).await;
    let findings = lab.connector.diagnose(Clock::system().now()).await;
    findings.into_iter().filter(|finding| finding.check == "companions").collect()
}

const RULESET: [&str; 2] = ["rules:read", "decoders:read"];

#[tokio::test]
async fn missing_rules_are_reported_with_commands_that_install() {
    let findings = companions(&RULESET, |_| {}).await;
    assert_bad(&findings, "companions", "lacks the decoder", "in deploy/wazuh: cp countersign_");
    let advice = findings[0].advice.clone().unwrap();
    assert!(
        advice.contains("cp -L countersign*") && advice.contains("install -o root"),
        "{advice}"
    );
    for command in advice.split("; ").map(|part| part.split_once(": ").unwrap().1) {
        assert!(README.contains(command), "the manual has no {command}");
    }
    let there = companions(&RULESET, |manager| manager.companion_rules = true).await;
    assert_eq!(there[0].found, "groups linux; decoder and rules are there");
    assert_eq!((there[0].fails, &*there[1].found), (false, "no script has reported so far"));
}

#[tokio::test]
async fn rules_that_may_not_be_read_are_said() {
    let findings = companions(&[], |manager| manager.companion_rules = true).await;
    assert_bad(&findings, "companions", "may not be read", "the right rules:read");
    assert!(!findings[0].fails);
}

#[tokio::test]
async fn version_that_reported_and_is_unknown_is_said() {
    let report = |id: &str, version: &str| {
        json!({
            "id": format!("1.{id}"), "rule": {"id": "117701"}, "agent": {"id": id},
            "location": "/var/ossec/logs/active-responses.log",
            "data": {"countersign": {"version": version}},
        })
    };
    let findings = companions(&RULESET, |manager| {
        manager.companion_rules = true;
        manager.alerts.extend([report("001", "1"), report("002", "7")]);
    });
    let findings = findings.await;
    assert_eq!(findings[1].found, "reports of version 1 on 001; version 7 on 002");
    assert!(findings[1].fails && findings[1].advice.as_ref().unwrap().contains("version 1"));
}

#[tokio::test]
async fn missing_and_excessive_rights_are_reported() {
    let user = |rights| User::new("wazuh", "wazuh", rights);
    let findings = examine(sound().only_user(user(Rights::broker()))).await;
    assert_bad(&findings, "rights", "missing: cluster:status, manager:read", "give its role");
    assert_bad(&findings, "names", "give its API user the right manager:read", "role");
    let many =
        right_rights().allow("security:update", &["*:*:*"]).allow("agent:delete", &["agent:id:*"]);
    let findings = examine(sound().only_user(user(many))).await;
    assert_bad(&findings, "rights", "too many: agent:delete, security:update", "not administrator");
}

#[tokio::test]
async fn versions_without_active_response_are_reported() {
    for (version, said) in [("5.0.0", "no active response"), ("4.1.5", "too old"), ("x", "4.2 to")]
    {
        let findings = examine(Settings { api_version: version.to_owned(), ..sound() }).await;
        assert_bad(&findings, "version", version, said);
    }
}

#[tokio::test]
async fn clock_differences_are_reported() {
    let lab = Lab::start(sound()).await;
    let findings = lab.connector.diagnose(now()).await;
    assert_bad(&findings, "clock", "s ahead of this machine's", "NTP");
}

/// What is said of a clock that is this far ahead, by a manager that answers after this long. Both
/// are seconds.
async fn clock_of(ahead: i64, delay: u64) -> Diagnosis {
    let clock = Clock::manual(now());
    let theirs = clock.clone();
    let tap = Tap::start(move |heard| {
        if heard.line.starts_with("POST") {
            theirs.advance(Duration::from_secs(3));
            return token("any");
        }
        theirs.advance(Duration::from_secs(delay));
        let time = (theirs.now() + TimeDelta::seconds(ahead)).format("%Y-%m-%dT%H:%M:%SZ");
        say(200, &format!(r#"{{"data": {{"api_version": "4.14.7", "timestamp": "{time}"}}}}"#))
    })
    .await;
    let mut settings = settings(&tap.url());
    (settings.indexer, settings.clock) = (None, clock);
    let findings = Connector::wazuh(settings).unwrap().diagnose(now()).await;
    find(&findings, "clock").clone()
}

#[tokio::test]
async fn slow_answer_is_no_difference_of_clocks() {
    let same = clock_of(0, 60).await;
    assert_eq!(same, Diagnosis::good("clock", "the clocks agree to within 31 s"));
    let quick = clock_of(0, 0).await;
    assert_eq!(quick, Diagnosis::good("clock", "the clocks agree to within 1 s"));
    let behind = clock_of(-100, 4).await;
    let found = "its clock is 98 s behind this machine's, give or take 3 s";
    assert_eq!((behind.found.as_str(), behind.advice.is_some()), (found, true));
}

#[tokio::test]
async fn missing_and_excessive_command_names_are_reported() {
    let with = |names: Vec<String>| Settings { names, ..sound() };
    let findings = examine(with(Vec::new())).await;
    assert_bad(&findings, "names", "none that ends by itself", "docs/operating.md");
    let findings = examine(with(vec!["firewall-drop600".to_owned()])).await;
    assert_bad(&findings, "names", "no early undo", "firewall-drop with timeout 1");
    // A block is a line of the file, even one that is there twice.
    let many = vec!["firewall-drop600".to_owned(); 59];
    assert_bad(&examine(with(many)).await, "names", "65 of 64", "take blocks away");
}

#[tokio::test]
async fn early_undo_is_offered_only_where_it_would_run() {
    let mut manager = sound();
    manager.names.push("disable-account600".to_owned());
    let lab = Lab::start(manager.clone()).await;
    let names = find(&lab.connector.diagnose(now()).await, "names").clone();
    assert!(names.found.contains("disable_account on linux 600 s, no early undo"), "{names:?}");
    assert!(names.advice.unwrap().contains("disable-account with timeout 1"));
    let mut with_expiry = manager.clone();
    with_expiry.names.push("disable-account1".to_owned());
    let lab = Lab::start(with_expiry).await;
    let names = find(&lab.connector.diagnose(now()).await, "names").clone();
    assert!(names.found.contains("disable_account on linux 600 s; "), "{names:?}");
    let lab = Lab::start_with(manager, |settings| {
        let key = (kind("disable_account"), Platform::Linux);
        settings.undo_commands.insert(key, "!countersign-unlock".to_owned());
    })
    .await;
    let names = find(&lab.connector.diagnose(now()).await, "names").clone();
    assert!(names.found.contains("disable_account on linux 600 s; "), "{names:?}");
}

#[tokio::test]
async fn unknown_platforms_are_named_with_their_endpoints() {
    let of = |platform| Os { name: "some system", platform, version: "1" };
    let mut manager = sound();
    manager.agents.extend([
        Endpoint::new("011", "a", of("sunos")),
        Endpoint::new("012", "b", of("sunos")),
        Endpoint { os: None, ..Endpoint::new("013", "c", Os::UBUNTU) },
        Endpoint::new("014", "d", of("aix")).status(Status::Disconnected),
        Endpoint::new("015", "e", of("zorin")),
    ]);
    let findings = examine(manager).await;
    let found = "unknown platform: not said (013), sunos (011, 012)";
    assert_bad(&findings, "platforms", found, "os.uname");
    assert_eq!(find(&findings, "platforms").found, found, "014 is away, and 015 is a Linux");
    let reached = &find(&findings, "endpoints").found;
    assert_eq!(
        reached,
        "linux: 3 of 3; windows: 1 of 1; unknown: 0 of 4 (3 no_command, 1 not_active)"
    );
}

#[tokio::test]
async fn unreachable_endpoints_are_counted_by_reason() {
    let gone = |id| Endpoint::new(id, "x", Os::UBUNTU).status(Status::Disconnected);
    let old = Endpoint::new("002", "y", Os::UBUNTU).version("4.1.5");
    let findings = examine(Settings { agents: vec![gone("001"), old], ..sound() }).await;
    assert_bad(&findings, "endpoints", "linux: 0 of 2 (1 not_active, 1 too_old)", "agent:read");
}

#[tokio::test]
async fn cluster_nodes_are_listed_and_compared() {
    let rights = right_rights().allow("cluster:read", &["node:id:*"]);
    let mut manager = sound().only_user(User::new("wazuh", "wazuh", rights));
    manager.cluster = true;
    manager.names_on.insert("worker-1".to_owned(), vec!["firewall-drop900".to_owned()]);
    let findings = examine(manager).await;
    assert_eq!(find(&findings, "cluster").found, "nodes: node01, worker-1");
    let different = findings.iter().any(|f| f.found == "the nodes have different names");
    assert!(different, "{findings:#?}");
}

#[tokio::test]
async fn unreachable_service_is_reported_and_checks_continue() {
    let lab = Lab::start(sound()).await;
    let mut away = settings("http://127.0.0.1:1");
    away.indexer.as_mut().unwrap().url = lab.connector.url().to_owned();
    let findings = Connector::wazuh(away).unwrap().diagnose(now()).await;
    assert_bad(&findings, "address", "does not answer", "correct the url");
    assert_eq!(find(&findings, "indexer").advice, None);
    let mut wrong = settings(lab.connector.url());
    wrong.password = Secret::new("wrong");
    wrong.indexer.as_mut().unwrap().password = Secret::new("wrong");
    let findings = Connector::wazuh(wrong).unwrap().diagnose(now()).await;
    assert_bad(&findings, "login", "rejects the user name", "password_file");
    assert_bad(&findings, "alerts", "rejects the user name", "password_file");
}

#[tokio::test]
async fn missing_empty_or_forbidden_indexer_is_reported() {
    let lab = Lab::start_with(sound(), |settings| settings.indexer = None).await;
    assert_bad(&lab.connector.diagnose(now()).await, "indexer", "no indexer", "configure one");
    let findings = examine(Settings { alerts: Vec::new(), ..sound() }).await;
    assert_bad(&findings, "alerts", "there are none", "alerts_index");
    let findings = examine(Settings { indexer_rights: false, ..sound() }).await;
    assert_bad(&findings, "alerts", "refuses", "indices:data/read/search");
    let old = json!({"id": "1.1", "timestamp": "2026-01-01T00:00:00.000+0000"});
    let findings = examine(Settings { alerts: vec![old], ..sound() }).await;
    assert_bad(&findings, "alerts", "h old", "reach the indexer");
}

#[tokio::test]
async fn missing_index_template_is_reported_in_opensearch_words() {
    let findings = examine(Settings { index_template: false, ..sound() }).await;
    assert_bad(&findings, "alerts", "all shards failed: Text fields are not", "index template");
}

#[tokio::test]
async fn certificate_trust_is_reported() {
    let authority = Authority::issue("wazuh.com", |_| {});
    let tap = authority.honest_manager().await;
    let print = authority.fingerprint().to_string();
    for (tls, trusted) in [(Tls::Pin { sha256: [7; 32] }, false), (authority.pin(), true)] {
        let mut settings = settings(&tap.tls_url());
        settings.tls = tls;
        settings.indexer = None;
        let findings = Connector::wazuh(settings).unwrap().diagnose(now()).await;
        let certificate = find(&findings, "certificate");
        assert!(certificate.found.contains(&print), "{certificate:?}");
        assert_eq!(certificate.advice.is_none(), trusted);
        assert_eq!(tap.heard("").is_empty(), !trusted, "who is not trusted hears nothing");
    }
}
