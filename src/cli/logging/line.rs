//! The one place that writes log lines. Whatever an event or a span holds, ours or a library's,
//! becomes visible and is cut here, so that nothing in it can look like a line or a field.

use std::{
    fmt::{self, Write as _},
    io::{self, Write as _},
};

use chrono::SecondsFormat;
use serde_json::Value;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    layer::Context,
    registry::{LookupSpan, Scope},
};

use super::LogFormat;
use crate::{clock::Clock, text::visible::visible};

/// A longer text is cut, in characters: a line stays short whatever is in it.
const TEXT_CHARS_MAX: usize = 200;
/// The fields that hold a sentence of ours, at whose end stands what to do. It may repeat a path, or
/// words from outside that were cut where they came in.
const SENTENCES: [&str; 3] = ["why", "error", "note"];
/// Where one of these is cut.
const SENTENCE_CHARS_MAX: usize = 1200;

/// Writes each event as one line on standard error.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) format: LogFormat,
    pub(super) clock: Clock,
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let mut line = Line {
            time: self.clock.wall().to_rfc3339_opts(SecondsFormat::Micros, true),
            level: *event.metadata().level(),
            spans: Vec::new(),
            fields: Fields::default(),
        };
        event.record(&mut line.fields);
        for span in ctx.event_scope(event).into_iter().flat_map(Scope::from_root) {
            let fields = span.extensions().get::<Fields>().cloned().unwrap_or_default();
            line.spans.push((span.name(), fields));
        }
        let line = match self.format {
            LogFormat::Text => line.text(),
            LogFormat::Json => line.json(),
        };
        // With standard error closed there is nobody left to tell.
        let _written = writeln!(io::stderr(), "{line}").is_ok();
    }
}

struct Line {
    time: String,
    level: Level,
    spans: Vec<(&'static str, Fields)>,
    fields: Fields,
}

impl Line {
    fn text(&self) -> String {
        let span = |(name, fields): &(&str, Fields)| {
            format!("{name}{{{}}}", fields.0.iter().map(pair).collect::<Vec<_>>().join(" "))
        };
        let spans: Vec<_> = self.spans.iter().map(span).collect();
        let (messages, fields): (Vec<_>, Vec<_>) =
            self.fields.0.iter().partition(|(name, _)| *name == MESSAGE);
        let mut parts = vec![format!("{} {:>5}", self.time, self.level)];
        if !spans.is_empty() {
            parts.push(format!("{}:", spans.join(":")));
        }
        let bare_message = |c| !"\"={}".contains(c);
        parts.extend(messages.into_iter().map(|(_, message)| bare(message, bare_message)));
        parts.extend(fields.into_iter().map(pair));
        parts.join(" ")
    }

    fn json(&self) -> String {
        let time_and_level =
            [("timestamp", self.time.as_str().into()), ("level", self.level.as_str().into())];
        let fields = time_and_level.into_iter().chain(self.fields.0.iter().cloned());
        let span = |(name, fields): &(&'static str, Fields)| {
            fields.0.iter().cloned().chain([("name", Value::from(*name))]).collect::<Value>()
        };
        let spans: Vec<Value> = self.spans.iter().map(span).collect();
        let spans = (!spans.is_empty()).then(|| ("spans", Value::from(spans)));
        let fields =
            fields.chain(spans).map(|(name, value)| format!("{}:{value}", Value::from(name)));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    }
}

fn pair((name, value): &(&'static str, Value)) -> String {
    format!("{name}={}", bare(value, |c| c.is_ascii_alphanumeric() || "-_.:/+".contains(c)))
}

/// A text of such characters alone stands as it is, any other in quotes and escaped.
fn bare(value: &Value, is_bare: impl Fn(char) -> bool) -> String {
    match value.as_str().filter(|text| !text.is_empty() && text.chars().all(is_bare)) {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    }
}

/// The field that holds what an event says.
const MESSAGE: &str = "message";

/// What an event or a span holds, in its order. Every text in it is visible and short.
#[derive(Debug, Default, Clone)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        match self.0.iter_mut().find(|(name, _)| *name == field.name()) {
            Some((_, old)) => *old = value,
            None => self.0.push((field.name(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let sentence = SENTENCES.contains(&field.name());
        let chars_max = if sentence { SENTENCE_CHARS_MAX } else { TEXT_CHARS_MAX };
        let mut start = Start { chars_max, ..Start::default() };
        // It fails where the text is cut.
        let _whole = write!(start, "{value:?}").is_ok();
        let cut = if start.cut { "…" } else { "" };
        self.set(field, format!("{}{cut}", visible(&start.text)).into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }
}

/// The start of a text. What is left out is not even built.
#[derive(Default)]
struct Start {
    text: String,
    chars: usize,
    chars_max: usize,
    cut: bool,
}

impl fmt::Write for Start {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.chars == self.chars_max {
                self.cut = true;
                return Err(fmt::Error);
            }
            self.chars += 1;
            self.text.push(c);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::{layer::SubscriberExt as _, registry};

    use super::*;

    /// Keeps what the last event holds.
    struct Kept(Arc<Mutex<Fields>>);

    impl<S: Subscriber> Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _ctx: Context<'_, S>) {
            let mut fields = self.0.lock().unwrap();
            *fields = Fields::default();
            event.record(&mut *fields);
        }
    }

    fn lines(log: impl FnOnce()) -> [String; 2] {
        let kept = Arc::new(Mutex::new(Fields::default()));
        tracing::subscriber::with_default(registry().with(Kept(kept.clone())), log);
        let fields = kept.lock().unwrap().clone();
        let time = "2026-11-28T10:00:00.000000Z".to_owned();
        let line = Line { time, level: Level::WARN, spans: vec![("http", fields.clone())], fields };
        [line.text(), line.json()]
    }

    #[test]
    fn no_value_breaks_out_of_its_field() {
        let hostile = "1\n\u{1b}[31m\r\u{202e}\u{2028}\u{85}\u{9b} kind=\"x\" \\ }: recorded";
        for [text, json] in [
            lines(|| tracing::warn!(id = %hostile, "{hostile}")),
            lines(|| tracing::warn!(id = hostile, "said {hostile}")),
            lines(|| tracing::warn!(id = ?hostile, "{hostile:?}")),
        ] {
            for line in [&text, &json] {
                let foreign = |c: &char| c.is_control() || "\u{202e}\u{2028}".contains(*c);
                assert_eq!(line.chars().find(foreign), None, "{line}");
            }
            let object: Value = serde_json::from_str(&json).expect(&json);
            assert!(object["id"].as_str().unwrap().starts_with(['1', '"']), "{json}");
            assert_eq!(object.get("kind"), None, "{json}");
            // Outside of quotes stand our own words alone.
            let outside: String =
                text.replace("\\\\", "").replace("\\\"", "").split('"').step_by(2).collect();
            assert!(!outside.contains("recorded") && !outside.contains("kind"), "{text}");
        }
    }

    #[test]
    fn long_value_is_cut() {
        let long = "x".repeat(250_000);
        let [text, json] = lines(|| tracing::warn!(id = %long, number = 7, sure = true, "short"));
        assert!(text.len() < 600 && json.len() < 600, "{text}\n{json}");
        assert!(text.ends_with(" number=7 sure=true") && text.contains(" short "), "{text}");
        let ours = format!("{} do this", "x".repeat(1000));
        let [text, _] = lines(|| tracing::warn!(why = ours, error = %ours, note = ours, "short"));
        assert_eq!(text.matches(" do this\"").count(), 6, "{text}");
        let [text, json] = lines(|| tracing::warn!(why = long, "short"));
        assert!(text.len() < 2600 && json.len() < 2600, "{text}\n{json}");
    }
}
