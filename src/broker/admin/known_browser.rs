//! Browsers in which somebody signed in before. Each has its own limit on failures, so that nobody
//! else can use it up. It is no session and no right: without the password it opens nothing.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{
    broker::{BrokerError, unchecked::Unchecked},
    domain::{Time, digest::Digest, id::PersonId},
    store::system,
};

/// A browser is known for this long after its last sign-in.
pub const BROWSER_DAYS: i64 = 180;

/// A browser that is known, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KnownBrowser {
    /// The hash of what it was given.
    pub(super) browser: Digest,
    pub(super) person: PersonId,
}

impl Unchecked {
    /// What a browser is given when a person has signed in with it.
    pub(super) async fn new_browser(&self, person: PersonId) -> Result<String, BrokerError> {
        let key = self.browser_key().await?;
        let drawn: [u8; 12] = self.clock().random();
        let drawn = BASE64_URL_SAFE_NO_PAD.encode(drawn);
        let said = format!("{drawn}.{person}.{}", self.clock().now().timestamp());
        let signature = BASE64_URL_SAFE_NO_PAD.encode(mac(&key, &said).finalize().into_bytes());
        Ok(format!("{said}.{signature}"))
    }

    /// The browser that was given this; none where we did not give it, or too long ago.
    pub(super) async fn known_browser(
        &self,
        given: &str,
    ) -> Result<Option<KnownBrowser>, BrokerError> {
        let Some((said, signature)) = given.rsplit_once('.') else { return Ok(None) };
        let Ok(signature) = BASE64_URL_SAFE_NO_PAD.decode(signature) else { return Ok(None) };
        let key = self.browser_key().await?;
        if mac(&key, said).verify_slice(&signature).is_err() {
            return Ok(None);
        }
        Ok(read(said, self.clock().now())
            .map(|person| KnownBrowser { browser: Digest::of(given.as_bytes()), person }))
    }

    /// The key of all browsers, made when it is first needed.
    async fn browser_key(&self) -> Result<[u8; 32], BrokerError> {
        let key = self.cached_browser_key().get_or_try_init(|| async {
            let new = Digest::of(&self.clock().random::<32>());
            let stored = self
                .store()
                .write_quietly(|tx| Box::pin(async move { system::browser_key(tx, new).await }));
            Ok::<_, BrokerError>(*stored.await?.bytes())
        });
        key.await.copied()
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn mac(key: &[u8; 32], said: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(b"countersign browser\n");
    mac.update(said.as_bytes());
    mac
}

/// The person of what was signed, unless that is too long ago.
fn read(said: &str, now: Time) -> Option<PersonId> {
    let mut parts = said.split('.').skip(1);
    let person = parts.next()?.parse().ok()?;
    let at = Time::from_timestamp(parts.next()?.parse().ok()?, 0)?;
    (at <= now && now - at < TimeDelta::days(BROWSER_DAYS)).then_some(person)
}
