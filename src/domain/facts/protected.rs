//! What is never touched on an endpoint, by the type of what an action acts on.

use serde::Deserialize;

use super::super::endpoint::Endpoint;

/// What no response may touch beside addresses and accounts. What a configuration leaves out has the
/// list that ships; an empty list protects nothing of its type.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProtectedTargets {
    /// Files and folders: these, what is in them, and the folders that they are in. Absolute.
    pub paths: Vec<String>,
    /// Programs by their names; one may end in `*`.
    pub processes: Vec<String>,
    /// Domains: these, what is below them, and what they are below.
    pub domains: Vec<String>,
    /// Endpoints that are never cut off from the network, by their names or groups; one may end in
    /// `*`. The manager's machine and Countersign's are two anyway.
    pub not_isolated: Vec<String>,
}

impl Default for ProtectedTargets {
    fn default() -> Self {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            paths: list(&[
                "/bin",
                "/boot",
                "/dev",
                "/etc",
                "/lib",
                "/lib32",
                "/lib64",
                "/opt/wazuh",
                "/proc",
                "/run",
                "/sbin",
                "/sys",
                "/usr",
                "/var/lib/dpkg",
                "/var/lib/rpm",
                "/var/ossec",
                "/var/run",
                "/Applications/Utilities",
                "/Library/Ossec",
                "/private/etc",
                "/private/var/db",
                "/System",
            ]),
            processes: list(&[
                "init",
                "systemd*",
                "launchd",
                "sshd*",
                "wazuh*",
                "ossec*",
                "countersign*",
                "dbus*",
                "auditd",
                "login",
                "agetty",
                "udevd",
                "kernel_task",
                "WindowServer",
                "lsass*",
                "csrss*",
                "wininit*",
                "services*",
                "smss*",
                "svchost*",
                "winlogon*",
            ]),
            domains: list(&["localhost", "local", "arpa", "wazuh.com"]),
            not_isolated: list(&["domain-controller*", "domain_controller*", "dc-*", "dc_*", "dc"]),
        }
    }
}

impl ProtectedTargets {
    /// Whether a path is protected. Case does not count: on some platforms both are one file.
    pub fn has_path(&self, path: &str) -> bool {
        let target = path.to_lowercase();
        self.paths.iter().any(|own| {
            let own = own.to_lowercase();
            is_within(&target, &own, '/') || is_within(&own, &target, '/')
        })
    }

    /// Whether a program is protected.
    pub fn has_process(&self, name: &str) -> bool {
        matches_any(&self.processes, name)
    }

    /// Whether a domain, or a host's name, is protected or is that of one of these hosts.
    pub fn has_domain(&self, name: &str, hosts: &[String]) -> bool {
        let below = |inner: &str, outer: &str| {
            inner == outer || inner.strip_suffix(outer).is_some_and(|rest| rest.ends_with('.'))
        };
        self.domains.iter().chain(hosts).any(|own| {
            let own = own.trim_end_matches('.').to_lowercase();
            below(name, &own) || below(&own, name)
        })
    }

    /// Whether the configuration says that an endpoint is never isolated.
    pub fn keeps_network(&self, endpoint: &Endpoint) -> bool {
        let names = endpoint.groups.iter().chain([&endpoint.name]);
        names.into_iter().any(|name| matches_any(&self.not_isolated, name))
    }
}

/// Whether a path is another one, or in it.
fn is_within(path: &str, folder: &str, separator: char) -> bool {
    let folder = folder.trim_end_matches(separator);
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
}

/// Whether a name is in a list whose entries may end in `*`. Case does not count: a name that differs
/// by case alone may be the same.
pub fn matches_any(list: &[String], name: &str) -> bool {
    let name = name.to_lowercase();
    list.iter().any(|entry| {
        let entry = entry.to_lowercase();
        entry.strip_suffix('*').map_or(name == entry, |start| name.starts_with(start))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_that_init_writes_lists_what_ships() {
        let written: toml::Table = include_str!("../../cli/countersign.toml").parse().unwrap();
        let lists: ProtectedTargets = written["protected"]["targets"].clone().try_into().unwrap();
        assert_eq!(lists, ProtectedTargets::default());
    }

    #[test]
    fn path_is_protected_with_all_around_it() {
        let own = ProtectedTargets::default();
        for path in
            ["/etc", "/etc/passwd", "/ETC/shadow", "/var/ossec/bin/x", "/var", "/usr/bin/env"]
        {
            assert!(own.has_path(path), "{path}");
        }
        for path in ["/etcetera", "/tmp/x", "/home/jdoe/etc", "/var/tmp/x", "/var/ossec2"] {
            assert!(!own.has_path(path), "{path}");
        }
    }

    #[test]
    fn domain_is_protected_above_and_below() {
        let own = ProtectedTargets::default();
        let hosts = ["wazuh.corp.example".to_owned()];
        for name in ["wazuh.com", "a.wazuh.com", "corp.example", "wazuh.corp.example"] {
            assert!(own.has_domain(name, &hosts), "{name}");
        }
        for name in ["bad.example", "notwazuh.com", "mail.corp.example"] {
            assert!(!own.has_domain(name, &hosts), "{name}");
        }
    }

    #[test]
    fn program_is_protected_by_name_or_beginning() {
        let own = ProtectedTargets::default();
        assert!(
            ["init", "SSHD", "systemd-journal", "wazuh-agentd"].iter().all(|p| own.has_process(p))
        );
        assert!(!["xmrig", "initd", "ssh"].iter().any(|p| own.has_process(p)));
    }
}
