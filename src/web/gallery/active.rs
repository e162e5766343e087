//! The page of active responses.

use super::{
    layout,
    made_up::{HOSTILE, at, id},
};
use crate::{
    broker::queries::{
        ActiveRow, RequestOrigin, RowOutcome,
        active_responses::{ActiveRequest, ActiveResponse, UndoState},
    },
    domain::{
        Time,
        action::{Action, ActionKind},
        endpoint::EndpointId,
        request::StateName,
    },
    web::lists::active_responses::{self, ActiveResponsesPage, ActiveResponsesQuery},
};

pub(super) fn in_force() -> ActiveResponsesPage {
    let request = |number: u128, known, approvers, undo| ActiveRequest {
        id: id(number),
        known,
        origin: RequestOrigin { asked_by: HOSTILE.to_owned(), reason: HOSTILE.to_owned() },
        approvers,
        undo,
    };
    let active = |endpoint: &str, ends: Option<Time>, requests: Vec<ActiveRequest>| {
        let row = ActiveRow {
            manager: "wazuh-1".to_owned(),
            action: Action::parse(ActionKind::parse("block_ip").unwrap(), "203.0.113.9").unwrap(),
            endpoint: EndpointId::parse(endpoint).unwrap(),
            name: HOSTILE.to_owned(),
            since: at(5),
            ends,
            gap: None,
            rests_on: Vec::new(),
        };
        ActiveResponse { row, requests }
    };
    let approvers = vec![("bob".to_owned(), false), ("carol".to_owned(), true)];
    let found = vec![
        active(
            "001",
            Some(at(605)),
            vec![
                request(2, RowOutcome::Sent, approvers, None),
                request(3, RowOutcome::Unknown, Vec::new(), None),
                request(4, RowOutcome::Reverted, Vec::new(), Some((id(9), UndoState::Uncertain))),
            ],
        ),
        active(
            "003",
            None,
            vec![request(
                1,
                RowOutcome::Confirmed,
                Vec::new(),
                Some((id(9), UndoState::Open(StateName::Pending))),
            )],
        ),
        active("004", None, Vec::new()),
    ];
    let empty = ActiveResponsesPage::new(
        layout("Active responses", "/in-force"),
        ActiveResponsesQuery::default(),
        None,
    );
    ActiveResponsesPage { rows: active_responses::rows(&found, true, at(8)), ..empty }
}
