//! Bars made on the server: an SVG that needs no script and no style of its own, its numbers in words
//! for whoever does not see it, and the same numbers as a table.
//!
//! `templates/chart.html` draws it: `{% import "chart.html" as chart %}`, `{{ chart::bars(chart) }}`.
//! Words stand beside the SVG, not in it, so that they stay readable on a phone. Series differ by
//! pattern as well as by colour.

use chrono::TimeDelta;

use crate::domain::{Time, action::with_count, len_u64};

/// About the width of the SVG, in its own units: near to what it has on a screen, so that patterns are
/// not drawn out.
const WIDTH: u64 = 1000;
/// The height of the SVG in its own units.
const HEIGHT: u64 = 100;
/// So few columns are each named below their bar.
const NAMED_MAX: usize = 5;

/// The least height of what is there at all.
const LEAST: u64 = 2;

/// One kind of what is counted: a part of each bar.
#[derive(Debug, Clone)]
pub(in crate::web) struct Series {
    /// What it is called in the legend and the table.
    pub(in crate::web) name: String,
    /// A number for each column; what is missing is zero.
    pub(in crate::web) values: Vec<u64>,
    /// How it looks, 1 to 5: plain, good, bad, waiting, calm in the stylesheet. Series of one chart look
    /// different.
    pub(in crate::web) look: u8,
}

/// Bars, one for each column.
#[derive(Debug, Clone)]
pub(in crate::web) struct BarChart {
    /// Unique on its page, of letters, digits and hyphens.
    pub(in crate::web) id: &'static str,
    /// What is shown.
    pub(in crate::web) title: String,
    /// What one of what is counted is called: "request".
    pub(in crate::web) unit: &'static str,
    /// What the columns are: "day (UTC)".
    pub(in crate::web) across: &'static str,
    /// What each column is called.
    pub(in crate::web) labels: Vec<String>,
    /// The parts of each bar, from the ground up.
    pub(in crate::web) series: Vec<Series>,
}

impl BarChart {
    /// Bars for so many days from the one that this moment belongs to.
    pub(in crate::web) fn by_day(
        id: &'static str,
        (title, unit): (String, &'static str),
        (first, days): (Time, usize),
        series: Vec<Series>,
    ) -> Self {
        let labels = moments(first, TimeDelta::days(1), days)
            .map(|day| day.format("%Y-%m-%d").to_string())
            .collect();
        Self { id, title, unit, across: "day (UTC)", labels, series }
    }

    /// Bars for so many hours from the one that this moment belongs to.
    pub(in crate::web) fn by_hour(
        id: &'static str,
        (title, unit): (String, &'static str),
        (first, hours): (Time, usize),
        series: Vec<Series>,
    ) -> Self {
        let labels = moments(first, TimeDelta::hours(1), hours)
            .map(|hour| hour.format("%Y-%m-%d %H:00").to_string())
            .collect();
        Self { id, title, unit, across: "hour (UTC)", labels, series }
    }

    /// The height of each bar, in what is counted.
    pub(in crate::web) fn totals(&self) -> Vec<u64> {
        (0..self.labels.len()).map(|column| sum(&self.series, column)).collect()
    }

    /// All that is shown together.
    pub(in crate::web) fn sum(&self) -> u64 {
        self.totals().into_iter().sum()
    }

    /// The highest bar.
    pub(in crate::web) fn largest(&self) -> u64 {
        self.totals().into_iter().max().unwrap_or(0)
    }

    /// What the first and the last column are called.
    pub(in crate::web) fn ends(&self) -> (&str, &str) {
        let [first, last] = [self.labels.first(), self.labels.last()];
        (first.map_or("", String::as_str), last.map_or("", String::as_str))
    }

    /// What somebody learns who does not see the bars.
    pub(in crate::web) fn description(&self) -> String {
        let ((first, last), totals, largest) = (self.ends(), self.totals(), self.largest());
        let at = totals.iter().position(|total| *total == largest).unwrap_or(0);
        let most = self.labels.get(at).map_or("", String::as_str);
        let (all, across) = (with_count(self.sum(), self.unit), self.across);
        format!(
            "One bar for each {across}, from {first} to {last}. {all} in all, the most at {most}: \
             {largest}."
        )
    }

    /// The box that the bars are drawn in.
    pub(in crate::web) fn view_box(&self) -> String {
        format!("0 0 {} {HEIGHT}", self.column().saturating_mul(len_u64(self.labels.len())))
    }

    /// The width of one column. Its bar is narrower.
    fn column(&self) -> u64 {
        WIDTH.checked_div(len_u64(self.labels.len())).unwrap_or(WIDTH).max(10)
    }

    /// What stands below the bars: each column by name where there are few.
    pub(in crate::web) fn is_each_named(&self) -> bool {
        self.labels.len() <= NAMED_MAX
    }

    /// What is drawn: the look of a series, and the shape of all its bars as one path, so that a page
    /// with many stays small.
    pub(in crate::web) fn shapes(&self) -> Vec<(u8, String)> {
        let series = self.series.iter().enumerate();
        let paths = series.map(|(at, series)| (series.look, self.path(at)));
        paths.filter(|(_, path)| !path.is_empty()).collect()
    }

    /// The series by name, each with its look.
    pub(in crate::web) fn legend(&self) -> Vec<(u8, &str)> {
        self.series.iter().map(|series| (series.look, series.name.as_str())).collect()
    }

    /// The columns by name: the number of each series, and all together.
    pub(in crate::web) fn rows(&self) -> Vec<(&str, Vec<u64>, u64)> {
        let rows = self.labels.iter().enumerate().map(|(column, label)| {
            let values = self.series.iter().map(|series| series.at(column)).collect();
            (label.as_str(), values, sum(&self.series, column))
        });
        rows.collect()
    }

    /// Whether the series are named beside the bars and summed in the table.
    pub(in crate::web) const fn is_stacked(&self) -> bool {
        self.series.len() > 1
    }

    fn path(&self, series: usize) -> String {
        let (below, up_to) = (self.series.get(..series), self.series.get(..=series));
        let (mut bars, wide) = (Vec::new(), self.column());
        // What a bar leaves free on each side of it.
        let gap = wide / 10;
        let mut left = gap;
        for column in 0..self.labels.len() {
            let height =
                |parts: Option<&[Series]>| self.height(parts.map_or(0, |parts| sum(parts, column)));
            let (from, to) = (height(below), height(up_to));
            if to > from {
                let (top, width, tall) = (HEIGHT - to, wide - 2 * gap, to - from);
                bars.push(format!("M{left} {top}h{width}v{tall}h-{width}z"));
            }
            left += wide;
        }
        bars.concat()
    }

    /// How high a number stands, of [`HEIGHT`]. What is there at all is seen.
    fn height(&self, number: u64) -> u64 {
        let height = number.saturating_mul(HEIGHT).checked_div(self.largest()).unwrap_or(0);
        if number > 0 { height.max(LEAST) } else { 0 }
    }
}

impl Series {
    /// The number in a column.
    fn at(&self, column: usize) -> u64 {
        self.values.get(column).copied().unwrap_or(0)
    }
}

/// The numbers of these series in a column together.
fn sum(series: &[Series], column: usize) -> u64 {
    series.iter().map(|series| series.at(column)).sum()
}

/// The starts of so many days or hours, the first being the one that a moment belongs to.
fn moments(first: Time, step: TimeDelta, number: usize) -> impl Iterator<Item = Time> {
    let seconds = step.num_seconds();
    let start = first.timestamp().div_euclid(seconds).saturating_mul(seconds);
    (0_i64..).take(number).map(move |at| {
        Time::from_timestamp(start.saturating_add(at.saturating_mul(seconds)), 0).unwrap_or(first)
    })
}

#[cfg(test)]
mod tests {
    use askama::Template;

    use super::*;

    #[derive(Template)]
    #[template(
        source = "{% import \"chart.html\" as chart %}{{ chart::bars(bars) }}",
        ext = "html"
    )]
    struct Alone {
        bars: BarChart,
    }

    fn series(name: &str, values: &[u64]) -> Series {
        let look = if name == "rejected" { 3 } else { 1 };
        Series { name: name.to_owned(), values: values.to_vec(), look }
    }

    fn two_days(series: Vec<Series>) -> BarChart {
        let first = Time::from_timestamp(1_795_343_587, 0).unwrap();
        BarChart::by_day("asked", ("Asked".to_owned(), "request"), (first, 2), series)
    }

    #[test]
    fn bars_stack_to_highest_column() {
        let bars = two_days(vec![series("approved", &[1, 3]), series("rejected", &[1, 1])]);
        assert_eq!((bars.totals(), bars.largest(), bars.sum()), (vec![2, 4], 4, 6));
        assert_eq!(bars.path(0), "M50 75h400v25h-400zM550 25h400v75h-400z");
        assert_eq!(bars.path(1), "M50 50h400v25h-400zM550 0h400v25h-400z");
        assert_eq!(bars.view_box(), "0 0 1000 100");
    }

    #[test]
    fn smallest_number_is_still_seen() {
        let bars = two_days(vec![series("asked", &[1, 10_000])]);
        assert_eq!(bars.path(0), "M50 98h400v2h-400zM550 0h400v100h-400z");
    }

    #[test]
    fn columns_are_whole_days_and_hours_in_utc() {
        let bars = two_days(Vec::new());
        assert_eq!(bars.labels, ["2026-11-22", "2026-11-23"]);
        let first = Time::from_timestamp(1_795_343_587, 0).unwrap();
        let hours = BarChart::by_hour("h", ("Alerts".to_owned(), "alert"), (first, 2), Vec::new());
        assert_eq!(hours.labels, ["2026-11-22 10:00", "2026-11-22 11:00"]);
    }

    #[test]
    fn chart_tells_its_numbers_in_words_and_table() {
        let bars = two_days(vec![series("approved", &[1, 3]), series("rejected", &[0, 1])]);
        let html = Alone { bars }.render().unwrap();
        for text in [
            "<title id=\"asked-title\">Asked</title>",
            "One bar for each day (UTC), from 2026-11-22 to 2026-11-23. 5 requests in all, the most \
             at 2026-11-23: 4.</desc>",
            "aria-labelledby=\"asked-title asked-desc\"",
            "<th scope=\"col\">approved</th><th scope=\"col\">rejected</th><th scope=\"col\">all</th>",
            "<th scope=\"row\">2026-11-23</th><td>3</td><td>1</td><td>4</td>",
            "at most 4",
        ] {
            assert!(html.contains(text), "{text}: {html}");
        }
        assert!(!html.contains("style="), "{html}");
    }

    #[test]
    fn empty_chart_says_so_and_draws_nothing() {
        let html = Alone { bars: two_days(vec![series("approved", &[])]) }.render().unwrap();
        assert!(
            html.contains("None from 2026-11-22 to 2026-11-23") && !html.contains("<svg"),
            "{html}"
        );
    }

    #[test]
    fn hostile_names_stay_text_in_chart() {
        let hostile = "</title><script>alert(1)</script>\u{202E}";
        let bars = BarChart {
            title: hostile.to_owned(),
            labels: vec![hostile.to_owned(), hostile.to_owned()],
            ..two_days(vec![series(hostile, &[1, 2]), series(hostile, &[1])])
        };
        let html = Alone { bars }.render().unwrap();
        assert!(!html.contains("<script>") && !html.contains('\u{202E}'), "{html}");
        assert_eq!(html.matches("</title>").count(), 1, "{html}");
    }
}
