//! The addresses that were learned, which a restart must not forget.

use std::net::IpAddr;

use super::{
    Read, StoreError, Tx,
    row::{At, text},
    sqlite::query,
};
use crate::domain::{
    Time,
    address::known::{AddressOwner, ENDPOINT_COUNTS},
};

/// An address, whose it is, and when it was last seen.
pub type KnownAddress = (AddressOwner, IpAddr, Time);

/// Everything that was learned.
pub async fn known_addresses(read: &mut impl Read) -> Result<Vec<KnownAddress>, StoreError> {
    let rows = query("SELECT * FROM known_address ORDER BY owner, name, address")
        .fetch_all(read.connection())
        .await?;
    let known = rows.iter().map(|row| {
        let address = text(row, "address")?;
        let at = At { table: "known_address", id: &address };
        let row = at.columns(row);
        let name = row.text("name")?;
        let owner = row.read("owner", |kind| match kind {
            HOST => Some(AddressOwner::Host(name.clone())),
            NEIGHBOUR => Some(AddressOwner::Neighbour),
            ENDPOINT => Some(AddressOwner::Endpoint(name.clone())),
            _ => None,
        })?;
        Ok((owner, row.read("address", |text| text.parse().ok())?, row.time("seen_at")?))
    });
    known.collect()
}

/// Stores what was learned. What is too old to count goes.
pub async fn store_known_addresses(
    tx: &mut Tx<'_>,
    learned: &[KnownAddress],
    now: Time,
) -> Result<(), StoreError> {
    for (owner, address, seen_at) in learned {
        let (kind, name) = match owner {
            AddressOwner::Host(name) => (HOST, name.as_str()),
            AddressOwner::Neighbour => (NEIGHBOUR, ""),
            AddressOwner::Endpoint(manager) => (ENDPOINT, manager.as_str()),
        };
        query(
            "INSERT INTO known_address VALUES ($1, $2, $3, $4)
             ON CONFLICT (owner, name, address) DO UPDATE SET seen_at = excluded.seen_at",
        )
        .bind(kind)
        .bind(name)
        .bind(address.to_string())
        .bind(seen_at.timestamp_micros())
        .execute(tx.connection())
        .await?;
    }
    query("DELETE FROM known_address WHERE owner = $1 AND seen_at <= $2")
        .bind(ENDPOINT)
        .bind((now - ENDPOINT_COUNTS).timestamp_micros())
        .execute(tx.connection())
        .await?;
    Ok(())
}

const HOST: &str = "host";
const NEIGHBOUR: &str = "neighbour";
const ENDPOINT: &str = "endpoint";
