//! Whether the database is whole, and has all that was sent.

use std::path::Path;

use crate::{
    app::AppError,
    broker::{BrokerError, admin::operator::Operator},
    clock::Clock,
    connector::Diagnosis,
    domain::{action::with_count, len_u64},
    store::{MarkState, Store, StoreError},
};

const CHECK: &str = "database";

pub(super) async fn database(
    path: &Path,
    store: &Result<Store, StoreError>,
    clock: &Clock,
) -> Diagnosis {
    if !path.exists() {
        let found = format!("{} does not exist", path.display());
        return Diagnosis::bad(CHECK, found, "run `countersign init`");
    }
    let store = match store {
        Ok(store) => store.clone(),
        Err(error) => return unusable(path, error),
    };
    let looked = async {
        let operator = Operator::new(store, clock.clone());
        let (people, agents) = (operator.people().await?, operator.agents().await?);
        Ok::<_, AppError>((people, agents, operator.verify_audit().await?))
    };
    let (people, agents, audit) = match looked.await {
        Ok(found) => found,
        Err(AppError::Store(error) | AppError::Broker(BrokerError::Store(error))) => {
            return unusable(path, &error);
        }
        Err(error) => return Diagnosis::bad(CHECK, error.to_string(), "look at the log"),
    };
    if let Some((seq, why)) = audit.broken {
        let found = format!("audit entry {seq} is bad: {why}");
        return Diagnosis::bad(CHECK, found, "find out who wrote to the file");
    }
    let voters = people.iter().filter(|p| p.is_active() && p.role.vote_rank().is_some()).count();
    let active = agents.iter().filter(|agent| !agent.revoked).count();
    let found = format!(
        "audit entries: {} sound; {}; {}",
        audit.rows,
        with_count(len_u64(voters), "voter"),
        with_count(len_u64(active), "agent"),
    );
    if people.is_empty() {
        const FIRST: &str = "run `countersign serve` and make the first admin on the page it names";
        return Diagnosis::bad(CHECK, found, FIRST);
    }
    if voters < 2 {
        return Diagnosis::bad(CHECK, found, "add people: an agent's owner never approves");
    }
    Diagnosis::good(CHECK, found)
}

/// A database that is there. Nobody is told to begin anew over it.
fn unusable(path: &Path, error: &StoreError) -> Diagnosis {
    if let Some(StoreError::Damaged { path, why, remedy }) = error.damage(path) {
        return Diagnosis::bad(CHECK, format!("{}: {why}", path.display()), remedy);
    }
    Diagnosis::bad(CHECK, error.to_string(), "look at its rights and at the disk")
}

/// Whether the database has all that the mark names. None where it has never been served, or cannot be
/// read, which is a finding of its own.
pub(super) async fn high_water_mark(
    store: Option<&Store>,
    mark: Option<&Path>,
) -> Option<Diagnosis> {
    const CHECK: &str = "high-water mark";
    match store?.compare_with_mark(mark).await {
        Ok(MarkState::None) => None,
        Ok(MarkState::Kept(mark)) => {
            Some(Diagnosis::good(CHECK, format!("it is at {}; the database has it", mark.head)))
        }
        Ok(MarkState::Gap(gap)) => {
            const ADVICE: &str = "nothing is sent: put the newest copy back, or stop the broker and \
                                  run `countersign recover`";
            Some(Diagnosis::bad(CHECK, gap.to_string(), ADVICE))
        }
        Err(error) => Some(Diagnosis::bad(CHECK, error.to_string(), "look at the database")),
    }
}
