//! How mail goes to each host: what the client calls a policy, made once as long as it is in use.

use crate::route::Tls;
use smtp_client::{
    Cause, EightBit, Failure, Hop, Policies, Policy, Stage, Tls as ClientsTls,
    driver::{
        sasl::Login,
        tls::{ClientTls, TlsError, Verify},
    },
    proto::{
        EnhancedCode,
        body::LineEndings,
        client::{ClientConfig, Mode},
        wire::{HelloName, Host, Reply},
    },
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// What hosts are asked of, and told. Connections are kept by the policy they were opened with, so
/// that equal terms must give the same one.
#[derive(Debug)]
pub(super) struct Terms {
    tls: ClientTls,
    smtp: Arc<ClientConfig>,
    lmtp: Arc<ClientConfig>,
    buffers: smtp_client::driver::Pool,
    /// Those that some connection may still use.
    made: Mutex<HashMap<Key, Weak<Policy>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    host: Arc<str>,
    hello: Box<str>,
    tls: Tls,
    mode: Mode,
    roots: Option<Arc<[u8]>>,
}

/// What a route says of a host.
#[derive(Clone, Debug)]
pub(super) struct Wanted<'t> {
    pub(super) terms: &'t Terms,
    pub(super) hello: HelloName<'static>,
    pub(super) tls: Tls,
    pub(super) mode: Mode,
    /// With what to log in; or why that is not known.
    pub(super) login: Result<Option<Login>, String>,
    /// Whose certificates to believe, PEM, instead of Mozilla's roots; or why that is not known.
    pub(super) roots: Result<Option<Arc<[u8]>>, String>,
}

impl Terms {
    pub(super) fn new(tls: ClientTls) -> Self {
        let machine = ClientConfig::builder().line_endings(LineEndings::Normalise);
        Self {
            tls,
            smtp: machine.clone().build(),
            lmtp: machine.mode(Mode::Lmtp).build(),
            buffers: smtp_client::driver::Pool::default(),
            made: Mutex::default(),
        }
    }

    fn make(
        &self,
        wanted: &Wanted<'_>,
        login: &Option<Login>,
        roots: Option<&[u8]>,
        host: &str,
    ) -> Result<Policy, TlsError> {
        let tls = match roots {
            None => self.tls.clone(),
            Some(pem) => ClientTls::builder().roots_pem(pem)?.build()?,
        };
        let mut policy = Policy::new(wanted.hello.clone());
        // A certificate is for the address itself, not for how a message writes it.
        let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = name.strip_prefix("IPv6:").unwrap_or(name);
        policy.tls = match wanted.tls {
            Tls::Off => ClientsTls::None,
            // A name that no certificate can be for is no reason to tell it to everybody.
            Tls::Opportunistic => match tls.connector(name, Verify::Opportunistic) {
                Ok(connector) => ClientsTls::Opportunistic(connector),
                Err(_) => ClientsTls::None,
            },
            Tls::Required => ClientsTls::Required(tls.connector(name, Verify::Required)?),
            Tls::Implicit => ClientsTls::Implicit(tls.connector(name, Verify::Required)?),
        };
        policy.login.clone_from(login);
        policy.eight_bit = EightBit::Convert;
        policy.machine = match wanted.mode {
            Mode::Smtp => self.smtp.clone(),
            Mode::Lmtp => self.lmtp.clone(),
        };
        policy.buffers = self.buffers.clone();
        Ok(policy)
    }
}

impl Wanted<'_> {
    fn policy_for(&self, host: &Arc<str>) -> Result<Arc<Policy>, Failure> {
        let failure = |stage, cause, text: &str| Failure {
            stage,
            reply: Reply::local(EnhancedCode::transient(3, 5), text).into(),
            cause,
            host: host.clone(),
        };
        let login =
            self.login.as_ref().map_err(|error| failure(Stage::Auth, Cause::Auth, error))?;
        let roots = self.roots.as_ref().map_err(|error| failure(Stage::Tls, Cause::Tls, error))?;
        let hello = self.hello.host().to_string().into();
        let (host, tls, mode, roots) = (host.clone(), self.tls, self.mode, roots.clone());
        let key = Key { host, hello, tls, mode, roots };
        let mut made = self.terms.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(policy) = made.get(&key).and_then(Weak::upgrade)
            && policy.login == *login
        {
            return Ok(policy);
        }
        let policy = self.terms.make(self, login, key.roots.as_deref(), &key.host);
        let policy = policy.map_err(|error| failure(Stage::Tls, Cause::Tls, &error.to_string()))?;
        let policy = Arc::new(policy);
        if made.len() == made.capacity() {
            made.retain(|_, policy| policy.strong_count() > 0);
        }
        made.insert(key, Arc::downgrade(&policy));
        Ok(policy)
    }
}

impl Policies for Wanted<'_> {
    async fn policy(&self, _: Option<&Host<'_>>, hop: &Hop) -> Result<Arc<Policy>, Failure> {
        self.policy_for(&hop.host)
    }
}
