//! RFC 3207: STARTTLS; and what RFC 8314, 8446 and 8996 ask of TLS itself.

mod command;
mod injection;
mod layer;
mod reset;

use crate::{
    case::Case,
    tls::TlsWire,
    wire::{Received, Wire},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

pub(super) const CASES: &[&[Case]] =
    &[command::CASES, reset::CASES, layer::CASES, injection::CASES];

/// A TLS connection that a session uses while a case keeps hold of it.
#[derive(Clone)]
pub(super) struct HeldTls(Arc<Mutex<Option<TlsWire>>>);

impl HeldTls {
    pub(super) fn new(tls: TlsWire) -> Self {
        Self(Arc::new(Mutex::new(Some(tls))))
    }

    /// Does something with the connection; `None` if it was taken away.
    pub(super) fn with<T>(&self, what: impl FnOnce(&mut TlsWire) -> T) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(what)
    }

    /// Takes the connection away from the session.
    pub(super) fn take(&self) -> Option<TlsWire> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Wire for HeldTls {
    fn send(&mut self, octets: &[u8]) -> bool {
        self.with(|tls| tls.send(octets)).unwrap_or(false)
    }

    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> Received {
        self.with(|tls| tls.receive(buffer, patience)).unwrap_or(Received::Closed)
    }

    fn finish(&mut self) {
        self.with(Wire::finish);
    }
}
