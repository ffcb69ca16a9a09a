//! The listeners that are open.

use super::{
    listen::{Socket, observe},
    reload::Planned,
};
use crate::{
    config::Listener,
    deliver::Intake,
    session::{Receiver, Reception},
};
use smtp_driver::Limiter;
use smtp_server_tokio::{Server, TcpListener, Tokio};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// How long a connection may go on when its listener is closed.
const GRACE: Duration = Duration::from_secs(25);

/// The listeners that are open, and what their connections share.
#[derive(Debug)]
pub(super) struct Listeners {
    open: Vec<Open>,
    /// Ends when all connections have ended, also those of listeners that are closed.
    running: JoinSet<()>,
    reception: Arc<Reception<Intake>>,
    limiter: Limiter,
}

#[derive(Debug)]
struct Open {
    /// As it is configured.
    listener: Listener,
    server: Server<Receiver<Intake>>,
    /// Until it serves.
    socket: Option<TcpListener>,
}

impl Listeners {
    pub(super) fn new(reception: Reception<Intake>) -> Self {
        Self {
            open: Vec::new(),
            running: JoinSet::new(),
            reception: Arc::new(reception),
            limiter: Limiter::default(),
        }
    }

    pub(super) fn reception(&self) -> &Reception<Intake> {
        &self.reception
    }

    /// Their addresses, as they are configured: a port may be 0.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.open.iter().map(|open| open.listener.address).collect()
    }

    /// Where those listen that do not serve yet, with the ports that the kernel chose.
    pub(super) fn listening(&self) -> Vec<Listener> {
        let address = |open: &Open| open.socket.as_ref()?.local_addr().ok();
        let listening =
            |open: &Open| Some(Listener { address: address(open)?, ..open.listener.clone() });
        self.open.iter().filter_map(listening).collect()
    }

    /// Has these listeners from now on: one that is kept goes on with its socket, and its open
    /// connections as they began; one that is not named takes no more connections, and those it has
    /// are told that it is over.
    pub(super) fn replace(&mut self, planned: Vec<Planned>) {
        let mut before: Vec<_> = self.open.drain(..).map(Some).collect();
        for Planned { listener, service, socket } in planned {
            let receiver = Receiver { reception: Arc::clone(&self.reception), role: listener.role };
            match socket {
                Socket::Kept(place) => {
                    if let Some(open) = before.get_mut(place).and_then(Option::take) {
                        open.server.replace(service, receiver);
                        self.open.push(Open { listener, ..open });
                    }
                }
                Socket::New(socket) => {
                    let server = Server::new(Tokio::new(), service, receiver)
                        .limiter(self.limiter.clone())
                        .grace(GRACE)
                        .observer(observe);
                    self.open.push(Open { listener, server, socket: Some(socket) });
                }
            }
        }
        for gone in before.into_iter().flatten() {
            let address = gone.listener.address.to_string();
            tracing::info!(address, "listener closed");
            gone.server.stop().stop();
        }
    }

    /// Accepts connections.
    pub(super) fn serve(&mut self) {
        for listener in self.listening() {
            let (address, role) = (listener.address.to_string(), listener.role.name());
            tracing::info!(address, role, "listening");
        }
        for open in &mut self.open {
            if let Some(socket) = open.socket.take() {
                self.running.spawn(open.server.clone().run(socket));
            }
        }
        // What has ended meanwhile.
        while self.running.try_join_next().is_some() {}
    }

    /// Accepts no more, and waits until all connections have ended, which is not long.
    pub(super) async fn close(mut self) {
        for open in &self.open {
            open.server.stop().stop();
        }
        while self.running.join_next().await.is_some() {}
    }
}
