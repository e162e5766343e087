//! What is counted and measured since this run began, for `/metrics`.

use std::sync::Arc;

use prometheus_client::metrics::{
    counter::Counter, family::Family, gauge::Gauge, histogram::Histogram,
};

mod connections;

pub use connections::ConnectionCounts;

/// A number for each name of the configuration.
pub(in crate::broker) type CountsByName = Family<[(&'static str, String); 1], Counter>;

/// The bounds of the times from an ask to its answer, in seconds.
const ASK_SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What is counted and measured since this run began.
#[derive(Debug)]
pub(in crate::broker) struct Measures {
    /// From an agent's ask to the request that is stored and decided, in seconds: the manager and the
    /// indexer are asked in that time.
    pub(in crate::broker) decision_seconds: Histogram,
    /// Messages that arrived, by channel.
    pub(in crate::broker) delivered: CountsByName,
    /// Messages that did not, by channel.
    pub(in crate::broker) undelivered: CountsByName,
    /// 1 for a channel whose last message arrived, or that had none.
    pub(in crate::broker) channel_up: Family<[(&'static str, String); 1], Gauge>,
    /// Connections of people and agents.
    pub(in crate::broker) connections: Arc<ConnectionCounts>,
}

impl Measures {
    /// Each of these channels has its lines from the start.
    pub(in crate::broker) fn of<'a>(channels: impl Iterator<Item = &'a str>) -> Self {
        let measures = Self {
            decision_seconds: Histogram::new(ASK_SECONDS),
            delivered: CountsByName::default(),
            undelivered: CountsByName::default(),
            channel_up: Family::default(),
            connections: Arc::default(),
        };
        for channel in channels {
            let label = [("channel", channel.to_owned())];
            drop(measures.delivered.get_or_create_owned(&label));
            drop(measures.undelivered.get_or_create_owned(&label));
            measures.channel_up.get_or_create(&label).set(1);
        }
        measures
    }

    /// A message of a channel arrived, or did not.
    pub(in crate::broker) fn message(&self, channel: &str, arrived: bool) {
        let label = [("channel", channel.to_owned())];
        let counts = if arrived { &self.delivered } else { &self.undelivered };
        counts.get_or_create(&label).inc();
        self.channel_up.get_or_create(&label).set(arrived.into());
    }
}
