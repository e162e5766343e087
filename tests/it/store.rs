//! The database.

mod audit_rows;
pub(crate) mod migrations;
mod query_plans;
mod whole_file;
