//! A mail server in one process and one file: the reference for what the machine is good for.
//!
//! ```text
//! session -> policy -> spool -> queue -> 250
//!                               |
//!                               v
//!                schedule -> route -> deliver -> gone | later | dsn
//! ```
//!
//! [`session`] answers the questions of a connection, by [`policy`]; [`spool`] takes the body in
//! without holding it whole; the [`queue`] makes it safe. Then [`schedule`] says what is to be done
//! and when, [`route`] where mail goes, [`deliver`] brings it there, into a [`maildir`] or to
//! another server, and [`dsn`] tells the sender what became of it. Nothing here parses SMTP.

#![forbid(unsafe_code)]

pub mod config;
pub mod control;
pub mod data_dir;
pub mod deliver;
pub mod demo;
pub mod dsn;
pub mod header;
pub mod lane;
pub mod log;
pub mod maildir;
pub mod message_id;
pub mod policy;
pub mod queue;
pub mod retry;
pub mod route;
pub mod schedule;
pub mod send;
pub mod server;
pub mod session;
pub mod spool;
pub mod store;
pub mod submission;
pub mod tls;
pub mod trace;
pub mod users;
pub mod welcome;
