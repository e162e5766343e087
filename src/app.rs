//! Puts everything together, starts it and stops it.
