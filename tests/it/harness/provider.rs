//! An identity provider that says what a test wants: right, wrong, late, or nothing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE};
use countersign::{
    broker::{Settings, SignInSettings},
    clock::Clock,
    connector::{ClaimNames, ProviderSettings, Secret, Tls},
    domain::actor::Role,
};
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use tokio::sync::Notify;
use url::Url;

use super::{WorldBuilder, fixtures::loopback};

const CLIENT: &str = "countersign";
const SECRET: &str = "the secret of the client";

/// What it says of somebody, and what is wrong with it.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) subject: &'static str,
    pub(crate) name: &'static str,
    pub(crate) groups: Vec<&'static str>,
    /// How long ago they gave a password there, in seconds; not said where it is none.
    pub(crate) authenticated_ago: Option<i64>,
    /// Whether there is a refresh token.
    pub(crate) refresh: bool,
    /// What is changed about the claims of the ID token, at last.
    pub(crate) change: fn(&mut Value),
    /// What is changed about the header of the ID token.
    pub(crate) header: fn(&mut Value),
}

struct Playing {
    said: Said,
    clock: Clock,
    url: String,
    key: EcdsaKeyPair,
    /// The key that signs, where it is not the one that is published.
    foreign: Option<EcdsaKeyPair>,
    rotated: u32,
    down: bool,
    /// Whoever asks for a token waits.
    held: Option<Held>,
    /// The claims that it says it can send.
    claims: Vec<&'static str>,
    /// By code: the nonce, and the challenge of PKCE.
    codes: BTreeMap<String, (String, String)>,
    codes_given: u32,
    /// How often it was asked what it is, and for a token.
    descriptions: u32,
    token_calls: u32,
    /// The parameters of the last browser that came.
    last: BTreeMap<String, String>,
}

/// Askers for a token, who wait.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    /// Told when somebody asks.
    pub(crate) asked: Arc<Notify>,
    /// What they wait for.
    pub(crate) go: Arc<Notify>,
}

/// The provider. Clones are the same one.
#[derive(Clone)]
pub(crate) struct FakeProvider(Arc<Mutex<Playing>>);

fn new_key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random).unwrap()
}

impl FakeProvider {
    /// It knows erin, of the group of seniors.
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(loopback()).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let provider = Self(Arc::new(Mutex::new(Playing {
            said: Said {
                subject: "0d3b",
                name: "Erin@corp.example",
                groups: vec!["everybody", "soc-seniors"],
                authenticated_ago: Some(0),
                refresh: true,
                change: |_| {},
                header: |_| {},
            },
            clock: Clock::system(),
            url,
            key: new_key(),
            foreign: None,
            rotated: 0,
            down: false,
            held: None,
            claims: vec!["sub", "auth_time"],
            codes: BTreeMap::new(),
            codes_given: 0,
            descriptions: 0,
            token_calls: 0,
            last: BTreeMap::new(),
        })));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    fn playing(&self) -> MutexGuard<'_, Playing> {
        self.0.lock().unwrap()
    }

    /// A world whose people sign in here: groups `soc-seniors`, `soc-leads` and `soc-admins`.
    pub(crate) fn world(&self, builder: WorldBuilder) -> WorldBuilder {
        let roles =
            [("soc-admins", Role::Admin), ("soc-leads", Role::Lead), ("soc-seniors", Role::Senior)];
        let sign_in = SignInSettings {
            teams: Vec::new(),
            roles: roles.map(|(group, role)| (group.to_owned(), role)).into(),
            reread_after: std::time::Duration::from_mins(15),
            local_people: None,
        };
        let settings = ProviderSettings {
            name: "Corp Login".to_owned(),
            issuer: self.url(),
            tls: Tls::Plain,
            client_id: CLIENT.to_owned(),
            client_secret: Some(Secret::new(SECRET)),
            redirect_url: String::new(),
            scopes: vec!["profile".to_owned()],
            claims: ClaimNames {
                name: "preferred_username".to_owned(),
                display_name: "name".to_owned(),
                groups: "groups".to_owned(),
            },
            clock: Clock::system(),
        };
        builder
            .with_provider(settings)
            .with_settings(move |settings: &mut Settings| settings.sign_in = sign_in)
    }

    /// From now on it goes by this clock.
    pub(crate) fn follow(&self, clock: &Clock) {
        self.playing().clock = clock.clone();
    }

    pub(crate) fn url(&self) -> String {
        self.playing().url.clone()
    }

    /// Changes what it says.
    pub(crate) fn says(&self, change: impl FnOnce(&mut Said)) {
        change(&mut self.playing().said);
    }

    /// It answers nothing but errors, or does again.
    pub(crate) fn is_down(&self, down: bool) {
        self.playing().down = down;
    }

    /// Whoever asks for a token waits from now on.
    pub(crate) fn holds_tokens(&self) -> Held {
        self.playing().held.insert(Held::default()).clone()
    }

    /// It says that these are the claims that it can send.
    pub(crate) fn says_claims(&self, claims: &[&'static str]) {
        self.playing().claims = claims.to_vec();
    }

    /// It signs with another key, and publishes that.
    pub(crate) fn rotates(&self) {
        let mut playing = self.playing();
        playing.key = new_key();
        playing.rotated += 1;
    }

    /// It signs with a key that it does not publish.
    pub(crate) fn signs_with_foreign_key(&self) {
        self.playing().foreign = Some(new_key());
    }

    /// How often it was asked what it is.
    pub(crate) fn descriptions(&self) -> u32 {
        self.playing().descriptions
    }

    /// How often it was asked for a token.
    pub(crate) fn token_calls(&self) -> u32 {
        self.playing().token_calls
    }

    /// What the last browser was sent here with.
    pub(crate) fn asked(&self, parameter: &str) -> String {
        self.playing().last.get(parameter).cloned().unwrap_or_default()
    }

    /// Somebody signs in on the page that an address leads to: where their browser goes then.
    pub(crate) fn sign_in(&self, url: &str) -> String {
        let url = Url::parse(url).unwrap();
        let mut playing = self.playing();
        assert!(url.as_str().starts_with(&format!("{}/authorize?", playing.url)), "{url}");
        let asked: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        let of = |name: &str| asked.get(name).unwrap_or_else(|| panic!("{name}: {url}")).clone();
        assert_eq!((of("response_type"), of("client_id")), ("code".to_owned(), CLIENT.to_owned()));
        assert_eq!(of("code_challenge_method"), "S256");
        playing.codes_given += 1;
        let code = format!("code-{}", playing.codes_given);
        playing.codes.insert(code.clone(), (of("nonce"), of("code_challenge")));
        let state = of("state");
        playing.last = asked;
        format!("/sign-in/provider/back?code={code}&state={state}")
    }
}

impl Playing {
    fn id_token(&self, nonce: Option<&str>) -> String {
        let now = self.clock.now().timestamp();
        let Said { subject, name, groups, authenticated_ago, change, header, .. } = &self.said;
        let mut head = json!({ "alg": "ES256", "typ": "JWT", "kid": self.rotated.to_string() });
        let mut claims = json!({
            "iss": self.url, "aud": CLIENT, "sub": subject, "iat": now, "exp": now + 300,
            "preferred_username": name, "name": "Erin Example", "groups": groups,
        });
        let fields = claims.as_object_mut().unwrap();
        fields.extend(nonce.map(|nonce| ("nonce".to_owned(), json!(nonce))));
        let at = authenticated_ago.map(|ago| ("auth_time".to_owned(), json!(now - ago)));
        fields.extend(at);
        change(&mut claims);
        header(&mut head);
        let part = |value: &Value| URL_SAFE.encode(value.to_string());
        let signed = format!("{}.{}", part(&head), part(&claims));
        let key = self.foreign.as_ref().unwrap_or(&self.key);
        let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE.encode(signature))
    }
}

async fn describe(State(provider): State<FakeProvider>) -> Response {
    let mut playing = provider.playing();
    playing.descriptions += 1;
    if playing.down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let url = &playing.url;
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
        "claims_supported": playing.claims,
    }))
    .into_response()
}

async fn keys(State(provider): State<FakeProvider>) -> Response {
    let playing = provider.playing();
    let point = playing.key.public_key().as_ref();
    let (x, y) = (URL_SAFE.encode(&point[1..33]), URL_SAFE.encode(&point[33..]));
    Json(json!({ "keys": [{
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": playing.rotated.to_string(),
        "x": x, "y": y,
    }] }))
    .into_response()
}

async fn token(
    State(provider): State<FakeProvider>,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    let held = provider.playing().held.clone();
    if let Some(Held { asked, go }) = held {
        asked.notify_one();
        go.notified().await;
    }
    let mut playing = provider.playing();
    playing.token_calls += 1;
    if playing.down {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let refused = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error })));
    let secret = SECRET.replace(' ', "+");
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{CLIENT}:{secret}")));
    if headers.get("authorization").is_none_or(|value| value != basic.as_str()) {
        return refused("invalid_client").into_response();
    }
    let nonce = if form["grant_type"] == "refresh_token" {
        if !playing.said.refresh || form["refresh_token"] != "refresh" {
            return refused("invalid_grant").into_response();
        }
        None
    } else {
        let Some((nonce, challenge)) = playing.codes.remove(&form["code"]) else {
            return refused("invalid_grant").into_response();
        };
        let made = digest(&SHA256, form["code_verifier"].as_bytes());
        if URL_SAFE.encode(made) != challenge {
            return refused("invalid_grant").into_response();
        }
        Some(nonce)
    };
    let mut answer = json!({
        "access_token": "access", "token_type": "Bearer", "expires_in": 300,
        "id_token": playing.id_token(nonce.as_deref()),
    });
    if playing.said.refresh {
        answer["refresh_token"] = json!("refresh");
    }
    Json(answer).into_response()
}
