//! Feeds: the audit, entry by entry and in order, to programs that keep it or watch it.
//!
//! Each entry goes as the audit's JSON, in one line whatever it quotes: the receiver has its place and
//! its hash, drops what comes twice, and sees what is missing. A feed knows nothing of positions and
//! waits; the broker does.

use std::{collections::HashSet, fmt, sync::Arc};

use super::{
    http::error::ConnectorError,
    notify::{WebhookChannel, WebhookPost, WebhookSettings},
};
use crate::{
    domain::{
        Time,
        audit::{AuditEntry, EventKind},
    },
    text::visible::visible_json,
};

mod file;
mod syslog;

pub use file::FeedFileSettings;
pub use syslog::{DATAGRAM_BYTES_MAX, SyslogSettings, SyslogTransport};

/// What a feed sends, where and from when.
#[derive(Debug, Clone)]
pub struct FeedSettings {
    /// What it is called: its position is kept under this name.
    pub name: String,
    /// The kinds of events that it sends.
    pub kinds: HashSet<EventKind>,
    /// Whether a new one begins with the first entry of the audit, rather than with the next.
    pub from_start: bool,
    /// Where they go.
    pub receiver: FeedReceiver,
}

/// Where a feed goes.
#[derive(Debug, Clone)]
pub enum FeedReceiver {
    /// Lines of a file.
    File(FeedFileSettings),
    /// Messages to a syslog server.
    Syslog(Box<SyslogSettings>),
    /// A signed HTTP `POST` for each entry.
    Webhook(Box<WebhookSettings>),
}

/// How far a delivery came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivered {
    /// How many entries the receiver has, from the first on. Others may have arrived all the same.
    pub entries: usize,
    /// How many of them went without their detail: a datagram has no room for it.
    pub shortened: u64,
    /// Why it has no more, in a sentence without a secret.
    pub problem: Option<String>,
}

impl Delivered {
    fn all_or_none(entries: usize, done: Result<(), String>) -> Self {
        match done {
            Ok(()) => Self { entries, ..Self::default() },
            Err(why) => Self { problem: Some(why), ..Self::default() },
        }
    }
}

/// The audit to one receiver. Cheap to clone.
#[derive(Clone)]
pub struct Feed(Arc<FeedParts>);

struct FeedParts {
    name: String,
    kinds: HashSet<EventKind>,
    from_start: bool,
    way: FeedWay,
}

enum FeedWay {
    File(FeedFileSettings),
    Syslog(Box<SyslogSettings>),
    Webhook(WebhookChannel),
}

impl Feed {
    /// Checks the settings; nothing is opened or called yet.
    pub fn new(settings: FeedSettings) -> Result<Self, ConnectorError> {
        let FeedSettings { name, kinds, from_start, receiver } = settings;
        let way = match receiver {
            FeedReceiver::File(file) => FeedWay::File(file),
            FeedReceiver::Syslog(syslog) => FeedWay::Syslog(syslog),
            FeedReceiver::Webhook(webhook) => FeedWay::Webhook(WebhookChannel::new(*webhook)?),
        };
        Ok(Self(Arc::new(FeedParts { name, kinds, from_start, way })))
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether a new one begins with the first entry of the audit.
    pub fn from_start(&self) -> bool {
        self.0.from_start
    }

    /// Its kind and where it goes: of a webhook the host alone, the rest may be a secret.
    pub fn place(&self) -> String {
        match &self.0.way {
            FeedWay::File(file) => format!("file {}", file.path.display()),
            FeedWay::Syslog(syslog) => syslog.place(),
            FeedWay::Webhook(webhook) => format!("webhook, {}", webhook.place()),
        }
    }

    /// Whether it sends an entry. What cannot be read goes to all: it was damaged.
    pub fn takes(&self, entry: &AuditEntry) -> bool {
        EventKind::parse(&entry.kind).is_none_or(|kind| self.0.kinds.contains(&kind))
    }

    /// Brings entries to the receiver, in their order.
    pub async fn deliver(&self, entries: &[AuditEntry], now: Time) -> Delivered {
        match &self.0.way {
            FeedWay::File(file) => {
                Delivered::all_or_none(entries.len(), file.append(entries).await)
            }
            FeedWay::Syslog(syslog) => syslog.deliver(entries).await,
            FeedWay::Webhook(webhook) => post(webhook, entries, now).await,
        }
    }

    /// Looks whether it would arrive, and sends nothing: a file is opened, a server is connected to.
    pub async fn examine(&self) -> Result<String, String> {
        match &self.0.way {
            FeedWay::File(file) => file.examine().await,
            FeedWay::Syslog(syslog) => syslog.examine().await,
            FeedWay::Webhook(webhook) => webhook.examine().await.map_err(|error| error.to_string()),
        }
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Feed").field(&self.name()).finish()
    }
}

/// An entry in one line: what does not show is written as its number.
fn line(entry: &AuditEntry) -> String {
    visible_json(&entry.to_json())
}

/// Posts each entry, under its hash: another entry at the same place has another one.
async fn post(webhook: &WebhookChannel, entries: &[AuditEntry], now: Time) -> Delivered {
    for (entries, entry) in (0..).zip(entries) {
        let post = WebhookPost {
            content_type: "application/json",
            headers: Vec::new(),
            body: line(entry),
        };
        let named = (entry.hash().to_string(), now);
        if let Err(error) = webhook.post(&named, &post).await {
            return Delivered { entries, problem: Some(error.to_string()), ..Delivered::default() };
        }
    }
    Delivered { entries: entries.len(), ..Delivered::default() }
}
