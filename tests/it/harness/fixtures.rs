//! What the tests share: a password, an alert, the policies and the settings of a site.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use countersign::{
    broker::{AgentLimits, BusinessHours, Settings, SignInSettings},
    clock::Clock,
    connector::{AlertFields, IndexerSettings, Secret, Tls, WazuhSettings},
    domain::{facts::protected::ProtectedTargets, public_url::PublicUrl},
};

/// The password of every person.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// An alert of the simulator. It names the endpoint 001 and the address 203.0.113.7.
pub(crate) const ALERT: &str = "1763800000.10001";

/// An entry of the catalogue that is as it must be. Tests change a line of it.
pub(crate) const QUARANTINE_ENTRY: &str = r#"
[[action]]
name = "hide_file"
title = "Ask to quarantine a file"
description = "Asks for one file to be moved away on endpoints."
words = "Quarantine {path}"
state = "quarantined"
tier = "medium"
terms = ["permanent"]

[[action.parameter]]
name = "path"
type = "path"
fills = "data.path"
description = "The file that is to be moved away"

[action.command.linux]
script = "site-quarantine"
by_hand = "mv it back"

[action.undo]
name = "show_file"
words = "Restore {path}"
timed = ["script"]
permanent = ["script"]

[action.undo.script]
linux = "site-restore"
"#;

/// A policy set that lets everything run at once.
pub(crate) const RUN_AT_ONCE: &str = r#"
@id("ask") @why("a") permit (principal, action in Countersign::Action::"ask", resource);
@id("see") @why("a") permit (principal, action == Countersign::Action::"view", resource);
@id("audit") @why("a") permit (principal, action == Countersign::Action::"view_audit", resource);
@id("run") @why("a") permit (principal, action in Countersign::Action::"run", resource);
"#;

/// A free port on this machine.
pub(crate) fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// The policies that ship.
pub(crate) fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

/// A copy of the policies that ship in a folder of a test: the checkout may lie where others may
/// write.
pub(crate) fn own_policies(folder: &Path) -> PathBuf {
    let own = folder.join("policies");
    copy_folder(&policies(), &own);
    own
}

/// The policies that ship, in one file: other tests share the set of the folder, and the count of its
/// evaluations.
pub(crate) fn own_set() -> String {
    let files = fs::read_dir(policies()).unwrap().map(|entry| entry.unwrap().path());
    let policies = files.filter(|file| file.extension().is_some_and(|end| end == "cedar"));
    policies.map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// Copies a folder with everything in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// The simulator's demo site, without a rate limit.
pub(crate) fn simulated() -> wazuh_simulator::Settings {
    let mut settings = wazuh_simulator::Settings::demo("manager-pw", "indexer-pw");
    settings.rate_limit_per_minute = 0;
    settings
}

/// The broker's settings for that site.
pub(crate) fn settings() -> Settings {
    let groups = [("web", 2), ("office", 2), ("linux", 2), ("windows", 3), ("core", 5)];
    Settings {
        public_url: PublicUrl::of_listener(loopback()),
        decide_within: Duration::from_hours(4),
        use_approval_within: Duration::from_mins(10),
        wait_within: Duration::from_hours(24),
        remind_before: Duration::from_mins(30),
        escalate: BTreeMap::new(),
        criticality: groups.map(|(group, level)| (group.to_owned(), level)).into(),
        own_networks: vec!["192.0.2.0/24".parse().unwrap()],
        protected_hosts: vec!["198.51.100.1".to_owned()],
        protected_accounts: vec!["svc-*".to_owned()],
        protected_targets: ProtectedTargets::default(),
        privileged_accounts: vec!["dbadmin".to_owned()],
        business_hours: BusinessHours {
            days: vec![1, 2, 3, 4, 5],
            hours: 8..18,
            utc_offset_minutes: 0,
        },
        agents: AgentLimits {
            open_requests_max: 1000,
            asks_per_minute_max: 10_000,
            ..AgentLimits::default()
        },
        sign_in: SignInSettings::default(),
    }
}

/// The settings of a connector to that site.
pub(crate) fn connector(name: &str, url: &str, indexer: bool) -> WazuhSettings {
    WazuhSettings {
        name: name.to_owned(),
        url: url.to_owned(),
        user: "wazuh".to_owned(),
        password: Secret::new("manager-pw"),
        tls: Tls::Plain,
        undo_commands: BTreeMap::new(),
        companion_groups: Vec::new(),
        keeps: Vec::new(),
        batch_endpoints_max: WazuhSettings::BATCH_ENDPOINTS_MAX,
        calls_in_flight: WazuhSettings::CALLS_IN_FLIGHT,
        calls_per_minute_max: 300,
        call_deadline: WazuhSettings::CALL_DEADLINE,
        read_deadline: WazuhSettings::READ_DEADLINE,
        indexer: indexer.then(|| IndexerSettings {
            url: url.to_owned(),
            user: "admin".to_owned(),
            password: Secret::new("indexer-pw"),
            tls: Tls::Plain,
            alert_index: IndexerSettings::ALERT_INDEX.to_owned(),
            confirm_within: IndexerSettings::CONFIRM_WITHIN,
            stale_after: IndexerSettings::STALE_AFTER,
            fields: AlertFields::shipped(),
            dashboard_url: None,
        }),
        clock: Clock::manual(Clock::system().now()),
    }
}
