//! What is done with the ticked rows of the inbox. Nothing here decides: to reject, they are looked
//! at on a page of their own.

use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use crate::{
    broker::{
        BrokerError,
        requests::{comment::triage::Triage, vote::reject_many::REJECT_MAX},
    },
    domain::{id::RequestId, proposal::InvalidField},
    web::{
        address::{local, with_fields},
        admin::reauthenticate::SessionForm,
        error::PageError,
        request::approve_identical::field,
    },
};

/// The ticked rows, and what to do with them.
#[derive(Deserialize)]
#[serde(try_from = "Vec<(String, String)>")]
pub(in crate::web) struct BulkFields {
    picked: Vec<RequestId>,
    act: String,
    /// The address of the view that the rows stood in.
    here: String,
}

impl TryFrom<Vec<(String, String)>> for BulkFields {
    type Error = &'static str;

    /// One box for each request has the same name, so the fields come as a list.
    fn try_from(fields: Vec<(String, String)>) -> Result<Self, Self::Error> {
        let boxes = fields.iter().filter(|(name, _)| name == "pick");
        let id =
            |(_, value): &(String, String)| value.split(':').next().and_then(|id| id.parse().ok());
        let picked: Option<Vec<_>> = boxes.map(id).collect();
        Ok(Self {
            picked: picked.ok_or("a box cannot be read")?,
            act: field(&fields, "act"),
            here: field(&fields, "here"),
        })
    }
}

/// Does what was asked with the ticked rows.
pub(in crate::web) async fn act(form: SessionForm<BulkFields>) -> Result<Response, PageError> {
    let SessionForm { app, session, fields } = &form;
    let triage = match fields.act.as_str() {
        "reject" => {
            let picked = fields.picked.iter().map(|id| ("pick", id.to_string()));
            let picked: Vec<_> = picked.collect();
            if picked.is_empty() {
                return Err(wrong("requests", "none is ticked", "tick what you want to reject"));
            }
            if picked.len() > REJECT_MAX {
                let problem = format!("{} are ticked", picked.len());
                let allowed = format!("1 to {REJECT_MAX} requests in one form");
                return Err(wrong("requests", &problem, &allowed));
            }
            return Ok(Redirect::to(&with_fields("/reject", &picked)).into_response());
        }
        "assign" => Triage::Assign,
        "unassign" => Triage::Unassign,
        "snooze-15" => Triage::Snooze(15),
        "snooze-60" => Triage::Snooze(60),
        "snooze-240" => Triage::Snooze(240),
        "unsnooze" => Triage::Unsnooze,
        _ => {
            let allowed = "reject, assign, unassign, snooze-15, snooze-60, snooze-240, unsnooze";
            return Err(wrong("act", "there is no such thing to do", allowed));
        }
    };
    app.broker.triage(&session.who, &fields.picked, triage).await?;
    // Nowhere but to the inbox.
    let back = if fields.here.starts_with("/?") { local(&fields.here) } else { "/" };
    Ok(Redirect::to(back).into_response())
}

fn wrong(field: &str, problem: &str, allowed: &str) -> PageError {
    let (problem, allowed) = (problem.to_owned(), allowed.to_owned());
    let wrong = InvalidField { field: field.to_owned(), problem, allowed };
    BrokerError::from(wrong).into()
}
