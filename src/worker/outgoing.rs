//! What people and programs are told: each channel and each feed goes at its own pace.

use tokio_util::sync::CancellationToken;

use super::{BACK_OFF, Complaint, TICK, wait};
use crate::broker::{
    Broker,
    notifications::{DeliveryResult, feeds::FeedStep},
};

/// Delivers notifications through one channel. Stopping cuts a delivery off: it is tried again
/// after the start.
pub(super) async fn deliver(broker: Broker, channel: String, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let delivered = tokio::select! {
            () = stop.cancelled() => return,
            delivered = broker.deliver_next(&channel) => delivered,
        };
        let pause = match delivered {
            Ok(DeliveryResult::Arrived) => {
                tracing::info!("a notification was delivered");
                continue;
            }
            Ok(DeliveryResult::Failed) => {
                tracing::warn!("a notification was not delivered; it is tried again later");
                continue;
            }
            Ok(DeliveryResult::Nothing) => TICK,
            Err(error) => {
                tracing::warn!(%error, "cannot deliver");
                BACK_OFF
            }
        };
        wait(&broker, pause, &stop).await;
    }
}

/// Feeds the audit to one program. Stopping cuts a delivery off: it is made again after the start.
pub(super) async fn feed(broker: Broker, feed: String, stop: CancellationToken) {
    let mut complaint = Complaint::default();
    while !stop.is_cancelled() {
        let fed = tokio::select! {
            () = stop.cancelled() => return,
            fed = broker.feed_next(&feed) => fed,
        };
        let pause = match fed {
            Ok(FeedStep::Moved) => {
                complaint.clear("a feed gets through again");
                continue;
            }
            Ok(FeedStep::Idle) => TICK,
            Ok(FeedStep::Failed(why)) => {
                complaint.warn("a feed does not get through; it is tried again", &why);
                TICK
            }
            Err(error) => {
                complaint.warn("a feed cannot go on", &error.to_string());
                BACK_OFF
            }
        };
        wait(&broker, pause, &stop).await;
    }
}
