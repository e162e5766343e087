//! What the configuration may say, and what is told where it is wrong.

use crate::harness::kind;
use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
};

use chrono::TimeDelta;
use countersign::{
    connector::{Connector, ConnectorError, Tls, WazuhSettings, kept_host},
    domain::endpoint::Platform,
};
use tempfile::TempDir;

use super::fixtures::settings;

const PIN: Tls = Tls::Pin { sha256: [0; 32] };

/// The key that is wrong after this change, and what is said about it.
fn wrong(change: impl FnOnce(&mut WazuhSettings)) -> (String, String) {
    let mut settings = settings("http://127.0.0.1:55000");
    change(&mut settings);
    let error = Connector::wazuh(settings).unwrap_err();
    let ConnectorError::Settings { key, .. } = &error else { panic!("{error}") };
    (key.clone(), error.to_string())
}

#[test]
fn manager_address_must_be_https_or_loopback() {
    let cases = [
        ("wazuh.example:55000", PIN, "begins with https://"),
        ("not an address", PIN, "such as https://host.example:55000"),
        ("ftp://wazuh.example", PIN, "begins with https://"),
        ("http://wazuh.example:55000", Tls::Plain, "for this machine only"),
        ("http://10.0.0.1:55000", Tls::Plain, "for this machine only"),
        (
            "https://127.0.0.1:55000",
            Tls::Plain,
            "set manager.lab.ca_file or manager.lab.pin_sha256",
        ),
        ("http://127.0.0.1:55000", PIN, "are for https:// addresses"),
        ("https://wazuh.example:55000/?x=1", PIN, "ends with the path"),
    ];
    for (url, tls, expected) in cases {
        let (key, said) = wrong(|settings| {
            url.clone_into(&mut settings.url);
            settings.tls = tls;
        });
        assert_eq!(key, "manager.lab.url");
        assert!(said.contains(expected) && said.contains(url), "{said}");
    }
}

#[test]
fn password_in_address_is_refused_and_not_shown() {
    let (key, said) = wrong(|settings| {
        "https://wazuh:hunter2@wazuh.example".clone_into(&mut settings.url);
        settings.tls = PIN;
    });
    assert_eq!(key, "manager.lab.url");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn indexer_address_follows_the_same_rules() {
    let (key, said) = wrong(|settings| {
        "http://10.0.0.1:9200".clone_into(&mut settings.indexer.as_mut().unwrap().url);
    });
    assert_eq!(key, "manager.lab.indexer.url");
    assert!(said.contains("for this machine only"), "{said}");
    for index in ["", "a/b", "a?b", "..%2f", "A"] {
        let (key, _) = wrong(|settings| {
            index.clone_into(&mut settings.indexer.as_mut().unwrap().alert_index);
        });
        assert_eq!(key, "manager.lab.indexer.alerts_index");
    }
}

#[test]
fn plain_http_is_allowed_to_every_loopback_name() {
    for url in ["http://127.0.0.1:1", "http://localhost:1/", "http://[::1]:1", "http://127.9.9.9"] {
        let connector = Connector::wazuh(settings(url)).unwrap();
        assert_eq!(connector.url(), url.trim_end_matches('/'));
        assert_eq!(connector.name(), "lab");
    }
}

#[test]
fn ca_file_must_contain_certificates_and_be_ours() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let open = file("open.pem", broken);
    fs::set_permissions(&open, Permissions::from_mode(0o666)).unwrap();
    let cases = [
        (open, "everybody may write it"),
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
        assert_eq!(key, "manager.lab.ca_file");
        assert!(said.contains(expected) && said.contains(file.to_str().unwrap()), "{said}");
    }
}

#[test]
fn server_name_must_be_a_valid_name() {
    let (key, _) = wrong(|settings| {
        "https://wazuh.example".clone_into(&mut settings.url);
        let server_name = Some("not a name".to_owned());
        settings.tls = Tls::Ca { file: PathBuf::new(), server_name };
    });
    assert_eq!(key, "manager.lab.ca_file", "the file is read first");
}

#[test]
fn undo_command_must_be_a_plain_name() {
    let wrong = |kind, command: &str| {
        wrong(|settings| {
            let of_linux = ((kind, Platform::Linux), command.to_owned());
            settings.undo_commands = BTreeMap::from([of_linux]);
        })
    };
    let long = format!("!{}", "x".repeat(65));
    for command in ["", "!", "!!x", "!a b", "!a/b", "!../x", "a..b", "!x\n", "!é", &long] {
        let (key, said) = wrong(kind("block_ip"), command);
        assert_eq!(key, "manager.lab.undo_commands.block_ip.linux", "{command}");
        assert!(said.contains("such as !countersign-unblock"), "{said}");
    }
    let (key, said) = wrong(kind("unblock_ip"), "!x");
    assert_eq!(key, "manager.lab.undo_commands.unblock_ip.linux");
    assert!(said.contains("only what can be taken back"), "{said}");
    let mut right = settings("http://127.0.0.1:1");
    right.undo_commands = BTreeMap::from([
        ((kind("block_ip"), Platform::Linux), "!countersign-unblock_2.sh".to_owned()),
        ((kind("disable_account"), Platform::Linux), "unlock0".to_owned()),
    ]);
    Connector::wazuh(right).unwrap();
}

#[test]
fn more_hosts_than_isolation_names_are_refused() {
    let many = |count| vec!["keep=10.0.0.1".to_owned(); count];
    let (key, said) = wrong(|settings| settings.keeps = many(17));
    assert_eq!(key, "manager.lab.isolation_keeps");
    assert!(said.contains("at most 16"), "{said}");
    let mut right = settings("http://127.0.0.1:1");
    right.keeps = many(16);
    Connector::wazuh(right).unwrap();
}

#[test]
fn kept_host_must_be_one_that_script_takes() {
    for good in [
        "10.0.0.53",
        "10.0.0.53:53",
        "dns.example",
        "dns.example:53",
        "2001:db8::7",
        "[2001:db8::7]:53",
    ] {
        assert_eq!(kept_host(good), Some(format!("keep={good}")));
    }
    for bad in [
        "",
        "dns",
        "DNS.example",
        "dns.example:",
        "dns.example:0",
        "dns.example:053",
        "dns.example:99999",
        "127.0.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "2001:DB8::7",
        "[2001:db8::7]",
        "[10.0.0.1]:53",
        "10.0.0.1:53:54",
        "a b.example",
        "10.0.0.1 keep=10.0.0.2",
        "10.0.0.0/24",
        "dns_1.example",
        "keep=10.0.0.1",
    ] {
        assert_eq!(kept_host(bad), None, "{bad}");
    }
}

#[test]
fn call_and_batch_limits_are_bounded() {
    for calls in [0, 30_001] {
        let (key, said) = wrong(|settings| settings.calls_per_minute_max = calls);
        assert_eq!(key, "manager.lab.calls_per_minute_max");
        assert!(said.ends_with("1 to 30000"), "{said}");
    }
    for endpoints in [0, 501] {
        let (key, _) = wrong(|settings| settings.batch_endpoints_max = endpoints);
        assert_eq!(key, "manager.lab.batch_endpoints_max");
    }
    for calls in [0, 65] {
        let (key, _) = wrong(|settings| settings.calls_in_flight = calls);
        assert_eq!(key, "manager.lab.calls_in_flight");
    }
    let capabilities = Connector::wazuh(settings("http://127.0.0.1:1")).unwrap().capabilities();
    assert_eq!(capabilities.batch_endpoints_max, 50);
    assert_eq!(capabilities.calls_in_flight, 1);
    assert_eq!(capabilities.confirm_within, Some(TimeDelta::seconds(120)));
}

#[test]
fn hosts_come_from_manager_and_indexer_urls() {
    let mut settings = settings("https://192.0.2.10:55000");
    settings.tls = PIN;
    let indexer = settings.indexer.as_mut().unwrap();
    indexer.tls = PIN;
    for (url, host) in [
        ("https://[2001:db8::9]:9200", "2001:db8::9"),
        ("https://Indexer.example/", "indexer.example"),
    ] {
        url.clone_into(&mut settings.indexer.as_mut().unwrap().url);
        let hosts = Connector::wazuh(settings.clone()).unwrap().hosts();
        assert_eq!(hosts, ["192.0.2.10", host]);
    }
}

#[test]
fn dashboard_address_must_be_http_without_user_or_query() {
    let dashboard = |url: &str| {
        wrong(|settings| {
            settings.indexer.as_mut().unwrap().dashboard_url = Some(url.to_owned());
        })
    };
    for url in ["", "dashboard.example", "javascript:alert(1)", "ftp://a", "data:text/html,x"] {
        let (key, said) = dashboard(url);
        assert_eq!(key, "manager.lab.indexer.dashboard_url");
        assert!(said.contains("such as https://wazuh-dashboard.example"), "{said}");
        assert!(said.contains(&format!("`{url}`")), "{said}");
    }
    for url in ["https://a/?x=1", "https://a/#/x"] {
        assert!(dashboard(url).1.contains("it ends with the path"), "{url}");
    }
    let (_, said) = dashboard("https://ann:hunter2@a");
    assert!(!said.contains("hunter2"), "{said}");
    for url in ["https://dashboard.example", "http://10.0.0.5:5601/wazuh/"] {
        let mut settings = settings("http://127.0.0.1:1");
        settings.indexer.as_mut().unwrap().dashboard_url = Some(url.to_owned());
        assert!(Connector::wazuh(settings).is_ok(), "{url}");
    }
}
