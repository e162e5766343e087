//! Bars of every kind: alone, stacked, none, and named by somebody hostile.

use askama::Template;

use super::{
    Layout, layout,
    made_up::{HOSTILE, at},
};
use crate::web::layout::chart::{BarChart, Series};

/// A page of charts and nothing else.
#[derive(Debug, Template)]
#[template(
    source = r#"{% extends "base.html" %}{% import "chart.html" as chart %}
{% block main %}<h1>Bars</h1>{% for bars in charts %}{{ chart::bars(bars) }}{% endfor %}{% endblock %}"#,
    ext = "html"
)]
struct ChartsPage {
    layout: Layout,
    charts: Vec<BarChart>,
}

fn series(name: &str, look: u8, values: Vec<u64>) -> Series {
    Series { name: name.to_owned(), values, look }
}

/// Bars whose series, columns and title carry this text.
pub(super) fn named(text: &str) -> askama::Result<String> {
    let days = (at(0), 3);
    let stacked = BarChart {
        labels: vec![text.to_owned(), "x".to_owned(), text.to_owned()],
        ..BarChart::by_day(
            "named",
            (text.to_owned(), "request"),
            days,
            vec![series(text, 1, vec![1, 0, 2]), series("other", 2, vec![0, 1])],
        )
    };
    ChartsPage { layout: layout("Bars", "/"), charts: vec![stacked] }.render()
}

pub(super) fn pages() -> Vec<(&'static str, askama::Result<String>)> {
    let numbers = |seed: u8| {
        (0..30).map(|day: u64| day * u64::from(seed) * 7 % u64::from(12 - seed)).collect()
    };
    let kinds = ["ran at once", "approved", "rejected", "denied", "other"];
    let stacked = kinds.iter().zip(1..).map(|(kind, look)| series(kind, look, numbers(look)));
    let title = |text: &str| (text.to_owned(), "request");
    let charts = vec![
        BarChart::by_day("stacked", title("What it asked for"), (at(0), 30), stacked.collect()),
        BarChart::by_hour(
            "hours",
            title("By hour"),
            (at(0), 24),
            vec![series("asked", 1, numbers(5))],
        ),
        BarChart::by_day(
            "none",
            title("Nothing"),
            (at(0), 7),
            vec![series("asked", 1, Vec::new())],
        ),
    ];
    let page = ChartsPage { layout: layout("Bars", "/"), charts };
    vec![("charts", page.render()), ("charts-hostile", named(HOSTILE))]
}
