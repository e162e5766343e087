//! A strict reader of what `/metrics` says: the text format of `OpenMetrics` 1.0, as far as the page uses
//! it. Whatever else it says is a fault.

use std::collections::{BTreeMap, BTreeSet};

/// One line: a name, labels in their order, a number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
    text: String,
}

/// The lines of one metric.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) samples: Vec<Sample>,
}

/// All metrics by name.
#[derive(Debug, Default)]
pub(crate) struct Metrics(pub(crate) BTreeMap<String, Family>);

impl Metrics {
    /// Reads the whole text; says which line is wrong.
    pub(crate) fn read(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").unwrap_or_else(|| panic!("no end: {text}"));
        let (mut families, mut open, mut seen) = (Self::default(), None, BTreeSet::new());
        let mut lines = body.lines().peekable();
        while let Some(line) = lines.next() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
                assert!(is_name(name) && help.ends_with('.') && !help.ends_with(".."), "{line}");
                let kind = lines.next().and_then(|l| l.strip_prefix(&format!("# TYPE {name} ")));
                let kind = kind.unwrap_or_else(|| panic!("no type after {line}")).to_owned();
                assert!(["gauge", "counter", "histogram"].contains(&kind.as_str()), "{kind}");
                let family = Family { kind, samples: Vec::new() };
                assert!(families.0.insert(name.to_owned(), family).is_none(), "twice: {name}");
                open = Some(name.to_owned());
                continue;
            }
            let sample = sample(line);
            let name = open.as_ref().unwrap_or_else(|| panic!("no family before {line}"));
            let family = families.0.get_mut(name).unwrap();
            let suffixes: &[&str] = match family.kind.as_str() {
                "gauge" => &[""],
                "counter" => &["_total"],
                _ => &["_bucket", "_sum", "_count"],
            };
            let own = suffixes.iter().any(|suffix| sample.name == format!("{name}{suffix}"));
            assert!(own, "{line} is none of {name}");
            assert!(seen.insert((sample.name.clone(), sample.labels.clone())), "twice: {line}");
            family.samples.push(sample);
        }
        families.0.iter().for_each(|(name, family)| check(name, family));
        families
    }

    /// The whole number of a line, such as `countersign_requests{state="pending"}`.
    pub(crate) fn number(&self, line: &str) -> u64 {
        let text = &self.sample(line).text;
        text.trim_end_matches(".0").parse().unwrap_or_else(|_| panic!("{line} {text}"))
    }

    /// The line of that name and these labels.
    pub(crate) fn sample(&self, line: &str) -> &Sample {
        let wanted = sample(&format!("{line} 0"));
        let mut all = self.0.values().flat_map(|family| &family.samples);
        let found = all.find(|one| one.name == wanted.name && one.labels == wanted.labels);
        found.unwrap_or_else(|| panic!("{line} is not in {self:?}"))
    }
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with("countersign_") && name.chars().all(plain) && !name.ends_with("_total")
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no number: {line}"));
    let (name, labels) = match series.split_once('{') {
        None => (series, ""),
        Some((name, rest)) => {
            (name, rest.strip_suffix('}').unwrap_or_else(|| panic!("no end of labels: {line}")))
        }
    };
    let label = |text: &str| {
        let (key, quoted) = text.split_once('=').unwrap_or_else(|| panic!("no label: {line}"));
        let word = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let word = word.unwrap_or_else(|| panic!("no quotes: {line}"));
        let bounded = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
        assert!(word.chars().all(bounded), "a word of the configuration or of ours: {line}");
        (key.to_owned(), word.to_owned())
    };
    let labels = labels.split(',').filter(|text| !text.is_empty()).map(label).collect();
    let text = value.to_owned();
    let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
    Sample { name: name.to_owned(), labels, value, text }
}

fn check(name: &str, family: &Family) {
    let all = &family.samples;
    if family.kind == "counter" {
        assert!(all.iter().all(|one| one.value >= 0.0), "{name}");
    }
    if family.kind != "histogram" {
        return;
    }
    let of =
        |suffix: &'static str| all.iter().filter(move |one| one.name == format!("{name}{suffix}"));
    let buckets: Vec<_> = of("_bucket").collect();
    let bound = |one: &&Sample| match one.labels.as_slice() {
        [(le, bound)] if le == "le" => bound.replace("+Inf", "inf").parse::<f64>().unwrap(),
        other => panic!("{name}: {other:?}"),
    };
    let bounds: Vec<_> = buckets.iter().map(bound).collect();
    assert!(bounds.windows(2).all(|two| two[0] < two[1]), "{name}: {bounds:?}");
    assert!(buckets.windows(2).all(|two| two[0].value <= two[1].value), "{name}: {buckets:?}");
    let count = of("_count").next().unwrap();
    assert!(bounds.last().unwrap().is_infinite(), "{name}: {bounds:?}");
    assert_eq!(buckets.last().unwrap().text, count.text, "{name}");
    assert!(of("_sum").next().unwrap().value >= 0.0, "{name}");
}
