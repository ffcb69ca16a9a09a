//! The service extensions, LMTP and submission as dialogues, one file for each.

#![allow(clippy::panic, clippy::unwrap_used, reason = "this is how a test fails")]

mod session;

mod ext {
    mod auth;
    mod binarymime;
    mod chunking;
    mod custom;
    mod deliverby;
    mod dsn;
    mod eightbitmime;
    mod enhanced;
    mod etrn;
    mod futurerelease;
    mod limits;
    mod lmtp;
    mod mt_priority;
    mod no_mail;
    mod pipelining;
    mod requiretls;
    mod size;
    mod smtputf8;
    mod starttls;
    mod submission;
    mod xclient;
}
