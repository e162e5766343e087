//! A plain HTTP client for the tests, without retries.

use std::sync::Once;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use wazuh_simulator::{Server, Settings, Simulator};

/// A running simulator and a client with a token.
pub(crate) struct Caller {
    pub(crate) sim: Simulator,
    pub(crate) server: Server,
    http: Client,
    token: String,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("a JSON body")
    }
}

impl Caller {
    /// Starts a simulator without logging in.
    pub(crate) async fn stranger(settings: Settings) -> Self {
        // The client's TLS library requires a provider, even for plain HTTP.
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            rustls::crypto::ring::default_provider().install_default().ok();
        });
        let sim = Simulator::new(settings);
        let server = sim.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let http = Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        Self { sim, server, http, token: String::new() }
    }

    /// Starts a simulator and logs its first user in.
    pub(crate) async fn start(settings: Settings) -> Self {
        let (name, password) = (settings.users[0].name.clone(), settings.users[0].password.clone());
        let mut caller = Self::stranger(settings).await;
        caller.log_in(&name, &password).await;
        caller
    }

    pub(crate) async fn log_in(&mut self, name: &str, password: &str) {
        self.token = self.login(name, password).await.json()["data"]["token"]
            .as_str()
            .expect("a token")
            .to_owned();
    }

    pub(crate) async fn login(&self, name: &str, password: &str) -> Answer {
        let request = self.bare("POST", "/security/user/authenticate");
        answer(request.basic_auth(name, Some(password))).await.expect("an answer")
    }

    /// A call with the token.
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.bare(method, path).header(AUTHORIZATION, format!("Bearer {}", self.token))
    }

    /// A call without credentials.
    pub(crate) fn bare(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, format!("{}{path}", self.server.url()))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request("GET", path)).await.expect("an answer")
    }

    pub(crate) async fn put(&self, query: &str, body: Value) -> Answer {
        self.try_put(query, body).await.expect("an answer")
    }

    /// `PUT /active-response` whose connection may break.
    pub(crate) async fn try_put(&self, query: &str, body: Value) -> reqwest::Result<Answer> {
        let request = self.request("PUT", &format!("/active-response{query}"));
        answer(request.header(CONTENT_TYPE, "application/json").body(body.to_string())).await
    }

    /// A search as the indexer's default user.
    pub(crate) async fn search(&self, index: &str, body: Value) -> Answer {
        let request = self.bare("POST", &format!("/{index}/_search"));
        let request = request.basic_auth("admin", Some("admin"));
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        answer(request).await.expect("an answer")
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let kind = response.headers().get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    Ok(Answer { status, kind: kind.unwrap_or_default(), text: response.text().await? })
}
