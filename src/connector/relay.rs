//! A broker, called from elsewhere: the HTTP side of the stdio bridge.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    ConnectorError, Secret, Tls,
    http::client::{BaseUrl, Coming, Connections, HttpClient},
};

/// Longer than the longest wait that a tool allows.
const DEADLINE: Duration = Duration::from_secs(75);
const ANSWER_MIB_MAX: usize = 8;
/// The bridge has no configuration file: what an error calls a key is a variable here. The longer
/// names first, which hold the shorter ones.
const VARIABLES: [(&str, &str); 6] = [
    ("https://host.example:55000", "https://countersign.example"),
    ("stdio.url", "COUNTERSIGN_URL"),
    ("stdio.ca_file", "COUNTERSIGN_CA_FILE"),
    ("stdio.pin_sha256", "COUNTERSIGN_PIN_SHA256"),
    ("ca_file", "COUNTERSIGN_CA_FILE"),
    ("pin_sha256", "COUNTERSIGN_PIN_SHA256"),
];
/// Where systems keep the authorities that they trust.
const SYSTEM_AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// What the broker answers: the head, and a body that is still to come.
pub struct RelayAnswer {
    http: HttpClient,
    coming: Coming,
}

impl fmt::Debug for RelayAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayAnswer").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl RelayAnswer {
    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        self.coming.status
    }

    /// `Content-Type`, where there is one.
    pub fn content_type(&self) -> Option<String> {
        self.coming.content_type.clone()
    }

    /// The next piece of the body, as it comes; none at its end. The error is a sentence.
    pub async fn piece(&mut self) -> Result<Option<Vec<u8>>, String> {
        let piece = self.http.piece(&mut self.coming).await;
        piece.map_err(|failure| failure_text(&failure.error))
    }
}

/// A broker's `/mcp`, and an agent's token for it.
pub struct Relay {
    http: HttpClient,
    token: Secret,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("url", &self.http.address.url).finish_non_exhaustive()
    }
}

impl Relay {
    /// A relay to the broker at this address: `http://` on this machine only, `https://` with a
    /// certificate that the system trusts unless `tls` says otherwise.
    pub fn new(url: &str, token: Secret, tls: Option<Tls>) -> Result<Self, ConnectorError> {
        let url = url.trim_end_matches('/');
        // `demo` prints the address of the door, and clients are told that one too.
        let url = url.strip_suffix("/mcp").unwrap_or(url);
        let tls = match tls {
            Some(tls) => tls,
            None if url.starts_with("https://") => system_authorities(),
            None => Tls::Plain,
        };
        let address = BaseUrl::read(url, &tls, "stdio").map_err(settings)?;
        let system = format!("the broker at {}", address.url);
        let http = HttpClient::new((system, address), &tls, "stdio", Connections::Kept, DEADLINE)
            .map_err(settings)?;
        Ok(Self { http, token })
    }

    /// Posts a message to `/mcp`: the answer as soon as it begins, or a sentence.
    pub async fn post(
        &self,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> Result<RelayAnswer, String> {
        let request = self
            .http
            .post("/mcp")
            .bearer_auth(self.token.expose())
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let begun = self.http.begin(request.body(body), ANSWER_MIB_MAX).await;
        let coming = begun.map_err(|failure| failure_text(&failure.error))?;
        Ok(RelayAnswer { http: self.http.clone(), coming })
    }
}

/// Names what whoever starts the bridge can set.
fn variables(text: &str) -> String {
    VARIABLES.iter().fold(text.to_owned(), |text, (key, variable)| text.replace(key, variable))
}

fn settings(error: ConnectorError) -> ConnectorError {
    let ConnectorError::Settings { key, value, allowed } = error else { return error };
    ConnectorError::settings(variables(&key), value, variables(&allowed))
}

fn failure_text(error: &ConnectorError) -> String {
    let ConnectorError::Certificate { system, why, presented } = error else {
        return error.to_string();
    };
    format!(
        "the certificate of {system} is not trusted: {}; it has the SHA-256 fingerprint \
         {presented}. If that is the fingerprint of the right machine, set COUNTERSIGN_PIN_SHA256 \
         to it. If an authority signed it, COUNTERSIGN_CA_FILE can name the authority's certificate \
         instead; a self-signed one needs the fingerprint",
        variables(why)
    )
}

fn system_authorities() -> Tls {
    let [usual, ..] = SYSTEM_AUTHORITIES;
    let known = SYSTEM_AUTHORITIES.into_iter().find(|file| Path::new(file).exists());
    let file = PathBuf::from(known.unwrap_or(usual));
    Tls::Ca { file, server_name: None }
}
