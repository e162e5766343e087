//! The envelope of every answer of the manager's API: what was asked for stands under `data`.

use serde::Deserialize;

/// An answer.
#[derive(Deserialize)]
pub(super) struct Envelope<T> {
    pub(super) data: T,
}

/// The `data` of an answer that is a list.
#[derive(Deserialize)]
pub(super) struct Items<T> {
    pub(super) affected_items: Vec<T>,
}
