//! One timer per script and target, and rules as each platform keeps them: a test per row of the
//! table in `src/endpoint/rules.rs`.

use std::time::Duration;

use serde_json::{Value, json};
use wazuh_simulator::{Endpoint, Os};

use super::{send_to, settings};
use crate::client::Caller;

const ADDRESS: &str = "203.0.113.9";

/// Linux 001, Windows 002, macOS 003.
async fn start() -> Caller {
    let mut settings = settings();
    settings.agents = vec![
        Endpoint::new("001", "web-01", Os::UBUNTU),
        Endpoint::new("002", "dc-01", Os::WINDOWS_SERVER),
        Endpoint::new("003", "mac-01", Os::MACOS),
    ];
    settings.names = ["firewall-drop", "netsh", "disable-account", "route-null", "host-deny"]
        .into_iter()
        .flat_map(|name| [1, 20, 600].map(|timeout_secs| format!("{name}{timeout_secs}")))
        .chain(["firewalld-drop20", "ip-customblock20", "pf20", "restart-wazuh0"].map(String::from))
        .collect();
    Caller::start(settings).await
}

async fn block(caller: &Caller, endpoint: &str, command: &str) {
    send_to(caller, endpoint, command, json!({"srcip": ADDRESS, "dstuser": "anna"})).await;
}

fn rules(caller: &Caller, endpoint: &str) -> usize {
    caller.sim.active_responses(endpoint).len()
}

/// Sends a timed and a permanent command in this order, and says how many rules stand at once, and
/// after the timer.
async fn timed_and_permanent(endpoint: &str, commands: [&str; 2]) -> [usize; 2] {
    let caller = start().await;
    for command in commands {
        block(&caller, endpoint, command).await;
    }
    let at_once = rules(&caller, endpoint);
    caller.sim.advance(Duration::from_secs(20));
    [at_once, rules(&caller, endpoint)]
}

#[tokio::test]
async fn iptables_rules_stack_and_end_one_by_one() {
    for commands in [["!firewall-drop", "firewall-drop20"], ["firewall-drop20", "!firewall-drop"]] {
        assert_eq!(timed_and_permanent("001", commands).await, [2, 1], "{commands:?}");
    }
}

#[tokio::test]
async fn pf_entry_ends_with_timer_whoever_added_it() {
    for commands in [["!firewall-drop", "firewall-drop20"], ["firewall-drop20", "!firewall-drop"]] {
        assert_eq!(timed_and_permanent("003", commands).await, [1, 0], "{commands:?}");
    }
    assert_eq!(timed_and_permanent("003", ["!pf", "pf20"]).await, [1, 0]);
}

#[tokio::test]
async fn netsh_rules_stack_and_end_together() {
    for commands in [["!netsh", "netsh20"], ["netsh20", "!netsh.exe"]] {
        assert_eq!(timed_and_permanent("002", commands).await, [2, 0], "{commands:?}");
    }
}

#[tokio::test]
async fn account_is_unlocked_whoever_locked_it() {
    for commands in
        [["disable-account20", "!disable-account"], ["!disable-account", "disable-account20"]]
    {
        assert_eq!(timed_and_permanent("001", commands).await, [1, 0], "{commands:?}");
        assert_eq!(timed_and_permanent("003", commands).await, [0, 0], "macOS {commands:?}");
    }
}

#[tokio::test]
async fn single_entries_are_removed_whoever_added_them() {
    for (endpoint, script, expected) in [
        ("001", "firewalld-drop", [1, 0]),
        ("001", "route-null", [1, 0]),
        ("002", "route-null", [1, 0]),
        ("001", "host-deny", [1, 0]),
        ("003", "host-deny", [1, 0]),
        ("001", "ip-customblock", [1, 0]),
        ("001", "pf", [0, 0]),
        ("003", "route-null", [0, 0]),
        ("003", "firewalld-drop", [0, 0]),
    ] {
        let (permanent, timed) = (format!("!{script}"), format!("{script}20"));
        let counts = timed_and_permanent(endpoint, [&permanent, &timed]).await;
        assert_eq!(counts, expected, "{script} on {endpoint}");
    }
}

#[tokio::test]
async fn repetition_is_aborted_and_takes_over_the_time() {
    for (first, second, ends_after) in
        [("firewall-drop600", "firewall-drop20", 20), ("firewall-drop20", "firewall-drop600", 600)]
    {
        let caller = start().await;
        block(&caller, "001", first).await;
        block(&caller, "001", second).await;
        assert_eq!(rules(&caller, "001"), 1, "the second is aborted");
        caller.sim.advance(Duration::from_secs(ends_after - 2));
        assert_eq!(rules(&caller, "001"), 1, "{first}, {second}");
        caller.sim.advance(Duration::from_secs(2));
        assert_eq!(rules(&caller, "001"), 0, "{first}, {second}");
        let logged = super::super::evidence(&caller).await;
        let told: Vec<[&str; 2]> =
            logged.iter().map(|row| [row[1].as_str(), row[3].as_str()]).collect();
        assert_eq!(told, [["add", first], ["add", second], ["delete", first]]);
    }
}

#[tokio::test]
async fn expiry_command_ends_what_two_requests_share() {
    let caller = start().await;
    for command in ["firewall-drop600", "firewall-drop600", "firewall-drop1"] {
        block(&caller, "001", command).await;
    }
    caller.sim.advance(Duration::from_secs(1));
    assert_eq!(rules(&caller, "001"), 0);
    block(&caller, "001", "firewall-drop600").await;
    assert_eq!(rules(&caller, "001"), 1, "nothing is pending any more");
}

#[tokio::test]
async fn timer_of_lifted_block_ends_a_later_one() {
    let caller = start().await;
    block(&caller, "001", "firewall-drop20").await;
    block(&caller, "001", "!countersign-unblock").await;
    block(&caller, "001", "!firewall-drop").await;
    assert_eq!(rules(&caller, "001"), 1);
    caller.sim.advance(Duration::from_secs(20));
    assert_eq!(rules(&caller, "001"), 0, "the agent knew nothing of the script");
}

#[tokio::test]
async fn restart_command_ends_all_timers_of_its_endpoint() {
    let caller = start().await;
    for endpoint in ["001", "003"] {
        block(&caller, endpoint, "firewall-drop600").await;
    }
    send_to(&caller, "001", "restart-wazuh0", Value::Null).await;
    assert_eq!((rules(&caller, "001"), rules(&caller, "003")), (0, 1));
}

#[tokio::test]
async fn failing_script_leaves_no_rule_and_keeps_its_timer() {
    let caller = start().await;
    caller.sim.add(Endpoint::new("001", "web-01", Os::UBUNTU).script_fails("no iptables"));
    block(&caller, "001", "firewall-drop20").await;
    caller.sim.add(Endpoint::new("001", "web-01", Os::UBUNTU));
    block(&caller, "001", "firewall-drop600").await;
    assert_eq!(rules(&caller, "001"), 0, "the timer runs, so the repetition is aborted");
}
