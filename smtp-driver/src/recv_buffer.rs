//! Receive buffers, lent to connections that have something to read.

/// A pool of receive buffers of one size.
#[derive(Clone, Debug)]
pub struct Pool;
