//! The specification, entered by the product's doors.

#![cfg(test)]

mod imports;
mod lifecycle;
mod proposal;
mod states_doc;
