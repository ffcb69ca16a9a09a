//! What each connection is served with: the machine's configuration, certificate, logins.

use super::Refusal;
use crate::{
    config::{Config, Listener, Role, TlsStart},
    users::{Logins, Users},
};
use smtp_driver::{Acceptor, Pool, Service};
use smtp_proto::{
    Limits,
    ext::Extensions,
    server::{Mode, ServerConfig},
    wire::{Domain, Host, Mechanism},
};
use std::sync::Arc;

/// What the services of all listeners are made of.
#[derive(Debug)]
pub(super) struct Services {
    pub(super) users: Users,
    pub(super) pool: Pool,
}

impl Services {
    /// What `listener` is served with by `config`.
    pub(super) fn service(
        &self,
        config: &Config,
        listener: &Listener,
        tls: Option<&Acceptor>,
    ) -> Result<Service, Refusal> {
        let service = Service::new(machine(config, listener)?)
            .and_then(|service| service.pool(self.pool.clone()))
            .map_err(|error| Refusal(error.to_string()))?;
        let service = match (tls, listener.tls) {
            (Some(acceptor), TlsStart::Starttls) => service.starttls(acceptor.clone()),
            (Some(acceptor), TlsStart::Implicit) => service.implicit_tls(acceptor.clone()),
            _ => service,
        };
        Ok(match listener.role.is_submission() {
            true => {
                let certificates = config.users.iter().flat_map(|user| {
                    user.certificates.iter().map(|&certificate| (certificate, user.name.clone()))
                });
                service.credentials(Logins::new(self.users.clone(), certificates))
            }
            false => service,
        })
    }
}

fn machine(config: &Config, listener: &Listener) -> Result<Arc<ServerConfig>, Refusal> {
    let host = Domain::parse(config.hostname.as_str())
        .map_err(|error| Refusal(format!("{}: {error}", config.hostname)))?;
    let mut extensions = Extensions::new().smtputf8().chunking().dsn();
    if listener.tls == TlsStart::Starttls {
        extensions = extensions.starttls();
    }
    if listener.role.is_submission() {
        // Those that do not show the password come first. The driver offers EXTERNAL to clients with a
        // certificate only.
        extensions = extensions.auth([
            Mechanism::EXTERNAL,
            Mechanism::SCRAM_SHA_256_PLUS,
            Mechanism::SCRAM_SHA_256,
            Mechanism::PLAIN,
            Mechanism::LOGIN,
        ]);
    }
    let mode = match listener.role {
        Role::Mx => Mode::Smtp,
        Role::Submission | Role::Submissions => Mode::Submission,
        Role::Lmtp => Mode::Lmtp,
    };
    let mut limits = Limits::default();
    limits.message = config.message_size_limit;
    let builder = ServerConfig::builder(Host::Domain(host.into_static()));
    Ok(builder.mode(mode).limits(limits).extensions(extensions).build())
}
