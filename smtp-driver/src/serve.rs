//! One connection from its first octet to its last.

use crate::{
    handler::{Handler, Peer},
    link::Link,
    runtime::Runtime,
    service::Service,
    stream::Stream,
    talk::{Pause, Talk},
};
use smtp_proto::{CloseReason, Timer, server::ServerConnection};
use std::{future::Future, io};

/// Serves one connection.
///
/// ```
/// use smtp_driver::{Handler, Peer, Runtime, Service, Stream, proto::CloseReason, serve};
/// use std::{future::pending, io};
///
/// /// One connection of any stream, in any runtime, until the peer ends it.
/// async fn connection<S: Stream, R: Runtime>(
///     stream: S,
///     runtime: R,
///     service: Service,
///     handler: impl Handler,
/// ) -> io::Result<CloseReason> {
///     let peer = Peer { remote: None, local: None };
///     serve(stream, peer, runtime, service, handler, pending()).await
/// }
/// ```
///
/// When `stop` is ready the connection ends: open questions and a running body first, then 421.
/// After the last reply the stream is closed in order, in at most
/// [`Timeouts::linger`](smtp_proto::Timeouts::linger). To end a connection at once, drop the
/// future; then the handler is dropped without a word.
///
/// # Errors
/// Only those of the stream, and octets that are not TLS where TLS should be. What the peer does
/// wrong is a [`CloseReason`]. A handler whose transaction an error cuts off is told `aborted` and
/// `reset` all the same.
pub fn serve<'s, S: Stream + 's, R: Runtime, H: Handler + 's>(
    stream: S,
    peer: Peer,
    runtime: R,
    service: Service,
    handler: H,
    stop: impl Future<Output = ()> + Send + 's,
) -> impl Future<Output = io::Result<CloseReason>> + Send + 's {
    // Made here and not in the future, which would keep its arguments beside what is made of them.
    let conn = ServerConnection::new(service.config().clone(), service.start());
    let mut link = Link::new(conn, stream, runtime, stop);
    let mut talk = Talk::new(handler, peer);
    async move {
        let result = converse(&mut link, &mut talk, &service).await;
        if result.is_err() {
            talk.cut_off();
        }
        talk.handler.closed(&result);
        match result {
            Ok(_) => link.close(service.config().timeouts().linger).await,
            Err(_) => link.last_words().await,
        }
        result
    }
}

async fn converse<S: Stream, R: Runtime, H: Handler>(
    link: &mut Link<'_, S, R>,
    talk: &mut Talk<H>,
    service: &Service,
) -> io::Result<CloseReason> {
    if let Some(acceptor) = service.implicit() {
        link.pump.start_tls(acceptor.begin()?);
        match link.implicit_handshake(service.config().timeouts().handshake).await {
            Ok(Some(info)) => talk.handler.tls(&info),
            Ok(None) => return Ok(CloseReason::Shutdown),
            Err(e) if e.kind() == io::ErrorKind::TimedOut => {
                return Ok(CloseReason::Timeout(Timer::Handshake));
            }
            Err(_) => return Ok(CloseReason::Abandoned),
        }
    }
    loop {
        // Boxed, so that an idle connection does not keep room for the handler's largest future.
        match Box::pin(talk.go_on(link, service)).await? {
            Pause::Closed(why) => return Ok(why),
            Pause::Idle => link.idle().await?,
        }
    }
}
