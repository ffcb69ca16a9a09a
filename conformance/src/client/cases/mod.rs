//! The cases, by topic.

mod auth;
mod content;
mod data;
mod greeting;
mod injection;
mod limits;
mod mx;
mod pipelining;
mod recipients;
mod replies;
mod timers;
mod tls;

use super::Case;

/// All of them.
pub fn all() -> Vec<Case> {
    [
        greeting::CASES,
        replies::CASES,
        recipients::CASES,
        data::CASES,
        limits::CASES,
        pipelining::CASES,
        content::CASES,
        tls::CASES,
        auth::CASES,
        mx::CASES,
        timers::CASES,
        injection::CASES,
    ]
    .concat()
}
