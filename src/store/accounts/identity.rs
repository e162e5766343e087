//! Who people are at an identity provider.

use std::collections::BTreeMap;

use super::{end_sessions, person};
use crate::{
    domain::{Time, actor::Person, id::PersonId},
    store::{
        Read, StoreError, Tx,
        row::{At, maybe_text, text},
        sqlite::{Row, query},
    },
};

/// Who somebody is at an identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIdentity {
    /// The provider.
    pub issuer: String,
    /// What it calls the person for ever.
    pub subject: String,
    /// The name that people are called by; may be empty.
    pub display_name: String,
}

/// Says who a person is at a provider. Issuer and subject are nobody's yet.
pub async fn add_identity(
    tx: &mut Tx<'_>,
    person: PersonId,
    identity: &StoredIdentity,
) -> Result<(), StoreError> {
    query(
        "INSERT INTO identity (person_id, issuer, subject, display_name) VALUES ($1, $2, $3, $4)",
    )
    .bind(person.to_string())
    .bind(&identity.issuer)
    .bind(&identity.subject)
    .bind(&identity.display_name)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The person with this identity.
pub async fn person_by_identity(
    read: &mut impl Read,
    (issuer, subject): (&str, &str),
) -> Result<Option<Person>, StoreError> {
    let row = query(
        "SELECT person.* FROM identity JOIN person ON person.id = person_id
         WHERE issuer = $1 AND subject = $2",
    )
    .bind(issuer)
    .bind(subject)
    .fetch_optional(read.connection())
    .await?;
    row.map(|row| person(&row)).transpose()
}

/// Suspends a person from this moment, and ends the sessions; how many there were.
pub async fn suspend_person(tx: &mut Tx<'_>, id: PersonId, now: Time) -> Result<u64, StoreError> {
    query("UPDATE person SET suspended_at = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(now.timestamp_micros())
        .execute(tx.connection())
        .await?;
    end_sessions(tx, id).await
}

/// Ends a person's suspension.
pub async fn resume_person(tx: &mut Tx<'_>, id: PersonId) -> Result<(), StoreError> {
    query("UPDATE person SET suspended_at = NULL WHERE id = $1")
        .bind(id.to_string())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Sets the name that a person is called by.
pub async fn set_display_name(
    tx: &mut Tx<'_>,
    person: PersonId,
    display_name: &str,
) -> Result<(), StoreError> {
    query("UPDATE identity SET display_name = $2 WHERE person_id = $1")
        .bind(person.to_string())
        .bind(display_name)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Who a person is at a provider; none for who is kept here.
pub async fn identity(
    read: &mut impl Read,
    person: PersonId,
) -> Result<Option<StoredIdentity>, StoreError> {
    let row = query("SELECT * FROM identity WHERE person_id = $1")
        .bind(person.to_string())
        .fetch_optional(read.connection())
        .await?;
    row.map_or(Ok(None), |row| optional(&row))
}

/// The identities of all people who have one.
pub async fn identities(
    read: &mut impl Read,
) -> Result<BTreeMap<PersonId, StoredIdentity>, StoreError> {
    let rows = query("SELECT * FROM identity").fetch_all(read.connection()).await?;
    rows.iter()
        .map(|row| {
            let id = text(row, "person_id")?;
            let person = At { table: "identity", id: &id }.parse(&id)?;
            let identity = optional(row)?;
            let nobody = || At { table: "identity", id: &id }.wrong("it has no issuer");
            Ok((person, identity.ok_or_else(nobody)?))
        })
        .collect()
}

/// The identity in a row that may have none.
pub(super) fn optional(row: &Row) -> Result<Option<StoredIdentity>, StoreError> {
    let Some(issuer) = maybe_text(row, "issuer")? else { return Ok(None) };
    let (subject, display_name) = (text(row, "subject")?, text(row, "display_name")?);
    Ok(Some(StoredIdentity { issuer, subject, display_name }))
}
