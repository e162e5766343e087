//! A made-up page of the policies, whose folder holds others.

use super::layout;
use crate::{
    broker::{
        admin::policies::folder::{PolicyDifference, PolicyFolder},
        queries::{ChangeKind, PolicyChange, view::Permission},
    },
    domain::digest::Digest,
    web::admin::policy::{PolicyCard, PolicyPage, PolicyProblem},
};

pub(super) fn policy() -> PolicyPage {
    let text =
        "@id(\"run.critical\")\nforbid (\n  principal,\n  action,\n  resource\n)\nwhen { a };";
    let policy = |id: &str, effect| PolicyCard {
        id: id.to_owned(),
        why: "an endpoint of criticality 4 or 5 needs two people".to_owned(),
        effect,
        file: "20_run.cedar".to_owned(),
        text: text.to_owned(),
    };
    PolicyPage {
        layout: layout("Policy", "/policy"),
        hash: Digest::of(b"policy"),
        policies: vec![policy("run.one-approval", "permit"), policy("run.critical", "forbid")],
        folder: "/etc/countersign/policies".to_owned(),
        found: PolicyFolder::Other(PolicyDifference {
            digest: Digest::of(b"difference"),
            changes: vec![PolicyChange {
                kind: ChangeKind::Changed,
                name: "run.critical".to_owned(),
                file: Some("20_run.cedar".to_owned()),
                text: format!("-{text}\n+{text}"),
            }],
        }),
        activate: Permission::WithPassword,
        problem: Some(PolicyProblem {
            sentence: "Refused.".to_owned(),
            report: "20_run.cedar:3\n  no such attribute".to_owned(),
        }),
    }
}
