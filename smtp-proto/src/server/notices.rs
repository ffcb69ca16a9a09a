//! Facts that wait to be told to the embedder, in the order of contract and cause.

use super::event::{Aborted, AuthAborted, Event, ResetCause};
use crate::violation::Violation;

/// At most one of each kind: the machine tells what it has before it does anything else.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Notices {
    pub(super) violation: Option<Violation>,
    pub(super) auth_aborted: Option<AuthAborted>,
    pub(super) body_aborted: Option<Aborted>,
    pub(super) reset: Option<ResetCause>,
    pub(super) quit: bool,
}

impl Notices {
    /// The next one: the cause, then what it ended, from the inside out.
    pub(super) fn next<'b>(&mut self) -> Option<Event<'b>> {
        if let Some(violation) = self.violation.take() {
            return Some(Event::Violation(violation));
        }
        if let Some(why) = self.auth_aborted.take() {
            return Some(Event::AuthAborted(why));
        }
        if let Some(why) = self.body_aborted.take() {
            return Some(Event::BodyAborted(why));
        }
        if let Some(cause) = self.reset.take() {
            return Some(Event::Reset(cause));
        }
        if core::mem::take(&mut self.quit) {
            return Some(Event::Quit);
        }
        None
    }
}
