//! What every handler of the page has.

use std::{path::PathBuf, sync::Arc};

use ipnet::IpNet;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::drafts::{Drafts, confirmations::Confirmations};
use crate::{
    broker::Broker,
    domain::{
        certificate::CertificateStatus,
        digest::Digest,
        public_url::{Authority, PublicUrl},
    },
    slots::Slots,
};

/// So many pages of one session wait for news at once. A page that nobody looks at does not wait.
pub(super) const LISTENERS_MAX: u32 = 16;
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
    /// What stands in front.
    pub proxies: Proxies,
    /// SHA-256 of the token that opens `/metrics`; without one there is no such page.
    pub metrics_token: Option<Digest>,
}

/// The proxies in front of this server.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// Whether there is one.
    pub in_front: bool,
    /// Those whose word counts on where a request comes from.
    pub trusted: Vec<IpNet>,
}

impl Proxies {
    /// Whether it can be known where a request comes from.
    pub(super) const fn are_known(&self) -> bool {
        !self.in_front || !self.trusted.is_empty()
    }
}

/// What every handler has. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct AppState {
    pub(super) broker: Broker,
    pub(super) settings: Arc<WebSettings>,
    /// The pages of each session that wait for news, by the hash of its token.
    pub(super) listeners: Slots<Digest>,
    /// What was typed into forms that were not carried out.
    pub(super) drafts: Drafts,
    /// Forms that wait for the identity provider.
    pub(super) confirmations: Confirmations,
    pub(super) stop: CancellationToken,
}
