//! One connection: what is under way on it, and until when it may stay.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::sync::watch;

use super::ConnectionLimits;
use crate::{
    clock::Clock,
    domain::{Time, actor::sign_in::Source},
};

/// A connection. It is busy while somebody works on a request that has arrived as a whole, and not
/// while the other side takes its time.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) number: u64,
    pub(super) source: Source,
    limits: ConnectionLimits,
    progress: watch::Sender<Progress>,
}

#[derive(Debug)]
struct Progress {
    /// Its place was given to another one.
    closed: bool,
    /// Since when nothing is under way.
    since: Time,
    /// An answer was given, and nothing came since.
    idle: bool,
    /// Requests so far.
    requests: u64,
    /// Requests that are not answered yet.
    under_way: usize,
    /// Those of them whose body has not arrived as a whole, and since when it is awaited.
    arriving: BTreeMap<u64, Time>,
    /// Those of them whose answer is ready for the other side to take, and since when.
    leaving: BTreeMap<u64, Time>,
}

/// One request, until its answer has been handed over.
#[derive(Debug)]
pub(super) struct Visit {
    connection: Arc<Connection>,
    number: u64,
    clock: Clock,
}

impl Connection {
    pub(super) fn new(number: u64, source: Source, limits: ConnectionLimits, now: Time) -> Self {
        let progress = Progress {
            closed: false,
            since: now,
            idle: false,
            requests: 0,
            under_way: 0,
            arriving: BTreeMap::new(),
            leaving: BTreeMap::new(),
        };
        Self { number, source, limits, progress: watch::Sender::new(progress) }
    }

    pub(super) fn is_busy(&self) -> bool {
        let progress = self.progress.borrow();
        progress.under_way > progress.arriving.len() + progress.leaving.len()
    }

    /// Since when it has waited for the other side.
    pub(super) fn since(&self) -> Time {
        let progress = self.progress.borrow();
        progress.leaving.values().copied().fold(progress.since, Time::max)
    }

    /// Ends it.
    pub(super) fn close(&self) {
        self.progress.send_modify(|progress| progress.closed = true);
    }

    /// Bytes came: if they begin a header, its deadline begins with them.
    pub(super) fn heard(&self, now: Time) {
        self.progress.send_if_modified(|progress| {
            let begins = progress.idle && progress.under_way == 0;
            if begins {
                (progress.idle, progress.since) = (false, now);
            }
            begins
        });
    }

    /// A header arrived.
    pub(super) fn begin(connection: &Arc<Self>, clock: &Clock) -> Arc<Visit> {
        let mut number = 0;
        connection.progress.send_modify(|progress| {
            progress.requests += 1;
            number = progress.requests;
            progress.under_way += 1;
            progress.arriving.insert(number, clock.now());
        });
        Arc::new(Visit { connection: Arc::clone(connection), number, clock: clock.clone() })
    }

    /// Ends when the connection must. Whether that is for its own lateness.
    pub(super) async fn over(self: Arc<Self>, clock: Clock) -> bool {
        let mut news = self.progress.subscribe();
        loop {
            let (closed, deadline) = {
                let progress = news.borrow_and_update();
                (progress.closed, progress.deadline(&self.limits))
            };
            if closed {
                return false;
            }
            let late = async {
                match deadline {
                    Some(deadline) => clock.reach(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                // The sender is ours, so there is always news to come.
                _ = news.changed() => {}
                () = late => return true,
            }
        }
    }
}

impl Progress {
    /// None while somebody works on what arrived: that has deadlines of its own.
    fn deadline(&self, limits: &ConnectionLimits) -> Option<Time> {
        if let Some((_, since)) = self.arriving.first_key_value() {
            return Some(*since + limits.body);
        }
        // The oldest: one that does not move is not covered by others that do.
        if let Some(since) = self.leaving.values().min() {
            return Some(*since + limits.idle);
        }
        let wait = if self.idle { limits.idle } else { limits.header };
        (self.under_way == 0).then(|| self.since + wait)
    }
}

impl Visit {
    /// The body arrived as a whole, or nobody waits for it any more.
    pub(super) fn arrived(&self) {
        let progress = &self.connection.progress;
        progress.send_if_modified(|progress| progress.arriving.remove(&self.number).is_some());
    }

    /// A part of the answer is ready to be taken.
    fn hand_over(&self) {
        let now = self.clock.now();
        self.connection.progress.send_modify(|progress| {
            progress.leaving.insert(self.number, now);
        });
    }

    /// It was taken: more has to be made.
    fn taken(&self) {
        let progress = &self.connection.progress;
        progress.send_if_modified(|progress| progress.leaving.remove(&self.number).is_some());
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let now = self.clock.now();
        self.connection.progress.send_modify(|progress| {
            progress.arriving.remove(&self.number);
            progress.leaving.remove(&self.number);
            progress.under_way -= 1;
            (progress.idle, progress.since) = (true, now);
        });
    }
}

/// The body of a request or of an answer: whoever is waited for has a deadline. With the body of the
/// answer the request is over.
#[derive(Debug)]
pub(super) struct VisitBody {
    body: Body,
    visit: Arc<Visit>,
    answer: bool,
}

impl VisitBody {
    pub(super) const fn of_request(body: Body, visit: Arc<Visit>) -> Self {
        Self { body, visit, answer: false }
    }

    pub(super) fn of_answer(body: Body, visit: Arc<Visit>) -> Self {
        visit.arrived();
        visit.hand_over();
        Self { body, visit, answer: true }
    }
}

impl HttpBody for VisitBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.answer {
            self.visit.taken();
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if self.answer {
            self.visit.hand_over();
        } else if self.body.is_end_stream() || !matches!(frame, Some(Ok(_))) {
            self.visit.arrived();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
