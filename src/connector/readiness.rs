//! What a broker that runs on this machine says of itself: for `countersign doctor`.

use std::{net::SocketAddr, time::Duration};

use super::{
    ConnectorError, Tls,
    http::{
        client::{BaseUrl, Connections, HttpClient},
        transport::REFUSED,
    },
};
use crate::domain::{
    audit::installation::{CHALLENGE_HEADER, PROOF_LINE},
    digest::Digest,
};

const DEADLINE: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: usize = 512;

/// What is at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Nobody listens there.
    Nobody,
    /// Somebody answers.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The first line.
        said: String,
        /// What is to show whose database it serves; none where it shows nothing.
        proof: Option<Digest>,
    },
}

/// Asks `/readyz` at this address, under the name that people type, with this challenge.
/// `pin` is the SHA-256 of the certificate that is configured; none where no TLS is spoken.
pub async fn readiness(
    address: SocketAddr,
    host: &str,
    pin: Option<[u8; 32]>,
    challenge: Digest,
) -> Result<Readiness, ConnectorError> {
    let (scheme, tls) = match pin {
        Some(sha256) => ("https", Tls::Pin { sha256 }),
        None => ("http", Tls::Plain),
    };
    let url = format!("{scheme}://{address}");
    let system = format!("the broker at {url}");
    let place = BaseUrl { url, host: address.ip().to_string(), port: address.port() };
    let connections = Connections::Fresh;
    let http = HttpClient::new((system, place), &tls, "server", connections, DEADLINE)?;
    let asked = http.get("/readyz").header("host", host);
    let asked = asked.header(CHALLENGE_HEADER, challenge.to_string());
    let reply = match http.send_once(asked, ANSWER_BYTES_MAX).await.map_err(ConnectorError::from) {
        Err(ConnectorError::Unreachable { why, .. }) if why == REFUSED => {
            return Ok(Readiness::Nobody);
        }
        answered => answered?,
    };
    let text = reply.text();
    let proof = text.lines().find_map(|line| Digest::parse(line.strip_prefix(PROOF_LINE)?));
    let said = text.lines().next().unwrap_or_default().to_owned();
    Ok(Readiness::Answer { status: reply.status, said, proof })
}
