//! The tests over real sockets, on smol.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../testkit/suites/sockets.rs"]
mod sockets;

use smtp_server_smol::{Server, Smol as Adapter, TcpListener, UnixListener};
use std::future::Future;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    smol::block_on(future)
}
