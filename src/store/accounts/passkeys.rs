//! The passkeys of people. A removed one is kept, and never found.

use std::collections::BTreeSet;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::changed_one;
use crate::{
    domain::{
        Time,
        id::{PasskeyId, PersonId},
    },
    passkey::{Credential, RelyingParty},
    store::{
        Read, StoreError, Tx,
        row::{At, text},
        sqlite::{Row, query},
    },
};

/// A passkey, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    /// Which.
    pub id: PasskeyId,
    /// Whose.
    pub person: PersonId,
    /// The person's own name for it.
    pub name: String,
    /// The key.
    pub credential: Credential,
    /// The name of the server that it was made for ([`RelyingParty::id`]).
    pub relying_party: String,
    /// When it was added.
    pub added_at: Time,
    /// When it was last used.
    pub used_at: Option<Time>,
}

impl Passkey {
    /// Whether it works for this server.
    pub fn is_for(&self, party: &RelyingParty) -> bool {
        self.relying_party == party.id
    }
}

/// Adds a passkey. Whether the authenticator's name for it is a new one.
pub async fn add_passkey(tx: &mut Tx<'_>, passkey: &Passkey) -> Result<bool, StoreError> {
    let Passkey { id, person, name, credential, relying_party, added_at, .. } = passkey;
    let done = query(
        "INSERT INTO passkey (id, person_id, name, credential, public_key, counter, model,
             may_be_copied, added_at, relying_party)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (credential) DO NOTHING",
    )
    .bind(id.to_string())
    .bind(person.to_string())
    .bind(name)
    .bind(BASE64_URL_SAFE_NO_PAD.encode(&credential.id))
    .bind(BASE64_URL_SAFE_NO_PAD.encode(&credential.key))
    .bind(credential.counter)
    .bind(BASE64_URL_SAFE_NO_PAD.encode(credential.model))
    .bind(credential.may_be_copied)
    .bind(added_at.timestamp_micros())
    .bind(relying_party)
    .execute(tx.connection())
    .await?;
    Ok(done == 1)
}

/// The passkeys of a person, the first added first.
pub async fn passkeys(read: &mut impl Read, person: PersonId) -> Result<Vec<Passkey>, StoreError> {
    let rows = query(
        "SELECT * FROM passkey WHERE person_id = $1 AND removed_at IS NULL ORDER BY added_at, id",
    )
    .bind(person.to_string())
    .fetch_all(read.connection())
    .await?;
    rows.iter().map(passkey).collect()
}

/// Who has a passkey for this server.
pub async fn passkey_holders(
    read: &mut impl Read,
    party: &RelyingParty,
) -> Result<BTreeSet<PersonId>, StoreError> {
    let rows = query(
        "SELECT DISTINCT person_id FROM passkey WHERE relying_party = $1 AND removed_at IS NULL",
    )
    .bind(&party.id)
    .fetch_all(read.connection())
    .await?;
    let holder = |row: &Row| {
        let id = text(row, "person_id")?;
        At { table: "passkey", id: &id }.parse(&id)
    };
    rows.iter().map(holder).collect()
}

/// The passkey of this name that an authenticator gave, whosever it is.
pub async fn passkey_by_credential(
    read: &mut impl Read,
    credential: &[u8],
) -> Result<Option<Passkey>, StoreError> {
    let row = query("SELECT * FROM passkey WHERE credential = $1 AND removed_at IS NULL")
        .bind(BASE64_URL_SAFE_NO_PAD.encode(credential))
        .fetch_optional(read.connection())
        .await?;
    row.map(|row| passkey(&row)).transpose()
}

/// Writes down that a passkey was used.
pub async fn use_passkey(
    tx: &mut Tx<'_>,
    id: PasskeyId,
    (counter, now): (u32, Time),
) -> Result<(), StoreError> {
    let done = query("UPDATE passkey SET counter = $2, used_at = $3 WHERE id = $1")
        .bind(id.to_string())
        .bind(counter)
        .bind(now.timestamp_micros())
        .execute(tx.connection())
        .await?;
    changed_one(done)
}

/// Removes a passkey of a person.
pub async fn remove_passkey(
    tx: &mut Tx<'_>,
    (person, id): (PersonId, PasskeyId),
    now: Time,
) -> Result<(), StoreError> {
    let done = query(
        "UPDATE passkey SET removed_at = $3
         WHERE id = $1 AND person_id = $2 AND removed_at IS NULL",
    )
    .bind(id.to_string())
    .bind(person.to_string())
    .bind(now.timestamp_micros())
    .execute(tx.connection())
    .await?;
    changed_one(done)
}

fn passkey(row: &Row) -> Result<Passkey, StoreError> {
    let id = text(row, "id")?;
    let row = At { table: "passkey", id: &id }.columns(row);
    let bytes = |column| row.read(column, |text| BASE64_URL_SAFE_NO_PAD.decode(text).ok());
    Ok(Passkey {
        id: row.parse("id")?,
        person: row.parse("person_id")?,
        name: row.text("name")?,
        credential: Credential {
            id: bytes("credential")?,
            key: bytes("public_key")?,
            counter: row.number("counter")?,
            model: row
                .read("model", |text| BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok())?,
            may_be_copied: row.flag("may_be_copied")?,
        },
        relying_party: row.text("relying_party")?,
        added_at: row.time("added_at")?,
        used_at: row.maybe_time("used_at")?,
    })
}
