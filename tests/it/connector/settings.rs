//! What the configuration may say, and what is told where it is wrong.

use std::{collections::BTreeMap, fs, net::IpAddr, path::PathBuf};

use countersign::{
    connector::{Commands, Connector, ConnectorError, ManagerInfo, Settings, Tls},
    domain::{action::ActionKind, endpoint::Platform},
};
use tempfile::TempDir;

use super::harness::{Lab, settings};

const PIN: Tls = Tls::Pin { sha256: [0; 32] };

/// The key that is wrong after this change, and what is said about it.
fn wrong(change: impl FnOnce(&mut Settings)) -> (String, String) {
    let mut settings = settings("http://127.0.0.1:55000");
    change(&mut settings);
    let error = Connector::new(settings).unwrap_err();
    let ConnectorError::Settings { key, .. } = &error else { panic!("{error}") };
    (key.clone(), error.to_string())
}

#[test]
fn an_address_must_be_https_or_this_machine() {
    let cases = [
        ("wazuh.example:55000", PIN, "begins with https://"),
        ("not an address", PIN, "such as https://wazuh.example:55000"),
        ("ftp://wazuh.example", PIN, "begins with https://"),
        ("http://wazuh.example:55000", Tls::Plain, "for this machine only"),
        ("http://10.0.0.1:55000", Tls::Plain, "for this machine only"),
        ("https://127.0.0.1:55000", Tls::Plain, "set manager.ca_file or manager.pin_sha256"),
        ("http://127.0.0.1:55000", PIN, "are for https:// addresses"),
        ("https://wazuh.example:55000/?x=1", PIN, "ends with the path"),
    ];
    for (url, tls, expected) in cases {
        let (key, said) = wrong(|settings| {
            url.clone_into(&mut settings.url);
            settings.tls = tls;
        });
        assert_eq!(key, "manager.url");
        assert!(said.contains(expected) && said.contains(url), "{said}");
    }
}

#[test]
fn a_password_in_an_address_is_refused_and_not_shown() {
    let (key, said) = wrong(|settings| {
        "https://wazuh:hunter2@wazuh.example".clone_into(&mut settings.url);
        settings.tls = PIN;
    });
    assert_eq!(key, "manager.url");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn the_indexer_s_address_is_held_to_the_same_rules() {
    let (key, said) = wrong(|settings| {
        "http://10.0.0.1:9200".clone_into(&mut settings.indexer.as_mut().unwrap().url);
    });
    assert_eq!(key, "indexer.url");
    assert!(said.contains("for this machine only"), "{said}");
    for index in ["", "a/b", "a?b", "..%2f", "A"] {
        let (key, _) = wrong(|settings| {
            index.clone_into(&mut settings.indexer.as_mut().unwrap().alert_index);
        });
        assert_eq!(key, "indexer.alerts_index");
    }
}

#[test]
fn plain_http_is_allowed_to_this_machine_under_each_of_its_names() {
    for url in ["http://127.0.0.1:1", "http://localhost:1/", "http://[::1]:1", "http://127.9.9.9"] {
        let connector = Connector::new(settings(url)).unwrap();
        assert_eq!(connector.url(), url.trim_end_matches('/'));
        assert_eq!(connector.name(), "lab");
    }
}

#[test]
fn a_ca_file_must_hold_certificates() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cases = [
        (PathBuf::from("/no/such/file.pem"), "cannot be read"),
        (file("empty.pem", ""), "at least one certificate"),
        (file("other.pem", "hello"), "at least one certificate"),
        (file("broken.pem", broken), "no sound certificate"),
    ];
    for (file, expected) in cases {
        let (key, said) = wrong(|settings| {
            "https://wazuh.example".clone_into(&mut settings.url);
            settings.tls = Tls::Ca { file: file.clone(), server_name: None };
        });
        assert_eq!(key, "manager.ca_file");
        assert!(said.contains(expected) && said.contains(file.to_str().unwrap()), "{said}");
    }
}

#[test]
fn a_server_name_must_be_a_name() {
    let (key, _) = wrong(|settings| {
        "https://wazuh.example".clone_into(&mut settings.url);
        let server_name = Some("not a name".to_owned());
        settings.tls = Tls::Ca { file: PathBuf::new(), server_name };
    });
    assert_eq!(key, "manager.ca_file", "the file is read first");
}

fn with_command(kind: ActionKind, platform: Platform, name: &str) -> (String, String) {
    wrong(|settings| {
        let names = vec!["firewall-drop600".to_owned(), name.to_owned()];
        let names = if platform == Platform::Linux { names } else { vec![name.to_owned()] };
        settings.commands = Commands(BTreeMap::from([((kind, platform), names)]));
    })
}

#[test]
fn a_timed_name_is_the_platform_s_command_and_seconds() {
    let names = [
        "firewall-drop",
        "!firewall-drop",
        "firewall-drop0600",
        "firewall-drop+600",
        "firewall-drop-1",
        "firewall-drop600 ",
        "firewall-drop2592001",
        "firewall-drop99999999999",
        "Firewall-Drop600",
        "netsh600",
        "route-null600",
        "600",
        "",
    ];
    for name in names {
        let (key, said) = with_command(ActionKind::BlockIp, Platform::Linux, name);
        assert_eq!(key, "manager.timed_commands.block_ip.linux");
        let right = "it is firewall-drop and a number of seconds, such as firewall-drop600";
        assert!(said.contains(&format!("`{name}`")) && said.ends_with(right), "{said}");
    }
    let (key, said) = with_command(ActionKind::BlockIp, Platform::Windows, "firewall-drop600");
    assert_eq!(key, "manager.timed_commands.block_ip.windows");
    assert!(said.ends_with("such as netsh600"), "{said}");
}

#[test]
fn a_name_where_wazuh_has_no_command_is_refused() {
    let cases = [
        (ActionKind::BlockIp, Platform::Other),
        (ActionKind::DisableAccount, Platform::MacOs),
        (ActionKind::DisableAccount, Platform::Windows),
        (ActionKind::DisableAccount, Platform::Other),
    ];
    for (kind, platform) in cases {
        let (key, said) = with_command(kind, platform, "disable-account600");
        assert_eq!(key, format!("manager.timed_commands.{kind}.{}", platform.name()));
        assert!(said.ends_with("Wazuh has no command for that there"), "{said}");
    }
}

#[test]
fn own_addresses_are_those_in_the_addresses_of_manager_and_indexer() {
    let mut settings = settings("https://192.0.2.10:55000");
    settings.tls = PIN;
    let indexer = settings.indexer.as_mut().unwrap();
    "https://[2001:db8::9]:9200".clone_into(&mut indexer.url);
    indexer.tls = PIN;
    let expected: [IpAddr; 2] = ["192.0.2.10".parse().unwrap(), "2001:db8::9".parse().unwrap()];
    assert_eq!(Connector::new(settings).unwrap().own_addresses(), expected);
}

#[tokio::test]
async fn own_addresses_that_have_names_are_known_after_the_first_look() {
    let lab = Lab::captured().await;
    let url = lab.connector.url().replace("127.0.0.1", "localhost");
    let connector = Connector::new(settings(&url)).unwrap();
    assert!(connector.own_addresses().is_empty());
    super::harness::resolve(&connector, &["001"]).await;
    let loopback = connector.own_addresses();
    assert!(!loopback.is_empty() && loopback.iter().all(IpAddr::is_loopback), "{loopback:?}");
}

#[test]
fn responses_are_for_managers_from_4_2_until_5() {
    let takes = |version: &str| {
        let api_version = version.to_owned();
        ManagerInfo { api_version, hostname: String::new() }.takes_responses()
    };
    for version in ["4.2.0", "4.14.7", "4.99"] {
        assert!(takes(version), "{version}");
    }
    for version in ["3.13.6", "4.1.5", "5.0.0", "", "four"] {
        assert!(!takes(version), "{version}");
    }
}
