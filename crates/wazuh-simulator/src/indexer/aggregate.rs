//! Numbers over the alerts that a search finds: by value, and by spans of time.
//!
//! As in `OpenSearch`: spans without alerts between two with some are in the answer, an alert
//! without the field is in none, and `hard_bounds` hold for the beginnings of spans, the upper one
//! excluded.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::api::answer::{Refusal, refused};
use crate::clock;
use crate::indexer::search::{Bound, text, time_ms, values, whole};
use crate::world::Stored;

/// The number of values if an aggregation gives no size.
const VALUES: usize = 10;
/// `search.max_buckets`.
const BUCKETS_MAX: i64 = 65_535;

/// The named aggregations of a search.
#[derive(Default)]
pub(crate) struct Aggregations<'a>(Vec<(&'a str, Aggregation<'a>)>);

struct Aggregation<'a> {
    field: &'a str,
    kind: Kind,
    /// What is counted within each of its buckets.
    inner: Aggregations<'a>,
}

enum Kind {
    /// By value, the most frequent first.
    Terms { size: usize },
    /// By spans of so many milliseconds that begin within the bounds.
    Spans { length: i64, bounds: Vec<Bound> },
}

impl<'a> Aggregations<'a> {
    /// Reads `aggs`, or `aggregations`, of a search or of an aggregation.
    pub(crate) fn read(of: &'a Value) -> Result<Self, Refusal> {
        let all = of.get("aggs").or_else(|| of.get("aggregations"));
        let Some(all) = all else { return Ok(Self::default()) };
        let all = all.as_object().ok_or_else(|| refused("aggs is an object"))?;
        let read =
            |(name, one): (&'a String, &'a Value)| Ok((name.as_str(), Aggregation::read(one)?));
        all.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields that are read, those of inner ones too.
    pub(crate) fn fields(&self) -> Vec<&'a str> {
        let own = self.0.iter().map(|(_, one)| one.field);
        own.chain(self.0.iter().flat_map(|(_, one)| one.inner.fields())).collect()
    }

    pub(crate) fn run(&self, found: &[&Stored]) -> Result<Value, Refusal> {
        let mut answer = Map::new();
        for (name, one) in &self.0 {
            answer.insert((*name).to_owned(), one.run(found)?);
        }
        Ok(Value::Object(answer))
    }
}

impl<'a> Aggregation<'a> {
    fn read(one: &'a Value) -> Result<Self, Refusal> {
        let parts = one.as_object().ok_or_else(|| refused("an aggregation is an object"))?;
        let inner = |name: &str| name == "aggs" || name == "aggregations";
        let mut kinds = parts.iter().filter(|(name, _)| !inner(name));
        let (Some((kind, how)), None) = (kinds.next(), kinds.next()) else {
            return Err(refused(&format!("exactly one aggregation expected in {one}")));
        };
        let known: &[&str] = match kind.as_str() {
            "terms" => &["field", "size"],
            "date_histogram" => &["field", "fixed_interval", "hard_bounds"],
            other => return Err(refused(&format!("unknown aggregation [{other}]"))),
        };
        let how_fields = how.as_object().ok_or_else(|| refused("an aggregation is an object"))?;
        if let Some(other) = how_fields.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(refused(&format!("unknown key [{other}] of an aggregation")));
        }
        let field = how.get("field").and_then(Value::as_str);
        let field = field.ok_or_else(|| refused("an aggregation needs a field"))?;
        let kind = if kind == "terms" {
            Kind::Terms { size: whole(how, "size")?.unwrap_or(VALUES) }
        } else {
            Kind::Spans { length: length(how)?, bounds: bounds(field, how)? }
        };
        Ok(Self { field, kind, inner: Aggregations::read(one)? })
    }

    fn run(&self, found: &[&Stored]) -> Result<Value, Refusal> {
        match &self.kind {
            Kind::Terms { size } => self.terms(found, *size),
            Kind::Spans { length, bounds } => self.spans(found, *length, bounds),
        }
    }

    fn terms(&self, found: &[&Stored], size: usize) -> Result<Value, Refusal> {
        let mut by_value: BTreeMap<String, Vec<&Stored>> = BTreeMap::new();
        for stored in found {
            for value in values(stored, self.field) {
                let of = by_value.entry(text(value)).or_default();
                // A document counts once, however often it holds the value.
                if of.last().is_none_or(|last| !std::ptr::eq(*last, *stored)) {
                    of.push(stored);
                }
            }
        }
        let mut all: Vec<_> = by_value.into_iter().collect();
        all.sort_by_key(|(_, of)| std::cmp::Reverse(of.len()));
        let others: usize = all.iter().skip(size).map(|(_, of)| of.len()).sum();
        all.truncate(size);
        let buckets: Result<Vec<_>, _> =
            all.into_iter().map(|(value, of)| self.bucket(json!({"key": value}), &of)).collect();
        Ok(json!({
            "doc_count_error_upper_bound": 0,
            "sum_other_doc_count": others,
            "buckets": buckets?,
        }))
    }

    fn spans(&self, found: &[&Stored], length: i64, bounds: &[Bound]) -> Result<Value, Refusal> {
        let mut by_begin: BTreeMap<i64, Vec<&Stored>> = BTreeMap::new();
        for stored in found {
            for at in values(stored, self.field).into_iter().filter_map(time_ms) {
                let begin = at.div_euclid(length) * length;
                if bounds.iter().all(|bound| bound.holds(&begin.into())) {
                    by_begin.entry(begin).or_default().push(stored);
                }
            }
        }
        let ends = by_begin.keys().next().zip(by_begin.keys().next_back());
        let Some((first, last)) = ends.map(|(first, last)| (*first, *last)) else {
            return Ok(json!({"buckets": []}));
        };
        if (last - first) / length >= BUCKETS_MAX {
            return Err(refused("Trying to create too many buckets"));
        }
        let mut buckets = Vec::new();
        let mut begin = first;
        while begin <= last {
            let of = by_begin.remove(&begin).unwrap_or_default();
            let shown = chrono::DateTime::from_timestamp_millis(begin).map(clock::indexer_form);
            buckets.push(self.bucket(json!({"key_as_string": shown, "key": begin}), &of)?);
            begin += length;
        }
        Ok(json!({"buckets": buckets}))
    }

    fn bucket(&self, mut key: Value, of: &[&Stored]) -> Result<Value, Refusal> {
        let inner = self.inner.run(of)?;
        if let (Some(fields), Value::Object(inner)) = (key.as_object_mut(), inner) {
            fields.insert("doc_count".to_owned(), of.len().into());
            fields.extend(inner);
        }
        Ok(key)
    }
}

/// `fixed_interval` in milliseconds: a number of seconds, minutes, hours or days.
fn length(how: &Value) -> Result<i64, Refusal> {
    let said = how.get("fixed_interval").and_then(Value::as_str).unwrap_or_default();
    let units = [("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let read = |(unit, millis): (&str, i64)| {
        let number: i64 = said.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(millis).filter(|length| *length > 0)
    };
    let length = units.into_iter().find_map(read);
    length.ok_or_else(|| refused(&format!("failed to parse fixed_interval [{said}]")))
}

/// Where a span may begin: from `min`, before `max`.
fn bounds(field: &str, how: &Value) -> Result<Vec<Bound>, Refusal> {
    let Some(bounds) = how.get("hard_bounds") else { return Ok(Vec::new()) };
    let bounds = bounds.as_object().ok_or_else(|| refused("hard_bounds is an object"))?;
    let read = |(name, limit): (&String, &Value)| match name.as_str() {
        "min" => Bound::read(field, "gte", limit),
        "max" => Bound::read(field, "lt", limit),
        other => Err(refused(&format!("unknown bound [{other}]"))),
    };
    bounds.iter().map(read).collect()
}
