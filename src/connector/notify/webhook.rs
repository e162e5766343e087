//! A message as a signed HTTP `POST`, after the Standard Webhooks specification 1.0.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Url, header::CONTENT_TYPE};
use sha2::Sha256;

use super::{
    Message,
    format::{self, WebhookFormat, WebhookPost},
    smtp,
};
use crate::{
    connector::http::{
        client::{BaseUrl, Connections, HttpClient, first_chars},
        error::ConnectorError,
        secret::{Secret, Tls},
    },
    domain::Time,
};

/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long a key may be, in bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// How a webhook is reached and what it requires.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// What it is called here.
    pub name: String,
    /// The part of the configuration that says so.
    pub section: String,
    /// Where it is: some receivers let anyone post who knows it.
    pub url: Secret,
    /// In which form.
    pub format: WebhookFormat,
    /// Signs what is sent: see [`is_signing_secret`].
    pub secret: Option<Secret>,
    /// An access token, sent as a bearer token.
    pub token: Option<Secret>,
    /// How the receiver proves itself.
    pub tls: Tls,
    /// How long it may take.
    pub deadline: Duration,
}

/// Whether a text is a signing secret: `whsec_` and 24 to 64 bytes in base64.
pub fn is_signing_secret(text: &str) -> bool {
    key(text).is_some()
}

pub(in crate::connector) struct WebhookChannel {
    /// `webhook.` and the name.
    name: String,
    /// The receiver as its files describe it; another one when a refusal made them be read again.
    receiver: Mutex<Arc<Receiver>>,
}

/// Where a webhook is, with its client.
struct Receiver {
    settings: WebhookSettings,
    http: HttpClient,
}

impl WebhookChannel {
    pub(in crate::connector) fn new(settings: WebhookSettings) -> Result<Self, ConnectorError> {
        let name = format!("webhook.{}", settings.name);
        Ok(Self { name, receiver: Mutex::new(Arc::new(Receiver::new(settings)?)) })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(in crate::connector) fn place(&self) -> String {
        let Receiver { settings, http } = &*self.receiver();
        format!("{} to {}", settings.format.name(), http.address.host)
    }

    fn receiver(&self) -> Arc<Receiver> {
        Arc::clone(&self.receiver.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) async fn deliver(&self, message: &Message) -> Result<(), ConnectorError> {
        let format = self.receiver().settings.format;
        let named = (message.id.to_string(), message.now);
        self.post(&named, &format::post(format, message)).await
    }

    /// Posts it under an id that stays the same each time it is tried, now; where the receiver refuses
    /// and a file of ours holds another secret by now, once more with that one.
    pub(in crate::connector) async fn post(
        &self,
        named: &(String, Time),
        post: &WebhookPost,
    ) -> Result<(), ConnectorError> {
        let receiver = self.receiver();
        match receiver.post(named, post).await {
            Err(refused @ ConnectorError::Answer { status: 400..500, .. }) => {
                let Some(renewed) = receiver.renewed()? else { return Err(refused) };
                let renewed = Arc::new(renewed);
                *self.receiver.lock().unwrap_or_else(PoisonError::into_inner) =
                    Arc::clone(&renewed);
                renewed.post(named, post).await
            }
            done => done,
        }
    }

    pub(in crate::connector) async fn examine(&self) -> Result<String, ConnectorError> {
        let Receiver { settings, http } = &*self.receiver();
        let place = (http.address.host.as_str(), http.address.port);
        let section = &settings.section;
        let tcp = smtp::connect(place, &http.system, settings.deadline).await?;
        if settings.tls != Tls::Plain {
            let tls = smtp::Trust { tls: &settings.tls, section };
            smtp::secure(tcp, (place.0, tls), &http.system, settings.deadline).await?;
        }
        Ok(format!("{} is there", http.system))
    }
}

impl Receiver {
    fn new(settings: WebhookSettings) -> Result<Self, ConnectorError> {
        let section = settings.section.clone();
        // The whole of it is not shown, neither here nor in any error.
        let url = Url::parse(settings.url.expose()).ok().filter(|url| url.fragment().is_none());
        let url = url.ok_or_else(|| {
            let allowed = "it is an address such as https://hooks.example/path";
            ConnectorError::settings(format!("{section}.url"), "(not shown)", allowed)
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            let allowed = "user and password do not stand in it";
            return Err(ConnectorError::settings(format!("{section}.url"), "(not shown)", allowed));
        }
        let origin = url.origin().ascii_serialization();
        let address = BaseUrl::read(&origin, &settings.tls, &section)?;
        if settings.secret.as_ref().is_some_and(|secret| !is_signing_secret(secret.expose())) {
            let allowed = "whsec_ and 24 to 64 random bytes in base64";
            let key = format!("{section}.secret_file");
            return Err(ConnectorError::settings(key, "(not shown)", allowed));
        }
        let system = format!("the webhook {} at {origin}", settings.name);
        let place = (system, address);
        let fresh = Connections::Fresh;
        let http = HttpClient::new(place, &settings.tls, &section, fresh, settings.deadline)?;
        Ok(Self { settings, http })
    }

    /// The same from what the files hold now; none where they hold the same.
    fn renewed(&self) -> Result<Option<Self>, ConnectorError> {
        let now = &self.settings;
        let read = |secret: &Option<Secret>| secret.as_ref().map(Secret::read_again).transpose();
        let (url, secret, token) = (now.url.read_again()?, read(&now.secret)?, read(&now.token)?);
        if (&url, &secret, &token) == (&now.url, &now.secret, &now.token) {
            return Ok(None);
        }
        Self::new(WebhookSettings { url, secret, token, ..now.clone() }).map(Some)
    }

    async fn post(
        &self,
        (id, now): &(String, Time),
        post: &WebhookPost,
    ) -> Result<(), ConnectorError> {
        let now = now.timestamp();
        let mut request = self
            .http
            .post_to(self.settings.url.expose())
            .header(CONTENT_TYPE, post.content_type)
            .header("webhook-id", id)
            .header("webhook-timestamp", now.to_string());
        for (name, value) in &post.headers {
            request = request.header(*name, value);
        }
        if let Some(key) = self.settings.secret.as_ref().and_then(|secret| key(secret.expose())) {
            let signed = format!("{id}.{now}.{}", post.body);
            let signature = signature(&key, signed.as_bytes());
            request = request.header("webhook-signature", format!("v1,{signature}"));
        }
        if let Some(token) = &self.settings.token {
            request = request.bearer_auth(token.expose());
        }
        let reply = self.http.send_once(request.body(post.body.clone()), ANSWER_BYTES_MAX).await?;
        if (200..300).contains(&reply.status) {
            return Ok(());
        }
        let detail = match reply.status {
            300..400 => "a redirect, which is not followed".to_owned(),
            _ => first_chars(&reply.text()),
        };
        Err(self.http.malformed(&reply, detail))
    }
}

fn key(text: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
    KEY_BYTES.contains(&key.len()).then_some(key)
}

/// HMAC-SHA256 in base64. A key of any length will do.
fn signature(key: &[u8], signed: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(signed);
    STANDARD.encode(mac.finalize().into_bytes())
}
