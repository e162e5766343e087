//! Where Prometheus comes in.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

use super::ConfigError;

/// The port of `/metrics`, without a token.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsConfig {
    /// Address and port to listen on: loopback or private.
    pub listen: SocketAddr,
    /// Whether it may be any other address.
    #[serde(default)]
    pub public: bool,
}

impl MetricsConfig {
    /// `server`: where the server listens.
    pub(super) fn check(&self, server: SocketAddr) -> Result<(), ConfigError> {
        let wrong =
            |allowed: &str| Err(ConfigError::value("metrics.listen", &self.listen, allowed));
        let (own, other) = (self.listen.ip(), server.ip());
        let meet = own == other || own.is_unspecified() || other.is_unspecified();
        if self.listen.port() == server.port() && meet {
            return wrong("a port of its own: server.listen has this one");
        }
        if self.listen.port() == 0 {
            return wrong("a port that Prometheus can know, 1 to 65535");
        }
        if !self.public && !is_near(own) {
            return wrong(
                "a loopback or private address, such as 127.0.0.1:9464: whoever reaches it reads \
                 the counts; or set metrics.public = true",
            );
        }
        Ok(())
    }
}

/// Loopback, or private (RFC 1918, RFC 4193).
const fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
    }
}
