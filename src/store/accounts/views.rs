//! The views of lists that people keep.

use crate::{
    domain::{Time, id::PersonId},
    store::{
        Read, StoreError, Tx,
        row::{count, text},
        sqlite::query,
    },
};

/// A view that a person keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedView {
    /// The person's own name for it.
    pub name: String,
    /// The address of the list, with its filter.
    pub address: String,
}

/// The views of a person, by name.
pub async fn saved_views(
    read: &mut impl Read,
    person: PersonId,
) -> Result<Vec<SavedView>, StoreError> {
    let rows = query("SELECT name, address FROM saved_view WHERE person_id = $1 ORDER BY name")
        .bind(person.to_string())
        .fetch_all(read.connection())
        .await?;
    let view = |row| Ok(SavedView { name: text(row, "name")?, address: text(row, "address")? });
    rows.iter().map(view).collect()
}

/// Keeps a view, in place of one with that name. False where the person has `most` others already.
pub async fn save_view(
    tx: &mut Tx<'_>,
    person: PersonId,
    view: &SavedView,
    (most, now): (u32, Time),
) -> Result<bool, StoreError> {
    let others =
        query("SELECT count(*) AS number FROM saved_view WHERE person_id = $1 AND name <> $2")
            .bind(person.to_string())
            .bind(&view.name)
            .fetch_one(tx.connection())
            .await?;
    if count(&others, "number")? >= u64::from(most) {
        return Ok(false);
    }
    query(
        "INSERT INTO saved_view (person_id, name, address, saved_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (person_id, name) DO UPDATE SET address = $3, saved_at = $4",
    )
    .bind(person.to_string())
    .bind(&view.name)
    .bind(&view.address)
    .bind(now.timestamp_micros())
    .execute(tx.connection())
    .await?;
    Ok(true)
}

/// Deletes a view. Whether there was one.
pub async fn delete_view(
    tx: &mut Tx<'_>,
    person: PersonId,
    name: &str,
) -> Result<bool, StoreError> {
    let done = query("DELETE FROM saved_view WHERE person_id = $1 AND name = $2")
        .bind(person.to_string())
        .bind(name)
        .execute(tx.connection())
        .await?;
    Ok(done == 1)
}
