//! A form that was just sent and not carried out: why, and what was typed into it.

use axum::http::StatusCode;
use serde::Deserialize;

use super::RequestPage;
use crate::web::drafts::Draft;

/// Why the form that was just sent was not carried out.
#[derive(Debug)]
pub(in crate::web) struct FormRefusal {
    /// The last part of the form's address.
    pub(in crate::web) form: String,
    pub(in crate::web) status: StatusCode,
    pub(in crate::web) sentence: String,
}

/// The form that was just sent and not carried out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct RefusedQuery {
    pub(super) form: String,
}

/// What was typed into forms that could not be carried out.
#[derive(Debug, Default)]
pub(in crate::web) struct FormInput {
    /// The comment of an approval.
    pub(in crate::web) comment: String,
    /// The reason of a rejection.
    pub(in crate::web) reject: String,
    /// The reason of a cancellation.
    pub(in crate::web) cancel: String,
    /// The reason of an undo.
    pub(in crate::web) undo: String,
    /// What a person saw on the endpoint.
    pub(in crate::web) resolve: String,
    /// The reason to break the glass.
    pub(in crate::web) glass: String,
    /// The finding of the review.
    pub(in crate::web) review: String,
    /// A comment without a vote.
    pub(in crate::web) note: String,
}

impl FormInput {
    /// What was typed, each text in its own field.
    pub(super) fn of(drafts: Vec<(String, Draft)>) -> Self {
        let mut all = Self::default();
        for (form, Draft { text, .. }) in drafts {
            match form.as_str() {
                "approve" => all.comment = text,
                "reject" => all.reject = text,
                "cancel" => all.cancel = text,
                "undo" => all.undo = text,
                "resolve" => all.resolve = text,
                "break-glass" => all.glass = text,
                "review" => all.review = text,
                "comment" => all.note = text,
                _ => {}
            }
        }
        all
    }
}

impl RequestPage {
    /// Why the form with this address was not carried out; empty where it was not just sent.
    pub(in crate::web::request) fn problem_in(&self, form: &str) -> &str {
        let problem = self.problem.as_ref().filter(|problem| problem.form == form);
        problem.map_or("", |problem| problem.sentence.as_str())
    }

    /// Whether the reader is led to the problem itself: there is no field to correct.
    pub(in crate::web::request) fn focuses_problem(&self) -> bool {
        let form = self.problem.as_ref().map_or("", |problem| problem.form.as_str());
        !matches!(form, "approve" | "reject") || self.wrong_field(form).is_empty()
    }

    /// Which field of that form is to be corrected.
    pub(in crate::web::request) fn wrong_field(&self, form: &str) -> &'static str {
        let problem = self.problem.as_ref().filter(|problem| problem.form == form);
        match problem.map(|problem| problem.status) {
            Some(StatusCode::UNAUTHORIZED) => "password",
            Some(StatusCode::BAD_REQUEST) => "comment",
            Some(_) | None => "",
        }
    }
}
