//! The door for time: claims, sends, settles and expires, one step after the other.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, BrokerError, execute::Progress};

/// The worker looks at least this often, woken or not: deadlines come without a write.
const TICK: Duration = Duration::from_secs(1);
/// After a failure it waits longer.
const BACK_OFF: Duration = Duration::from_secs(5);

/// Works until told to stop. A call to the manager that is under way is finished first.
pub async fn run(broker: Broker, stop: CancellationToken) {
    let mut changes = broker.changes();
    while !stop.is_cancelled() {
        changes.mark_unchanged();
        let rest = match rest_after(step(&broker).await) {
            Rest::None => continue,
            Rest::UntilWoken => TICK,
            Rest::BackOff => BACK_OFF,
        };
        // What could not be done is not tried again because of what it wrote itself.
        let woken = async {
            match rest {
                TICK => {
                    let _woken = changes.changed().await.is_ok();
                }
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = woken => {}
            () = broker.clock().pause(rest) => {}
        }
    }
}

enum Rest {
    None,
    UntilWoken,
    BackOff,
}

fn rest_after(step: Result<Progress, BrokerError>) -> Rest {
    match step {
        Ok(Progress::Moved(_)) => Rest::None,
        Ok(Progress::Idle) => Rest::UntilWoken,
        Ok(Progress::Held(why)) => back_off(&why),
        Err(error) => back_off(&error.to_string()),
    }
}

fn back_off(why: &str) -> Rest {
    tracing::warn!(%why, "the worker waits");
    Rest::BackOff
}

/// One step: expire what is late, then bring the oldest approved request to its end.
pub async fn step(broker: &Broker) -> Result<Progress, BrokerError> {
    broker.sweep().await?;
    broker.execute_next().await
}
