//! A notice in words. All of them are ours, but the names of endpoints, which are bounded and of
//! plain letters ([`super::endpoint::notice_names`]): nothing that an agent wrote.

use crate::domain::{
    notice::{Notice, NoticeKind, NoticeSubject, short_id},
    request::{PlanStep, StateName},
};

/// One line that says what happened: "A request waits for approval", and perhaps "and 39 more".
pub fn title(notice: &Notice, more: u64) -> String {
    match more {
        0 => event(notice).to_owned(),
        more => format!("{}, and {more} more", event(notice)),
    }
}

const fn event(notice: &Notice) -> &'static str {
    match notice.kind {
        NoticeKind::Waiting => "A request waits for approval",
        NoticeKind::PlanWaiting => "A plan waits for approval",
        NoticeKind::DeadlineNear => "A request still waits, and its deadline is near",
        NoticeKind::Escalated => "A request still waits, and nobody has decided",
        NoticeKind::Decided => match notice.about {
            NoticeSubject::Request { state, .. } => decided(state),
            NoticeSubject::Plan { .. }
            | NoticeSubject::Switch(_)
            | NoticeSubject::Account(_)
            | NoticeSubject::Nothing => "A request was decided",
        },
        NoticeKind::Doubt => "An outcome is unknown, unconfirmed or in doubt",
        NoticeKind::GlassBroken => "Somebody broke the glass",
        NoticeKind::ReviewDue => "A break-glass review is due soon",
        NoticeKind::ReviewOverdue => "A break-glass review is overdue",
        NoticeKind::Frozen => "The kill switch was thrown",
        NoticeKind::ReleaseAsked => "Somebody asked to release the kill switch",
        NoticeKind::Unfrozen => "The kill switch was released",
        NoticeKind::SignInsThrottled => "Many sign-ins fail: somebody may be guessing passwords",
        NoticeKind::PasskeyChanged => "A passkey was added or removed",
        NoticeKind::SecondFactorChanged => {
            "A second factor was switched on or off, or has other recovery codes"
        }
        NoticeKind::RecoveryCodeUsed => "Somebody signed in with a recovery code",
        NoticeKind::PersonLinked => "A person signs in at the identity provider from now on",
        NoticeKind::ApiTokenChanged => "A token for the API was made or revoked",
        NoticeKind::Test => "A test: notifications arrive here",
    }
}

/// Facts, places and time as pairs of a label and a value, and the number of others. `places` names
/// the endpoints, and is empty where none are to be named.
pub fn lines(notice: &Notice, places: &str, more: u64) -> Vec<(&'static str, String)> {
    let mut lines = match notice.about {
        NoticeSubject::Request { id, action, tier, state, plan } => {
            let mut lines = vec![
                ("Action", action.name().to_owned()),
                ("Tier", tier.name().to_owned()),
                ("Request", short_id(id)),
                ("State", state.name().to_owned()),
            ];
            let step = |of: PlanStep| format!("{}, step {}", short_id(of.plan), of.number);
            lines.extend(plan.map(|plan| ("Plan", step(plan))));
            lines
        }
        NoticeSubject::Plan { id, first: _, steps, waiting, tier } => vec![
            ("Plan", short_id(id)),
            ("Steps", format!("{steps}, of which {waiting} wait for approval")),
            ("Tier", tier.name().to_owned()),
        ],
        NoticeSubject::Switch(extent) => vec![("Extent", extent.to_owned())],
        NoticeSubject::Account(_) | NoticeSubject::Nothing => Vec::new(),
    };
    if !places.is_empty() {
        lines.insert(1.min(lines.len()), ("Where", places.to_owned()));
    }
    lines.push(("Time", notice.at.format("%Y-%m-%d %H:%M:%S UTC").to_string()));
    if more > 0 {
        lines.push(("More", format!("{more} others like it; the page lists them")));
    }
    lines
}

const fn decided(state: StateName) -> &'static str {
    match state {
        StateName::Approved => "A request was approved",
        StateName::Rejected => "A request was rejected",
        StateName::Cancelled => "A request was cancelled",
        StateName::Expired => "A request expired",
        StateName::Withdrawn => "A request was withdrawn",
        StateName::Pending
        | StateName::Dispatching
        | StateName::Waiting
        | StateName::Settled
        | StateName::Denied => "A request was decided",
    }
}
