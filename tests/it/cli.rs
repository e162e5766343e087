//! The command line of the built program.

mod certificate;
mod commands;
mod demo;
mod doctor;
mod identity_provider;
mod kill_switch;
mod logging;
mod people;
mod policies;
mod protected;
mod set_up;
mod stdio;
