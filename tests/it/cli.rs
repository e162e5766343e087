//! The command line of the built program.

mod commands;
mod logging;
mod protected;
mod stdio;
