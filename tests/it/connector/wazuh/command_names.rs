//! Names of commands: learned from the manager, node by node, and kept fresh.

use crate::harness::kind;
use std::{collections::BTreeMap, time::Duration};

use countersign::{
    connector::{DispatchTurn, WazuhSettings as Ours},
    domain::{
        action::{Action, Term},
        endpoint::{EndpointId, Inventory, OtherTerm, Platform, Selection},
    },
};
use wazuh_simulator::{Contact, Endpoint, Os, Rights, Script, Settings, User};

use super::inventory::commands;
use crate::connector::fixtures::{Lab, block, disable, ids, later, mark, now, outcomes, permit};

async fn asked(lab: &Lab, action: &Action, term: Term, seconds: i64) -> Inventory {
    let at = later(seconds);
    lab.connector.resolve(&Selection::All, action, term, at).await.unwrap()
}

async fn timed(lab: &Lab, seconds: u32) -> Vec<String> {
    commands(&asked(lab, &block("203.0.113.7"), Term::Seconds(seconds), 0).await)
}

/// What is possible instead of 777 seconds, and where: "600 001 003".
async fn others(lab: &Lab, named: &[&str], action: &Action) -> Vec<String> {
    let selection = Selection::Ids(ids(named));
    let asked = lab.connector.resolve(&selection, action, Term::Seconds(777), now());
    let other = |other: OtherTerm| {
        let term = other.term.seconds().map_or("permanent".to_owned(), |s| s.to_string());
        let ids: Vec<_> = other.commands.keys().map(EndpointId::as_str).collect();
        format!("{term} {}", ids.join(" "))
    };
    asked.await.unwrap().other_terms.into_iter().map(other).collect()
}

/// A Linux, a Windows and a macOS machine, and these names.
fn three(names: &[&str]) -> Settings {
    let agents = vec![
        Endpoint::new("001", "web", Os::UBUNTU),
        Endpoint::new("002", "dc", Os::WINDOWS_SERVER),
        Endpoint::new("003", "mac", Os::MACOS),
    ];
    let names = names.iter().map(|&name| name.to_owned()).collect();
    Settings { agents, names, ..Settings::default() }
}

fn with_undo(settings: &mut Ours) {
    let on = |kind, platform, command: &str| ((kind, platform), command.to_owned());
    settings.undo_commands = BTreeMap::from([
        on(kind("block_ip"), Platform::Linux, "!countersign-unblock"),
        on(kind("block_ip"), Platform::Windows, "unblock0"),
        on(kind("disable_account"), Platform::Linux, "!countersign-unlock"),
    ]);
}

#[tokio::test]
async fn timed_block_uses_command_that_manager_has() {
    let lab = Lab::start(three(&["firewall-drop600", "firewall-drop3600", "netsh600"])).await;
    let sent = ["001 firewall-drop600", "002 netsh600", "003 firewall-drop600"];
    assert_eq!(timed(&lab, 600).await, sent);
}

#[tokio::test]
async fn other_terms_are_those_of_endpoints_asked_for() {
    let lab = Lab::start(three(&["firewall-drop600", "firewall-drop3600", "netsh600"])).await;
    let (address, of_ipv6) = (&block("203.0.113.7"), &block("2001:db8::7"));
    let (account, all) = (&disable("mallory"), &["001", "002", "003"][..]);
    let none: [&str; 0] = [];
    let terms = others(&lab, all, address).await;
    assert_eq!(terms, ["600 001 002 003", "3600 001 003", "permanent 001 002 003"]);
    assert_eq!(others(&lab, &["002"], address).await, ["600 002", "permanent 002"]);
    let terms = others(&lab, all, of_ipv6).await;
    assert_eq!(terms, ["600 001 003", "3600 001 003", "permanent 001 003"]);
    assert_eq!(others(&lab, &["002"], of_ipv6).await, none, "netsh would block a /32");
    assert_eq!(others(&lab, all, account).await, ["permanent 001"]);
    assert_eq!(others(&lab, &["002", "003"], account).await, none);
    let selection = Selection::Ids(ids(all));
    let possible = lab.connector.resolve(&selection, address, Term::Seconds(3600), now()).await;
    assert_eq!(possible.unwrap().other_terms, [], "it is possible on two of them");
}

#[tokio::test]
async fn missing_command_says_what_to_configure() {
    let lab = Lab::start(three(&["firewall-drop600", "firewall-drop3600"])).await;
    let inventory = asked(&lab, &block("203.0.113.7"), Term::Seconds(900), 0).await;
    let expected = [
        "001 - the manager has no command that ends after 15 minutes for linux: add an \
         <active-response> block for firewall-drop with timeout 900",
        "002 - the manager has no command that ends after 15 minutes for windows: add an \
         <active-response> block for netsh with timeout 900",
    ];
    assert_eq!(commands(&inventory)[..2], expected);
    let code = inventory.candidates[0].command.as_ref().unwrap_err().code();
    assert_eq!(code, "not_configured");
}

#[tokio::test]
async fn expiry_and_untimed_commands_are_not_durations() {
    let lab = Lab::start(three(&["firewall-drop0", "firewall-drop1"])).await;
    for seconds in [0, 1] {
        for line in timed(&lab, seconds).await {
            assert!(line.contains("use a longer <active-response> block"), "{line}");
            assert!(!line.contains(&format!("with timeout {seconds}:")), "{line}");
        }
    }
    assert_eq!(others(&lab, &["001"], &block("203.0.113.7")).await, ["permanent 001"]);
}

#[tokio::test]
async fn command_is_identified_by_its_script() {
    let script = |name, executable| Script { name, executable, lifts: None };
    let mut settings = three(&["our-drop600", "firewall-drop3600", "disguise900"]);
    settings.scripts =
        vec![script("our-drop", "firewall-drop"), script("disguise", "countersign-other")];
    let lab = Lab::start(settings).await;
    assert_eq!(timed(&lab, 600).await[0], "001 our-drop600");
    assert_eq!(timed(&lab, 3600).await[0], "001 firewall-drop3600");
    assert!(timed(&lab, 900).await[0].contains("no command that ends after 15 minutes"));
}

#[tokio::test]
async fn command_names_are_refreshed_after_a_minute_or_refusal() {
    let lab = Lab::start(three(&["firewall-drop600"])).await;
    let action = block("203.0.113.7");
    let at = async |seconds| commands(&asked(&lab, &action, Term::Seconds(600), seconds).await);
    assert_eq!(at(0).await[0], "001 firewall-drop600");
    lab.sim.set_names(&["firewall-drop3600"]);
    assert_eq!(at(59).await[0], "001 firewall-drop600", "still believed");
    assert!(at(60).await[0].contains("no command that ends after 10 minutes"));
    lab.sim.set_names(&["firewall-drop600"]);
    assert!(at(61).await[0].contains("no command that ends"), "still believed");
    let body = lab.connector.body("firewall-drop3600", &action, &mark());
    let refused = lab
        .connector
        .dispatch(permit(&["001"], &body, later(120)), DispatchTurn::default(), later(62))
        .await;
    assert_eq!(outcomes(&refused), ["001 refused 1652"]);
    assert_eq!(at(63).await[0], "001 firewall-drop600");
}

#[tokio::test]
async fn without_manager_read_only_permanent_responses_work() {
    let user = User::new("wazuh", "wazuh", Rights::broker());
    let lab = Lab::start(three(&["firewall-drop600"]).only_user(user)).await;
    let why = "001 - Countersign cannot read which timed commands the manager has: give its API \
               user the right manager:read, and in a cluster cluster:read";
    assert_eq!(timed(&lab, 600).await[0], why);
    let permanent = asked(&lab, &block("203.0.113.7"), Term::Permanent, 0).await;
    assert_eq!(commands(&permanent)[0], "001 !firewall-drop");
    assert_eq!(others(&lab, &["001"], &block("203.0.113.7")).await, ["permanent 001"]);
}

#[tokio::test]
async fn cluster_endpoint_uses_commands_of_its_node() {
    let on = |id, node| Endpoint::new(id, "machine", Os::UBUNTU).on_node(node);
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let rights = Rights::broker()
        .allow("cluster:status", &["*:*:*"])
        .allow("cluster:read", &["node:id:node01", "node:id:worker-1"]);
    let lab = Lab::start(Settings {
        agents: vec![on("001", "node01"), on("002", "worker-1"), on("003", "worker-2")],
        names: names(&["firewall-drop600"]),
        names_on: BTreeMap::from([("worker-1".to_owned(), names(&["firewall-drop3600"]))]),
        cluster: true,
        users: vec![User::new("wazuh", "wazuh", rights)],
        ..Settings::default()
    })
    .await;
    let found = timed(&lab, 600).await;
    assert_eq!(found[0], "001 firewall-drop600");
    assert!(found[1].ends_with("block for firewall-drop with timeout 600"));
    assert!(found[2].contains("give its API user the right cluster:read on node:id:worker-2"));
    assert_eq!(timed(&lab, 3600).await[1], "002 firewall-drop3600");
    let address = block("203.0.113.7");
    assert_eq!(others(&lab, &["001"], &address).await, ["600 001", "permanent 001"]);
    assert_eq!(others(&lab, &["002"], &address).await, ["3600 002", "permanent 002"]);
    assert_eq!(others(&lab, &["003"], &address).await, ["permanent 003"]);
}

#[tokio::test]
async fn timed_block_is_lifted_by_its_expiry_command() {
    let lab = Lab::start(three(&["firewall-drop600", "firewall-drop1", "netsh600"])).await;
    let undo = block("203.0.113.7").undo().unwrap();
    let found = commands(&asked(&lab, &undo, Term::Seconds(600), 0).await);
    assert_eq!(found[0], "001 firewall-drop1");
    let why = "002 - the manager has no command that ends a timed response early: add an \
               <active-response> block for netsh with timeout 1, or wait until it ends by \
               itself";
    assert_eq!(found[1], why);
}

#[tokio::test]
async fn permanent_block_is_lifted_only_by_configured_command() {
    let undo = block("203.0.113.7").undo().unwrap();
    let lab = Lab::start(three(&["firewall-drop1"])).await;
    let found = commands(&asked(&lab, &undo, Term::Permanent, 0).await);
    for (line, hand) in found.iter().zip(["iptables -D INPUT", "netsh advfirewall", "pfctl"]) {
        assert!(line.contains("cannot be undone through Wazuh"), "{line}");
        assert!(line.contains(hand) && line.contains("203.0.113.7"), "{line}");
    }
    let mut settings = three(&["unblock0"]);
    let (name, executable) = ("unblock", "countersign-unblock");
    settings.scripts = vec![Script { name, executable, lifts: Some("firewall-drop") }];
    let lab = Lab::start_with(settings, with_undo).await;
    let found = commands(&asked(&lab, &undo, Term::Permanent, 0).await);
    assert_eq!(found[..2], ["001 !countersign-unblock", "002 unblock0"]);
    let lab = Lab::start_with(three(&["unblock600"]), with_undo).await;
    let found = commands(&asked(&lab, &undo, Term::Permanent, 0).await);
    assert!(found[1].contains("the manager has no command unblock0"), "{}", found[1]);
}

#[tokio::test]
async fn account_is_enabled_by_expiry_or_configured_command() {
    let undo = disable("alice").undo().unwrap();
    let (timed, both) = (["disable-account600"], ["disable-account600", "disable-account1"]);
    let lab = Lab::start(three(&both)).await;
    let found = commands(&asked(&lab, &undo, Term::Seconds(600), 0).await);
    assert_eq!(found[0], "001 disable-account1");
    assert!(found[1].contains("Wazuh has no command for disable_account on windows"));
    let found = commands(&asked(&lab, &undo, Term::Permanent, 0).await);
    assert!(found[0].contains("passwd -u alice"), "{}", found[0]);
    let lab = Lab::start(three(&timed)).await;
    let found = commands(&asked(&lab, &undo, Term::Seconds(600), 0).await);
    assert!(found[0].contains("timeout 1") && found[0].contains("passwd -u alice"), "{}", found[0]);
    let lab = Lab::start_with(three(&timed), with_undo).await;
    for term in [Term::Permanent, Term::Seconds(600)] {
        let found = commands(&asked(&lab, &undo, term, 0).await);
        assert_eq!(found[0], "001 !countersign-unlock");
    }
    let lab = Lab::start_with(three(&both), with_undo).await;
    let found = commands(&asked(&lab, &undo, Term::Seconds(600), 0).await);
    assert_eq!(found[0], "001 disable-account1", "execd's own timer must not stay behind");
}

#[tokio::test]
async fn endpoint_with_disabled_responses_is_skipped() {
    let lab = Lab::captured().await;
    let found = commands(&lab.resolve(&["001", "009"]).await);
    let why = "009 - active response is switched off in the endpoint's ossec.conf";
    assert_eq!(found, ["001 !firewall-drop", why]);
    let eleven = ["001", "002", "003", "004", "005", "006", "007", "008", "009", "010", "011"];
    let many = Lab::captured().await.resolve(&eleven).await;
    assert!(many.candidates[8].command.is_ok(), "eleven are not asked one by one");
}

#[tokio::test]
async fn silent_endpoint_is_marked_and_not_queried() {
    let quiet = |id, secs| {
        Endpoint::new(id, "x", Os::UBUNTU).silent_for(Duration::from_secs(secs)).responses_off()
    };
    let agents = vec![quiet("001", 0), quiet("002", 80), quiet("003", 120)];
    let lab = Lab::start(Settings { agents, ..Settings::default() }).await;
    let selection = Selection::Ids(ids(&["003"]));
    let action = block("203.0.113.7");
    let alone = lab.connector.resolve(&selection, &action, Term::Permanent, now()).await.unwrap();
    assert!(alone.candidates[0].silent, "the manager's own clock counts too");
    let found = lab.resolve(&["001", "002", "003"]).await;
    let silent: Vec<_> = found.candidates.iter().map(|candidate| candidate.silent).collect();
    assert_eq!(silent, [false, false, true]);
    let skipped: Vec<_> = found.candidates.iter().map(|c| c.command.is_err()).collect();
    assert_eq!(skipped, [true, true, false], "the silent one was not asked");
}

#[tokio::test]
async fn endpoint_that_answers_too_late_counts_as_enabled() {
    let lab = Lab::captured().await;
    lab.sim.set_contact("011", Contact::Unreachable);
    assert_eq!(commands(&lab.resolve(&["011"]).await), ["011 !firewall-drop"]);
}
