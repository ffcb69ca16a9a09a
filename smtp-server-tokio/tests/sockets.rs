//! The tests over real sockets, on tokio.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../testkit/suites/sockets.rs"]
mod sockets;

use smtp_server_tokio::{Server, TcpListener, Tokio as Adapter, UnixListener};
use std::future::Future;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}
