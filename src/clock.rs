//! Time, ids and randomness: the only place that reads them from the system.
