//! Channels to people: webhooks and mail. Each carries a [`Message`], whose words are our own, but for
//! the plain names of endpoints.
//!
//! Each message has a connection of its own, no redirect is followed and no proxy of the
//! environment is obeyed. What a receiver says is kept as far as 300 characters, and only where it
//! refused.

mod format;
mod mail;
pub(super) mod smtp;
mod webhook;

use std::{fmt, sync::Arc, time::Duration};

use super::http::error::ConnectorError;
use crate::domain::{
    Time,
    notice::{Notice, NoticeId},
    request::Target,
};

pub use format::WebhookFormat;
pub use mail::{MailSettings, is_mail_address};
pub use webhook::{WebhookSettings, is_signing_secret};
pub(super) use {format::WebhookPost, webhook::WebhookChannel};

/// How long a receiver may take.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// One notice to one receiver, and perhaps the number of others like it.
#[derive(Debug, Clone)]
pub struct Message {
    /// The same each time it is tried.
    pub id: NoticeId,
    /// The notice that it carries.
    pub notice: Notice,
    /// The endpoints that it concerns; none where it concerns several requests.
    pub targets: Vec<Target>,
    /// How many others of its kind it stands for.
    pub more: u64,
    /// Where to look.
    pub link: String,
    /// The mail address; none for a webhook.
    pub to: Option<String>,
    /// Now: the time of this try.
    pub now: Time,
}

/// A way to tell people. Cheap to clone.
#[derive(Clone)]
pub struct Channel(Arc<ChannelKind>);

enum ChannelKind {
    Webhook(WebhookChannel),
    Mail(Box<mail::MailChannel>),
}

impl Channel {
    /// A webhook. Checks the settings; nothing is called yet.
    pub fn webhook(settings: WebhookSettings) -> Result<Self, ConnectorError> {
        WebhookChannel::new(settings).map(|webhook| Self(Arc::new(ChannelKind::Webhook(webhook))))
    }

    /// Mail over SMTP. Checks the settings; nothing is called yet.
    pub fn mail(settings: MailSettings) -> Result<Self, ConnectorError> {
        mail::MailChannel::new(settings)
            .map(|mail| Self(Arc::new(ChannelKind::Mail(Box::new(mail)))))
    }

    /// `webhook.` and its name, or `mail`.
    pub fn name(&self) -> &str {
        match &*self.0 {
            ChannelKind::Webhook(webhook) => webhook.name(),
            ChannelKind::Mail(_) => "mail",
        }
    }

    /// Whether each person gets a message, rather than the channel one.
    pub fn addresses_people(&self) -> bool {
        match &*self.0 {
            ChannelKind::Webhook(_) => false,
            ChannelKind::Mail(_) => true,
        }
    }

    /// Its form and the host it goes to. The rest of a webhook's address may be a secret.
    pub fn address(&self) -> String {
        match &*self.0 {
            ChannelKind::Webhook(webhook) => webhook.place(),
            ChannelKind::Mail(mail) => mail.place(),
        }
    }

    /// Brings a message to its receiver; the error is a sentence without a secret. A message whose
    /// delivery failed may have arrived all the same.
    pub async fn deliver(&self, message: &Message) -> Result<(), String> {
        let done = match &*self.0 {
            ChannelKind::Webhook(webhook) => webhook.deliver(message).await,
            ChannelKind::Mail(mail) => mail.deliver(message).await,
        };
        done.map_err(|error| error.to_string())
    }

    /// Connects and looks who is there, without a notice. A webhook gets no HTTP request at all,
    /// because what a `HEAD` means differs from receiver to receiver; a mail server is signed in
    /// to.
    pub async fn examine(&self) -> Result<String, String> {
        let done = match &*self.0 {
            ChannelKind::Webhook(webhook) => webhook.examine().await,
            ChannelKind::Mail(mail) => mail.examine().await,
        };
        done.map_err(|error| error.to_string())
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Channel").field(&self.name()).finish()
    }
}
