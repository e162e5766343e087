//! What is recorded of tokens for the API, and of what is done with them.

use countersign::domain::{
    Time,
    actor::{
        Role,
        api_token::{TokenScope, UsedToken},
    },
    audit::{
        AuditDetail,
        detail::{
            api_token::{ApiTokenFacts, NewApiTokenFacts, RefusedApiTokenFacts},
            request::{AllowedBy, CommentFacts, RefusedVoteFacts, RejectionFacts},
            system::{AuditReadFacts, AuditReadFilter},
        },
    },
    digest::Digest,
    facts::Verb,
    id::ApiTokenId,
    request::StateName,
};
use uuid::Uuid;

/// A token is made, reads, comments, rejects, is refused and revoked.
pub(super) fn details() -> [AuditDetail; 7] {
    let (id, name) = (ApiTokenId::from(Uuid::from_u128(21)), || "siem".to_owned());
    let of_service = || Some(UsedToken { id, name: name(), owner: Some("bob".to_owned()) });
    let own = || Some(UsedToken { id, name: name(), owner: None });
    [
        AuditDetail::ApiTokenCreated(NewApiTokenFacts {
            id,
            name: name(),
            service: true,
            scopes: TokenScope::ALL.into(),
            networks: vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/48".parse().unwrap()],
            expires_at: Time::UNIX_EPOCH,
        }),
        AuditDetail::AuditRead(AuditReadFacts {
            filter: AuditReadFilter::default(),
            rows: 50,
            token: of_service(),
        }),
        AuditDetail::CommentAdded(CommentFacts {
            role: Role::Analyst,
            comment: "a \"comment\"".to_owned(),
            token: of_service(),
            idempotency_key: Some("ticket-7".to_owned()),
        }),
        AuditDetail::RequestRejected(RejectionFacts {
            role: Role::Analyst,
            reason: "no".to_owned(),
            allowed_by: AllowedBy(vec!["people.vote".to_owned()]),
            digest: Digest::of(b"x"),
            state: StateName::Rejected,
            token: own(),
        }),
        AuditDetail::VoteRefused(RefusedVoteFacts {
            verb: Verb::Reject,
            why: "it is over".to_owned(),
            token: own(),
        }),
        AuditDetail::ApiTokenRefused(RefusedApiTokenFacts {
            id,
            name: name(),
            source: "203.0.113.9".to_owned(),
        }),
        AuditDetail::ApiTokenRevoked(ApiTokenFacts { id, name: name() }),
    ]
}
