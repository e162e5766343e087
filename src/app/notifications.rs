//! The channels to people, from the configuration's words.

use std::path::{Path, PathBuf};

use super::{AppError, settings::fingerprint};
use crate::{
    broker::notifications::test_message,
    clock::Clock,
    config::{Config, ConfigError, MailConfig, WebhookConfig},
    connector::{
        Channel, DEADLINE, MailSettings, Secret, SecretForm, Tls, WebhookFormat, WebhookSettings,
    },
    domain::digest::Digest,
};

/// The channels that a configuration names: webhooks, then mail.
pub(super) fn channels(config: &Config) -> Result<Vec<Channel>, AppError> {
    let notify = &config.notify;
    let mut channels = Vec::new();
    for (name, webhook) in &notify.webhook {
        let section = format!("notify.webhook.{name}");
        channels.push(Channel::webhook(webhook_settings((name, section), webhook)?)?);
    }
    if let Some(mail) = &notify.mail {
        channels.push(Channel::mail(mail_settings(mail)?)?);
    }
    Ok(channels)
}

/// Sends a test notice by every channel; a mail goes to `to`, or else to the sender's own address.
/// The channel, and what came of it.
pub async fn test(
    config: &Config,
    to: Option<&str>,
) -> Result<Vec<(String, Result<(), String>)>, AppError> {
    let clock = Clock::system();
    let from = config.notify.mail.as_ref().map(|mail| mail.from.as_str());
    let mut results = Vec::new();
    for channel in channels(config)? {
        let to = channel.addresses_people().then(|| to.or(from).map(str::to_owned)).flatten();
        let message = test_message(&channel, &config.server.public_url, to, clock.now());
        results.push((channel.name().to_owned(), channel.deliver(&message).await));
    }
    Ok(results)
}

/// What a webhook of this name is told, which this part of the configuration describes.
pub(super) fn webhook_settings(
    (name, section): (&str, String),
    webhook: &WebhookConfig,
) -> Result<WebhookSettings, AppError> {
    let read = |key: &str, file: &Option<PathBuf>| {
        let read =
            |file: &PathBuf| Secret::read(format!("{section}.{key}"), file, SecretForm::Word);
        file.as_ref().map(read).transpose()
    };
    let url = match (&webhook.url, read("url_file", &webhook.url_file)?) {
        (_, Some(url)) => url,
        (url, None) => Secret::new(url.clone().unwrap_or_default()),
    };
    let format = WebhookFormat::parse(&webhook.format).unwrap_or(WebhookFormat::Json);
    let proof = (webhook.ca_file.as_deref(), webhook.pin_sha256.as_deref());
    Ok(WebhookSettings {
        name: name.to_owned(),
        format,
        secret: read("secret_file", &webhook.secret_file)?,
        token: read("token_file", &webhook.token_file)?,
        tls: tls(&section, proof)?,
        url,
        deadline: DEADLINE,
        section,
    })
}

fn mail_settings(mail: &MailConfig) -> Result<MailSettings, AppError> {
    let section = "notify.mail";
    let login = match (&mail.user, &mail.password_file) {
        (Some(user), Some(file)) => {
            let key = format!("{section}.password_file");
            Some((user.clone(), Secret::read(key, file, SecretForm::Password)?))
        }
        (_, _) => None,
    };
    Ok(MailSettings {
        host: mail.host.clone(),
        port: mail.port,
        implicit: mail.tls == "implicit",
        tls: tls(section, (mail.ca_file.as_deref(), mail.pin_sha256.as_deref()))?,
        login,
        from: mail.from.clone(),
        deadline: DEADLINE,
    })
}

/// How a receiver proves itself; without either the connector takes `http://` and loopback alone.
pub(super) fn tls(section: &str, proof: (Option<&Path>, Option<&str>)) -> Result<Tls, ConfigError> {
    match proof {
        (Some(file), _) => Ok(Tls::Ca { file: file.to_owned(), server_name: None }),
        (None, Some(pin)) => {
            let sha256: Option<Digest> = fingerprint(pin);
            let sha256 = sha256.ok_or_else(|| {
                let allowed = "the SHA-256 of the certificate, 64 hexadecimal digits";
                ConfigError::value(&format!("{section}.pin_sha256"), &pin, allowed)
            })?;
            Ok(Tls::Pin { sha256: *sha256.bytes() })
        }
        (None, None) => Ok(Tls::Plain),
    }
}
