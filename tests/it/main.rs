//! The specification, entered by the product's doors.

// `cfg(test)` is always on here; it lets clippy see that helpers are test code too.
#[cfg(test)]
mod connector;
#[cfg(test)]
mod simulator;
#[cfg(test)]
mod simulator_captures;
#[cfg(test)]
mod simulator_client;
