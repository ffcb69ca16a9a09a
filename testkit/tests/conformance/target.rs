//! The driver and the bare machine as targets of the conformance suite, in memory and in virtual
//! time: where the suite listens for a second to hear nothing, no time passes.

use smtp_conformance::wire::{Port, Received, Target, Wire};
use smtp_driver::{NewHandler, Peer, Service, serve};
use smtp_proto::server::ServerConfig;
use std::{
    collections::HashMap,
    future::{Future, pending},
    io,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use testkit::{
    bare::Bare,
    clock::VirtualRuntime,
    line::Line,
    memory::{MemoryStream, pair},
    policy::Policy,
};

/// Serves each connection of the suite by the driver, with one policy.
#[derive(Default)]
pub(crate) struct DriverTarget {
    services: HashMap<Port, Service>,
    policy: Policy,
}

impl DriverTarget {
    /// A target without a listener.
    #[must_use]
    pub(crate) fn new(policy: Policy) -> Self {
        Self { services: HashMap::new(), policy }
    }

    /// The same, with a listener.
    #[must_use]
    pub(crate) fn listen(mut self, port: Port, service: Service) -> Self {
        self.services.insert(port, service);
        self
    }
}

impl Target for DriverTarget {
    fn connect(&self, port: Port) -> io::Result<Box<dyn Wire>> {
        let service = self.services.get(&port).ok_or(io::ErrorKind::AddrNotAvailable)?.clone();
        let runtime = VirtualRuntime::new();
        let (client, server) = pair(64 << 10);
        let peer = Peer { remote: None, local: None };
        let handler = self.policy.new_handler(&peer);
        let session = serve(server, peer, runtime.clone(), service, handler, pending());
        drop(runtime.spawn(session));
        Ok(Box::new(MemoryWire { client, runtime, arrived: Vec::new() }))
    }

    fn has(&self, port: Port) -> bool {
        self.services.contains_key(&port)
    }
}

/// The suite's end of a connection; the server's end runs while the suite waits for it.
struct MemoryWire {
    client: MemoryStream,
    runtime: VirtualRuntime,
    arrived: Vec<u8>,
}

impl MemoryWire {
    /// Lets the server do all that it can do at this moment.
    fn run(&mut self) {
        loop {
            self.runtime.run_ready();
            let octets = self.client.take();
            if octets.is_empty() {
                return;
            }
            self.arrived.extend(octets);
        }
    }
}

impl Wire for MemoryWire {
    fn send(&mut self, octets: &[u8]) -> bool {
        let mut rest = octets;
        while !rest.is_empty() {
            let n = self.client.put(rest);
            rest = &rest[n..];
            self.run();
            // The server reads all it can before it rests: no room means that it is gone.
            if n == 0 {
                return false;
            }
        }
        true
    }

    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> Received {
        self.run();
        if self.arrived.is_empty() && !self.client.is_finished() {
            self.runtime.run_for(patience);
            self.run();
        }
        let n = buffer.len().min(self.arrived.len());
        buffer[..n].copy_from_slice(&self.arrived[..n]);
        self.arrived.drain(..n);
        match n {
            0 if self.client.is_finished() => Received::Closed,
            0 => Received::Silent,
            n => Received::Octets(n),
        }
    }

    fn finish(&mut self) {
        self.client.close();
        self.run();
    }
}

/// Serves each connection of the suite by the bare machine, without a driver: in clear only.
pub(crate) struct MachineTarget {
    config: Arc<ServerConfig>,
    policy: Policy,
}

impl MachineTarget {
    /// The machine with this configuration.
    #[must_use]
    pub(crate) fn new(config: Arc<ServerConfig>, policy: Policy) -> Self {
        Self { config, policy }
    }
}

impl Target for MachineTarget {
    fn connect(&self, port: Port) -> io::Result<Box<dyn Wire>> {
        if !self.has(port) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        Ok(Box::new(MachineWire(Bare::new(Arc::clone(&self.config), self.policy.clone()))))
    }

    fn has(&self, port: Port) -> bool {
        port == Port::Main
    }
}

struct MachineWire(Bare);

impl MachineWire {
    /// The bare machine answers at once: its futures are ready.
    fn now<T>(future: impl Future<Output = io::Result<T>>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result.ok(),
            Poll::Pending => None,
        }
    }
}

impl Wire for MachineWire {
    fn send(&mut self, octets: &[u8]) -> bool {
        self.0.closed().is_none() && Self::now(self.0.write(octets)).is_some()
    }

    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> Received {
        // It reads nothing where the machine waits for input: then time passes.
        let read = Self::now(self.0.read(buffer)).or_else(|| {
            Self::now(self.0.pass(patience))?;
            Self::now(self.0.read(buffer))
        });
        match read {
            Some(0) => Received::Closed,
            Some(n) => Received::Octets(n),
            None => Received::Silent,
        }
    }

    fn finish(&mut self) {
        Self::now(self.0.finish());
    }
}
