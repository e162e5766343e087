//! A message in the forms that receivers understand.

use chrono::SecondsFormat;
use serde_json::{Value, json};
use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray};

use super::Message;
use crate::domain::all_variants;
use crate::text::{
    endpoint::notice_names,
    notification::{self, title},
};

/// The form in which a webhook takes a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[derive(EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum WebhookFormat {
    /// Our own JSON, in the frame of the Standard Webhooks.
    Json,
    /// An incoming webhook of Slack, and of what understands the same.
    Slack,
    /// An Adaptive Card for a Workflows webhook of Microsoft Teams.
    Teams,
    /// A topic of ntfy.
    Ntfy,
}

impl WebhookFormat {
    /// All of them.
    pub const ALL: [Self; Self::COUNT] = all_variants(Self::VARIANTS);

    /// The word in the configuration.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// The format of that name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

/// What is posted.
pub(in crate::connector) struct WebhookPost {
    pub(in crate::connector) content_type: &'static str,
    pub(in crate::connector) headers: Vec<(&'static str, String)>,
    pub(in crate::connector) body: String,
}

pub(super) fn post(format: WebhookFormat, message: &Message) -> WebhookPost {
    let json = |value: Value| WebhookPost {
        content_type: "application/json",
        headers: Vec::new(),
        body: value.to_string(),
    };
    match format {
        WebhookFormat::Json => json(own(message)),
        WebhookFormat::Slack => {
            let text = format!(
                "*{}*\n{}\n<{}|Open it>",
                title(&message.notice, message.more),
                lines(message),
                message.link
            );
            json(json!({ "text": text }))
        }
        WebhookFormat::Teams => json(card(message)),
        WebhookFormat::Ntfy => WebhookPost {
            content_type: "text/plain; charset=utf-8",
            headers: vec![
                ("title", format!("Countersign: {}", title(&message.notice, message.more))),
                (
                    "priority",
                    if message.notice.kind.urgent() { "high" } else { "default" }.to_owned(),
                ),
                (
                    "tags",
                    if message.notice.kind.urgent() { "rotating_light" } else { "bell" }.to_owned(),
                ),
                ("click", message.link.clone()),
            ],
            body: lines(message),
        },
    }
}

/// The text of a mail.
pub(super) fn mail(message: &Message) -> String {
    format!(
        "{}.\n\n{}\n\nLook at it, and decide, only on the page:\n{}\n",
        title(&message.notice, message.more),
        lines(message),
        message.link
    )
}

fn own(message: &Message) -> Value {
    let notice = &message.notice;
    let mut data = notice.facts();
    if let Some(data) = data.as_object_mut() {
        data.insert("title".to_owned(), json!(title(notice, message.more)));
        data.insert("link".to_owned(), json!(message.link));
        if !message.targets.is_empty() {
            data.insert("where".to_owned(), json!(notice_names(&message.targets)));
        }
        if message.more > 0 {
            data.insert("more".to_owned(), json!(message.more));
        }
    }
    json!({
        "type": notice.kind.name(),
        "timestamp": notice.at.to_rfc3339_opts(SecondsFormat::Secs, true),
        "data": data,
    })
}

fn card(message: &Message) -> Value {
    let facts: Vec<_> = pairs(message)
        .into_iter()
        .map(|(title, value)| json!({ "title": title, "value": value }))
        .collect();
    let heading = json!({
        "type": "TextBlock", "text": format!("Countersign: {}", title(&message.notice, message.more)),
        "weight": "Bolder", "size": "Medium", "wrap": true,
    });
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [heading, { "type": "FactSet", "facts": facts }],
                "actions": [{ "type": "Action.OpenUrl", "title": "Open it", "url": message.link }],
            },
        }],
    })
}

fn pairs(message: &Message) -> Vec<(&'static str, String)> {
    notification::lines(&message.notice, &notice_names(&message.targets), message.more)
}

fn lines(message: &Message) -> String {
    let lines = pairs(message).into_iter();
    lines.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
}
