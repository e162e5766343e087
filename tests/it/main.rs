//! The specification, entered by the product's doors.
