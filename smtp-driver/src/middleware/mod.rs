//! Streams around streams, for tests and for looking at a session.

mod chop;
mod fault;
mod trace;

pub use chop::Chop;
pub use fault::{Fault, Outcome};
pub use trace::{Direction, Trace};
