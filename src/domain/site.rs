//! Where endpoints are, as far as it decides who may see them.

use std::collections::BTreeSet;

/// The endpoints of one manager that are in the same groups: whoever may see one may see all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    /// The name of the manager.
    pub manager: String,
    /// The names of the groups, as the manager has them; empty for an endpoint in none.
    pub groups: BTreeSet<String>,
}

impl Site {
    /// Where an endpoint of a manager is that is in these groups.
    pub fn new(manager: &str, groups: &[String]) -> Self {
        Self { manager: manager.to_owned(), groups: groups.iter().cloned().collect() }
    }

    /// At no manager, in no group: whoever sees what is there sees what nobody has asked about yet.
    pub const fn anywhere() -> Self {
        Self { manager: String::new(), groups: BTreeSet::new() }
    }
}
