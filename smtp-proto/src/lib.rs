//! SMTP as a pure state machine.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod ext;
mod limits;
mod secret;
pub mod server;
mod status;
mod step;
mod time;
mod timer;
mod violation;
pub mod wire;

pub use limits::Limits;
pub use secret::Secret;
pub use status::{Class, EnhancedCode};
pub use step::{CloseReason, Need, Step};
pub use time::Instant;
pub use timer::{Timeouts, Timer};
pub use violation::{SyntaxFault, Violation};
