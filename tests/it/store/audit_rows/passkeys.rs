//! What is recorded of passkeys, with bytes that no authenticator made.

use countersign::domain::{
    actor::Role,
    audit::{
        AuditDetail,
        detail::{
            accounts::{
                BesidePassword, IdentityFacts, NoFacts, QuietHoursFacts, SessionsFacts, SignInFacts,
            },
            passkey::{
                NewPasskeyFacts, PasskeyFacts, ProofFacts, RecoveryCodesFacts, RefusedPasskeyFacts,
            },
            request::{AllowedBy, ApprovalFacts, DecisionFacts},
        },
    },
    decision::{Tally, Verdict},
    id::{PasskeyId, PersonId},
    request::StateName,
};
use uuid::Uuid;

use crate::domain::lifecycle::fixtures::drafted;

/// A passkey is added, approves, is refused and removed; a second factor is on, is used, and is off;
/// a person moves to the identity provider, has quiet hours, and is in no group there any more.
pub(super) fn details() -> [AuditDetail; 12] {
    let (id, name) = (PasskeyId::from(Uuid::from_u128(12)), || "a \"key\"".to_owned());
    let draft = drafted(Verdict::Approval(Tally::NONE.and(Role::Analyst)));
    [
        AuditDetail::PasskeyAdded(NewPasskeyFacts {
            id,
            person: PersonId::from(Uuid::from_u128(13)),
            name: name(),
            credential: "Y3JlZGVudGlhbA".to_owned(),
            public_key: "cHVibGljIGtleQ".to_owned(),
            model: "AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
            may_be_copied: true,
            relying_party: "soc.example.net".to_owned(),
        }),
        AuditDetail::VoteApproved(ApprovalFacts {
            role: Role::Analyst,
            comment: String::new(),
            digest: draft.digest,
            allowed_by: AllowedBy(vec!["people.vote".to_owned()]),
            decision: DecisionFacts::from(&draft.decision),
            state: StateName::Approved,
            proof: Some(ProofFacts {
                passkey: id,
                name: name(),
                version: 3,
                nonce: "bm9uY2U".to_owned(),
                origin: "https://soc.example.net".to_owned(),
                client_data: "Y2xpZW50IGRhdGE".to_owned(),
                authenticator_data: "YXV0aGVudGljYXRvciBkYXRh".to_owned(),
                signature: "c2lnbmF0dXJl".to_owned(),
            }),
        }),
        AuditDetail::PasskeyRefused(RefusedPasskeyFacts {
            id,
            name: name(),
            why: "the signature of the passkey is wrong".to_owned(),
        }),
        AuditDetail::PasskeyRemoved(PasskeyFacts { id, name: name() }),
        AuditDetail::SecondFactorOn(RecoveryCodesFacts { codes: 10 }),
        signed_in(BesidePassword::Passkey),
        signed_in(BesidePassword::RecoveryCode),
        AuditDetail::RecoveryCodesRenewed(RecoveryCodesFacts { codes: 10 }),
        AuditDetail::SecondFactorOff(NoFacts {}),
        AuditDetail::PersonLinked(IdentityFacts {
            issuer: "https://login.example".to_owned(),
            subject: "0d3b".to_owned(),
        }),
        AuditDetail::QuietHoursChanged(QuietHoursFacts {
            hours: Some("22:00 to 06:30".to_owned()),
            before: None,
        }),
        AuditDetail::PersonSuspended(SessionsFacts { sessions: 2 }),
    ]
}

fn signed_in(beside: BesidePassword) -> AuditDetail {
    AuditDetail::SignedIn(SignInFacts {
        beside_password: Some(beside),
        source: "203.0.113.9".to_owned(),
        device: "a \"browser\"".to_owned(),
        ..SignInFacts::default()
    })
}
