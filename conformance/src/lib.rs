//! Judges any SMTP server, and any SMTP client, black box, by the RFCs.
//!
//! A [`Case`](case::Case) judges one [`Requirement`](requirement::Requirement): it opens
//! [sessions](session::Session) with the server, says octets, and judges what it hears. The suite has
//! its own reader of replies and shares no code with any server, so that no fault of one can hide in
//! the other.
#![forbid(unsafe_code)]

pub mod capture;
pub mod case;
pub mod cases;
pub mod client;
pub mod cooperation;
pub mod diff;
pub mod dns;
pub mod expect;
pub mod explain;
pub mod garden;
pub mod mailbox;
pub mod matrix;
pub mod outcome;
pub mod probe;
pub mod profile;
pub mod rehearsal;
pub mod reply;
pub mod report;
pub mod requirement;
pub mod runner;
pub mod sasl;
pub mod select;
pub mod session;
pub mod smuggling;
pub mod stored;
pub mod target;
pub mod tester;
pub mod tls;
pub mod transcript;
pub mod wire;
