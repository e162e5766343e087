//! Hashes of passwords, and the memory that they are made in.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::available_parallelism,
};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        Error as HashError,
        phc::{Output, ParamsString, PasswordHash, Salt},
    },
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{broker::BrokerError, clock::Clock, domain::actor::PASSWORD_CHARS_MAX};

/// A hash of the usual cost that no password gives.
pub(in crate::broker) const UNMATCHABLE: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                           AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// So many may wait for a hash in each queue: half a second's work of two cores.
const QUEUE_MAX: usize = 16;
/// The most hashes at once, however many cores there are: 76 MiB.
const AT_ONCE_MAX: usize = 4;

/// Who waits for a hash. Strangers, of whom there can be any number, do not keep people waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::broker) enum HashQueue {
    /// Somebody who signs in.
    Strangers,
    /// Somebody with a session, or the command line.
    People,
}

/// Hashes with argon2id, 19 MiB and two passes (the default of OWASP's password storage sheet).
///
/// There are never more hashes at once than cores or [`AT_ONCE_MAX`], and their memory is used again:
/// what strangers can make this process allocate does not depend on how many they are. Cheap to
/// clone.
#[derive(Debug, Clone)]
pub(in crate::broker) struct PasswordHasher(Arc<HasherParts>);

#[derive(Debug)]
struct HasherParts {
    /// One place for each core.
    running: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    people: Arc<Semaphore>,
    memory: Mutex<Vec<Vec<Block>>>,
}

/// A place in a queue, for one hash.
#[derive(Debug)]
pub(in crate::broker) struct HashPlace {
    hasher: PasswordHasher,
    _waiting: OwnedSemaphorePermit,
}

impl Default for PasswordHasher {
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, usize::from).min(AT_ONCE_MAX);
        let places = || Arc::new(Semaphore::new(cores + QUEUE_MAX));
        let (strangers, people) = (places(), places());
        let running = Arc::new(Semaphore::new(cores));
        Self(Arc::new(HasherParts { running, strangers, people, memory: Mutex::default() }))
    }
}

impl PasswordHasher {
    /// A place in the queue; [`BrokerError::PasswordsBusy`] where it is full.
    pub(in crate::broker) fn enter(&self, queue: HashQueue) -> Result<HashPlace, BrokerError> {
        let places = match queue {
            HashQueue::Strangers => &self.0.strangers,
            HashQueue::People => &self.0.people,
        };
        let waiting = Arc::clone(places).try_acquire_owned();
        let waiting = waiting.map_err(|_full| BrokerError::PasswordsBusy)?;
        Ok(HashPlace { hasher: self.clone(), _waiting: waiting })
    }

    /// Hashes somebody's new password.
    pub(in crate::broker) async fn hash(
        &self,
        clock: &Clock,
        new: &str,
    ) -> Result<String, BrokerError> {
        self.enter(HashQueue::People)?.hash(clock, new).await
    }

    /// Runs with memory that an earlier hash used.
    fn with_memory<T>(&self, work: impl FnOnce(&mut Vec<Block>) -> T) -> T {
        let pool = || self.0.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = pool().pop().unwrap_or_default();
        let done = work(&mut memory);
        pool().push(memory);
        done
    }
}

impl HashPlace {
    async fn hash(self, clock: &Clock, password: &str) -> Result<String, BrokerError> {
        let salt: [u8; 16] = clock.random();
        let password = password.to_owned();
        let hashed = self.run(move |memory| hash(&password, &salt, memory)).await;
        let hashed = hashed.ok_or_else(|| "the task failed".to_owned());
        let hashed = hashed.and_then(|hash| hash.map_err(|error| error.to_string()));
        hashed.map_err(BrokerError::Hashing)
    }

    /// Whether a password gives a hash.
    pub(in crate::broker) async fn verify(self, hash: String, password: &str) -> bool {
        if password.chars().count() > PASSWORD_CHARS_MAX {
            return false;
        }
        let password = password.to_owned();
        let verified = self.run(move |memory| verify(&password, &hash, memory)).await;
        verified.is_some_and(|verified| verified.unwrap_or(false))
    }

    /// Waits for a core, and keeps it until the work is done: also if nobody waits for it any more.
    async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&mut Vec<Block>) -> T + Send + 'static,
    ) -> Option<T> {
        let core = Arc::clone(&self.hasher.0.running).acquire_owned().await.ok()?;
        let run = move || {
            let done = self.hasher.with_memory(work);
            drop((core, self));
            done
        };
        tokio::task::spawn_blocking(run).await.ok()
    }
}

fn hash(password: &str, salt: &[u8], memory: &mut Vec<Block>) -> Result<String, HashError> {
    let params = Params::default();
    let (algorithm, version) = (Algorithm::default(), Version::default());
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    let argon2 = Argon2::new(algorithm, version, params.clone());
    fill(&argon2, password, (salt, &mut output), memory)?;
    let hash = PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: ParamsString::try_from(&params)?,
        salt: Some(Salt::new(salt)?),
        hash: Some(Output::new(&output)?),
    };
    Ok(hash.to_string())
}

fn verify(password: &str, hash: &str, memory: &mut Vec<Block>) -> Result<bool, HashError> {
    let stored = PasswordHash::new(hash)?;
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else { return Ok(false) };
    let algorithm = Algorithm::try_from(stored.algorithm.as_str())?;
    let version = stored.version.map_or(Ok(Version::default()), Version::try_from)?;
    let mut output = vec![0; expected.len()];
    let argon2 = Argon2::new(algorithm, version, Params::try_from(&stored)?);
    fill(&argon2, password, (salt, &mut output), memory)?;
    // Compares in constant time.
    Ok(Output::new(&output)? == *expected)
}

fn fill(
    argon2: &Argon2<'_>,
    password: &str,
    (salt, output): (&[u8], &mut [u8]),
    memory: &mut Vec<Block>,
) -> Result<(), HashError> {
    memory.resize(argon2.params().block_count(), Block::new());
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, output, memory)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hashes_use_the_same_memory_again() {
        let (hasher, clock) = (PasswordHasher::default(), Clock::system());
        let hash = hasher.hash(&clock, "a password of ours").await.unwrap();
        for (password, right) in [("a password of ours", true), ("a password of others", false)] {
            let place = hasher.enter(HashQueue::Strangers).unwrap();
            assert_eq!(place.verify(hash.clone(), password).await, right);
        }
        let place = hasher.enter(HashQueue::Strangers).unwrap();
        assert!(!place.verify(UNMATCHABLE.to_owned(), "a password of ours").await);
        assert_eq!(hasher.0.memory.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn queue_of_strangers_is_short_and_its_own() {
        let hasher = PasswordHasher::default();
        let all: Vec<_> = std::iter::from_fn(|| hasher.enter(HashQueue::Strangers).ok()).collect();
        assert!((QUEUE_MAX + 1..=QUEUE_MAX + AT_ONCE_MAX).contains(&all.len()));
        let full = hasher.enter(HashQueue::Strangers);
        assert!(matches!(full, Err(BrokerError::PasswordsBusy)));
        assert!(hasher.enter(HashQueue::People).is_ok());
        drop(all);
        assert!(hasher.enter(HashQueue::Strangers).is_ok());
    }

    #[test]
    fn hash_of_the_library_is_read() {
        // Of `Argon2::default()`, as versions before this one stored it.
        use argon2::{Argon2, PasswordHasher as _};
        let hash = Argon2::default().hash_password_with_salt(b"a password of ours", &[7; 16]);
        let hash = hash.unwrap().to_string();
        let mut memory = Vec::new();
        assert_eq!(verify("a password of ours", &hash, &mut memory), Ok(true));
        assert_eq!(verify("a password of others", &hash, &mut memory), Ok(false));
        assert_eq!(super::hash("a password of ours", &[7; 16], &mut memory), Ok(hash));
    }
}
