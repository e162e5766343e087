//! The messages in the body of an answer, each as soon as it has come.

use super::{AnswerBody, BrokerAnswer};

/// One message, or those of an event stream.
pub(super) struct Messages<B> {
    body: B,
    is_stream: bool,
    /// What came and is not read yet.
    came: Vec<u8>,
    has_ended: bool,
}

impl<B: AnswerBody> Messages<B> {
    pub(super) fn of(answer: BrokerAnswer<B>) -> Self {
        let kind = answer.content_type.as_deref().unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        let is_stream = essence.eq_ignore_ascii_case("text/event-stream");
        Self { body: answer.body, is_stream, came: Vec::new(), has_ended: false }
    }

    /// The next message; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<String>, String> {
        let mut data = String::new();
        loop {
            while let Some(line) = self.line() {
                if let Some(part) = line.strip_prefix("data:") {
                    let part = part.strip_prefix(' ').unwrap_or(part);
                    let joint = if data.is_empty() { "" } else { "\n" };
                    data = data + joint + part;
                } else if line.is_empty() && !data.is_empty() {
                    return Ok(Some(data));
                }
            }
            if self.has_ended {
                let rest = std::mem::take(&mut self.came);
                let rest = String::from_utf8_lossy(&rest).into_owned();
                return Ok(Some(rest).filter(|rest| !rest.is_empty()));
            }
            if let Some(piece) = self.body.piece().await? {
                self.came.extend(piece);
                continue;
            }
            self.has_ended = true;
            // A last event may lack its end.
            self.came.extend(self.is_stream.then_some(*b"\n\n").into_iter().flatten());
        }
    }

    /// The next whole line of a stream, without its end.
    fn line(&mut self) -> Option<String> {
        let end = self.came.iter().position(|byte| *byte == b'\n').filter(|_| self.is_stream)?;
        let line: Vec<_> = self.came.drain(..=end).collect();
        let line = String::from_utf8_lossy(&line);
        Some(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}
