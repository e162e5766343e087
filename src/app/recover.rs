//! `countersign recover`, on the database that no server has.

use super::{AppError, settings};
use crate::{
    broker::admin::{
        operator::Operator,
        recover::{Recovery, RecoveryOrder},
    },
    clock::Clock,
    config::Config,
    connector::Connector,
    domain::actor::Person,
    store::Store,
};

/// Takes the configured database over, as [`Operator::recover`] does.
pub async fn recover(
    config: &Config,
    order: &RecoveryOrder<'_>,
    may: impl Fn(&Person) -> bool + Send + Sync,
) -> Result<Option<Recovery>, AppError> {
    let clock = Clock::system();
    let managers = settings::connectors(config, &clock)?;
    let managers = managers.into_iter().map(Connector::wazuh).collect::<Result<Vec<_>, _>>()?;
    let mark = config.server.high_water_mark.as_deref();
    let store = Store::serve(&config.server.database, mark).await?;
    let operator = Operator::new(store, clock);
    let recovered = operator.recover(order, &managers, may).await;
    operator.close().await;
    Ok(recovered?)
}
