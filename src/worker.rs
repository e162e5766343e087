//! The door for time.
