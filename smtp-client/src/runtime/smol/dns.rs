//! Sockets, timers and tasks of smol, as hickory wants them.

use async_trait::async_trait;
use hickory_resolver::net::runtime::{DnsTcpStream, DnsUdpSocket, RuntimeProvider, Spawn, Time};
use smol::{
    Async, Executor, Timer, future,
    io::{AsyncRead, AsyncWrite},
};
use std::{
    fmt,
    future::Future,
    io,
    net::{SocketAddr, TcpStream, UdpSocket},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

/// How long to wait for a TCP connection if hickory does not say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

type BoxedFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// smol: its global executor, or one of your own.
#[derive(Clone, Default)]
pub struct DnsRuntime {
    executor: Option<Arc<Executor<'static>>>,
}

impl DnsRuntime {
    /// Tasks run on smol's global executor.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tasks run on `executor`, which somebody must run.
    #[must_use]
    pub fn on(executor: Arc<Executor<'static>>) -> Self {
        Self { executor: Some(executor) }
    }
}

impl fmt::Debug for DnsRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsRuntime").field("global", &self.executor.is_none()).finish()
    }
}

impl RuntimeProvider for DnsRuntime {
    type Handle = Self;
    type Timer = Clock;
    type Udp = Udp;
    type Tcp = Tcp;

    fn create_handle(&self) -> Self {
        self.clone()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        from: Option<SocketAddr>,
        timeout: Option<Duration>,
    ) -> BoxedFuture<io::Result<Tcp>> {
        Box::pin(async move {
            if from.is_some() {
                return Err(io::ErrorKind::Unsupported.into());
            }
            let connect = Async::<TcpStream>::connect(server);
            let stream = Clock::timeout(timeout.unwrap_or(CONNECT_TIMEOUT), connect).await??;
            stream.get_ref().set_nodelay(true)?;
            Ok(Tcp(stream))
        })
    }

    fn bind_udp(&self, local: SocketAddr, _server: SocketAddr) -> BoxedFuture<io::Result<Udp>> {
        Box::pin(async move { Async::<UdpSocket>::bind(local).map(Udp) })
    }
}

impl Spawn for DnsRuntime {
    fn spawn_bg(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.executor {
            Some(executor) => executor.spawn(task).detach(),
            None => smol::spawn(task).detach(),
        }
    }
}

/// smol's timers.
#[derive(Clone, Copy, Debug)]
pub struct Clock;

#[async_trait]
impl Time for Clock {
    async fn delay_for(duration: Duration) {
        Timer::after(duration).await;
    }

    async fn timeout<F: Future + Send + 'static>(
        duration: Duration,
        future: F,
    ) -> io::Result<F::Output> {
        let expired = async {
            Timer::after(duration).await;
            Err(io::ErrorKind::TimedOut.into())
        };
        future::or(async { Ok(future.await) }, expired).await
    }
}

/// A UDP socket. One task at a time may wait for it.
#[derive(Debug)]
pub struct Udp(Async<UdpSocket>);

impl DnsUdpSocket for Udp {
    type Time = Clock;

    fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        loop {
            match self.0.get_ref().recv_from(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.0.poll_readable(cx))?;
                }
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.0.get_ref().send_to(buf, target) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.0.poll_writable(cx))?;
                }
                result => return Poll::Ready(result),
            }
        }
    }
}

/// A TCP connection.
#[derive(Debug)]
pub struct Tcp(Async<TcpStream>);

impl DnsTcpStream for Tcp {
    type Time = Clock;
}

impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}
