//! Passwords: how long they are, how they are hashed, and secrets that are typed once.

use argon2::{
    Argon2, PasswordVerifier as _,
    password_hash::{PasswordHasher as _, phc::PasswordHash},
};

use crate::{
    broker::BrokerError,
    clock::Clock,
    domain::actor::{PASSWORD_CHARS_MAX, password_length_allowed},
};

/// A hash of the usual cost that no password gives.
pub(super) const UNMATCHABLE: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                           AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

pub(super) fn check_strength(password: &str) -> Result<(), BrokerError> {
    if password_length_allowed(password) { Ok(()) } else { Err(BrokerError::WeakPassword) }
}

/// Hashes with argon2id, 19 MiB and two passes (the default of OWASP's password storage sheet).
pub(super) async fn hash_password(clock: &Clock, password: &str) -> Result<String, BrokerError> {
    let salt: [u8; 16] = clock.random();
    let password = password.to_owned();
    let hashed = tokio::task::spawn_blocking(move || {
        Argon2::default()
            .hash_password_with_salt(password.as_bytes(), &salt)
            .map(|hash| hash.to_string())
    });
    match hashed.await {
        Ok(hash) => hash.map_err(|error| BrokerError::Hashing(error.to_string())),
        Err(error) => Err(BrokerError::Hashing(error.to_string())),
    }
}

pub(super) async fn verify_password(hash: String, password: &str) -> bool {
    if password.chars().count() > PASSWORD_CHARS_MAX {
        return false;
    }
    let password = password.to_owned();
    let verified = tokio::task::spawn_blocking(move || {
        PasswordHash::new(&hash).is_ok_and(|parsed| {
            Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok()
        })
    });
    verified.await.unwrap_or(false)
}

/// A secret that a person types once: 96 bits, in groups of four digits.
pub(super) fn one_time_secret(clock: &Clock) -> String {
    let digits: Vec<_> = clock.secret().chars().take(24).collect();
    digits.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-")
}
