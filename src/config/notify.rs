//! How people are notified outside the page.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

use serde::Deserialize;

use super::{ConfigError, check::range};
use crate::domain::{
    actor::Role,
    decision::Tier,
    proposal::{MANAGER_GRAMMAR, is_manager_name},
};

/// How people are notified outside the page.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotifyConfig {
    /// How many minutes before a deadline people are reminded of it.
    pub remind_before_minutes: u32,
    /// Who is told next where nobody decides, by tier: `low`, `medium`, `high`.
    pub escalate: BTreeMap<String, EscalationConfig>,
    /// Webhooks, by name.
    pub webhook: BTreeMap<String, WebhookConfig>,
    /// Mail, to people who have an address.
    pub mail: Option<MailConfig>,
}

impl Default for NotifyConfig {
    fn default() -> Self {
        Self {
            remind_before_minutes: 30,
            escalate: BTreeMap::new(),
            webhook: BTreeMap::new(),
            mail: None,
        }
    }
}

/// Who is told next where nobody decides.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EscalationConfig {
    /// How many minutes after it began to wait; fewer than people have to decide.
    pub after_minutes: u32,
    /// Roles, and [`ON_CALL`].
    pub to: Vec<String>,
}

/// The word for everybody who is on call.
pub const ON_CALL: &str = "on_call";

impl EscalationConfig {
    fn check(&self, tier: &str, decide_within: u32) -> Result<(), ConfigError> {
        let key = |key: &str| format!("notify.escalate.{tier}.{key}");
        if Tier::parse(tier).is_none() {
            return Err(ConfigError::value("notify.escalate", &tier, "low, medium, high"));
        }
        range(&key("after_minutes"), self.after_minutes, 1, 43_200)?;
        // Later there would be nothing to decide any more.
        if self.after_minutes >= decide_within {
            let allowed = format!("less than requests.decide_within_minutes: {decide_within}");
            return Err(ConfigError::value(&key("after_minutes"), &self.after_minutes, allowed));
        }
        let known = |word: &str| word == ON_CALL || word.parse::<Role>().is_ok();
        let wrong = self.to.iter().map(String::as_str).find(|word| !known(word));
        let missing = self.to.is_empty().then_some("[]");
        match wrong.or(missing) {
            None => Ok(()),
            Some(word) => {
                let allowed =
                    format!("one or more of {}, {ON_CALL}", Role::ALL.map(Role::name).join(", "));
                Err(ConfigError::value(&key("to"), &word, allowed))
            }
        }
    }
}

/// A webhook, which gets every notice.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// `https://…`; `http://` for loopback only.
    pub url: Option<String>,
    /// The file that holds the address, 0600: for receivers that let anyone post who knows it.
    pub url_file: Option<PathBuf>,
    /// `json`, `slack`, `teams` or `ntfy`.
    #[serde(default = "json")]
    pub format: String,
    /// The file that holds the signing secret, 0600: `whsec_` and base64.
    pub secret_file: Option<PathBuf>,
    /// The file that holds an access token, 0600.
    pub token_file: Option<PathBuf>,
    /// PEM file of the authorities that may have signed the receiver's certificate.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 of the receiver's certificate: instead of `ca_file`.
    pub pin_sha256: Option<String>,
}

fn json() -> String {
    "json".to_owned()
}

/// Mail over SMTP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// The mail server.
    pub host: String,
    /// Its port, often 587, or 465 with `implicit`.
    pub port: u16,
    /// `starttls`, `implicit`, or `none` for loopback only.
    #[serde(default = "starttls")]
    pub tls: String,
    /// The user to sign in as.
    pub user: Option<String>,
    /// The file that holds the password, 0600.
    pub password_file: Option<PathBuf>,
    /// The sender's address.
    pub from: String,
    /// PEM file of the authorities that may have signed the server's certificate.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 of the server's certificate: instead of `ca_file`.
    pub pin_sha256: Option<String>,
}

fn starttls() -> String {
    "starttls".to_owned()
}

impl NotifyConfig {
    /// `decide_within`: how long people have, in minutes.
    pub(super) fn check(&self, decide_within: u32) -> Result<(), ConfigError> {
        range("notify.remind_before_minutes", self.remind_before_minutes, 1, 1440)?;
        for (tier, escalation) in &self.escalate {
            escalation.check(tier, decide_within)?;
        }
        for (name, webhook) in &self.webhook {
            if !is_manager_name(name) {
                return Err(ConfigError::value("notify.webhook", name, MANAGER_GRAMMAR));
            }
            webhook.check(&format!("notify.webhook.{name}"))?;
        }
        self.mail.as_ref().map_or(Ok(()), MailConfig::check)
    }

    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let webhooks = self.webhook.values_mut().flat_map(|webhook| {
            let WebhookConfig { url_file, secret_file, token_file, ca_file, .. } = webhook;
            [url_file, secret_file, token_file, ca_file]
        });
        let mail =
            self.mail.iter_mut().flat_map(|mail| [&mut mail.password_file, &mut mail.ca_file]);
        webhooks.chain(mail).flatten()
    }

    /// The files that hold secrets.
    pub(super) fn private_files(&self) -> impl Iterator<Item = &PathBuf> {
        let webhooks = self
            .webhook
            .values()
            .flat_map(|webhook| [&webhook.url_file, &webhook.secret_file, &webhook.token_file]);
        webhooks.chain(self.mail.iter().map(|mail| &mail.password_file)).flatten()
    }
}

impl WebhookConfig {
    pub(super) fn check(&self, section: &str) -> Result<(), ConfigError> {
        let key = |key: &str| format!("{section}.{key}");
        if !["json", "slack", "teams", "ntfy"].contains(&self.format.as_str()) {
            let allowed = "json, slack, teams or ntfy";
            return Err(ConfigError::value(&key("format"), &self.format, allowed));
        }
        if self.url.is_some() == self.url_file.is_some() {
            let (set, allowed) = match self.url {
                Some(_) => ("(not shown)", "either url or url_file, not both"),
                None => ("", "url, or url_file where anyone who knows the address may post"),
            };
            return Err(ConfigError::value(&key("url"), &set, allowed));
        }
        if self.format == "json" && self.secret_file.is_none() {
            let allowed = "the file of a signing secret: json is always signed";
            return Err(ConfigError::value(&key("secret_file"), &"", allowed));
        }
        one_of(section, self.ca_file.is_some(), self.pin_sha256.as_ref())
    }
}

impl MailConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let local = self.host == "localhost"
            || self.host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        let proven = self.ca_file.is_some() || self.pin_sha256.is_some();
        match self.tls.as_str() {
            "starttls" | "implicit" if proven => {}
            "starttls" | "implicit" => {
                let allowed = "notify.mail.ca_file or notify.mail.pin_sha256 beside it: a \
                               certificate is always verified";
                return Err(ConfigError::value("notify.mail.tls", &self.tls, allowed));
            }
            "none" if local && !proven => {}
            other => {
                let allowed = "starttls or implicit; none only for a server on this machine";
                return Err(ConfigError::value("notify.mail.tls", &other, allowed));
            }
        }
        if self.host.is_empty() || self.port == 0 {
            let place = format!("{}:{}", self.host, self.port);
            return Err(ConfigError::value(
                "notify.mail.host",
                &place,
                "a host, and port 1 to 65535",
            ));
        }
        if self.user.is_some() != self.password_file.is_some() {
            let user = self.user.as_deref().unwrap_or("");
            let allowed = "both user and password_file, or neither";
            return Err(ConfigError::value("notify.mail.user", &user, allowed));
        }
        one_of("notify.mail", self.ca_file.is_some(), self.pin_sha256.as_ref())
    }
}

pub(super) fn one_of(
    section: &str,
    ca_file: bool,
    pin: Option<&String>,
) -> Result<(), ConfigError> {
    match pin.filter(|_| ca_file) {
        None => Ok(()),
        Some(pin) => {
            let allowed = "either ca_file or pin_sha256, not both";
            Err(ConfigError::value(&format!("{section}.pin_sha256"), pin, allowed))
        }
    }
}
