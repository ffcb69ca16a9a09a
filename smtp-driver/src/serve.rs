//! The loop: one connection from its first octet to its last.

use crate::{
    handler::{Handler, Peer},
    runtime::Runtime,
    sasl::Credentials,
    stream::Stream,
    recv_buffer::Pool,
};
use smtp_proto::{CloseReason, server::{ServerConfig, Start}};
use std::{future::Future, io, sync::Arc};

/// What all connections of a listener share.
#[derive(Clone)]
#[non_exhaustive]
pub struct Service {
    /// What is offered and tolerated.
    pub config: Arc<ServerConfig>,
    /// In clear, or inside TLS from the first octet.
    pub start: Start,
    /// The certificate; replaced in place when it is reloaded.
    pub tls: Option<crate::tls::Acceptor>,
    /// Where passwords are checked; without it AUTH is refused.
    pub credentials: Option<Arc<dyn Credentials>>,
    /// The receive buffers.
    pub pool: Pool,
}

/// Serves one connection.
///
/// `stop` ends it: open questions and a running body first, then 421.
///
/// # Errors
/// Only those of the stream; what the peer does wrong is a [`CloseReason`].
pub async fn serve<S: Stream, R: Runtime, H: Handler>(
    stream: S,
    peer: Peer,
    runtime: R,
    service: Service,
    handler: H,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<CloseReason> {
    let _ = (stream, peer, runtime, service, handler, stop);
    todo!()
}
