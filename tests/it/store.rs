//! The database.

mod audit_page;
mod audit_rows;
mod group_commit;
pub(crate) mod migrations;
mod query_plans;
mod start;
mod visible;
mod whole_file;
