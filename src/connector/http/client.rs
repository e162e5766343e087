//! One HTTP call and what is known when it fails. The only place that builds clients.

use std::{net::IpAddr, time::Duration};

use reqwest::{Client, RequestBuilder, Response, Url, header::CONTENT_TYPE, redirect, retry};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::{
    error::ConnectorError,
    secret::Tls,
    tls::{self, Distrust},
    transport::{causes, local_lack, reason},
};

/// How long a connection may take. Shorter than any call's deadline: a connection that does not
/// come about must never look like an answer that does not come.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// How much of an outside system's words is kept.
const DETAIL_CHARS_MAX: usize = 300;

/// Where an outside system is.
#[derive(Debug, Clone)]
pub(in crate::connector) struct BaseUrl {
    /// Without a slash at the end.
    pub(in crate::connector) url: String,
    /// A name, or an address without brackets.
    pub(in crate::connector) host: String,
    pub(in crate::connector) port: u16,
}

impl BaseUrl {
    /// Reads `{section}.url` and holds it against how the system proves itself.
    pub(in crate::connector) fn read(
        url: &str,
        tls: &Tls,
        section: &str,
    ) -> Result<Self, ConnectorError> {
        let wrong = |allowed| ConnectorError::settings(format!("{section}.url"), url, allowed);
        let parsed = Url::parse(url).map_err(|error| {
            wrong(format!("it is an address such as https://host.example:55000 ({error})"))
        })?;
        // Not shown: a URL may carry a password by mistake.
        if !parsed.username().is_empty() || parsed.password().is_some() {
            let key = format!("{section}.url");
            let allowed = "a URL without user and password; they have their own keys";
            return Err(ConnectorError::settings(key, "a URL with a user name", allowed));
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(wrong("it ends with the path".to_owned()));
        }
        let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let local = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        match (parsed.scheme(), tls) {
            ("https", Tls::Ca { .. } | Tls::Pin { .. }) => {}
            ("https", Tls::Plain) => {
                let allowed = format!("set {section}.ca_file or {section}.pin_sha256 with https");
                return Err(wrong(allowed));
            }
            ("http", Tls::Plain) if local => {}
            ("http", Tls::Plain) => {
                return Err(wrong("http:// is for this machine only; use https://".to_owned()));
            }
            ("http", Tls::Ca { .. } | Tls::Pin { .. }) => {
                let allowed = "ca_file and pin_sha256 are for https:// addresses";
                return Err(wrong(allowed.to_owned()));
            }
            (_, _) => return Err(wrong("it begins with https://".to_owned())),
        }
        let port = parsed.port_or_known_default().unwrap_or_default();
        Ok(Self { url: parsed.as_str().trim_end_matches('/').to_owned(), host, port })
    }
}

/// What is known of a failed call's effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connector) enum CallEffect {
    /// No byte of the request left.
    None,
    /// It may have been done.
    Possible,
}

/// A call without an answer.
#[derive(Debug)]
pub(in crate::connector) struct TransportError {
    pub(in crate::connector) effect: CallEffect,
    pub(in crate::connector) error: ConnectorError,
}

impl From<TransportError> for ConnectorError {
    fn from(failure: TransportError) -> Self {
        failure.error
    }
}

/// An answer, of any status.
#[derive(Debug)]
pub(in crate::connector) struct Reply {
    pub(in crate::connector) status: u16,
    pub(in crate::connector) content_type: Option<String>,
    body: Vec<u8>,
}

impl Reply {
    /// The body as JSON of an expected form; the error says what is wrong with it.
    pub(in crate::connector) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let what = match error.classify() {
                Category::Data => first_chars(&error),
                Category::Eof => "its JSON breaks off".to_owned(),
                Category::Syntax | Category::Io => "it is not JSON".to_owned(),
            };
            format!("the answer is not what it should be: {what}")
        })
    }

    /// The body as JSON; the default where it is not JSON.
    pub(in crate::connector) fn json_or_default<T: DeserializeOwned + Default>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as it came.
    #[cfg(feature = "oidc")]
    pub(in crate::connector) fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// The body as text.
    pub(in crate::connector) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// An answer whose body is still to come.
#[derive(Debug)]
pub(in crate::connector) struct Coming {
    pub(in crate::connector) status: u16,
    pub(in crate::connector) content_type: Option<String>,
    response: Response,
    mib_max: usize,
    came: usize,
}

/// The start of a text from outside, in one line.
pub(in crate::connector) fn first_chars(text: &impl ToString) -> String {
    let text = text.to_string();
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(DETAIL_CHARS_MAX).collect()
}

/// An outside system with a client for it; clones share the connections.
#[derive(Debug, Clone)]
pub(in crate::connector) struct HttpClient {
    /// "the manager main at https://…".
    pub(in crate::connector) system: String,
    pub(in crate::connector) address: BaseUrl,
    client: Client,
}

/// How a client treats its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connector) enum Connections {
    /// Kept for the next call.
    Kept,
    /// A new one for each call. A kept one may be closed by the other side just as bytes leave,
    /// and then nobody knows how far they came.
    Fresh,
}

impl HttpClient {
    /// A client that follows no redirect, obeys no proxy of the environment, never repeats a call
    /// by itself, and ends each within `deadline`.
    pub(in crate::connector) fn new(
        (system, address): (String, BaseUrl),
        tls: &Tls,
        section: &str,
        connections: Connections,
        deadline: Duration,
    ) -> Result<Self, ConnectorError> {
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls::client_config(tls, section)?)
            .https_only(*tls != Tls::Plain)
            .http1_only()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .connect_timeout(CONNECT_DEADLINE.min(deadline / 2))
            .timeout(deadline);
        if connections == Connections::Fresh {
            builder = builder.pool_max_idle_per_host(0);
        }
        let client = builder.build().map_err(|error| {
            ConnectorError::settings(format!("{section}.url"), &address.url, reason(&error))
        })?;
        Ok(Self { system, address, client })
    }

    /// Begins a `GET`; the path starts with a slash.
    pub(in crate::connector) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.address.url))
    }

    /// Begins a `POST`.
    pub(in crate::connector) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.address.url))
    }

    /// Begins a `POST` to an address of this system as it stands: with a query, say.
    pub(in crate::connector) fn post_to(&self, url: &str) -> RequestBuilder {
        self.client.post(url)
    }

    /// Begins a `PUT`.
    pub(in crate::connector) fn put(&self, path: &str) -> RequestBuilder {
        self.client.put(format!("{}{path}", self.address.url))
    }

    /// Makes a call that a library has put together, and reads at most `mib_max` MiB of its answer.
    #[cfg(feature = "oidc")]
    pub(in crate::connector) async fn send_request(
        &self,
        request: reqwest::Request,
        mib_max: usize,
    ) -> Result<Reply, TransportError> {
        self.send(RequestBuilder::from_parts(self.client.clone(), request), mib_max).await
    }

    /// Makes the call and reads at most `mib_max` MiB of its answer.
    pub(in crate::connector) async fn send(
        &self,
        request: RequestBuilder,
        mib_max: usize,
    ) -> Result<Reply, TransportError> {
        let mut coming = self.begin(request, mib_max).await?;
        let mut body = Vec::new();
        while let Some(piece) = self.piece(&mut coming).await? {
            body.extend_from_slice(&piece);
        }
        Ok(Reply { status: coming.status, content_type: coming.content_type, body })
    }

    /// Makes the call; of its answer at most `mib_max` MiB can be read.
    pub(in crate::connector) async fn begin(
        &self,
        request: RequestBuilder,
        mib_max: usize,
    ) -> Result<Coming, TransportError> {
        let response = request.send().await.map_err(|error| self.failure(&error))?;
        let status = response.status().as_u16();
        let content_type = response.headers().get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Coming { status, content_type, response, mib_max, came: 0 })
    }

    /// The next piece of the body as it comes; none at its end.
    pub(in crate::connector) async fn piece(
        &self,
        coming: &mut Coming,
    ) -> Result<Option<Vec<u8>>, TransportError> {
        let piece = coming.response.chunk().await.map_err(|error| self.failure(&error))?;
        coming.came += piece.as_deref().map_or(0, <[u8]>::len);
        if coming.came > coming.mib_max * 1024 * 1024 {
            let (system, limit) = (self.system.clone(), format!("{} MiB", coming.mib_max));
            let error = ConnectorError::TooLarge { system, limit };
            return Err(TransportError { effect: CallEffect::Possible, error });
        }
        Ok(piece.map(Into::into))
    }

    /// Makes the call and reads at most `bytes_max` bytes of its answer; what comes after them, or does
    /// not come, changes nothing.
    pub(in crate::connector) async fn send_once(
        &self,
        request: RequestBuilder,
        bytes_max: usize,
    ) -> Result<Reply, TransportError> {
        let mut response = request.send().await.map_err(|error| self.failure(&error))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= bytes_max {
                body.truncate(bytes_max);
                break;
            }
        }
        Ok(Reply { status, content_type: None, body })
    }

    /// The error for an answer of the right status and the wrong form.
    pub(in crate::connector) fn malformed(&self, reply: &Reply, detail: String) -> ConnectorError {
        ConnectorError::Answer { system: self.system.clone(), status: reply.status, detail }
    }

    /// The SHA-256 of the certificate that is shown there; none where no TLS is spoken. Nothing is
    /// sent: this client trusts nobody.
    pub(in crate::connector) async fn presented(
        &self,
        deadline: Duration,
    ) -> Result<Option<String>, TransportError> {
        if self.address.url.starts_with("http://") {
            return Ok(None);
        }
        let place = (self.system.clone(), self.address.clone());
        let built = Self::new(place, &Tls::Plain, "", Connections::Fresh, deadline);
        let looker = built.map_err(|error| TransportError { effect: CallEffect::None, error })?;
        match looker.send(looker.get("/"), 1).await {
            Err(TransportError {
                error: ConnectorError::Certificate { presented, .. }, ..
            }) => Ok(Some(presented)),
            Err(failure) => Err(failure),
            Ok(_) => Ok(None),
        }
    }

    fn failure(&self, error: &reqwest::Error) -> TransportError {
        let system = self.system.clone();
        // On a fresh connection the request is written after it stands, TLS included.
        let unsent = error.is_connect() || error.is_builder();
        let effect = if unsent { CallEffect::None } else { CallEffect::Possible };
        let distrust = causes(error).find_map(|cause| cause.downcast_ref::<Distrust>());
        let error = match distrust {
            Some(Distrust { presented, why }) => ConnectorError::Certificate {
                system,
                why: why.clone(),
                presented: presented.to_string(),
            },
            None if error.is_timeout() && unsent => {
                ConnectorError::Unreachable { system, why: "no connection in time".to_owned() }
            }
            None if error.is_timeout() => {
                ConnectorError::Unreachable { system, why: "no answer in time".to_owned() }
            }
            None => match local_lack(error).filter(|_| unsent) {
                Some(why) => ConnectorError::Local { system, why },
                None => ConnectorError::Unreachable { system, why: reason(error) },
            },
        };
        TransportError { effect, error }
    }
}
