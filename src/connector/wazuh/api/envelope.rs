//! The envelope of every answer of the manager's API: what was asked for stands under `data`.

use serde::Deserialize;

/// An answer.
#[derive(Deserialize)]
pub(in crate::connector::wazuh) struct Envelope<T> {
    pub(in crate::connector::wazuh) data: T,
}

/// The `data` of an answer that is a list.
#[derive(Deserialize)]
pub(in crate::connector::wazuh) struct Items<T> {
    pub(in crate::connector::wazuh) affected_items: Vec<T>,
}
