//! A parsed search: which alerts, in which order, after which position, which fields, and what is
//! counted over all of them.
//!
//! Sort values are those of `OpenSearch`: dates in milliseconds, missing values last.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use crate::api::answer::{Refusal, refused};
use crate::clock;
use crate::indexer::aggregate::Aggregations;
use crate::world::Stored;

/// The number of hits if a search gives no size.
const HITS: usize = 10;
/// `index.max_result_window`.
const HITS_MAX: usize = 10_000;

/// What a search may say. Searches here are never out of time by themselves.
const KNOWN: [&str; 9] = [
    "query",
    "size",
    "sort",
    "search_after",
    "_source",
    "track_total_hits",
    "timeout",
    "aggs",
    "aggregations",
];

/// A valid search.
pub(crate) struct Search<'a> {
    query: Option<&'a Value>,
    order: Vec<Key>,
    /// The sort values of the last hit that the client has seen.
    after: Option<Vec<Value>>,
    source: Source<'a>,
    size: usize,
    counted: Aggregations<'a>,
}

/// What a search found.
#[derive(Default)]
pub(crate) struct Found {
    /// The number of matching alerts.
    pub(crate) total: usize,
    /// The hits on this page.
    pub(crate) hits: Vec<Value>,
    /// What was counted over all matching alerts; none where nothing was to be.
    pub(crate) aggregations: Option<Value>,
}

/// One sort key.
struct Key {
    field: String,
    descending: bool,
}

/// Which part of a document is returned.
enum Source<'a> {
    All,
    Nothing,
    Only(Vec<&'a str>),
}

impl<'a> Search<'a> {
    pub(crate) fn read(body: &'a Value) -> Result<Self, Refusal> {
        let fields = body.as_object().ok_or_else(|| refused("a search is an object"))?;
        if let Some(other) = fields.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            return Err(refused(&format!("unknown key [{other}]")));
        }
        if body.get("timeout").is_some_and(|limit| !limit.is_string()) {
            return Err(refused("timeout is a text"));
        }
        let order = body.get("sort").map_or(Ok(Vec::new()), |order| {
            flat(order).iter().map(Key::read).collect::<Result<Vec<_>, _>>()
        })?;
        let after = body.get("search_after").map(|_| list(body, "search_after")).transpose()?;
        if after.is_some_and(|after| order.is_empty() || after.len() != order.len()) {
            return Err(refused("search_after requires a value for each key of sort"));
        }
        let size = whole(body, "size")?.unwrap_or(HITS);
        if size > HITS_MAX {
            return Err(refused("result window is too large"));
        }
        Ok(Self {
            query: body.get("query"),
            order,
            after: after.map(|after| after.iter().map(comparable).collect()),
            source: Source::read(body.get("_source"))?,
            size,
            counted: Aggregations::read(body)?,
        })
    }

    /// Fails as an index without a template does, where fields are text, which can neither be sorted
    /// by nor counted.
    pub(crate) fn needs_no_keyword(&self, index: &str) -> Result<(), Refusal> {
        let sorted = self.order.iter().map(|key| key.field.as_str());
        let mut fields =
            sorted.filter(|field| !field.starts_with('_')).chain(self.counted.fields());
        let Some(field) = fields.next() else { return Ok(()) };
        let reason = format!(
            "Text fields are not optimised for operations that require per-document field data \
             like aggregations and sorting, so these operations are disabled by default. Please \
             use a keyword field instead. Alternatively, set fielddata=true on [{field}] in order \
             to load field data by uninverting the inverted index. Note that this can use \
             significant memory."
        );
        Err(Refusal::Shards { index: index.to_owned(), reason })
    }

    pub(crate) fn run(&self, alerts: impl Iterator<Item = &'a Stored>) -> Result<Found, Refusal> {
        let matching =
            |stored: &Stored| self.query.map_or(Ok(true), |query| matches(query, stored));
        // An invalid query is refused even if there are no alerts.
        matching(&Stored { index: String::new(), id: String::new(), source: json!({}) })?;
        let mut found: Vec<(Vec<Value>, &Stored)> = Vec::new();
        for stored in alerts {
            if matching(stored)? {
                let place = self.order.iter().map(|key| key.value(stored)).collect();
                found.push((place, stored));
            }
        }
        let total = found.len();
        let counted: Vec<_> = found.iter().map(|(_, stored)| *stored).collect();
        let counts = !self.counted.is_empty();
        let aggregations = counts.then(|| self.counted.run(&counted)).transpose()?;
        found.sort_by(|(one, _), (other, _)| self.compare(one, other));
        if let Some(after) = &self.after {
            found.retain(|(place, _)| self.compare(place, after).is_gt());
        }
        found.truncate(self.size);
        let hits = found.into_iter().map(|(place, stored)| self.hit(place, stored)).collect();
        Ok(Found { total, hits, aggregations })
    }

    fn compare(&self, one: &[Value], other: &[Value]) -> Ordering {
        let keys = self.order.iter().zip(one).zip(other);
        let mut orders = keys.map(|((key, one), other)| key.compare(one, other));
        orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }

    fn hit(&self, place: Vec<Value>, stored: &Stored) -> Value {
        let mut hit = json!({"_index": stored.index, "_id": stored.id, "_score": null});
        let source = match &self.source {
            Source::All => Some(stored.source.clone()),
            Source::Nothing => None,
            Source::Only(fields) => Some(only(&stored.source, fields)),
        };
        if let Some(fields) = hit.as_object_mut() {
            fields.extend(source.map(|source| ("_source".to_owned(), source)));
            if !place.is_empty() {
                fields.insert("sort".to_owned(), Value::Array(place));
            }
        }
        hit
    }
}

impl Key {
    fn read(key: &Value) -> Result<Self, Refusal> {
        let (field, direction) = if let Some(field) = key.as_str() {
            (field, "asc")
        } else {
            let (field, how) = only_entry(key)?;
            let known = |name: &String| ["order", "unmapped_type"].contains(&name.as_str());
            if how.as_object().is_some_and(|how| !how.keys().all(known)) {
                return Err(refused(&format!("unknown way to sort in {key}")));
            }
            let direction = if how.is_object() { how.get("order") } else { Some(how) };
            (field, direction.map_or("asc", |word| word.as_str().unwrap_or_default()))
        };
        let descending = match direction {
            "asc" => false,
            "desc" => true,
            other => return Err(refused(&format!("unknown order [{other}]"))),
        };
        Ok(Self { field: field.to_owned(), descending })
    }

    fn value(&self, stored: &Stored) -> Value {
        if self.field == "_id" {
            return Value::from(stored.id.clone());
        }
        values(stored, &self.field).first().map_or(Value::Null, |value| comparable(value))
    }

    fn compare(&self, one: &Value, other: &Value) -> Ordering {
        match (one.is_null(), other.is_null()) {
            (false, false) => {
                let order = compare(one, other);
                if self.descending { order.reverse() } else { order }
            }
            (one, other) => one.cmp(&other),
        }
    }
}

impl<'a> Source<'a> {
    fn read(wanted: Option<&'a Value>) -> Result<Self, Refusal> {
        let Some(wanted) = wanted else { return Ok(Self::All) };
        if let Some(all) = wanted.as_bool() {
            return Ok(if all { Self::All } else { Self::Nothing });
        }
        let plain = |field: &'a Value| field.as_str().filter(|field| !field.contains('*'));
        let fields: Option<Vec<&str>> = flat(wanted).iter().map(plain).collect();
        fields.map(Self::Only).ok_or_else(|| refused("_source requires plain field names"))
    }
}

/// The part of a document with these dotted fields.
fn only(document: &Value, fields: &[&str]) -> Value {
    let mut kept = Map::new();
    for (name, inner) in document.as_object().into_iter().flatten() {
        let below: Vec<&str> = fields
            .iter()
            .filter_map(|field| field.strip_prefix(name.as_str())?.strip_prefix('.'))
            .collect();
        if fields.contains(&name.as_str()) {
            kept.insert(name.clone(), inner.clone());
        } else if !below.is_empty() {
            let part = only(inner, &below);
            if part.as_object().is_some_and(|part| !part.is_empty()) {
                kept.insert(name.clone(), part);
            }
        }
    }
    Value::Object(kept)
}

fn matches(query: &Value, stored: &Stored) -> Result<bool, Refusal> {
    let (kind, inner) = only_entry(query)?;
    match kind {
        "match_all" => Ok(true),
        "bool" => bool_matches(inner, stored),
        "ids" => Ok(list(inner, "values")?.iter().any(|id| *id == stored.id.as_str())),
        "term" => {
            let (field, wanted) = only_entry(inner)?;
            let (wanted, folded) = value_and_case(wanted)?;
            let wanted = folded(text(wanted));
            Ok(values(stored, field).iter().any(|value| folded(text(value)) == wanted))
        }
        "terms" => {
            let (field, wanted) = only_entry(inner)?;
            let wanted = wanted.as_array().ok_or_else(|| refused("terms requires an array"))?;
            let found = values(stored, field);
            Ok(found.iter().any(|value| wanted.iter().any(|one| same(value, one))))
        }
        "prefix" => {
            let (field, wanted) = only_entry(inner)?;
            let (wanted, folded) = value_and_case(wanted)?;
            let wanted = wanted.as_str().ok_or_else(|| refused("prefix requires a text"))?;
            let wanted = folded(wanted.to_owned());
            Ok(values(stored, field).iter().any(|value| folded(text(value)).starts_with(&wanted)))
        }
        "range" => {
            let (field, bounds) = only_entry(inner)?;
            let bounds = Bound::all(field, bounds)?;
            let inside = |value: &&Value| bounds.iter().all(|bound| bound.holds(value));
            Ok(values(stored, field).iter().any(inside))
        }
        other => Err(refused(&format!("unknown query [{other}]"))),
    }
}

/// What both sides of a comparison become first.
type Fold = fn(String) -> String;

/// What a term or a prefix looks for, and what both sides become first: ASCII case does not count
/// where `case_insensitive` says so.
fn value_and_case(wanted: &Value) -> Result<(&Value, Fold), Refusal> {
    let known = |name: &String| ["value", "case_insensitive"].contains(&name.as_str());
    if let Some(how) = wanted.as_object().filter(|how| !how.keys().all(known)) {
        return Err(refused(&format!("unknown way to look for a value in {}", json!(how))));
    }
    let folds = wanted.get("case_insensitive").and_then(Value::as_bool).unwrap_or(false);
    let folded: Fold = if folds { |text: String| text.to_ascii_lowercase() } else { |text| text };
    Ok((wanted.get("value").unwrap_or(wanted), folded))
}

fn bool_matches(clauses: &Value, stored: &Stored) -> Result<bool, Refusal> {
    let clauses = clauses.as_object().ok_or_else(|| refused("bool requires an object"))?;
    let needs_one = !clauses.contains_key("filter") && !clauses.contains_key("must");
    let mut least = usize::from(needs_one && clauses.contains_key("should"));
    let (mut holds, mut should) = (true, 0_usize);
    for (kind, queries) in clauses {
        if kind == "minimum_should_match" {
            least = whole(&json!({"n": queries}), "n")?.unwrap_or(least);
            continue;
        }
        let queries = queries.as_array().map_or(std::slice::from_ref(queries), Vec::as_slice);
        let mut count = 0;
        for query in queries {
            count += usize::from(matches(query, stored)?);
        }
        match kind.as_str() {
            "filter" | "must" => holds &= count == queries.len(),
            "must_not" => holds &= count == 0,
            "should" => should = count,
            other => return Err(refused(&format!("unknown clause [{other}]"))),
        }
    }
    Ok(holds && should >= least)
}

/// One end of a range.
pub(crate) struct Bound {
    limit: Value,
    holds: fn(Ordering) -> bool,
}

impl Bound {
    fn all(field: &str, bounds: &Value) -> Result<Vec<Self>, Refusal> {
        let bounds = bounds.as_object().ok_or_else(|| refused("range requires an object"))?;
        bounds.iter().map(|(bound, limit)| Self::read(field, bound, limit)).collect()
    }

    pub(crate) fn read(field: &str, bound: &str, limit: &Value) -> Result<Self, Refusal> {
        let holds = match bound {
            "gte" => Ordering::is_ge,
            "gt" => Ordering::is_gt,
            "lte" => Ordering::is_le,
            "lt" => Ordering::is_lt,
            other => return Err(refused(&format!("unknown bound [{other}]"))),
        };
        let limit = comparable(limit);
        // Milliseconds or a date; date math such as `now-1h` is not supported.
        if field.ends_with("timestamp") && !limit.is_i64() {
            return Err(refused(&format!("failed to parse date field [{limit}]")));
        }
        Ok(Self { limit, holds })
    }

    pub(crate) fn holds(&self, value: &Value) -> bool {
        (self.holds)(compare(&comparable(value), &self.limit))
    }
}

/// The value to compare: dates become milliseconds.
fn comparable(value: &Value) -> Value {
    time_ms(value).map_or_else(|| value.clone(), Value::from)
}

/// Compares as numbers if both are numbers, else as text.
fn compare(one: &Value, other: &Value) -> Ordering {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        _ => text(one).cmp(&text(other)),
    }
}

pub(crate) fn time_ms(value: &Value) -> Option<i64> {
    value.as_str().and_then(clock::read).map(|time| time.timestamp_millis())
}

/// Fields are keywords: `5763` and `"5763"` are the same.
fn same(one: &Value, other: &Value) -> bool {
    text(one) == text(other)
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// All values of a dotted field, with arrays flattened.
pub(crate) fn values<'a>(stored: &'a Stored, field: &str) -> Vec<&'a Value> {
    let mut level = vec![&stored.source];
    for name in field.split('.') {
        level = level.into_iter().filter_map(|value| value.get(name)).flat_map(flat).collect();
    }
    level
}

fn flat(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

fn only_entry(value: &Value) -> Result<(&str, &Value), Refusal> {
    let mut entries = value.as_object().into_iter().flatten();
    match (entries.next(), entries.next()) {
        (Some((name, inner)), None) => Ok((name.as_str(), inner)),
        _ => Err(refused(&format!("exactly one field expected in {value}"))),
    }
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a Vec<Value>, Refusal> {
    value
        .get(name)
        .and_then(Value::as_array)
        .ok_or_else(|| refused(&format!("[{name}] is missing")))
}

pub(crate) fn whole(value: &Value, name: &str) -> Result<Option<usize>, Refusal> {
    let Some(number) = value.get(name) else { return Ok(None) };
    let number = number.as_u64().and_then(|number| usize::try_from(number).ok());
    number.map(Some).ok_or_else(|| refused(&format!("[{name}] is not a number")))
}
