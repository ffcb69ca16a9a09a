//! What each connection is served with: the machine's configuration, certificate, logins, limits.

use super::Refusal;
use crate::{
    config::{Config, Listener, Role, TlsStart},
    data_dir::DataDir,
    deliver::Intake,
    session::Reception,
    users::Users,
};
use smtp_driver::{Acceptor, Limiter, Pool, Service};
use smtp_proto::{
    Limits,
    ext::Extensions,
    server::{Mode, ServerConfig},
    wire::{Domain, Host, Mechanism},
};
use std::sync::Arc;

/// What the services of all listeners are made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) machine: Machine,
    pub(super) reception: Arc<Reception<Intake>>,
    pub(super) users: Users,
    pub(super) acceptor: Acceptor,
    pub(super) limiter: Limiter,
    pub(super) pool: Pool,
    /// Unlocks the data folder when the server is gone.
    pub(super) _data: DataDir,
}

/// What the machines of all listeners have in common.
#[derive(Debug)]
pub(super) struct Machine {
    host: Host<'static>,
    limits: Limits,
    /// For submission: one that does not show the password comes first.
    mechanisms: Vec<Mechanism<'static>>,
}

impl Machine {
    pub(super) fn new(config: &Config) -> Result<Self, Refusal> {
        let host = Domain::parse(config.hostname.as_str())
            .map_err(|error| Refusal(format!("{}: {error}", config.hostname)))?;
        let mut limits = Limits::default();
        limits.message = config.message_size_limit;
        let mechanisms = Mechanism::parse("SCRAM-SHA-256").into_iter();
        let mechanisms = mechanisms.chain([Mechanism::PLAIN, Mechanism::LOGIN]).collect();
        Ok(Self { host: Host::Domain(host.into_static()), limits, mechanisms })
    }

    fn config(&self, listener: &Listener) -> Arc<ServerConfig> {
        let mut extensions = Extensions::new().smtputf8().chunking().dsn();
        if listener.tls == TlsStart::Starttls {
            extensions = extensions.starttls();
        }
        if listener.role.is_submission() {
            extensions = extensions.auth(self.mechanisms.iter().cloned());
        }
        let mode = match listener.role {
            Role::Mx => Mode::Smtp,
            Role::Submission | Role::Submissions => Mode::Submission,
            Role::Lmtp => Mode::Lmtp,
        };
        let builder = ServerConfig::builder(self.host.clone());
        builder.mode(mode).limits(self.limits).extensions(extensions).build()
    }
}

impl Parts {
    pub(super) fn service(&self, listener: &Listener) -> Result<Service, Refusal> {
        let service = Service::new(self.machine.config(listener))
            .and_then(|service| service.pool(self.pool.clone()))
            .map_err(|error| Refusal(error.to_string()))?;
        let service = match listener.tls {
            TlsStart::Starttls => service.starttls(self.acceptor.clone()),
            TlsStart::Implicit => service.implicit_tls(self.acceptor.clone()),
            TlsStart::Off => service,
        };
        Ok(match listener.role.is_submission() {
            true => service.credentials(self.users.clone()),
            false => service,
        })
    }
}
