//! From the configuration's words to those of broker and connector.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use zeroize::Zeroizing;

use super::{AppError, ConnectionLimits};
use crate::{
    broker::{self, AgentLimits, BusinessHours, Escalation, SignInSettings},
    clock::Clock,
    config::{
        AlertFieldsConfig, Config, ConfigError, EscalationConfig, ManagerConfig, ON_CALL,
        OidcConfig, RemoteConfig, RoleOfGroup,
    },
    connector::{
        AlertFields, AlertForm, ConnectorError, IndexerSettings, KEEP_GRAMMAR, Secret, SecretForm,
        Tls, WazuhSettings, kept_host, secret_text,
    },
    domain::{
        action::{ActionKind, Catalogue, UndoWay},
        decision::Tier,
        digest::Digest,
        endpoint::Platform,
        public_url::PublicUrl,
    },
    trusted_file,
    web::Proxies,
};

/// SHA-256 of the token that opens `/metrics`; none where no file is named.
pub(super) fn metrics_token(config: &Config) -> Result<Option<Digest>, AppError> {
    let Some(file) = &config.server.metrics_token_file else { return Ok(None) };
    let read = trusted_file::read_bytes(file).map(Zeroizing::new);
    let token = read.and_then(|bytes| secret_text(&bytes, SecretForm::Word));
    let wrong = |why| {
        let allowed = format!("a readable file that holds one word and nothing else ({why})");
        ConfigError::value("server.metrics_token_file", &file.display(), allowed)
    };
    Ok(Some(Digest::of(token.map_err(wrong)?.as_bytes())))
}

/// Who signs in where.
fn sign_in(oidc: &OidcConfig) -> SignInSettings {
    let role = |role: &RoleOfGroup| Some((role.group.clone(), role.role.parse().ok()?));
    SignInSettings {
        roles: oidc.roles.iter().filter_map(role).collect(),
        teams: oidc.teams.iter().map(|one| (one.group.clone(), one.team.clone())).collect(),
        reread_after: Duration::from_secs(u64::from(oidc.reread_minutes) * 60),
        local_people: oidc.local_people.clone(),
    }
}

/// What the connector of each manager is told.
pub(super) fn connectors(config: &Config, clock: &Clock) -> Result<Vec<WazuhSettings>, AppError> {
    let fields = alert_fields(&config.alert_fields)?;
    config
        .manager
        .iter()
        .map(|(name, manager)| {
            let settings = connector(name, manager, (&fields, clock))?;
            let keeps = keeps(name, manager, &config.server.public_url)?;
            Ok(WazuhSettings { keeps, ..settings })
        })
        .collect()
}

fn connector(
    name: &str,
    manager: &ManagerConfig,
    (fields, clock): (&AlertFields, &Clock),
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
            stale_after: Duration::from_secs(u64::from(indexer.stale_after_minutes) * 60),
            fields: fields.clone(),
            dashboard_url: indexer.dashboard_url.clone(),
        })
    });
    Ok(WazuhSettings {
        name: name.to_owned(),
        url: manager.reach.url.clone(),
        user: manager.reach.user.clone(),
        password: password(&section, &manager.reach)?,
        tls: tls(&section, &manager.reach)?,
        undo_commands: undo_commands(&section, &manager.undo_commands)?,
        companion_groups: manager.companion_groups.clone(),
        keeps: Vec::new(),
        batch_endpoints_max: manager.batch_endpoints_max,
        calls_in_flight: manager.calls_in_flight,
        calls_per_minute_max: manager.calls_per_minute_max,
        call_deadline: Duration::from_secs(manager.call_timeout_seconds.into()),
        read_deadline: WazuhSettings::READ_DEADLINE,
        indexer: indexer.transpose()?,
        clock: clock.clone(),
    })
}

/// What an isolated endpoint still reaches: Countersign, where the endpoint can name it, and the hosts
/// of the configuration.
fn keeps(
    name: &str,
    manager: &ManagerConfig,
    public_url: &PublicUrl,
) -> Result<Vec<String>, ConfigError> {
    let own = kept_host(&public_url.host_and_port());
    let named = manager.isolation_keeps.iter().map(|host| {
        let key = format!("manager.{name}.isolation_keeps");
        kept_host(host).ok_or_else(|| ConfigError::value(&key, host, KEEP_GRAMMAR))
    });
    let mut keeps: Vec<_> = own.into_iter().map(Ok).chain(named).collect::<Result<_, _>>()?;
    let mut seen = BTreeSet::new();
    keeps.retain(|host| seen.insert(host.clone()));
    Ok(keeps)
}

/// Who is told next, by tier.
fn escalation((tier, config): (&String, &EscalationConfig)) -> Option<(Tier, Escalation)> {
    let escalation = Escalation {
        after: Duration::from_secs(u64::from(config.after_minutes) * 60),
        roles: config.to.iter().filter_map(|word| word.parse().ok()).collect(),
        on_call: config.to.iter().any(|word| word == ON_CALL),
    };
    Some((Tier::parse(tier)?, escalation))
}

/// What the verbs are told.
pub(super) fn broker(config: &Config) -> broker::Settings {
    let minutes = |minutes: u32| Duration::from_secs(u64::from(minutes) * 60);
    let hours = &config.business_hours;
    broker::Settings {
        public_url: config.server.public_url.clone(),
        decide_within: minutes(config.requests.decide_within_minutes),
        use_approval_within: minutes(config.requests.use_approval_within_minutes),
        wait_within: minutes(config.requests.wait_for_endpoints_hours * 60),
        remind_before: minutes(config.notify.remind_before_minutes),
        escalate: config.notify.escalate.iter().filter_map(escalation).collect(),
        criticality: config.criticality.clone(),
        own_networks: config.protected.networks.clone(),
        protected_hosts: protected_hosts(config),
        protected_accounts: protected_accounts(config),
        protected_targets: config.protected.targets.clone(),
        privileged_accounts: config.protected.privileged_accounts.clone(),
        business_hours: BusinessHours {
            days: hours.days.clone(),
            hours: hours.from_hour..hours.until_hour,
            utc_offset_minutes: hours.utc_offset_minutes,
        },
        agents: AgentLimits {
            open_requests_max: config.agents.open_requests_max.into(),
            asks_per_minute_max: config.agents.asks_per_minute_max.into(),
            ..AgentLimits::default()
        },
        sign_in: config.oidc.as_ref().map(sign_in).unwrap_or_default(),
    }
}

/// How many connections there may be.
pub(super) fn connections(config: &Config) -> ConnectionLimits {
    ConnectionLimits {
        connections_max: config.server.connections_max.into(),
        per_address_max: config.server.connections_per_address_max.into(),
        ..ConnectionLimits::default()
    }
}

/// What stands in front of the listener: a proxy where it is said, or where another one must speak
/// the TLS of `public_url`.
pub(super) fn proxies(config: &Config) -> Proxies {
    let server = &config.server;
    let own_tls = server.tls_certificate_file.is_some();
    let in_front = server.behind_tls_proxy || (server.public_url.is_https() && !own_tls);
    Proxies { in_front, trusted: server.trusted_proxies.clone() }
}

/// Those of the configuration, and where this broker listens.
fn protected_hosts(config: &Config) -> Vec<String> {
    let listen = config.server.listen.ip().to_string();
    config.protected.addresses.iter().cloned().chain([listen]).collect()
}

/// Those of the configuration, and those of systems and services.
fn protected_accounts(config: &Config) -> Vec<String> {
    let protected = &config.protected;
    protected.accounts.iter().chain(protected.system_accounts.all()).cloned().collect()
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

/// The names of what a configured command can take back: "`block_ip` or `disable_account`".
fn undoable() -> String {
    let configured = |kind: &&ActionKind| {
        let undo = kind.entry().undo.as_ref();
        undo.is_some_and(|undo| undo.permanent.contains(&UndoWay::Configured))
    };
    let kinds = Catalogue::built_in().responses().iter().filter(configured);
    kinds.map(|kind| kind.name()).collect::<Vec<_>>().join(" or ")
}

fn undo_commands(
    section: &str,
    configured: &BTreeMap<String, BTreeMap<String, String>>,
) -> Result<BTreeMap<(ActionKind, Platform), String>, ConfigError> {
    let mut commands = BTreeMap::new();
    for (action, platforms) in configured {
        let key = format!("{section}.undo_commands.{action}");
        let kind = ActionKind::parse(action)
            .ok_or_else(|| ConfigError::value(&key, &action, undoable()))?;
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

/// The fields that ship, with what the configuration changes about them.
pub(super) fn alert_fields(changes: &AlertFieldsConfig) -> Result<AlertFields, ConfigError> {
    let mut fields = AlertFields::shipped();
    let (addresses, accounts) = (&AlertForm::ADDRESSES[..], &AlertForm::ACCOUNTS[..]);
    for (kind, list, forms, changes) in [
        ("addresses", &mut fields.addresses, addresses, &changes.addresses),
        ("accounts", &mut fields.accounts, accounts, &changes.accounts),
    ] {
        for (field, word) in changes {
            let key = format!("alert_fields.{kind}.\"{field}\"");
            if !is_field(field) {
                let allowed = "the dotted name of a field, such as \"data.srcip\"";
                return Err(ConfigError::value(&format!("alert_fields.{kind}"), field, allowed));
            }
            list.retain(|(known, _)| known != field);
            if word == IGNORED {
                continue;
            }
            let form = forms.iter().find(|(name, _)| name == word).ok_or_else(|| {
                let names = forms.iter().map(|(name, _)| *name).chain([IGNORED]);
                ConfigError::value(&key, word, names.collect::<Vec<_>>().join(", "))
            })?;
            list.push((field.clone(), form.1));
        }
    }
    let looked_at = |field: &String| {
        fields.addresses.iter().chain(&fields.accounts).any(|(known, _)| known == field)
    };
    match &changes.peer {
        None => {
            fields.peer = fields.peer.iter().filter(|field| looked_at(field)).cloned().collect();
        }
        Some(peer) => {
            if let Some(field) = peer.iter().find(|field| !looked_at(field)) {
                let allowed = "a field that is looked at: docs/alert-fields.md lists them";
                return Err(ConfigError::value("alert_fields.peer", field, allowed));
            }
            fields.peer.clone_from(peer);
        }
    }
    Ok(fields)
}

/// What takes a field from the lists that ship.
const IGNORED: &str = "ignored";

fn is_field(name: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || "_-@".contains(c);
    let part = |part: &str| !part.is_empty() && part.chars().all(sound);
    name.len() <= 200 && name.split('.').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(changes: &str) -> AlertFields {
        alert_fields(&toml::from_str(changes).unwrap()).unwrap()
    }

    #[test]
    fn configuration_adds_changes_and_removes_alert_fields() {
        let shipped = AlertFields::shipped();
        assert_eq!(fields(""), shipped);
        let changed = fields(
            "[addresses]\n\"data.sensor.peer\" = \"address\"\n\"data.srcip\" = \"ignored\"\n\
             [accounts]\n\"data.srcuser\" = \"windows\"",
        );
        let has = |list: &[(String, AlertForm)], field: &str| {
            list.iter()
                .filter(|(known, _)| known == field)
                .map(|(_, form)| *form)
                .collect::<Vec<_>>()
        };
        assert_eq!(has(&changed.addresses, "data.sensor.peer"), [AlertForm::Address]);
        assert_eq!(has(&changed.addresses, "data.srcip"), []);
        assert_eq!(has(&changed.accounts, "data.srcuser"), [AlertForm::Windows]);
        assert_eq!(changed.addresses.len(), shipped.addresses.len());
        assert_eq!(changed.accounts.len(), shipped.accounts.len());
    }
}
