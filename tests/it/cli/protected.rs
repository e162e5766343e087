//! What the configuration protects, and what ships with it.

use serde_json::json;

use crate::harness::{AgentClient, installation::Installation, program::Program};

/// Asks a server with these lines in its configuration to disable accounts; the policies that
/// refuse each, none where it waits for people.
async fn refused(more: &str, accounts: &[&str]) -> Vec<Option<String>> {
    let installed = Installation::new().await;
    installed.configure(more);
    let server = installed.program.serve();
    let agent = AgentClient::connect(&server.url, &installed.token).await;
    let mut all = Vec::new();
    for account in accounts {
        let asked = agent.disable(account, json!({ "agent_ids": ["001"] })).await;
        let denied = asked.state() == "denied";
        let policy = asked.json["decision"]["policies"][0]["id"].as_str().map(str::to_owned);
        all.push(policy.filter(|_| denied));
    }
    all
}

const SERVICE: &str = "never.service-account";

#[tokio::test(flavor = "multi_thread")]
async fn shipped_system_accounts_are_never_disabled() {
    let accounts = [
        "toor",
        "daemon",
        "nobody",
        "sshd",
        "www-data",
        "systemd-network",
        "_apt",
        "wazuh",
        "ossec",
        "ubuntu",
        "ec2-user",
        "ROOT",
        "SYSTEM",
        "administrator",
        "krbtgt",
        "_windowserver",
    ];
    // Few enough that nothing else counts against the agent.
    for some in accounts.chunks(8) {
        for (account, policy) in some.iter().zip(refused("", some).await) {
            assert_eq!(policy.as_deref(), Some(SERVICE), "{account}");
        }
    }
    assert_eq!(refused("", &["d.miller", "sshd2", "system-bob"]).await, [None, None, None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_replaces_accounts_of_one_platform() {
    let more = "[protected]\naccounts = [\"svc-*\"]\n\
                [protected.system_accounts]\nlinux = [\"oracle\"]\n";
    let found = refused(more, &["oracle", "www-data", "krbtgt", "svc-backup", "root"]).await;
    let said: Vec<_> = found.iter().map(Option::as_deref).collect();
    assert_eq!(said, [Some(SERVICE), None, Some(SERVICE), Some(SERVICE), Some("never.root")]);
}

#[test]
fn doctor_wants_public_networks_and_hosts_protected() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let line = |check: &str| {
        let said = String::from_utf8(program.run(&["doctor"]).stdout).unwrap();
        let words = |line: &&str| line.split("  ").any(|word| word.trim() == check);
        said.lines().find(words).expect(&said).trim_start().to_owned()
    };
    let empty = line("protected");
    assert!(empty.starts_with("LOOK"), "{empty}");
    assert!(empty.contains("0 own networks and 0 hosts named -> name in [protected]"), "{empty}");
    let configuration = std::fs::read_to_string(program.path("countersign.toml")).unwrap();
    let protected = "[protected]\nnetworks = [\"198.51.100.0/24\"]\naddresses = [\"localhost\"]\n";
    program.write("countersign.toml", &format!("{configuration}{protected}"));
    let named = line("protected");
    assert!(named.starts_with("ok"), "{named}");
    assert!(named.contains("1 own network and 1 host named"), "{named}");
    let own = line("own addresses");
    assert!(own.starts_with("ok") && own.contains("localhost is "), "{own}");
    assert!(own.contains("127.0.0.1") || own.contains("::1"), "{own}");
}
