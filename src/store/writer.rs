//! The one writer. It opens a transaction, lends it to all who wait, one after the other, commits
//! once what they did, and then answers them all: many changes cost one sync of the disk.
//!
//! A change that fails is undone alone. Where the whole transaction is undone, each of its changes
//! is made again in a transaction of its own. A commit whose end nobody knows halts the broker.

use std::{mem, sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, OwnedMutexGuard, mpsc, oneshot},
    time::timeout,
};
use tracing::Span;

use self::fact_rows::FactRows;
use super::{
    StoreError,
    audit::LogLine,
    files::condition::Condition,
    sqlite::{self, Connection, pool::Pool},
};
use crate::{clock::Clock, domain::audit::EventKind};

mod effects;
mod fact_rows;
pub(super) mod measures;
pub(super) mod news;
pub(super) mod versions;

pub(super) use self::effects::{Effects, Then};

/// How many changes of each lane may wait. One more gets [`StoreError::Busy`].
pub const WRITERS_WAITING_MAX: usize = 256;
/// The most changes that are committed together.
const BATCH_MAX: usize = 256;
/// How long a change waits for those before it.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(30);

/// Whose change it is. What people and the worker do goes before what agents ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// People, the worker, time, the command line.
    First,
    /// Agents.
    Agents,
}

/// The way to the writer. Cheap to clone; the writer ends with the last one.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    first: mpsc::Sender<Ticket>,
    agents: mpsc::Sender<Ticket>,
}

/// A place in the line.
#[derive(Debug)]
struct Ticket {
    /// In a transaction of its own.
    alone: bool,
    lane: Lane,
    lend: oneshot::Sender<Result<Loan, StoreError>>,
}

/// The open transaction, until it is dropped.
#[derive(Debug)]
pub(super) struct Loan {
    pub(super) connection: OwnedMutexGuard<Connection>,
    lane: Lane,
    done: oneshot::Sender<Done>,
}

/// How a change ended, in the words of whoever made it. One that vanishes says nothing.
#[derive(Debug)]
struct Done {
    failed: bool,
    effects: Effects,
    lane: Lane,
    /// Whether a page may show it.
    shown: bool,
    /// Where its log lines belong.
    span: Span,
    reply: oneshot::Sender<Settled>,
}

/// What became of a change.
#[derive(Debug, Clone)]
pub(super) enum Settled {
    /// It is stored.
    Committed,
    /// It failed, and is undone.
    Undone,
    /// All that was to be committed together is undone: it has to be made again, alone.
    Again,
    /// It could not be committed.
    Failed(Arc<sqlite::Error>),
}

impl Loan {
    /// Gives the transaction back, and waits until it is known what became of the change.
    pub(super) async fn settle(
        self,
        failed: bool,
        effects: Effects,
        shown: bool,
    ) -> Result<Settled, StoreError> {
        let Self { connection, lane, done } = self;
        let (reply, settled) = oneshot::channel();
        let told = done.send(Done { failed, effects, lane, shown, span: Span::current(), reply });
        drop(connection);
        told.map_err(|_gone| StoreError::Closed)?;
        settled.await.map_err(|_gone| StoreError::Closed)
    }
}

impl Queue {
    pub(super) fn waiting(&self, lane: Lane) -> usize {
        WRITERS_WAITING_MAX - self.line(lane).capacity()
    }

    const fn line(&self, lane: Lane) -> &mpsc::Sender<Ticket> {
        if matches!(lane, Lane::First) { &self.first } else { &self.agents }
    }

    /// Waits in a lane for the transaction.
    pub(super) async fn borrow(&self, lane: Lane, alone: bool) -> Result<Loan, StoreError> {
        let (lend, lent) = oneshot::channel();
        self.line(lane).try_send(Ticket { alone, lane, lend }).map_err(
            |refused| match refused {
                mpsc::error::TrySendError::Full(_) => StoreError::Busy,
                mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
            },
        )?;
        let lent = timeout(WRITE_WAIT_MAX, lent).await.map_err(|_elapsed| StoreError::Busy)?;
        lent.map_err(|_gone| StoreError::Closed)?
    }
}

/// Starts the writer on a pool of one connection. It measures by this clock.
pub(super) fn start(pool: Pool, condition: Arc<Condition>, clock: Clock) -> Queue {
    let (first, agents) = (mpsc::channel(WRITERS_WAITING_MAX), mpsc::channel(WRITERS_WAITING_MAX));
    let queue = Queue { first: first.0, agents: agents.0 };
    let (first, agents) = (first.1, agents.1);
    let writer = Writer {
        pool,
        condition: Arc::clone(&condition),
        clock,
        first,
        agents,
        held: None,
        fact_rows: FactRows::default(),
    };
    tokio::spawn(async move {
        if let Err(error) = tokio::spawn(writer.run()).await
            && error.is_panic()
        {
            condition.fail(&error);
        }
    });
    queue
}

struct Writer {
    pool: Pool,
    condition: Arc<Condition>,
    clock: Clock,
    first: mpsc::Receiver<Ticket>,
    agents: mpsc::Receiver<Ticket>,
    /// One that wants to be alone, and met others.
    held: Option<Ticket>,
    fact_rows: FactRows,
}

/// An open transaction, and the changes in it.
struct Batch {
    connection: Arc<Mutex<Connection>>,
    done: Vec<Done>,
}

impl Writer {
    async fn run(mut self) {
        while let Some(ticket) = self.next().await {
            if !ticket.lend.is_closed() {
                self.batch(ticket).await;
            }
        }
    }

    async fn next(&mut self) -> Option<Ticket> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        tokio::select! {
            biased;
            Some(ticket) = self.first.recv() => Some(ticket),
            Some(ticket) = self.agents.recv() => Some(ticket),
            else => None,
        }
    }

    /// Another that waits already. Where people or the worker wait for this commit, no agent's joins
    /// it any more.
    fn another(&mut self, batch: &Batch) -> Option<Ticket> {
        let urgent = batch.done.iter().any(|done| done.lane == Lane::First);
        let ticket = match self.first.try_recv() {
            Ok(ticket) => ticket,
            Err(_none) if urgent => return None,
            Err(_none) => self.agents.try_recv().ok()?,
        };
        if ticket.alone {
            self.held = Some(ticket);
            return None;
        }
        Some(ticket)
    }

    /// One transaction, from its begin to the answers.
    async fn batch(&mut self, first: Ticket) {
        let connection = match self.begin().await {
            Ok(connection) => connection,
            Err(error) => return drop(first.lend.send(Err(error))),
        };
        let alone = first.alone;
        let mut batch = Batch { connection: Arc::new(Mutex::new(connection)), done: Vec::new() };
        let mut ticket = Some(first);
        while let Some(next) = ticket {
            if !self.change(&mut batch, next).await {
                return;
            }
            let more = !alone && batch.done.len() < BATCH_MAX;
            ticket = if more { self.another(&batch) } else { None };
        }
        self.commit(batch).await;
    }

    async fn begin(&self) -> Result<Connection, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let opened = self.open(&mut connection).await;
        if let Err(error) = opened {
            if matches!(error, StoreError::NotRolledBack) {
                self.condition.fail(&error);
            }
            connection.roll_back().await;
            return Err(error);
        }
        Ok(connection)
    }

    async fn open(&self, connection: &mut Connection) -> Result<(), StoreError> {
        self.fact_rows.watch(connection)?;
        connection.begin().await?;
        self.condition.disk.check_rollback(connection).await?;
        self.condition.versions.begin(connection.data_version().await?);
        Ok(())
    }

    /// Lends the transaction to one change. Says whether it is still open afterwards.
    async fn change(&self, batch: &mut Batch, ticket: Ticket) -> bool {
        let among_others = !batch.done.is_empty();
        if among_others {
            crate::failpoint::reached("between two changes").await;
        }
        let mut connection = batch.connection().await;
        if among_others && let Err(error) = connection.begin_change().await {
            connection.roll_back().await;
            drop(ticket.lend.send(Err(error.into())));
            batch.again();
            return false;
        }
        self.fact_rows.take();
        let (done, told) = oneshot::channel();
        // Whoever waits no more drops what it is lent.
        drop(ticket.lend.send(Ok(Loan { connection, lane: ticket.lane, done })));
        let told = told.await;
        let mut connection = batch.connection().await;
        let failed = match told {
            Ok(mut done) if !done.failed => {
                let touched = mem::take(&mut done.effects.touched);
                self.fact_rows.check(&touched);
                self.condition.versions.touch(touched);
                let kept = !among_others || connection.keep_change().await.is_ok();
                batch.done.push(done);
                if !kept {
                    connection.roll_back().await;
                    batch.again();
                }
                return kept;
            }
            Ok(done) => Some(done.reply),
            Err(_vanished) => None,
        };
        let full = connection.was_full();
        let kept = !full && among_others && connection.undo_change().await.is_ok();
        if !kept {
            connection.roll_back().await;
            batch.again();
        }
        let released = full && self.condition.filled_up(&mut connection, None);
        let again = full && (released || among_others);
        if let Some(failed) = failed {
            drop(failed.send(if again { Settled::Again } else { Settled::Undone }));
        }
        kept
    }

    async fn commit(&self, mut batch: Batch) {
        let mut connection = batch.connection().await;
        let head = batch.done.iter().filter_map(|done| done.effects.head).next_back();
        let began = self.clock.now();
        let settled = match connection.commit().await {
            Ok(()) => {
                self.condition.measures.commit(began, &self.clock);
                self.condition.versions.store();
                if batch.done.iter().any(Done::claims) {
                    crate::failpoint::reached("before the mark").await;
                }
                if let (Some(mark), Some(head)) = (self.condition.mark(), head) {
                    mark.advance(head);
                }
                // Here, not by the caller: it may be gone.
                batch.done.iter_mut().for_each(|done| done.tell(&self.condition));
                Settled::Committed
            }
            Err(error) if error.is_full() => {
                connection.roll_back().await;
                let released = self.condition.filled_up(&mut connection, head);
                if released || batch.done.len() > 1 {
                    Settled::Again
                } else {
                    Settled::Failed(Arc::new(error))
                }
            }
            Err(error) => {
                connection.roll_back().await;
                self.condition.fail(&error);
                Settled::Failed(Arc::new(error))
            }
        };
        drop(connection);
        // Only now: nobody may act on what is not stored.
        for done in batch.done {
            drop(done.reply.send(settled.clone()));
        }
    }
}

impl Done {
    /// Whether something is sent because of it.
    fn claims(&self) -> bool {
        let claimed = EventKind::DispatchClaimed.name();
        self.effects.recorded.iter().any(|line| line.kind == claimed)
    }

    /// Wakes those whom it concerns, and writes the log.
    fn tell(&mut self, Condition { news, measures, .. }: &Condition) {
        for Then(follow) in mem::take(&mut self.effects.then) {
            follow();
        }
        let Effects { recorded, approves, waited, .. } = &self.effects;
        measures.count(waited, recorded.iter().map(|line| &line.counted));
        recorded.iter().filter_map(|line| line.request).for_each(|id| news.of_request_changed(id));
        // What agents do is about requests.
        let system = self.lane == Lane::First && recorded.iter().any(|line| line.request.is_none());
        if system {
            news.system.count();
        }
        if system || *approves {
            news.work.count();
        }
        if self.shown {
            news.pages.count();
        }
        let _entered = self.span.enter();
        for LogLine { seq, kind, actor, request, counted: _ } in recorded {
            let request = request.map(tracing::field::display);
            tracing::info!(audit.seq = seq, kind, actor, request.id = request, "recorded");
        }
    }
}

impl Batch {
    /// The connection, as soon as nobody has it any more.
    async fn connection(&self) -> OwnedMutexGuard<Connection> {
        Arc::clone(&self.connection).lock_owned().await
    }

    /// Tells all that the transaction is undone.
    fn again(&mut self) {
        self.done.drain(..).for_each(|done| drop(done.reply.send(Settled::Again)));
    }
}
