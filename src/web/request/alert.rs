//! The alert that an agent named, on a request's page: what it says of the target, and how it says
//! it.

use crate::domain::facts::{AlertFacts, NamedIn};

/// Whether an alert names what is acted on, and where.
#[derive(Debug)]
pub(super) enum AlertName<'a> {
    /// In this field.
    In(&'a NamedIn),
    /// This field holds a part of another name, which the log has in full.
    GoesOn(&'a NamedIn, &'a str),
    /// In none of the fields that were looked at.
    Nowhere,
    /// Stored by a version that did not keep where.
    Unsaid(bool),
}

impl<'a> AlertName<'a> {
    pub(super) fn of(alert: &'a AlertFacts) -> Self {
        let Some(shown) = &alert.shown else { return Self::Unsaid(alert.names_target) };
        match &shown.named_in {
            None => Self::Nowhere,
            Some(named) => match &named.goes_on {
                None => Self::In(named),
                Some(log) => Self::GoesOn(named, log),
            },
        }
    }
}

/// "level 10 of 16", "level unknown". A rule of level 0 makes no alert.
pub(super) fn level_text(alert: &AlertFacts) -> String {
    match alert.level {
        0 => "level unknown".to_owned(),
        level => format!("level {level} of 16"),
    }
}
