//! The policy set that a start goes on with, and `countersign policy activate`.

use std::{path::Path, sync::Arc};

use super::{AppError, settings};
use crate::{
    broker::{
        Broker, BrokerError, Integrations,
        admin::policies::{
            folder::{PolicyFolder, differs, digest_of},
            kept_set, load_and_test, tested,
        },
    },
    clock::Clock,
    config::Config,
    connector::{Connector, SystemNetwork},
    domain::{actor::Actor, digest::Digest, lifecycle::Refusal},
    policy::{Engine, PolicyFiles},
    store::Store,
};

/// The set that was activated last. At the first start, the one in the folder.
pub async fn at_start(store: &Store, folder: &Path) -> Result<Engine, AppError> {
    match kept_set(store).await? {
        Some(files) => tested(files).map_err(AppError::ActivePolicy),
        None => Ok(load_and_test(folder)?),
    }
}

/// Records the set that a start goes on with, and logs what is to be known of it and of the folder.
pub(super) async fn record(broker: &Broker, folder: &Path) -> Result<(), AppError> {
    broker.record_active_policy(&Actor::System).await?;
    if let Some(why) = differs(broker.engine().files(), folder) {
        tracing::warn!(why, "the active policy set stays");
    }
    for note in broker.engine().notes() {
        tracing::warn!(note, "the active policies lack something");
    }
    Ok(())
}

/// The configured folder, compared with the active set. None where none is kept yet: the next start
/// takes the folder.
pub async fn compared(config: &Config) -> Result<Option<PolicyFolder>, AppError> {
    let store = Store::read(&config.server.database).await?;
    let Some(active) = kept_set(&store).await? else { return Ok(None) };
    let loaded = Engine::new(active.clone()).ok();
    Ok(Some(PolicyFolder::compared(&active, loaded.as_ref(), &config.server.policies)))
}

/// Makes the set in the configured folder the active one, if the difference is the one that was
/// shown. It takes the place of a server: open requests are decided again.
pub async fn activate(config: &Config, shown: Digest) -> Result<Digest, AppError> {
    let clock = Clock::system();
    let managers = settings::connectors(config, &clock)?;
    let managers = managers.into_iter().map(Connector::wazuh).collect::<Result<Vec<_>, _>>()?;
    let mark = config.server.high_water_mark.as_deref();
    let store = Store::serve(&config.server.database, mark).await?;
    let active = kept_set(&store).await?.unwrap_or_default();
    let files = PolicyFiles::read(&config.server.policies)?;
    if digest_of(&active, &files) != shown {
        return Err(BrokerError::Refused(Refusal::PolicyChanged).into());
    }
    let engine = tested(files)?;
    let hash = engine.hash();
    let outside = Integrations {
        managers,
        channels: Vec::new(),
        feeds: Vec::new(),
        network: Arc::new(SystemNetwork),
        provider: None,
    };
    let broker = Broker::new(store, clock, outside, engine, settings::broker(config));
    broker.recall_addresses().await?;
    broker.record_active_policy(&Actor::CommandLine).await?;
    broker.keep_mark().await?;
    // It is active, whoever else reads the file.
    if let Err(error) = broker.close().await {
        tracing::warn!(%error, "the database was not left as one file");
    }
    Ok(hash)
}
