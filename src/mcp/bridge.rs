//! The bridge for clients that start a program: lines of JSON-RPC on one side, the broker's `/mcp`
//! on the other.
//!
//! It relays raw messages of any revision of the protocol and knows nothing of tools. All that it
//! remembers is the version that `initialize` settled on, which later messages must name.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::Arc,
};

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    sync::mpsc,
    task::{AbortHandle, JoinError, JoinSet},
};

mod body;
mod message;
mod reply;

use message::{BridgeMessage, Id, Unreadable};

/// The longest line that a client may send: a little more than the broker takes, so that the
/// broker says what is too long.
const LINE_BYTES_MAX: u64 = 512 * 1024;
/// The most messages on their way at a time.
const WORKING_MAX: usize = 64;
/// The most messages that wait for their turn; no line is read while there are more.
const WAITING_MAX: usize = 1024;
/// The most lines on their way between two tasks.
const LINES_MAX: usize = 16;
/// What the broker must answer before anything is relayed.
const PING: &str = r#"{"jsonrpc":"2.0","id":"start","method":"ping"}"#;

/// Sends one message to the broker, with the token, and gives its answer.
///
/// It says itself what it sends and takes (`Content-Type`, `Accept`), and follows no redirect. The
/// error is a sentence that names the URL and never the token.
pub trait PostMessage: Send + Sync + 'static {
    /// The body of an answer.
    type Body: AnswerBody;

    /// Sends one message. Dropping the future or the answer closes the connection.
    fn post(
        &self,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> impl Future<Output = Result<BrokerAnswer<Self::Body>, String>> + Send;
}

/// A body that is read as it comes.
pub trait AnswerBody: Send {
    /// The next piece; none at the end. The error is a sentence.
    fn piece(&mut self) -> impl Future<Output = Result<Option<Vec<u8>>, String>> + Send;
}

/// What the broker answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerAnswer<B> {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`, where there is one.
    pub content_type: Option<String>,
    /// What is still to be read.
    pub body: B,
}

/// Why a broker cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// It does not accept the token.
    Token,
    /// What is at the address is no broker, or nothing answers; why, as a sentence without its end.
    Address(String),
}

/// Asks the broker whether it is one, and accepts the token. One that cannot answer at the moment
/// passes.
pub async fn check<P: PostMessage>(post: &P) -> Result<(), Unfit> {
    let answer = post.post(Vec::new(), PING.to_owned()).await.map_err(Unfit::Address)?;
    match answer.status {
        401 => return Err(Unfit::Token),
        500..=599 => {
            tracing::warn!(status = answer.status, "the broker cannot answer at the moment");
            return Ok(());
        }
        _ => {}
    }
    let why = reply::status_text(answer.status);
    let said = body::Messages::of(answer).next().await.map_err(Unfit::Address)?;
    let said: Option<Value> = said.and_then(|said| serde_json::from_str(&said).ok());
    let is_answer = said.is_some_and(|said| {
        said.get("id").is_some_and(|id| id == "start") && said.get("result").is_some()
    });
    if is_answer { Ok(()) } else { Err(Unfit::Address(why)) }
}

/// Relays until the input ends and everything is answered, or until the output breaks.
pub async fn run<R, W, P>(input: R, mut output: W, post: P) -> io::Result<()>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin,
    P: PostMessage,
{
    let (sender, lines) = mpsc::channel(LINES_MAX);
    let (say, said) = mpsc::channel(LINES_MAX);
    // A task of its own: what it has read of a line must not be lost to a `select`.
    let reading = tokio::spawn(message::read_lines(BufReader::new(input), LINE_BYTES_MAX, sender));
    let mut bridge = Bridge {
        post: Arc::new(post),
        version: None,
        lines,
        input_ended: false,
        waiting: VecDeque::new(),
        working: JoinSet::new(),
        in_flight: HashMap::new(),
        say,
        said,
    };
    while let Some(step) = bridge.next().await {
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
    lines: mpsc::Receiver<Result<String, Unreadable>>,
    input_ended: bool,
    waiting: VecDeque<BridgeMessage>,
    working: JoinSet<Answered>,
    in_flight: HashMap<Id, AbortHandle>,
    /// Where a message that is answered by a stream says what comes before the answer.
    say: mpsc::Sender<String>,
    said: mpsc::Receiver<String>,
}

/// A message that was posted: what to say to the client, and what to remember.
struct Answered {
    id: Option<Id>,
    line: Option<String>,
    version: Option<String>,
}

/// What happens next.
enum BridgeStep {
    Line(Result<String, Unreadable>),
    InputEnded,
    Said(String),
    Done(Result<Answered, JoinError>),
}

impl<P: PostMessage> Bridge<P> {
    /// None once the input has ended and everything is answered.
    async fn next(&mut self) -> Option<BridgeStep> {
        while self.working.len() < WORKING_MAX
            && let Some(message) = self.waiting.pop_front()
        {
            self.send(message);
        }
        if self.input_ended && self.working.is_empty() {
            return None;
        }
        let reads = !self.input_ended && self.waiting.len() < WAITING_MAX;
        Some(tokio::select! {
            line = self.lines.recv(), if reads => line.map_or(BridgeStep::InputEnded, BridgeStep::Line),
            Some(line) = self.said.recv() => BridgeStep::Said(line),
            Some(done) = self.working.join_next() => BridgeStep::Done(done),
        })
    }

    fn send(&mut self, message: BridgeMessage) {
        let headers = message.headers(self.version.as_deref());
        let id = message.id().cloned();
        let relayed = relay(Arc::clone(&self.post), headers, message, self.say.clone());
        let posted = self.working.spawn(relayed);
        if let Some(id) = id {
            self.in_flight.insert(id, posted);
        }
    }

    /// What to say to the client.
    fn advance(&mut self, step: BridgeStep) -> Vec<String> {
        match step {
            BridgeStep::Line(line) => return self.take(line),
            BridgeStep::InputEnded => self.input_ended = true,
            BridgeStep::Said(line) => return vec![line],
            BridgeStep::Done(Ok(done)) => return self.finish(done),
            // The client no longer waits for it.
            BridgeStep::Done(Err(error)) if error.is_cancelled() => {}
            BridgeStep::Done(Err(error)) => tracing::error!(%error, "a message was lost"),
        }
        Vec::new()
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
            self.waiting.retain(|message| message.id() != Some(&id));
            return Vec::new();
        }
        self.waiting.push_back(message);
        Vec::new()
    }

    fn finish(&mut self, done: Answered) -> Vec<String> {
        if let Some(id) = &done.id {
            self.in_flight.remove(id);
        }
        self.version = done.version.or_else(|| self.version.take());
        // What a stream said before its end comes before it.
        let mut lines: Vec<_> = std::iter::from_fn(|| self.said.try_recv().ok()).collect();
        lines.extend(done.line);
        lines
    }
}

async fn relay<P: PostMessage>(
    post: Arc<P>,
    headers: Vec<(&'static str, String)>,
    message: BridgeMessage,
    say: mpsc::Sender<String>,
) -> Answered {
    let initializes = message.initializes();
    let id = message.id().cloned();
    let answered = post.post(headers, message.into_text()).await;
    let line = if let Some(id) = &id {
        Some(reply::to_request(id, answered, &say).await)
    } else {
        reply::to_notification(answered);
        None
    };
    let version = line.as_deref().filter(|_| initializes).and_then(negotiated);
    Answered { id, line, version }
}

/// The version in an answer to `initialize`.
fn negotiated(line: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(line).ok()?;
    answer.pointer("/result/protocolVersion")?.as_str().map(str::to_owned)
}
