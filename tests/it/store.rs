//! The database.

mod migrations;
