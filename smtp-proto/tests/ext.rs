//! The service extensions, LMTP and submission as dialogues, one file for each.

#![allow(clippy::panic, clippy::unwrap_used, reason = "this is how a test fails")]

mod session;

mod ext {
    mod auth;
    mod binarymime;
    mod chunking;
    mod dsn;
    mod eightbitmime;
    mod enhanced;
    mod limits;
    mod lmtp;
    mod pipelining;
    mod size;
    mod smtputf8;
    mod starttls;
}
