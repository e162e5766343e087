//! The policy folder beside the active set: what differs, and the digest that names exactly that.

use std::path::Path;

use tokio::task::spawn_blocking;

use crate::{
    broker::{Broker, BrokerError, SignedIn},
    domain::{
        digest::{Canonical, Digest},
        facts::Verb,
    },
    policy::{Engine, PolicyChange, PolicyError, PolicyFiles, difference},
    store::StoreError,
};

use super::tested;

/// What lies in the policy folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyFolder {
    /// The active set.
    Active,
    /// A set that could become active.
    Other(PolicyDifference),
    /// Nothing that could become active, and why.
    Unusable(String),
}

/// What differs between the active set and the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDifference {
    /// Names both sides, to the letter: it is given back to activate what was shown.
    pub digest: Digest,
    /// What differs.
    pub changes: Vec<PolicyChange>,
}

/// Names one set that is active and one that may follow it.
pub fn digest_of(active: &PolicyFiles, other: &PolicyFiles) -> Digest {
    let sides = [active.digest(), other.digest()];
    let add = |canonical: Canonical, digest: Digest| canonical.bytes(digest.bytes());
    Canonical::new(1, "policy difference").list(sides.into_iter(), add).digest()
}

impl PolicyFolder {
    /// Reads and tests the folder, and compares it with the active set. That may be one that this
    /// version cannot load: then files alone are compared.
    pub fn compared(active: &PolicyFiles, loaded: Option<&Engine>, folder: &Path) -> Self {
        let files = match PolicyFiles::read(folder) {
            Ok(files) => files,
            Err(error) => return Self::Unusable(error.to_string()),
        };
        if files.digest() == active.digest() {
            return Self::Active;
        }
        match tested(files) {
            Err(error) => Self::Unusable(error.to_string()),
            Ok(other) => Self::Other(PolicyDifference {
                digest: digest_of(active, other.files()),
                changes: difference(
                    (active, loaded.map_or(&[], |loaded| loaded.policies())),
                    (other.files(), other.policies()),
                ),
            }),
        }
    }
}

/// Where the folder holds anything but the active set, a sentence that says so. Nothing is parsed.
pub fn differs(active: &PolicyFiles, folder: &Path) -> Option<String> {
    match PolicyFiles::read(folder) {
        Ok(files) if files.digest() == active.digest() => None,
        Ok(_other) => Some(format!(
            "The folder {} holds another policy set than the active one.",
            folder.display()
        )),
        Err(error) => Some(format!("The policy folder cannot be read: {error}.")),
    }
}

impl Broker {
    /// What lies in the policy folder, compared with the active set.
    pub async fn policy_folder(
        &self,
        who: &SignedIn,
        folder: &Path,
    ) -> Result<PolicyFolder, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let (active, folder) = (self.engine(), folder.to_owned());
        blocking(move || PolicyFolder::compared(active.files(), Some(&active), &folder)).await
    }

    /// Where the folder holds anything but the active set, a sentence that says so.
    pub async fn policy_folder_differs(
        &self,
        who: &SignedIn,
        folder: &Path,
    ) -> Result<Option<String>, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let (active, folder) = (self.engine(), folder.to_owned());
        blocking(move || differs(active.files(), &folder)).await
    }

    /// The set in the folder, if the difference from the active one is the one that was shown.
    pub(super) async fn shown_set(
        &self,
        folder: &Path,
        shown: Digest,
    ) -> Result<Result<Option<Engine>, PolicyError>, BrokerError> {
        let (active, folder) = (self.engine(), folder.to_owned());
        blocking(move || {
            let files = PolicyFiles::read(&folder)?;
            if digest_of(active.files(), &files) != shown {
                return Ok(None);
            }
            tested(files).map(Some)
        })
        .await
    }
}

/// Files and Cedar take their time: neither holds up what else this thread does.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BrokerError> {
    spawn_blocking(work).await.map_err(|_stopping| StoreError::Busy.into())
}
