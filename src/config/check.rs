//! What can be checked without going out: each error names the key, the value, what is right.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use toml::Table;
use url::Url;

use super::{Config, ConfigError, ManagerConfig, PUBLIC_URL, RemoteConfig, ServerConfig};
use crate::domain::{
    proposal::{MANAGER_GRAMMAR, is_manager_name},
    public_url::is_host_name,
};

impl Config {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.server.check()?;
        if self.manager.is_empty() {
            let allowed = "at least one manager, such as [manager.main]";
            return Err(ConfigError::value("manager", &"", allowed));
        }
        for (name, manager) in &self.manager {
            if !is_manager_name(name) {
                return Err(ConfigError::value("manager", name, MANAGER_GRAMMAR));
            }
            manager.check(&format!("manager.{name}"))?;
            // Under two names it would have two queues, and what one knows would not hold the other.
            let same = |other: &ManagerConfig| plain(&other.reach.url) == plain(&manager.reach.url);
            if self.manager.range(..name.clone()).any(|(_, other)| same(other)) {
                let allowed = "an address of its own: another manager has this one";
                let key = format!("manager.{name}.url");
                return Err(ConfigError::value(&key, &manager.reach.url, allowed));
            }
        }
        let requests = &self.requests;
        range("requests.decide_within_minutes", requests.decide_within_minutes, 1, 43_200)?;
        let use_within = requests.use_approval_within_minutes;
        range("requests.use_approval_within_minutes", use_within, 1, 1440)?;
        let hours = requests.wait_for_endpoints_hours;
        range("requests.wait_for_endpoints_hours", hours, 1, 168)?;
        for (group, criticality) in &self.criticality {
            range(&format!("criticality.{group}"), (*criticality).into(), 1, 5)?;
        }
        for net in &self.protected.networks {
            // No address is ever looked at in this form: nothing would be protected.
            if let IpNet::V6(v6) = net
                && v6.prefix_len() >= 96
                && let Some(v4) = v6.addr().to_ipv4_mapped()
            {
                let allowed = format!("an IPv4 network as IPv4: {v4}/{}", v6.prefix_len() - 96);
                return Err(ConfigError::value("protected.networks", net, allowed));
            }
        }
        for host in &self.protected.addresses {
            // Digits alone would be another way of writing an address.
            let named = is_host_name(host) && host.bytes().any(|b| b.is_ascii_alphabetic());
            if !named && host.parse::<IpAddr>().is_err() {
                let allowed = "an IPv4 or IPv6 address, or a host name of letters, digits, hyphens \
                               and dots";
                return Err(ConfigError::value("protected.addresses", host, allowed));
            }
        }
        let agents = &self.agents;
        range("agents.open_requests_max", agents.open_requests_max.into(), 1, 1000)?;
        range("agents.asks_per_minute_max", agents.asks_per_minute_max.into(), 1, 1000)?;
        self.notify.check(requests.decide_within_minutes)?;
        self.check_feeds_and_metrics()?;
        if let Some(oidc) = &self.oidc {
            oidc.check()?;
        }
        let hours = &self.business_hours;
        range("business_hours.from_hour", hours.from_hour.into(), 0, 23)?;
        range("business_hours.until_hour", hours.until_hour.into(), 1, 24)?;
        for day in &hours.days {
            range("business_hours.days", (*day).into(), 1, 7)?;
        }
        Ok(())
    }

    fn check_feeds_and_metrics(&self) -> Result<(), ConfigError> {
        let mut names = BTreeSet::new();
        for feed in &self.feeds {
            if !names.insert(&feed.name) {
                let allowed = "a name of its own: another feed has this one";
                return Err(ConfigError::value("feeds.name", &feed.name, allowed));
            }
            feed.check()?;
            let written = [Some(&self.server.database), self.server.high_water_mark.as_ref()];
            feed.check_own_file(&self.feeds, written, &self.private_files())?;
        }
        let metrics = self.metrics.as_ref();
        metrics.map_or(Ok(()), |metrics| metrics.check(self.server.listen))
    }
}

impl ManagerConfig {
    fn check(&self, section: &str) -> Result<(), ConfigError> {
        let key = |key: &str| format!("{section}.{key}");
        self.reach.check(section)?;
        known(
            section,
            &self.other,
            "batch_endpoints_max, call_timeout_seconds, calls_in_flight, calls_per_minute_max, \
             undo_commands, indexer",
        )?;
        range(&key("batch_endpoints_max"), self.batch_endpoints_max.into(), 1, 500)?;
        range(&key("call_timeout_seconds"), self.call_timeout_seconds.into(), 1, 600)?;
        range(&key("calls_in_flight"), self.calls_in_flight.into(), 1, 64)?;
        range(&key("calls_per_minute_max"), self.calls_per_minute_max.into(), 1, 30_000)?;
        let Some(indexer) = &self.indexer else { return Ok(()) };
        indexer.reach.check(&key("indexer"))?;
        known(
            &key("indexer"),
            &indexer.other,
            "alerts_index, confirm_within_seconds, stale_after_minutes, dashboard_url",
        )?;
        let wait = indexer.confirm_within_seconds;
        range(&key("indexer.confirm_within_seconds"), wait.into(), 10, 3600)?;
        let stale = indexer.stale_after_minutes;
        range(&key("indexer.stale_after_minutes"), stale.into(), 5, 10_080)
    }
}

impl ServerConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let tls = match (&self.tls_certificate_file, &self.tls_key_file) {
            (Some(_), Some(_)) => true,
            (None, None) => false,
            (Some(path), None) | (None, Some(path)) => {
                return Err(ConfigError::value(
                    "server.tls_certificate_file",
                    &path.display(),
                    "both tls_certificate_file and tls_key_file, or neither",
                ));
            }
        };
        if self.high_water_mark.as_ref() == Some(&self.database) {
            let allowed = "a file of its own: this one is the database";
            let file = self.database.display();
            return Err(ConfigError::value("server.high_water_mark", &file, allowed));
        }
        for network in &self.trusted_proxies {
            // Whoever is trusted names the source: half of the Internet is no proxy.
            let widest = if network.addr().is_ipv4() { 8 } else { 16 };
            if network.prefix_len() < widest {
                let allowed = "networks of your proxies, /8 or narrower; /16 of IPv6";
                return Err(ConfigError::value("server.trusted_proxies", network, allowed));
            }
        }
        range("server.connections_max", self.connections_max.into(), 64, 60_000)?;
        let of_one = self.connections_per_address_max.into();
        range("server.connections_per_address_max", of_one, 16, 60_000)?;
        let local = self.listen.ip().is_loopback();
        if !local && !tls && !self.behind_tls_proxy {
            return Err(ConfigError::value(
                "server.listen",
                &self.listen,
                "a loopback address; or set tls_certificate_file and tls_key_file; or set \
                 behind_tls_proxy = true where a proxy speaks TLS",
            ));
        }
        if self.public_url.is_https() || (local && !self.behind_tls_proxy) {
            return Ok(());
        }
        Err(ConfigError::value("server.public_url", &self.public_url, PUBLIC_URL))
    }
}

impl RemoteConfig {
    fn check(&self, section: &str) -> Result<(), ConfigError> {
        let key = |key: &str| format!("{section}.{key}");
        if let (Some(_), Some(pin)) = (&self.ca_file, &self.pin_sha256) {
            return Err(ConfigError::value(
                &key("pin_sha256"),
                &pin,
                "either ca_file or pin_sha256, not both",
            ));
        }
        if self.user.is_empty() {
            return Err(ConfigError::value(&key("user"), &"", "the name of a user"));
        }
        Ok(())
    }
}

/// Sections with a [`Reach`] cannot refuse unknown keys by themselves.
fn known(section: &str, other: &Table, own: &str) -> Result<(), ConfigError> {
    match other.iter().next() {
        None => Ok(()),
        Some((key, value)) => Err(ConfigError::value(
            &format!("{section}.{key}"),
            // A secret that landed in the wrong place must not be shown.
            if key.contains("password") { &"(not shown)" } else { value },
            format!(
                "no such key; the keys are url, user, password_file, ca_file, tls_server_name, \
                 pin_sha256, {own}"
            ),
        )),
    }
}

/// An address without what makes two ways of writing it differ.
fn plain(url: &str) -> String {
    let parsed = Url::parse(url).map_or_else(|_unreadable| url.to_owned(), String::from);
    parsed.trim_end_matches('/').to_lowercase()
}

pub(super) fn range(key: &str, value: u32, least: u32, most: u32) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::value(key, &value, format!("a whole number from {least} to {most}")))
}
