//! A server built to be faulty, so that the judge can be judged.
//!
//! Straightforward, one thread for each connection, in memory; it shares no code with the state
//! machine. With no fault switched on it does what the catalogue asks; with one it does one thing
//! wrong.

mod address;
mod auth;
mod commands;
mod deliver;
mod envelope;
pub(crate) mod fault;
mod front_end;
pub(crate) mod habit;
mod next_hop;
mod parameters;
mod pipe;
mod route;
pub(crate) mod server;
mod session;
mod store;
mod stream;
mod text;
