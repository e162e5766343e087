//! The door for time: expires what is late, sends what is approved, looks for its evidence.
//! Each manager has a queue of its own, and so has each notification channel and each feed: a slow one
//! holds up no other.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{sync::Mutex, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, info_span};

use crate::broker::{Broker, BrokerError, execution::progress::Progress};

mod outgoing;

/// The longest pause of an idle sender. News wakes it earlier.
const TICK: Duration = Duration::from_secs(1);
/// The pause after a failure.
const BACK_OFF: Duration = Duration::from_secs(5);
/// How often the high-water mark is synced, which must be at least once a second.
const MARK_INTERVAL: Duration = Duration::from_millis(500);
/// How often evidence is looked for; a real indexer shows new alerts every five seconds.
pub const OBSERVE_INTERVAL: Duration = Duration::from_secs(5);
/// How often the names of what is protected are looked up.
const LOOK_UP_INTERVAL: Duration = Duration::from_mins(1);
/// How often the managers are asked for the addresses of their endpoints.
const ENDPOINTS_INTERVAL: Duration = Duration::from_mins(10);
/// How often it is looked whether endpoints that are waited for are back; nobody is asked while none is.
const RETURN_INTERVAL: Duration = Duration::from_secs(15);
/// How long after the start the audit is verified, and how often from then on. It goes on from the last
/// verified entry, and once a day it sets out from the first.
const VERIFY: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(1));
/// The pause after that failed. A password that is refused again and again locks its user out.
const OBSERVE_BACK_OFF: Duration = Duration::from_secs(30);

/// Works until told to stop, and looks for evidence at this interval. A call to a manager that is
/// under way is finished first; what waits for its next call is left to the next start.
pub async fn run(broker: Broker, every: Duration, stop: CancellationToken) {
    let broker = broker.for_worker();
    let mut tasks = JoinSet::new();
    for manager in broker.managers() {
        let name = manager.name().to_owned();
        let turn = Arc::new(Mutex::new(()));
        broker.open_senders(&name);
        for _ in 0..manager.capabilities().calls_in_flight {
            let span = info_span!("send", manager = name);
            let sender = send(broker.clone(), name.clone(), Arc::clone(&turn), stop.clone());
            tasks.spawn(sender.instrument(span));
        }
        look_after(&mut tasks, (&broker, &name), every, &stop);
    }
    for channel in broker.channels() {
        let name = channel.name().to_owned();
        let span = info_span!("deliver", channel = name);
        tasks.spawn(outgoing::deliver(broker.clone(), name, stop.clone()).instrument(span));
    }
    for feed in broker.feeds() {
        let name = feed.name().to_owned();
        let span = info_span!("feed", feed = name);
        tasks.spawn(outgoing::feed(broker.clone(), name, stop.clone()).instrument(span));
    }
    tracing::info!(
        managers = broker.managers().len(),
        channels = broker.channels().len(),
        feeds = broker.feeds().len(),
        "the worker runs"
    );
    let (waiting, stopped) = (broker.clone(), stop.clone());
    tasks.spawn(async move {
        stopped.cancelled().await;
        waiting.stop_waiting();
    });
    tasks.spawn(keep_mark(broker.clone(), stop.clone()));
    tasks.spawn(watch_clock(broker.clone(), stop.clone()));
    tasks.spawn(keep_disk(broker.clone(), stop.clone()));
    tasks.spawn(verify_audit(broker.clone(), stop.clone()));
    tasks.spawn(look_up(broker.clone(), stop.clone()));
    tasks.spawn(expire(broker, stop));
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a part of the worker failed");
        }
    }
    tracing::info!("the worker stopped");
}

/// Starts what watches one manager and its endpoints.
fn look_after(
    tasks: &mut JoinSet<()>,
    (broker, name): (&Broker, &str),
    every: Duration,
    stop: &CancellationToken,
) {
    let parts = || (broker.clone(), name.to_owned(), stop.clone());
    let (own, manager, end) = parts();
    let span = info_span!("observe", manager = name);
    tasks.spawn(observe(own, manager, every, end).instrument(span));
    let (own, manager, end) = parts();
    let span = info_span!("endpoints", manager = name);
    tasks.spawn(read_endpoints(own, manager, end).instrument(span));
    let (own, manager, end) = parts();
    let span = info_span!("return", manager = name);
    tasks.spawn(look_for_returned(own, manager, end).instrument(span));
}

/// Warns when something goes wrong, and again when it goes wrong otherwise, but not each time.
#[derive(Debug, Default)]
struct Complaint(Option<String>);

impl Complaint {
    fn warn(&mut self, message: &'static str, why: &str) {
        if self.is_news(why) {
            tracing::warn!(why, "{message}");
        }
    }

    /// Whether this reason is another one than before. A number in it may be a countdown.
    fn is_news(&mut self, why: &str) -> bool {
        let why = why.replace(|c: char| c.is_ascii_digit(), "");
        let news = self.0.as_ref() != Some(&why);
        self.0 = Some(why);
        news
    }

    fn clear(&mut self, message: &'static str) {
        if self.0.take().is_some() {
            tracing::info!("{message}");
        }
    }
}

/// Brings approved requests of one manager to their end, one after the other. Of its senders one at
/// a time has the turn to look for work, and waits for it: what comes wakes no more than that one.
async fn send(broker: Broker, manager: String, turn: Arc<Mutex<()>>, stop: CancellationToken) {
    let mut changes = broker.work();
    let mut complaint = Complaint::default();
    while !stop.is_cancelled() {
        let mut own_turn = Some(turn.lock().await);
        if stop.is_cancelled() {
            break;
        }
        changes.mark_unchanged();
        let (held, idle) = match broker.execute_next(&manager, || own_turn = None).await {
            Ok(Progress::Moved(_)) => continue,
            Ok(Progress::Idle) => (None, true),
            // Its release is news, like a request that comes.
            Ok(Progress::Stopped) => (Some("the kill switch is on".to_owned()), true),
            Ok(Progress::Held(why)) => (Some(why), false),
            Err(error) => (Some(error.to_string()), false),
        };
        match &held {
            None => complaint.clear("approved requests are sent again"),
            Some(why) => complaint.warn("approved requests wait", why),
        }
        // What could not be done is not tried again because of what it wrote itself.
        let woken = async {
            if idle {
                let _woken = changes.changed().await.is_ok();
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = woken => {}
            () = broker.clock().pause(if idle { TICK } else { BACK_OFF }) => {}
        }
    }
    if let Err(error) = broker.close_senders(&manager).await {
        tracing::warn!(%error, "what was claimed could not be sent");
    }
}

/// Looks for the evidence of what was sent through one manager.
async fn observe(broker: Broker, manager: String, every: Duration, stop: CancellationToken) {
    let (mut complaint, mut crowded) = (Complaint::default(), Complaint::default());
    while !stop.is_cancelled() {
        let looked = broker.observe(&manager).await;
        if let Ok(look) = &looked {
            match &look.crowd {
                Some(crowd) => {
                    crowded.warn("more waits for evidence than one look takes in", crowd);
                }
                None => crowded.clear("one look takes in all that waits for evidence"),
            }
        }
        let why = match looked {
            // Both ask one indexer: what fails in the first would fail in the second.
            Ok(look) => match broker.observe_rule_responses(&manager).await {
                Ok(()) => look.gap.map(|gap| (gap, every)),
                Err(BrokerError::Manager(why)) => Some((why.to_string(), OBSERVE_BACK_OFF)),
                Err(error) => Some((error.to_string(), OBSERVE_BACK_OFF)),
            },
            Err(BrokerError::Manager(why)) => Some((why.to_string(), OBSERVE_BACK_OFF)),
            Err(error) => Some((error.to_string(), OBSERVE_BACK_OFF)),
        };
        let pause = if let Some((why, pause)) = why {
            complaint.warn("evidence cannot be looked for", &why);
            pause
        } else {
            complaint.clear("evidence is looked for again");
            every
        };
        wait(&broker, pause, &stop).await;
    }
}

/// Holds the machine's clock against the monotonic one.
async fn watch_clock(broker: Broker, stop: CancellationToken) {
    let mut complaint = Complaint::default();
    while !stop.is_cancelled() {
        let pause = match broker.watch_clock().await {
            Ok(None) => {
                complaint.clear("the clock is trusted again");
                TICK
            }
            Ok(Some(why)) => {
                complaint.warn("the clock is not trusted; nothing is sent", &why);
                BACK_OFF
            }
            Err(error) => {
                complaint.warn("a jump of the clock cannot be recorded", &error.to_string());
                BACK_OFF
            }
        };
        wait(&broker, pause, &stop).await;
    }
}

/// Looks up again and again what belongs to us.
async fn look_up(broker: Broker, stop: CancellationToken) {
    let mut complaint = Complaint::default();
    while !stop.is_cancelled() {
        match broker.look_up_own_addresses().await {
            Ok(missing) if missing.is_empty() => complaint.clear("all names are found again"),
            Ok(missing) => complaint.warn("names are not found", &missing.join(", ")),
            Err(error) => complaint.warn("addresses cannot be stored", &error.to_string()),
        }
        wait(&broker, LOOK_UP_INTERVAL, &stop).await;
    }
}

/// Reads again and again which addresses the endpoints of a manager have.
async fn read_endpoints(broker: Broker, manager: String, stop: CancellationToken) {
    let mut complaint = Complaint::default();
    while !stop.is_cancelled() {
        let pause = match broker.read_endpoint_addresses(&manager).await {
            Ok(()) => {
                complaint.clear("addresses of endpoints are read again");
                ENDPOINTS_INTERVAL
            }
            Err(error) => {
                complaint.warn("addresses of endpoints cannot be read", &error.to_string());
                LOOK_UP_INTERVAL
            }
        };
        wait(&broker, pause, &stop).await;
    }
}

/// Looks again and again whether endpoints of a manager that are waited for are back.
async fn look_for_returned(broker: Broker, manager: String, stop: CancellationToken) {
    let mut complaint = Complaint::default();
    while !stop.is_cancelled() {
        let pause = match broker.look_for_returned(&manager).await {
            Ok(_) => {
                complaint.clear("endpoints that are away are looked for again");
                RETURN_INTERVAL
            }
            Err(error) => {
                complaint.warn("endpoints that are away cannot be looked for", &error.to_string());
                OBSERVE_BACK_OFF
            }
        };
        wait(&broker, pause, &stop).await;
    }
}

/// Keeps the high-water mark. [`Broker::keep_mark`] is called once more when all has stopped.
async fn keep_mark(broker: Broker, stop: CancellationToken) {
    let mut complaint = Complaint::default();
    while !stop.is_cancelled() {
        match broker.keep_mark().await {
            Ok(()) => complaint.clear("the high-water mark is kept again"),
            Err(error) => complaint.warn("the high-water mark cannot be kept", &error.to_string()),
        }
        wait(&broker, MARK_INTERVAL, &stop).await;
    }
}

/// Keeps the reserve of the disk, and goes on when a full disk has room again.
async fn keep_disk(broker: Broker, stop: CancellationToken) {
    let mut complaint = Complaint::default();
    while !stop.is_cancelled() {
        match broker.keep_disk().await {
            Ok(()) => complaint.clear("the reserve on the disk is kept again"),
            Err(error) => complaint.warn("the disk cannot be used", &error.to_string()),
        }
        wait(&broker, TICK, &stop).await;
    }
}

/// Verifies the audit without anybody looking at it.
async fn verify_audit(broker: Broker, stop: CancellationToken) {
    let (mut complaint, mut pause) = (Complaint::default(), VERIFY.0);
    loop {
        wait(&broker, pause, &stop).await;
        let walked = tokio::select! {
            () = stop.cancelled() => return,
            walked = broker.walk_on() => walked,
        };
        match walked {
            Ok(None) => complaint.clear("the audit verifies again"),
            Ok(Some((place, why))) => {
                complaint.warn("the audit does not verify", &format!("entry {place}: {why}"));
            }
            Err(error) => tracing::warn!(%error, "the audit could not be verified"),
        }
        pause = VERIFY.1;
    }
}

/// Ends what is late, probes managers that were given up, reminds people, and hands notices to the
/// channels.
async fn expire(broker: Broker, stop: CancellationToken) {
    let mut down = BTreeSet::new();
    while !stop.is_cancelled() {
        for (done, message) in [
            (broker.expire_overdue().await.map(drop), "overdue requests could not be ended"),
            (broker.notify().await, "notices could not be handed to the channels"),
            (broker.record_refused_sign_ins(false).await, "refused sign-ins could not be recorded"),
        ] {
            if let Err(error) = done {
                tracing::warn!(%error, "{message}");
            }
        }
        log_outages(&broker, &mut down);
        wait(&broker, TICK, &stop).await;
    }
}

/// Logs each manager that went down or came back since the last time.
fn log_outages(broker: &Broker, down: &mut BTreeSet<String>) {
    let now = broker.clock().now();
    for manager in broker.managers() {
        let name = manager.name();
        match manager.health(now).circuit_open {
            Some(circuit) if down.insert(name.to_owned()) => {
                tracing::warn!(manager = name, why = circuit.why, "manager is down");
            }
            None if down.remove(name) => tracing::info!(manager = name, "manager is up again"),
            Some(_) | None => {}
        }
    }
}

async fn wait(broker: &Broker, time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = broker.clock().pause(time) => {}
    }
}

/// One step of expiry and of every sender, for callers that step by hand: the progress of the last
/// manager that did something.
pub async fn step(broker: &Broker) -> Result<Progress, BrokerError> {
    let broker = &broker.for_worker();
    broker.expire_overdue().await?;
    broker.record_refused_sign_ins(false).await?;
    let mut progress = Progress::Idle;
    for manager in broker.managers() {
        match broker.execute_next(manager.name(), || {}).await? {
            Progress::Idle => {}
            Progress::Stopped if progress != Progress::Idle => {}
            Progress::Stopped => progress = Progress::Stopped,
            done @ (Progress::Held(_) | Progress::Moved(_)) => progress = done,
        }
    }
    Ok(progress)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_logged_once_while_it_counts_down() {
        let mut complaint = Complaint::default();
        assert!(complaint.is_news("the manager main is not called for 30 s: no answer"));
        assert!(!complaint.is_news("the manager main is not called for 25 s: no answer"));
        assert!(complaint.is_news("the manager main rejects the password"));
        complaint.clear("it works again");
        assert!(complaint.is_news("the manager main rejects the password"));
    }
}
