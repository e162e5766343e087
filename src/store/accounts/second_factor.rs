//! Whose password alone does not sign in, and the recovery codes, stored as SHA-256 only.

use super::{changed_one, person};
use crate::{
    domain::{Time, actor::Person, digest::Digest, id::PersonId},
    store::{
        Read, StoreError, Tx,
        row::{At, count, text},
        sqlite::query,
    },
};

/// The second factor of a person who has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecondFactor {
    /// When it was switched on.
    pub since: Time,
    /// How many recovery codes were not used yet.
    pub codes_left: u64,
}

/// The second factor of a person; none where the password alone signs in.
pub async fn second_factor(
    read: &mut impl Read,
    id: PersonId,
) -> Result<Option<SecondFactor>, StoreError> {
    let row = query(
        "SELECT since, (SELECT count(*) FROM recovery_code AS code
                        WHERE code.person_id = second_factor.person_id) AS codes_left
         FROM second_factor WHERE person_id = $1",
    )
    .bind(id.to_string())
    .fetch_optional(read.connection())
    .await?;
    row.map(|row| {
        let since = At { table: "second_factor", id: "of a person" }.columns(&row).time("since")?;
        Ok(SecondFactor { since, codes_left: count(&row, "codes_left")? })
    })
    .transpose()
}

/// A person and the hash of the password, by id.
pub async fn person_and_hash(
    read: &mut impl Read,
    id: PersonId,
) -> Result<Option<(Person, String)>, StoreError> {
    let row = query("SELECT * FROM person WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(read.connection())
        .await?;
    row.map(|row| Ok((person(&row)?, text(&row, "password_hash")?))).transpose()
}

/// Switches it on. [`StoreError::Conflict`] where it is.
pub async fn switch_second_factor_on(
    tx: &mut Tx<'_>,
    person: PersonId,
    now: Time,
) -> Result<(), StoreError> {
    let done = query(
        "INSERT INTO second_factor (person_id, since) VALUES ($1, $2)
         ON CONFLICT (person_id) DO NOTHING",
    )
    .bind(person.to_string())
    .bind(now.timestamp_micros())
    .execute(tx.connection())
    .await?;
    changed_one(done)
}

/// Switches it off, and ends the recovery codes. Whether it was on.
pub async fn switch_second_factor_off(
    tx: &mut Tx<'_>,
    person: PersonId,
) -> Result<bool, StoreError> {
    end_recovery_codes(tx, person).await?;
    let done = query("DELETE FROM second_factor WHERE person_id = $1")
        .bind(person.to_string())
        .execute(tx.connection())
        .await?;
    Ok(done == 1)
}

/// Keeps these recovery codes, in place of all earlier ones.
pub async fn set_recovery_codes(
    tx: &mut Tx<'_>,
    person: PersonId,
    codes: &[Digest],
) -> Result<(), StoreError> {
    end_recovery_codes(tx, person).await?;
    for code in codes {
        query("INSERT INTO recovery_code (person_id, hash) VALUES ($1, $2)")
            .bind(person.to_string())
            .bind(code.to_string())
            .execute(tx.connection())
            .await?;
    }
    Ok(())
}

/// Uses a recovery code up. Whether it was one of the person.
pub async fn use_recovery_code(
    tx: &mut Tx<'_>,
    person: PersonId,
    code: Digest,
) -> Result<bool, StoreError> {
    let done = query("DELETE FROM recovery_code WHERE person_id = $1 AND hash = $2")
        .bind(person.to_string())
        .bind(code.to_string())
        .execute(tx.connection())
        .await?;
    Ok(done == 1)
}

async fn end_recovery_codes(tx: &mut Tx<'_>, person: PersonId) -> Result<(), StoreError> {
    query("DELETE FROM recovery_code WHERE person_id = $1")
        .bind(person.to_string())
        .execute(tx.connection())
        .await?;
    Ok(())
}
