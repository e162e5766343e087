//! What the broker that serves this configuration says of itself, where one runs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use crate::{
    config::ServerConfig,
    connector::{ConnectorError, Diagnosis, readiness},
    domain::digest::Digest,
    trusted_file,
};

const CHECK: &str = "running broker";

/// Asks it over the loopback, whatever name and proxy stand in front.
pub(super) async fn running(server: &ServerConfig) -> Diagnosis {
    let mut address = server.listen;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    match readiness(address, &server.public_url.host(), pin(server)).await {
        Ok((200, _)) => Diagnosis::good(CHECK, format!("it is ready at {address}")),
        Ok((503, text)) => {
            const ADVICE: &str = "look at the page System and at the log; \"A bad day\" in \
                                  docs/operating.md says what to do";
            Diagnosis::bad(CHECK, format!("it is {}", text.trim()), ADVICE)
        }
        Ok((status, _)) => {
            let found = format!("what listens at {address} answers {status}");
            Diagnosis::bad(CHECK, found, "find out which program has the port")
        }
        Err(ConnectorError::Unreachable { why, .. }) => {
            Diagnosis::good(CHECK, format!("none answers at {address} ({why})"))
        }
        Err(error) => Diagnosis::bad(CHECK, error.to_string(), "restart it, or look at its log"),
    }
}

/// The SHA-256 of the certificate that is configured: it is known, so nobody need vouch for it. A
/// file that cannot be read shows at the start.
fn pin(server: &ServerConfig) -> Option<[u8; 32]> {
    let file = server.tls_certificate_file.as_ref()?;
    let pem = trusted_file::read_bytes(file).ok()?;
    let certificate = CertificateDer::pem_slice_iter(&pem).next()?.ok()?;
    Some(*Digest::of(&certificate).bytes())
}
