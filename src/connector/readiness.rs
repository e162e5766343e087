//! What a broker that runs on this machine says of itself: for `countersign doctor`.

use std::{net::SocketAddr, time::Duration};

use super::{
    ConnectorError, Tls,
    http::client::{BaseUrl, Connections, HttpClient},
};

const DEADLINE: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: usize = 512;

/// Asks `/readyz` at this address, under the name that people type: the status, and what it says.
/// `pin` is the SHA-256 of the certificate that is configured; none where no TLS is spoken.
pub async fn readiness(
    address: SocketAddr,
    host: &str,
    pin: Option<[u8; 32]>,
) -> Result<(u16, String), ConnectorError> {
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
    let reply = http.send_once(asked, ANSWER_BYTES_MAX).await?;
    Ok((reply.status, reply.text()))
}
