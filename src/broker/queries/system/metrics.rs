//! What `/metrics` says, in the text format of `OpenMetrics`, which Prometheus reads: one text for every
//! door. It names what the configuration names, and nothing and nobody else. Nothing is written for it,
//! and it reads counters, heads and what is open: it costs the same after years.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::text::encode,
    metrics::{
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::{Metric, Registry},
};

use crate::{
    broker::{Broker, BrokerError, ConnectionCounts, TokenHolder, notifications::feeds::FeedState},
    domain::{
        facts::Verb,
        kill_switch::Extent,
        len_u64,
        request::{Outcome, StateName},
    },
    store::{audit, requests, system},
};

/// The media type of [`Broker::metrics`].
pub const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A number for each of some words.
type Words<'a> = Vec<(&'a str, u64)>;

/// The families of one answer.
struct Page(Registry);

impl Page {
    /// The name stands without `countersign_`, and of a counter without `_total`.
    fn add(&mut self, name: &str, help: &str, metric: impl Metric) {
        self.0.register(name, help, metric);
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.add(name, help, ConstGauge::new(value));
    }

    fn gauges(&mut self, name: &str, help: &str, (label, values): (&'static str, Words<'_>)) {
        let family = Family::<[(&'static str, String); 1], Gauge<u64, AtomicU64>>::default();
        for (word, value) in values {
            family.get_or_create(&[(label, word.to_owned())]).set(value);
        }
        self.add(name, help, family);
    }

    fn counters(&mut self, name: &str, help: &str, (label, values): (&'static str, Words<'_>)) {
        let family = super::CountsByName::default();
        for (word, value) in values {
            family.get_or_create(&[(label, word.to_owned())]).inc_by(value);
        }
        self.add(name, help, family);
    }

    fn text(self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _written = encode(&mut text, &self.0).is_ok();
        text
    }
}

/// Each of these words with its number; 0 where it counts nothing.
fn each<'a>(words: &[&'a str], counted: &super::NamedCounts) -> Words<'a> {
    let number =
        |word: &str| counted.iter().find(|(other, _)| other == word).map_or(0, |(_, n)| *n);
    words.iter().map(|word| (*word, number(word))).collect()
}

impl Broker {
    /// [`Broker::metrics`], for a program whose token reads.
    pub async fn metrics_with_token(&self, who: &TokenHolder) -> Result<String, BrokerError> {
        self.authorize_token_read(who, Verb::View)?;
        if !self.sees_all(who.owner()).await? {
            let why = "this counts everything, and your team sees a part of it";
            return Err(BrokerError::NotAllowed(why.to_owned()));
        }
        self.metrics().await
    }

    /// All that is counted and measured. It is no secret of anybody: for whoever watches the broker.
    pub async fn metrics(&self) -> Result<String, BrokerError> {
        let mut page = Page(Registry::with_prefix("countersign"));
        let version = ("version", vec![(env!("CARGO_PKG_VERSION"), 1)]);
        page.gauges("build_info", "1, and the version of the program", version);
        self.add_requests(&mut page).await?;
        self.add_managers(&mut page).await?;
        self.add_safety(&mut page).await?;
        self.add_audit(&mut page).await?;
        let states = self.feed_states(&mut self.store().reader().await?).await?;
        add_feeds(&mut page, &states);
        self.add_channels(&mut page);
        add_connections(&mut page, self.connections());
        let free = self.store().free_bytes().unwrap_or_default();
        page.gauge("disk_free_bytes", "What the disk of the database has left", free);
        let database = self.store().file_bytes().unwrap_or_default();
        page.gauge("database_bytes", "The size of the database's file, its log aside", database);
        Ok(page.text())
    }

    async fn add_requests(&self, page: &mut Page) -> Result<(), BrokerError> {
        let mut reader = self.store().reader().await?;
        let states = system::counts_by_state(&mut reader).await?;
        let outcomes = system::counts_by_outcome(&mut reader).await?;
        let states = each(&StateName::ALL.map(StateName::name), &states);
        page.gauges("requests", "How many there are now, by state", ("state", states));
        let outcomes = each(&Outcome::NAMES, &outcomes);
        let help = "How many endpoints of requests there are now, by outcome";
        page.gauges("request_endpoints", help, ("outcome", outcomes));
        let (commits, own) = (self.store().commit_measures(), self.measures());
        let help = "Requests that agents asked for, by policy's first answer";
        page.add("requests_asked", help, commits.asked.clone());
        let help = "Endpoints that a call to a manager was about, by what its answer means";
        page.add("endpoints_dispatched", help, commits.dispatched.clone());
        let help = "From an agent's ask to the stored decision";
        page.add("decision_seconds", help, own.decision_seconds.clone());
        let help = "From an ask to the approval that suffices, where people decide";
        page.add("approval_wait_seconds", help, commits.approval_wait_seconds.clone());
        let help = "From the end of a transaction to its being on the disk";
        page.add("commit_seconds", help, commits.commit_seconds.clone());
        Ok(())
    }

    async fn add_managers(&self, page: &mut Page) -> Result<(), BrokerError> {
        let (now, mut reader) = (self.clock().now(), self.store().reader().await?);
        let (mut up, mut calls, mut limits) = (Vec::new(), Vec::new(), Vec::new());
        let (mut waiting, mut over_limit) = (Vec::new(), 0);
        for manager in self.managers() {
            let (name, health) = (manager.name(), manager.health(now));
            let approved = requests::approved_count(&mut reader, name).await?;
            up.push((name, u64::from(health.circuit_open.is_none())));
            calls.push((name, len_u64(health.calls_last_minute)));
            limits.push((name, len_u64(health.calls_per_minute_max)));
            waiting.push((name, approved));
            over_limit += if health.at_limit { approved } else { 0 };
        }
        let help = "1 while a manager is called; 0 while it is given up after failures";
        page.gauges("manager_up", help, ("manager", up));
        let help = "The calls to a manager in the last minute";
        page.gauges("manager_calls", help, ("manager", calls));
        let help = "The most calls to a manager in a minute";
        page.gauges("manager_calls_limit", help, ("manager", limits));
        let help = "Approved requests that wait for a manager";
        page.gauges("requests_waiting", help, ("manager", waiting));
        let help = "How many wait for a manager's limit of calls";
        page.gauge("requests_over_limit", help, over_limit);
        Ok(())
    }

    /// What keeps the broker from sending.
    async fn add_safety(&self, page: &mut Page) -> Result<(), BrokerError> {
        let freezes = system::frozen(&mut self.store().reader().await?).await?;
        let on = |kind: &str| freezes.iter().filter(|freeze| freeze.extent.kind() == kind).count();
        let stops = Extent::KINDS.iter().map(|kind| (*kind, len_u64(on(kind)))).collect();
        let help = "What the kill switch stops now, by how far it reaches";
        page.gauges("kill_switch_stops", help, ("extent", stops));
        let help = "1 while nothing is sent for another reason than the kill switch";
        page.gauge("halted", help, self.halted().is_some().into());
        Ok(())
    }

    async fn add_audit(&self, page: &mut Page) -> Result<(), BrokerError> {
        let head = audit::head(&mut self.store().reader().await?).await?;
        let walked = self.audit_walk().found();
        page.gauge("audit_entries", "The place of the newest entry", head.map_or(0, |h| h.seq));
        let help = "How many entries, from the first, the last verification found sound";
        page.gauge("audit_verified_entries", help, walked.verified.rows);
        let help = "0 once a verification found a bad entry";
        page.gauge("audit_intact", help, walked.verified.broken.is_none().into());
        let help = "When the last verification came to its end; 0 before the first";
        let ended = walked.ended.map_or(0, |at| u64::try_from(at.timestamp()).unwrap_or(0));
        page.gauge("audit_verified_timestamp_seconds", help, ended);
        let help = "Entries that this process appended, by kind";
        page.add("audit_appended", help, self.store().commit_measures().entries.clone());
        Ok(())
    }

    fn add_channels(&self, page: &mut Page) {
        let measures = self.measures();
        let help = "0 while the last message of a channel did not arrive";
        page.add("channel_up", help, measures.channel_up.clone());
        let help = "Messages of a channel that arrived";
        page.add("channel_messages", help, measures.delivered.clone());
        let help = "Tries of a channel that failed";
        page.add("channel_failures", help, measures.undelivered.clone());
    }
}

fn add_feeds(page: &mut Page, states: &[FeedState]) {
    let each = |value: fn(&FeedState) -> u64| {
        let values = states.iter().map(|state| (state.name.as_str(), value(state)));
        ("feed", values.collect::<Vec<_>>())
    };
    let up = each(|state| state.doing.problem.is_none().into());
    page.gauges("feed_up", "0 while the last try of a feed failed", up);
    let help = "Audit entries ahead of a feed, those included that it does not send";
    page.gauges("feed_behind_entries", help, each(|state| state.behind));
    let help = "Entries that the receiver of a feed took";
    page.counters("feed_entries", help, each(|state| state.doing.delivered));
    let help = "Of these, entries that went without their detail";
    page.counters("feed_shortened_entries", help, each(|state| state.doing.shortened));
    page.counters("feed_failures", "Tries of a feed that failed", each(|s| s.doing.failures));
}

fn add_connections(page: &mut Page, connections: &ConnectionCounts) {
    page.gauge("connections", "How many people and agents have open", connections.open());
    let ended = ("why", connections.ended().to_vec());
    page.counters("connections_ended", "How many the server ended or refused", ended);
}
