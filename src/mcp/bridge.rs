//! The bridge for clients that start a program: lines of JSON-RPC on one side, the broker's `/mcp`
//! on the other.
//!
//! It relays raw messages of any revision of the protocol and knows nothing of tools. All that it
//! remembers is the version that `initialize` settled on, which later messages must name.

use std::{collections::HashMap, io, sync::Arc};

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    sync::mpsc,
    task::{AbortHandle, JoinError, JoinSet},
};

mod message;
mod reply;

use message::{BridgeMessage, Id, Unreadable};

/// The longest line that a client may send: a little more than the broker takes, so that the
/// broker says what is too long.
const LINE_BYTES_MAX: u64 = 512 * 1024;
/// The most messages on their way at a time.
const WORKING_MAX: usize = 64;
/// The most lines that wait for their turn.
const LINES_WAITING_MAX: usize = 16;

/// Sends one message to the broker, with the token, and gives its answer.
///
/// It says itself what it sends and takes (`Content-Type`, `Accept`), and follows no redirect. The
/// error is a sentence that names the URL and never the token.
pub trait PostMessage: Send + Sync + 'static {
    /// Sends one message. Dropping the future closes the connection.
    fn post(
        &self,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> impl Future<Output = Result<BrokerAnswer, String>> + Send;
}

/// What the broker answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerAnswer {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`, where there is one.
    pub content_type: Option<String>,
    /// The whole body.
    pub body: String,
}

/// Relays until the input ends and everything is answered, or until the output breaks.
pub async fn run<R, W, P>(input: R, mut output: W, post: P) -> io::Result<()>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin,
    P: PostMessage,
{
    let (sender, mut lines) = mpsc::channel(LINES_WAITING_MAX);
    // A task of its own: what it has read of a line must not be lost to a `select`.
    let reading = tokio::spawn(message::read_lines(BufReader::new(input), LINE_BYTES_MAX, sender));
    let mut bridge = Bridge {
        post: Arc::new(post),
        version: None,
        working: JoinSet::new(),
        in_flight: HashMap::new(),
    };
    while let Some(step) = bridge.next(&mut lines).await {
        for line in bridge.advance(step) {
            output.write_all(format!("{line}\n").as_bytes()).await?;
        }
        output.flush().await?;
    }
    reading.await.map_err(io::Error::other)?
}

struct Bridge<P> {
    post: Arc<P>,
    version: Option<String>,
    working: JoinSet<Answered>,
    in_flight: HashMap<Id, AbortHandle>,
}

/// A message that was posted: what to say to the client, and what to remember.
struct Answered {
    id: Option<Id>,
    lines: Vec<String>,
    version: Option<String>,
}

/// What happens next.
enum BridgeStep {
    Line(Result<String, Unreadable>),
    Done(Result<Answered, JoinError>),
}

impl<P: PostMessage> Bridge<P> {
    /// None once the input has ended and everything is answered.
    async fn next(
        &mut self,
        lines: &mut mpsc::Receiver<Result<String, Unreadable>>,
    ) -> Option<BridgeStep> {
        tokio::select! {
            Some(line) = lines.recv() => Some(BridgeStep::Line(line)),
            Some(done) = self.working.join_next() => Some(BridgeStep::Done(done)),
            else => None,
        }
    }

    /// What to say to the client.
    fn advance(&mut self, step: BridgeStep) -> Vec<String> {
        match step {
            BridgeStep::Line(line) => self.take(line),
            BridgeStep::Done(Ok(done)) => self.finish(done),
            // The client no longer waits for it.
            BridgeStep::Done(Err(error)) if error.is_cancelled() => Vec::new(),
            BridgeStep::Done(Err(error)) => {
                tracing::error!(%error, "a message was lost");
                Vec::new()
            }
        }
    }

    /// Takes a line of the client; says what can be answered at once.
    fn take(&mut self, line: Result<String, Unreadable>) -> Vec<String> {
        let message = match line.and_then(|line| BridgeMessage::parse(&line)) {
            Ok(message) => message,
            Err(unreadable) => {
                return vec![reply::error(None, unreadable.code(), unreadable.why())];
            }
        };
        if let Some(id) = message.cancels() {
            // The broker need not be told: closing the connection ends a wait, and nothing else.
            if let Some(posted) = self.in_flight.remove(&id) {
                posted.abort();
            }
            return Vec::new();
        }
        if self.working.len() >= WORKING_MAX {
            let why = format!("more than {WORKING_MAX} messages at once; wait for their answers");
            let refused = message.id().map(|id| reply::error(Some(id), reply::FAILED, &why));
            return refused.into_iter().collect();
        }
        let headers = message.headers(self.version.as_deref());
        let id = message.id().cloned();
        let posted = self.working.spawn(relay(Arc::clone(&self.post), headers, message));
        if let Some(id) = id {
            self.in_flight.insert(id, posted);
        }
        Vec::new()
    }

    fn finish(&mut self, done: Answered) -> Vec<String> {
        if let Some(id) = &done.id {
            self.in_flight.remove(id);
        }
        self.version = done.version.or_else(|| self.version.take());
        done.lines
    }
}

async fn relay<P: PostMessage>(
    post: Arc<P>,
    headers: Vec<(&'static str, String)>,
    message: BridgeMessage,
) -> Answered {
    let initializes = message.initializes();
    let id = message.id().cloned();
    let answered = post.post(headers, message.into_text()).await;
    let lines = if let Some(id) = &id {
        reply::to_request(id, answered)
    } else {
        reply::to_notification(answered);
        Vec::new()
    };
    let version = lines.last().filter(|_| initializes).and_then(|line| negotiated(line));
    Answered { id, lines, version }
}

/// The version in an answer to `initialize`.
fn negotiated(line: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(line).ok()?;
    answer.pointer("/result/protocolVersion")?.as_str().map(str::to_owned)
}
