//! OpenID Connect by the crate `openidconnect`, over our own HTTP client: it follows no redirect, reads
//! no more than it must, and trusts the configured authority alone.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::TimeDelta;
use openidconnect::{
    AsyncHttpClient, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret,
    CsrfToken, DiscoveryError, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, NonceVerifier, OAuth2TokenResponse as _, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope, TokenResponse as _,
    core::{
        CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdToken,
        CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreTokenResponse,
    },
    http,
};

use super::{
    ClaimNames, Handshake, Identity, IdentityProvider, ProviderError, ProviderSettings,
    claims::{list_claim, payload, text_claim},
};
use crate::{
    connector::{
        ConnectorError, Secret,
        http::client::{BaseUrl, Connections, HttpClient, first_chars},
    },
    domain::{Time, action::with_count, len_u64},
};

/// How long one call to the provider may take. People wait for it.
const DEADLINE: Duration = Duration::from_secs(10);
/// The longest answer, in MiB: keys and tokens are some KiB.
const ANSWER_MIB_MAX: usize = 1;
/// What the provider says of itself is read again after so long.
const METADATA_KEPT: TimeDelta = TimeDelta::hours(1);
/// A provider that does not say it is asked again after so long: strangers ask for it, too.
const METADATA_RETRY: TimeDelta = TimeDelta::seconds(5);
/// How far the clocks of the provider and this machine may be apart.
const CLOCKS_APART_MAX: TimeDelta = TimeDelta::seconds(30);

/// What signs ID tokens: keys that only the provider has. Deliberately absent: `none`, and HMAC, whose
/// key is the client secret.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What the provider last said of itself, or why it did not, shared by all clones.
pub(super) type Known = Arc<Mutex<Option<Described>>>;

/// What a provider said of itself, and when.
#[derive(Debug)]
pub(super) struct Described {
    metadata: Result<Arc<CoreProviderMetadata>, ConnectorError>,
    at: Time,
}

/// What may be wrong with an ID token.
enum TokenFault {
    /// It was signed with a key that we do not know.
    UnknownKey,
    /// It is not for us, or not for now, or nobody's.
    Wrong(String),
}

impl IdentityProvider {
    /// Knows a provider; asks it nothing yet.
    pub fn new(settings: ProviderSettings) -> Result<Self, ConnectorError> {
        let system = format!("the identity provider {} at {}", settings.name, settings.issuer);
        let address = BaseUrl::read(&settings.issuer, &settings.tls, "oidc.issuer")?;
        let place = (system, address);
        let http = HttpClient::new(place, &settings.tls, "oidc", Connections::Kept, DEADLINE)?;
        Ok(Self { settings: Arc::new(settings), http, known: Arc::default() })
    }

    /// The host of its issuer: a name, or an address without brackets.
    pub fn host(&self) -> &str {
        &self.http.address.host
    }

    /// Where a browser is sent to sign in, at most so many seconds ago; at 0 the provider asks again. Code
    /// flow with PKCE.
    pub async fn authorize_url(
        &self,
        handshake: &Handshake,
        max_age: u32,
    ) -> Result<String, ConnectorError> {
        let client = self.client(&*self.metadata().await?)?;
        let (state, nonce) = (handshake.state.clone(), handshake.nonce.clone());
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let verifier = PkceCodeVerifier::new(handshake.verifier.clone());
        let (url, _, _) = client
            .authorize_url(flow, || CsrfToken::new(state), || Nonce::new(nonce))
            .add_scopes(self.settings.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .set_max_age(Duration::from_secs(max_age.into()))
            .url();
        Ok(url.into())
    }

    /// Who a code stands for, with which the provider sent a browser back; where a moment is given, they
    /// signed in there after it.
    pub async fn redeem(
        &self,
        code: &str,
        handshake: &Handshake,
        since: Option<Time>,
    ) -> Result<Identity, ProviderError> {
        let client = self.client(&*self.metadata().await?)?;
        let verifier = PkceCodeVerifier::new(handshake.verifier.clone());
        let answer = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| self.odd(&error))?
            .set_pkce_verifier(verifier)
            .request_async(&Calls(&self.http))
            .await
            .map_err(|error| self.not_granted(error))?;
        let nonce = Nonce::new(handshake.nonce.clone());
        let identity = self.identity(&answer, &nonce).await?;
        if let Some(asked_at) = since {
            self.check_freshness(&identity, asked_at)?;
        }
        Ok(identity)
    }

    /// What the provider says of somebody by now.
    pub async fn read_again(
        &self,
        subject: &str,
        refresh_token: &Secret,
    ) -> Result<Identity, ProviderError> {
        let client = self.client(&*self.metadata().await?)?;
        let token = RefreshToken::new(refresh_token.expose().to_owned());
        let answer = client
            .exchange_refresh_token(&token)
            .map_err(|error| self.odd(&error))?
            .request_async(&Calls(&self.http))
            .await
            .map_err(|error| self.not_granted(error))?;
        // The nonce is of a sign-in; a token that comes later need not have it (OpenID Connect Core,
        // section 12.2).
        let any = |_: Option<&Nonce>| Ok(());
        let mut identity = self.identity(&answer, any).await?;
        if identity.subject != subject {
            return Err(self.refused(&"it speaks of somebody else"));
        }
        identity.refresh_token.get_or_insert_with(|| refresh_token.clone());
        Ok(identity)
    }

    /// What an operator should know of it: that it answers, or what is wrong.
    pub async fn examine(&self) -> Result<String, String> {
        let metadata = self.metadata().await.map_err(|error| error.to_string())?;
        self.client(&metadata).map_err(|error| error.to_string())?;
        let keys = len_u64(metadata.jwks().keys().len());
        if keys == 0 {
            return Err(format!("{} publishes no keys", self.http.system));
        }
        let keys = with_count(keys, "key");
        Ok(format!("{} answers, with {keys}", self.http.system))
    }

    /// Whether it can say when somebody signed in, as far as it says what it can; only then people confirm
    /// there.
    pub async fn says_when(&self) -> bool {
        let Ok(metadata) = self.metadata().await else { return true };
        let claims = metadata.claims_supported();
        claims.is_none_or(|claims| claims.iter().any(|claim| claim.as_str() == "auth_time"))
    }

    fn refused(&self, why: &impl ToString) -> ProviderError {
        ProviderError::Refused { name: self.settings.name.clone(), why: first_chars(why) }
    }

    fn odd(&self, detail: &impl ToString) -> ConnectorError {
        let system = self.http.system.clone();
        ConnectorError::Answer { system, status: 200, detail: first_chars(detail) }
    }

    /// What the provider says of itself, with its keys.
    async fn metadata(&self) -> Result<Arc<CoreProviderMetadata>, ConnectorError> {
        match self.kept() {
            Some(known) => known,
            None => self.read_metadata().await,
        }
    }

    fn kept(&self) -> Option<Result<Arc<CoreProviderMetadata>, ConnectorError>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Described { metadata, at } = known.as_ref()?;
        let kept = if metadata.is_ok() { METADATA_KEPT } else { METADATA_RETRY };
        (self.settings.clock.now() - *at < kept).then(|| metadata.clone())
    }

    async fn read_metadata(&self) -> Result<Arc<CoreProviderMetadata>, ConnectorError> {
        let issuer = IssuerUrl::new(self.settings.issuer.clone());
        let issuer = issuer.map_err(|error| self.odd(&error))?;
        let read = CoreProviderMetadata::discover_async(issuer, &Calls(&self.http)).await;
        let metadata = read.map(Arc::new).map_err(|error| {
            if let DiscoveryError::Request(error) = error { error } else { self.odd(&error) }
        });
        let kept = Described { metadata: metadata.clone(), at: self.settings.clock.now() };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        metadata
    }

    fn client(&self, metadata: &CoreProviderMetadata) -> Result<Client, ConnectorError> {
        let settings = &self.settings;
        let token_url = metadata.token_endpoint().map_or("", |url| url.as_str());
        // Where a code or a secret is sent must be as safe as the issuer.
        for url in [token_url, metadata.jwks_uri().as_str()] {
            BaseUrl::read(url, &settings.tls, "oidc.issuer")?;
        }
        // People's browsers are sent to this one; it may have a query.
        let authorize_url = metadata.authorization_endpoint().url();
        if authorize_url.scheme() != IssuerUrl::url(metadata.issuer()).scheme() {
            return Err(self.odd(&"its authorization_endpoint is not as safe as its issuer"));
        }
        let redirect_url = RedirectUrl::new(settings.redirect_url.clone());
        let redirect_url = redirect_url.map_err(|error| self.odd(&error))?;
        let secret = settings.client_secret.as_ref();
        let secret = secret.map(|secret| ClientSecret::new(secret.expose().to_owned()));
        let id = ClientId::new(settings.client_id.clone());
        let client = CoreClient::from_provider_metadata(metadata.clone(), id, secret);
        // A provider that does not say takes the secret in the header (Discovery, section 3).
        let methods = metadata.token_endpoint_auth_methods_supported();
        let in_header = methods
            .is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        let auth = if in_header { AuthType::BasicAuth } else { AuthType::RequestBody };
        Ok(client.set_redirect_uri(redirect_url).set_auth_type(auth))
    }

    /// Who an ID token speaks of, once all of it was verified.
    async fn identity<N: NonceVerifier + Clone>(
        &self,
        answer: &CoreTokenResponse,
        nonce: N,
    ) -> Result<Identity, ProviderError> {
        let token = answer.id_token().ok_or_else(|| self.refused(&"it sends no ID token"))?;
        let mut verified = self.verify(&*self.metadata().await?, token, nonce.clone())?;
        // Providers change their keys. Only their own tokens come this far, so nobody else has them read.
        if matches!(verified, Err(TokenFault::UnknownKey)) {
            verified = self.verify(&*self.read_metadata().await?, token, nonce)?;
        }
        let authenticated_at = verified.map_err(|fault| match fault {
            TokenFault::UnknownKey => self.refused(&"its ID token is signed with an unknown key"),
            TokenFault::Wrong(why) => self.refused(&why),
        })?;
        let claims = payload(token).ok_or_else(|| self.refused(&"its ID token has no claims"))?;
        let ClaimNames { name, display_name, groups } = &self.settings.claims;
        Ok(Identity {
            subject: text_claim(&claims, "sub"),
            name: text_claim(&claims, name),
            display_name: text_claim(&claims, display_name),
            groups: list_claim(&claims, groups),
            authenticated_at,
            refresh_token: answer.refresh_token().map(|token| Secret::new(token.secret())),
        })
    }

    /// When somebody signed in, where it says so, of a token whose signature, issuer, audience, expiry and
    /// nonce are right.
    fn verify(
        &self,
        metadata: &CoreProviderMetadata,
        token: &CoreIdToken,
        nonce: impl NonceVerifier,
    ) -> Result<Result<Option<Time>, TokenFault>, ConnectorError> {
        let client = self.client(metadata)?;
        let clock = self.settings.clock.clone();
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || clock.now());
        Ok(match token.claims(&verifier, nonce) {
            Ok(claims) => Ok(claims.auth_time()),
            Err(ClaimsVerificationError::SignatureVerification(
                openidconnect::SignatureVerificationError::NoMatchingKey
                | openidconnect::SignatureVerificationError::CryptoError(_),
            )) => Err(TokenFault::UnknownKey),
            Err(other) => Err(TokenFault::Wrong(other.to_string())),
        })
    }

    /// Whether they signed in after they were asked to. Providers that were asked for that say when it
    /// was (OpenID Connect Core, section 2).
    fn check_freshness(&self, identity: &Identity, asked_at: Time) -> Result<(), ProviderError> {
        let at = identity.authenticated_at;
        let at = at.ok_or_else(|| self.refused(&"it does not say when you signed in there"))?;
        if at < asked_at - CLOCKS_APART_MAX {
            return Err(self.refused(&"it did not ask you again"));
        }
        Ok(())
    }

    /// A code or a refresh token that gave no token.
    fn not_granted(
        &self,
        error: RequestTokenError<
            ConnectorError,
            openidconnect::StandardErrorResponse<openidconnect::core::CoreErrorResponseType>,
        >,
    ) -> ProviderError {
        match error {
            RequestTokenError::Request(error) => error.into(),
            RequestTokenError::ServerResponse(answer) => self.refused(&answer),
            other @ (RequestTokenError::Parse(..) | RequestTokenError::Other(_)) => {
                self.odd(&other).into()
            }
        }
    }
}

/// Makes the calls of the crate by our own client.
struct Calls<'a>(&'a HttpClient);

impl<'c> AsyncHttpClient<'c> for Calls<'_> {
    type Error = ConnectorError;
    // Boxed: the compiler cannot see that futures over closures are `Send` (docs/adr/0002).
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, ConnectorError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(send(self.0, request))
    }
}

async fn send(http: &HttpClient, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let odd = |status, detail: &dyn ToString| {
        let (system, detail) = (http.system.clone(), first_chars(&detail.to_string()));
        ConnectorError::Answer { system, status, detail }
    };
    let request = request.try_into().map_err(|error: reqwest::Error| odd(0, &error))?;
    let reply = http.send_request(request, ANSWER_MIB_MAX).await?;
    if reply.status >= 500 {
        return Err(odd(reply.status, &reply.text()));
    }
    let mut answer = http::Response::builder().status(reply.status);
    if let Some(kind) = &reply.content_type {
        answer = answer.header(http::header::CONTENT_TYPE, kind);
    }
    answer.body(reply.into_body()).map_err(|error| odd(200, &error))
}
