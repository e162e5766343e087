//! SQL: every row, every transaction.
