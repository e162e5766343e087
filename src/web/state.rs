//! What every handler of the page has.

use std::{path::PathBuf, sync::Arc};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::http::{connections::ConnectionCounts, events::Listeners};
use crate::{
    broker::Broker,
    domain::{
        certificate::CertificateStatus,
        public_url::{Authority, PublicUrl},
    },
};

/// The largest form, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;
/// What the page may be told about its surroundings.
#[derive(Debug, Clone)]
pub struct WebSettings {
    /// The address that people type.
    pub public_url: PublicUrl,
    /// What the `Host` header may say beside the host of `public_url`.
    pub hosts: Vec<Authority>,
    /// The folder of the policy set, which an admin may load again.
    pub policies: PathBuf,
    /// The certificate that is shown; none where a proxy speaks TLS, or nobody does.
    pub certificate: Option<watch::Receiver<CertificateStatus>>,
    /// What becomes of connections.
    pub connections: Arc<ConnectionCounts>,
}

/// What every handler has. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct AppState {
    pub(super) broker: Broker,
    pub(super) settings: Arc<WebSettings>,
    pub(super) listeners: Arc<Listeners>,
    pub(super) stop: CancellationToken,
}
