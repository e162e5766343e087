//! The database.

mod audit_rows;
mod migrations;
mod query_plans;
