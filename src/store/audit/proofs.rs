//! The walk along what passkeys signed.

use super::stored_row::StoredRow;
use crate::{
    domain::audit::{AuditDetail, EventKind},
    passkey::ProofVerifier,
    store::{Read, StoreError, sqlite::query},
};

/// How many rows one statement reads.
const BLOCK_ROWS: i64 = 1000;

/// What a walk along the signatures of passkeys found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifiedProofs {
    /// How many signatures are sound, from the first.
    pub sound: u64,
    /// The first entry whose signature is bad, and what is wrong with it.
    pub broken: Option<(i64, String)>,
}

/// Verifies what passkeys signed, with the keys that the audit itself has.
pub async fn verify_proofs(read: &mut impl Read) -> Result<VerifiedProofs, StoreError> {
    let (mut found, mut verifier) = (VerifiedProofs::default(), ProofVerifier::default());
    let mut last = 0_i64;
    loop {
        let rows = query(
            "SELECT * FROM audit
             WHERE seq > $1
                 AND kind IN ('passkey.added', 'passkey.removed', 'vote.approved', 'glass.broken')
             ORDER BY seq LIMIT $2",
        )
        .bind(last)
        .bind(BLOCK_ROWS)
        .fetch_all(read.connection())
        .await?;
        for row in &rows {
            let (entry, _) = StoredRow::entry(row)?;
            last = super::place(entry.seq)?;
            let kind = EventKind::parse(&entry.kind);
            let detail = kind.and_then(|kind| AuditDetail::from_stored(kind, &entry.detail).ok());
            // The walk along the chain and the pages say what cannot be read.
            let Some(detail) = detail else { continue };
            let person = entry.actor_id.as_deref().and_then(|id| id.parse().ok());
            let request = entry.request.as_deref().and_then(|id| id.parse().ok());
            match verifier.verify_next(&detail, person, request) {
                Ok(proved) => found.sound += u64::from(proved),
                Err(error) => {
                    found.broken = Some((last, error.to_string()));
                    return Ok(found);
                }
            }
        }
        if rows.is_empty() {
            return Ok(found);
        }
    }
}
