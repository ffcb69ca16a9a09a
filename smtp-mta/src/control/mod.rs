//! How a postmaster talks to the queue: `smtp-mta queue`.
//!
//! ```text
//!             ┌── socket `control` ── Service ── Handler ── queue, dispatcher     a server runs
//! command ── Client
//!             └── lock of the folder ─────────── Handler ── queue                 none does
//! ```
//!
//! The [`protocol`] has one JSON object a line. Each request is small work with a cursor to go on
//! from, so that nothing is held for a client: it may stall, leave, or come back.

mod client;
pub mod command;
mod handler;
mod printable;
pub mod protocol;
mod section;
mod service;
mod socket;
mod text;

pub use handler::Handler;
pub use service::Service;
