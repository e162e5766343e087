//! The feeds of the audit, from the configuration's words.

use super::{AppError, notifications};
use crate::{
    config::{Config, FeedConfig, FeedKind},
    connector::{
        DEADLINE, Feed, FeedFileSettings, FeedReceiver, FeedSettings, SyslogSettings,
        SyslogTransport,
    },
};

/// The feeds that a configuration names, in its order.
pub(super) fn feeds(config: &Config) -> Result<Vec<Feed>, AppError> {
    config.feeds.iter().map(|feed| self::feed(config, feed)).collect()
}

/// One of them.
pub(super) fn feed(config: &Config, feed: &FeedConfig) -> Result<Feed, AppError> {
    let section = feed.section();
    let receiver = match feed.known_kind().unwrap_or(FeedKind::File) {
        FeedKind::File => FeedReceiver::File(FeedFileSettings {
            path: feed.path.clone().unwrap_or_default(),
            mode: feed.file_mode().unwrap_or(0o600),
        }),
        FeedKind::Syslog => FeedReceiver::Syslog(Box::new(SyslogSettings {
            host: feed.host.clone().unwrap_or_default(),
            port: feed.port.unwrap_or_default(),
            transport: transport(&section, feed)?,
            origin: config.server.public_url.bare_host(),
            deadline: DEADLINE,
            section,
        })),
        FeedKind::Webhook => {
            let webhook = feed.webhook();
            let named = (feed.name.as_str(), section);
            FeedReceiver::Webhook(Box::new(notifications::webhook_settings(named, &webhook)?))
        }
    };
    let settings = FeedSettings {
        name: feed.name.clone(),
        kinds: feed.kinds()?,
        from_start: feed.from == "start",
        receiver,
    };
    Ok(Feed::new(settings)?)
}

fn transport(section: &str, feed: &FeedConfig) -> Result<SyslogTransport, AppError> {
    Ok(match feed.transport.as_deref() {
        Some("udp") => SyslogTransport::Udp,
        Some("tcp") => SyslogTransport::Tcp,
        Some(_) | None => {
            let proof = (feed.ca_file.as_deref(), feed.pin_sha256.as_deref());
            SyslogTransport::Tls(notifications::tls(section, proof)?)
        }
    })
}
