//! What a client says: lines, each a JSON-RPC message.

use serde_json::Value;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _},
    sync::mpsc,
};

use crate::domain::len_u64;

/// Where the revisions without `initialize` say their version.
const VERSION_POINTER: &str = "/params/_meta/io.modelcontextprotocol~1protocolVersion";

/// The id of a request, as JSON: `7` and `"7"` differ.
pub(super) type Id = Value;

/// One message.
#[derive(Debug)]
pub(super) struct BridgeMessage {
    text: String,
    parsed: Value,
}

/// A line that is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    TooLong,
    NotText,
    NotJson,
    NotAMessage,
}

impl Unreadable {
    pub(super) const fn code(self) -> i32 {
        match self {
            Self::NotText | Self::NotJson => -32_700,
            Self::TooLong | Self::NotAMessage => -32_600,
        }
    }

    pub(super) const fn why(self) -> &'static str {
        match self {
            Self::TooLong => "the line is too long",
            Self::NotText => "the line is not UTF-8",
            Self::NotJson => "the line is not JSON",
            Self::NotAMessage => "the line is not one JSON-RPC message",
        }
    }
}

impl BridgeMessage {
    pub(super) fn parse(line: &str) -> Result<Self, Unreadable> {
        let parsed: Value = serde_json::from_str(line).map_err(|_why| Unreadable::NotJson)?;
        if !parsed.is_object() {
            return Err(Unreadable::NotAMessage);
        }
        Ok(Self { text: line.trim().to_owned(), parsed })
    }

    /// The message as it came.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// The id, where this is a request: others get no answer.
    pub(super) fn id(&self) -> Option<&Id> {
        self.method()?;
        self.parsed.get("id")
    }

    pub(super) fn initializes(&self) -> bool {
        self.method() == Some("initialize")
    }

    /// The request that the client no longer waits for.
    pub(super) fn cancels(&self) -> Option<Id> {
        let cancels = self.method() == Some("notifications/cancelled");
        self.parsed.pointer("/params/requestId").filter(|_| cancels).cloned()
    }

    /// The headers that must agree with the body. `settled` is what `initialize` agreed on.
    pub(super) fn headers(&self, settled: Option<&str>) -> Vec<(&'static str, String)> {
        let own = self.parsed.pointer(VERSION_POINTER).and_then(Value::as_str);
        // `initialize` names its version in its own way, and nothing is settled before it.
        let settled = settled.filter(|_| !self.initializes());
        let version = own.or(settled).map(|version| ("MCP-Protocol-Version", version));
        let modern = own.is_some();
        let method = self.method().filter(|_| modern).map(|method| ("Mcp-Method", method));
        let name = self.name().filter(|_| modern).map(|name| ("Mcp-Name", name));
        let sound = |(_, value): &(_, &str)| fits_header(value);
        let agreeing = [version, method, name].into_iter().flatten().filter(sound);
        agreeing.map(|(name, value)| (name, value.to_owned())).collect()
    }

    fn method(&self) -> Option<&str> {
        self.parsed.get("method")?.as_str()
    }

    /// What the method is about.
    fn name(&self) -> Option<&str> {
        let place = match self.method()? {
            "tools/call" | "prompts/get" => "/params/name",
            "resources/read" => "/params/uri",
            "tasks/get" | "tasks/update" | "tasks/cancel" => "/params/taskId",
            _ => return None,
        };
        self.parsed.pointer(place)?.as_str()
    }
}

/// Whether a value can travel as it is. Others would have to be encoded; the broker has nothing of
/// such a name, and says that a header is missing.
fn fits_header(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
        && value.trim() == value
        && !value.starts_with("=?")
}

/// Reads lines until the input ends or the receiver is gone. A line that is too long is left out.
pub(super) async fn read_lines(
    mut input: impl AsyncBufRead + Unpin,
    bytes_max: u64,
    lines: mpsc::Sender<Result<String, Unreadable>>,
) -> std::io::Result<()> {
    let mut line = Vec::new();
    let mut skipping = false;
    loop {
        line.clear();
        let read = (&mut input).take(bytes_max).read_until(b'\n', &mut line).await?;
        if read == 0 {
            return Ok(());
        }
        let whole = line.ends_with(b"\n") || len_u64(read) < bytes_max;
        let was_skipping = std::mem::replace(&mut skipping, !whole);
        let said = match (whole, std::str::from_utf8(&line)) {
            // The rest of a line that was answered already.
            _ if was_skipping => continue,
            (false, _) => Err(Unreadable::TooLong),
            (true, Err(_)) => Err(Unreadable::NotText),
            (true, Ok(text)) if text.trim().is_empty() => continue,
            (true, Ok(text)) => Ok(text.to_owned()),
        };
        if lines.send(said).await.is_err() {
            return Ok(());
        }
    }
}
