//! From the configuration's words to those of broker and connector.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use super::AppError;
use crate::{
    broker::{self, AgentLimits, BusinessHours},
    clock::Clock,
    config::{Config, ConfigError, ManagerConfig, RemoteConfig},
    connector::{ConnectorError, IndexerSettings, Secret, SecretForm, Tls, WazuhSettings},
    domain::{action::ActionKind, digest::Digest, endpoint::Platform},
};

/// What the connector of each manager is told.
pub(super) fn connectors(config: &Config, clock: &Clock) -> Result<Vec<WazuhSettings>, AppError> {
    config.manager.iter().map(|(name, manager)| connector(name, manager, clock)).collect()
}

fn connector(
    name: &str,
    manager: &ManagerConfig,
    clock: &Clock,
) -> Result<WazuhSettings, AppError> {
    let section = format!("manager.{name}");
    let indexer = manager.indexer.as_ref().map(|indexer| {
        let section = format!("{section}.indexer");
        Ok::<_, AppError>(IndexerSettings {
            url: indexer.reach.url.clone(),
            user: indexer.reach.user.clone(),
            password: password(&section, &indexer.reach)?,
            tls: tls(&section, &indexer.reach)?,
            alert_index: indexer.alerts_index.clone(),
            confirm_within: Duration::from_secs(indexer.confirm_within_seconds.into()),
        })
    });
    Ok(WazuhSettings {
        name: name.to_owned(),
        url: manager.reach.url.clone(),
        user: manager.reach.user.clone(),
        password: password(&section, &manager.reach)?,
        tls: tls(&section, &manager.reach)?,
        undo_commands: undo_commands(&section, &manager.undo_commands)?,
        batch_endpoints_max: manager.batch_endpoints_max,
        calls_per_minute_max: manager.calls_per_minute_max,
        call_deadline: Duration::from_secs(manager.call_timeout_seconds.into()),
        read_deadline: WazuhSettings::READ_DEADLINE,
        indexer: indexer.transpose()?,
        clock: clock.clone(),
    })
}

/// What the verbs are told.
pub(super) fn broker(config: &Config) -> broker::Settings {
    let minutes = |minutes: u32| Duration::from_secs(u64::from(minutes) * 60);
    let hours = &config.business_hours;
    broker::Settings {
        public_url: config.server.public_url.clone(),
        decide_within: minutes(config.requests.decide_within_minutes),
        use_approval_within: minutes(config.requests.use_approval_within_minutes),
        remind_before: minutes(config.notify.remind_before_minutes),
        criticality: config.criticality.clone(),
        own_networks: config.protected.networks.clone(),
        protected_addresses: protected_addresses(config),
        protected_accounts: config.protected.accounts.clone(),
        privileged_accounts: config.protected.privileged_accounts.clone(),
        business_hours: BusinessHours {
            days: hours.days.clone(),
            hours: hours.from_hour..hours.until_hour,
            utc_offset_minutes: hours.utc_offset_minutes,
        },
        agents: AgentLimits {
            open_requests_max: config.agents.open_requests_max.into(),
            asks_per_minute_max: config.agents.asks_per_minute_max.into(),
        },
    }
}

/// Those of the configuration, and where this broker is reached.
fn protected_addresses(config: &Config) -> Vec<IpAddr> {
    let server = &config.server;
    let own = [Some(server.listen.ip()), server.public_url.ip()].into_iter().flatten();
    config.protected.addresses.iter().copied().chain(own).collect()
}

fn password(section: &str, reach: &RemoteConfig) -> Result<Secret, ConnectorError> {
    Secret::read(format!("{section}.password_file"), &reach.password_file, SecretForm::Password)
}

fn tls(section: &str, reach: &RemoteConfig) -> Result<Tls, ConfigError> {
    match (&reach.ca_file, &reach.pin_sha256) {
        (Some(file), _) => {
            Ok(Tls::Ca { file: file.clone(), server_name: reach.tls_server_name.clone() })
        }
        (None, Some(pin)) => {
            let digest = fingerprint(pin).ok_or_else(|| {
                ConfigError::value(
                    &format!("{section}.pin_sha256"),
                    &pin,
                    "the SHA-256 of the certificate, 64 hexadecimal digits",
                )
            })?;
            Ok(Tls::Pin { sha256: *digest.bytes() })
        }
        (None, None) if reach.url.starts_with("http://") => Ok(Tls::Plain),
        (None, None) => Err(ConfigError::value(
            &format!("{section}.url"),
            &reach.url,
            format!(
                "an https:// address together with {section}.ca_file or {section}.pin_sha256: \
                 a certificate is always verified"
            ),
        )),
    }
}

/// Reads a fingerprint as `openssl x509 -fingerprint -sha256` prints it, with or without what
/// stands before the `=` and with or without colons.
pub(crate) fn fingerprint(text: &str) -> Option<Digest> {
    let digits = text.rsplit_once('=').map_or(text, |(_, digits)| digits);
    Digest::parse(&digits.trim().replace(':', "").to_lowercase())
}

fn undo_commands(
    section: &str,
    configured: &BTreeMap<String, BTreeMap<String, String>>,
) -> Result<BTreeMap<(ActionKind, Platform), String>, ConfigError> {
    let mut commands = BTreeMap::new();
    for (action, platforms) in configured {
        let key = format!("{section}.undo_commands.{action}");
        let kind = ActionKind::parse(action)
            .ok_or_else(|| ConfigError::value(&key, &action, "block_ip or disable_account"))?;
        for (name, command) in platforms {
            let platform = Platform::parse(name);
            if platform == Platform::Other {
                let allowed = "linux, macos or windows";
                return Err(ConfigError::value(&format!("{key}.{name}"), &name, allowed));
            }
            commands.insert((kind, platform), command.clone());
        }
    }
    Ok(commands)
}
