//! What is measured, and what it is measured with.
//!
//! - [`cases`]: pure functions, ours and others': criterion times them, callgrind counts their
//!   instructions, an allocator their allocations.
//! - [`script`]: a connection that is a script, for the machine and for the driver.
//! - [`discard`]: a server that takes every message and forgets it.

pub mod cases;
pub mod discard;
pub mod script;
