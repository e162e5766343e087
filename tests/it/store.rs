//! The database.

mod audit_rows;
mod migrations;
