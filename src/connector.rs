//! Outside systems: what manages the endpoints, what keeps their alerts, and what tells people.
//!
//! A kind of manager is a [`Driver`] in a file of its own; [`Connector`] is the handle that the
//! rest of the crate holds. Reads resolve endpoints and find alerts and evidence. One call acts:
//! [`Driver::dispatch`] spends an
//! [`ExecutionPermit`](crate::domain::permit::ExecutionPermit). What went wrong is a
//! [`ConnectorError`], a sentence for people; nothing here writes a log, so bodies, headers, tokens
//! and passwords cannot get into one.
//!
//! Deliberately absent: any way to act on endpoints that are not named, to repeat a call, and to
//! trust a certificate unseen.
//!
//! A [`Channel`] carries notices to people, a [`Feed`] the audit to programs.

mod driver;
mod feed;
mod http;
mod identity;
mod network;
mod notify;
mod readiness;
mod relay;
mod share;
mod wazuh;

use std::{ops::Deref, sync::Arc};

pub use driver::{
    BoxFuture, Capabilities, CircuitOpen, CorrelationTag, Diagnosis, DispatchResult, DispatchTurn,
    Driver, Health,
};
pub use feed::{
    DATAGRAM_BYTES_MAX, Delivered, Feed, FeedFileSettings, FeedReceiver, FeedSettings,
    SyslogSettings, SyslogTransport,
};
pub use http::error::ConnectorError;
pub use http::secret::{Secret, SecretForm, Tls, byte_order_mark, secret_text};
pub use identity::{
    ClaimNames, Handshake, Identity, IdentityProvider, ProviderError, ProviderSettings,
};
pub use network::{Network, SystemNetwork};
pub use notify::{
    Channel, DEADLINE, MailSettings, Message, WebhookFormat, WebhookSettings, is_mail_address,
    is_signing_secret,
};
pub use readiness::{Readiness, readiness};
pub use relay::{Relay, RelayAnswer};
pub use share::{asked_by, for_approved};
pub use wazuh::{AlertFields, AlertForm, IndexerSettings, KEEP_GRAMMAR, WazuhSettings, kept_host};

/// What this machine lacks for one more connection, such as files; none where it lacks nothing.
pub fn local_lack() -> Option<String> {
    http::transport::lacks_socket()
}

/// A manager, of whatever kind. Clones share connections, tokens and limits.
#[derive(Debug, Clone)]
pub struct Connector(Arc<dyn Driver>);

impl Connector {
    /// A manager of any kind.
    pub fn new(driver: impl Driver + 'static) -> Self {
        Self(Arc::new(driver))
    }

    /// A Wazuh manager. Checks the settings; nothing is called yet.
    pub fn wazuh(settings: WazuhSettings) -> Result<Self, ConnectorError> {
        wazuh::Wazuh::new(settings).map(Self::new)
    }
}

impl Deref for Connector {
    type Target = dyn Driver;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref()
    }
}
