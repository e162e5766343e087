//! The door for time: expires what is late, sends what is approved, looks for what came of it.
//! Each manager has a queue of its own, and each channel to people: one that is slow holds up no
//! other.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, BrokerError, execute::Progress, notify::Told};

/// A sender looks at least this often, woken or not.
const TICK: Duration = Duration::from_secs(1);
/// After a failure it waits longer.
const BACK_OFF: Duration = Duration::from_secs(5);
/// How often traces are looked for; a real indexer shows new alerts every five seconds.
pub const LOOK: Duration = Duration::from_secs(5);
/// And after it failed.
const MISSED: Duration = Duration::from_secs(30);

/// Works until told to stop, and looks for traces at this interval. A call to a manager that is under
/// way is finished first.
pub async fn run(broker: Broker, every: Duration, stop: CancellationToken) {
    let mut tasks = JoinSet::new();
    for manager in broker.managers() {
        let name = manager.name().to_owned();
        tasks.spawn(send(broker.clone(), name.clone(), stop.clone()));
        tasks.spawn(look(broker.clone(), name, every, stop.clone()));
    }
    for channel in broker.channels() {
        tasks.spawn(tell(broker.clone(), channel.name().to_owned(), stop.clone()));
    }
    tasks.spawn(sweep(broker, stop));
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a part of the worker failed");
        }
    }
}

/// Brings the approved requests of one manager to their end, one after the other.
async fn send(broker: Broker, manager: String, stop: CancellationToken) {
    let mut changes = broker.changes();
    while !stop.is_cancelled() {
        changes.mark_unchanged();
        let step = broker.execute_next(&manager).await;
        let rest = match step {
            Ok(Progress::Moved(_)) => continue,
            Ok(Progress::Idle) => TICK,
            Ok(Progress::Held(why)) => back_off(&why),
            Err(error) => back_off(&error.to_string()),
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

fn back_off(why: &str) -> Duration {
    tracing::warn!(%why, "the worker waits");
    BACK_OFF
}

/// A password that is refused again and again locks its user out somewhere.
fn missed(why: &str) -> Duration {
    tracing::warn!(%why, "traces cannot be looked for");
    MISSED
}

/// Looks for traces of what was sent through one manager.
async fn look(broker: Broker, manager: String, every: Duration, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let pause = match broker.observe(&manager).await {
            Ok(_) => every,
            Err(BrokerError::Manager(why)) => missed(&why.to_string()),
            Err(error) => missed(&error.to_string()),
        };
        rest(&broker, pause, &stop).await;
    }
}

/// Tells people by one channel. Stopping cuts a delivery off: it is tried again after the start.
async fn tell(broker: Broker, channel: String, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let told = tokio::select! {
            () = stop.cancelled() => return,
            told = broker.deliver_next(&channel) => told,
        };
        let pause = match told {
            Ok(Told::Arrived | Told::Failed) => continue,
            Ok(Told::Nothing) => TICK,
            Err(error) => back_off(&error.to_string()),
        };
        rest(&broker, pause, &stop).await;
    }
}

/// Ends what is late, asks managers that were away whether they are back, reminds people, and gives
/// what they are told to the channels.
async fn sweep(broker: Broker, stop: CancellationToken) {
    while !stop.is_cancelled() {
        for (done, what) in [
            (broker.sweep().await.map(drop), "what is late could not be ended"),
            (broker.tell().await, "what people are told could not be spread"),
        ] {
            if let Err(error) = done {
                tracing::warn!(%error, "{what}");
            }
        }
        rest(&broker, TICK, &stop).await;
    }
}

async fn rest(broker: &Broker, time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = broker.clock().pause(time) => {}
    }
}

/// One step of sweep and senders, for whoever steps by hand: the last manager that did something
/// says what.
pub async fn step(broker: &Broker) -> Result<Progress, BrokerError> {
    broker.sweep().await?;
    let mut progress = Progress::Idle;
    for manager in broker.managers() {
        match broker.execute_next(manager.name()).await? {
            Progress::Idle => {}
            done @ (Progress::Held(_) | Progress::Moved(_)) => progress = done,
        }
    }
    Ok(progress)
}
