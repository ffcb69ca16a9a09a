//! TLS as the suite uses it: it looks at the protocol, so it takes any certificate.

use crate::wire::{Received, Wire};
use rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, HandshakeKind,
    SignatureScheme, SupportedProtocolVersion,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{
    io::{self, Read, Write},
    sync::Arc,
    time::{Duration, Instant},
};

/// Why there is no TLS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFailure {
    /// The peer closed during the handshake.
    #[error("closed during the handshake")]
    Closed,
    /// The handshake did not end in time.
    #[error("silent during the handshake")]
    Silent,
    /// What came is not TLS, or an alert.
    #[error("{0}")]
    Protocol(String),
}

/// A connection inside TLS.
pub struct TlsWire {
    inner: Box<dyn Wire>,
    tls: Connection,
    closed: bool,
    goodbye: bool,
}

/// What to ask for in a handshake.
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'a> {
    /// The server's name, in SNI.
    pub name: &'a str,
    /// The versions to offer.
    pub versions: &'a [&'static SupportedProtocolVersion],
    /// How long it may take.
    pub patience: Duration,
}

impl TlsWire {
    /// Does a handshake on `inner` as the client. `early` are octets that were received already:
    /// what the server said behind its 220 belongs to TLS or to nobody.
    ///
    /// # Errors
    /// [`TlsFailure`], with the connection, on which the peer may say more.
    pub fn handshake(
        inner: Box<dyn Wire>,
        early: &[u8],
        how: Handshake<'_>,
    ) -> Result<Self, (Box<dyn Wire>, TlsFailure)> {
        match client(how) {
            Ok(tls) => Self::negotiate(inner, early, tls.into(), how.patience),
            Err(failure) => Err((inner, failure)),
        }
    }

    /// The same from either side: as what `tls` is.
    ///
    /// # Errors
    /// As [`handshake`](Self::handshake).
    pub fn negotiate(
        mut inner: Box<dyn Wire>,
        mut early: &[u8],
        mut tls: Connection,
        patience: Duration,
    ) -> Result<Self, (Box<dyn Wire>, TlsFailure)> {
        let deadline = Instant::now() + patience;
        loop {
            if !send_pending(&mut tls, inner.as_mut()) {
                return Err((inner, TlsFailure::Closed));
            }
            if !tls.is_handshaking() {
                return Ok(Self { inner, tls, closed: false, goodbye: false });
            }
            let mut buffer = [0; 16 << 10];
            let octets = if early.is_empty() {
                let left = deadline.saturating_duration_since(Instant::now());
                match inner.receive(&mut buffer, left) {
                    Received::Octets(n) => &buffer[..n],
                    Received::Closed => return Err((inner, TlsFailure::Closed)),
                    Received::Silent => return Err((inner, TlsFailure::Silent)),
                }
            } else {
                std::mem::take(&mut early)
            };
            if let Err(error) = feed(&mut tls, octets) {
                // The alert tells the peer why we leave.
                send_pending(&mut tls, inner.as_mut());
                return Err((inner, TlsFailure::Protocol(error.to_string())));
            }
        }
    }

    /// The version that was agreed on.
    pub fn version(&self) -> Option<rustls::ProtocolVersion> {
        self.tls.protocol_version()
    }

    /// Whether the peer said goodbye (close_notify, RFC 8446 §6.1) before it closed.
    pub fn goodbye(&self) -> bool {
        self.goodbye
    }

    /// Whether it goes on with a session of an earlier connection.
    pub fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The channel binding `tls-exporter` (RFC 9266 §2); `None` before TLS 1.3, where it is weak.
    pub fn exporter(&self) -> Option<[u8; 32]> {
        if self.version() != Some(rustls::ProtocolVersion::TLSv1_3) {
            return None;
        }
        let label = b"EXPORTER-Channel-Binding";
        self.tls.export_keying_material([0; 32], label, Some(b"")).ok()
    }

    /// Says goodbye inside TLS and gives the connection back in clear.
    pub fn leave(mut self) -> Box<dyn Wire> {
        self.tls.send_close_notify();
        send_pending(&mut self.tls, self.inner.as_mut());
        self.inner
    }
}

impl Wire for TlsWire {
    fn send(&mut self, octets: &[u8]) -> bool {
        for piece in octets.chunks(16 << 10) {
            if self.tls.writer().write_all(piece).is_err()
                || !send_pending(&mut self.tls, self.inner.as_mut())
            {
                return false;
            }
        }
        true
    }

    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> Received {
        let deadline = Instant::now() + patience;
        loop {
            match self.tls.reader().read(buffer) {
                Ok(0) => {
                    self.goodbye = true;
                    return Received::Closed;
                }
                Ok(n) => return Received::Octets(n),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && !self.closed => {}
                Err(_) => return Received::Closed,
            }
            let mut raw = [0; 16 << 10];
            let left = deadline.saturating_duration_since(Instant::now());
            match self.inner.receive(&mut raw, left) {
                Received::Octets(n) => self.closed |= feed(&mut self.tls, &raw[..n]).is_err(),
                Received::Closed => self.closed = true,
                Received::Silent => return Received::Silent,
            }
            self.closed |= !send_pending(&mut self.tls, self.inner.as_mut());
        }
    }

    fn finish(&mut self) {
        self.tls.send_close_notify();
        send_pending(&mut self.tls, self.inner.as_mut());
        self.inner.finish();
    }
}

fn failure(error: impl std::fmt::Display) -> TlsFailure {
    TlsFailure::Protocol(error.to_string())
}

fn client(how: Handshake<'_>) -> Result<ClientConnection, TlsFailure> {
    Memory::new(how.versions)?.client(how.name)
}

/// What a client remembers of TLS sessions, so that another connection can go on with one.
#[derive(Clone, Debug)]
pub struct Memory(Arc<ClientConfig>);

impl Memory {
    /// An empty one.
    ///
    /// # Errors
    /// There is no cipher for these versions.
    pub fn new(versions: &[&'static SupportedProtocolVersion]) -> Result<Self, TlsFailure> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(failure)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// A connection to the server of this name, for [`TlsWire::negotiate`].
    ///
    /// # Errors
    /// It is no name.
    pub fn client(&self, name: &str) -> Result<ClientConnection, TlsFailure> {
        let name = ServerName::try_from(name.to_owned()).map_err(failure)?;
        ClientConnection::new(Arc::clone(&self.0), name).map_err(failure)
    }
}

fn send_pending(tls: &mut Connection, inner: &mut dyn Wire) -> bool {
    let mut octets = Vec::new();
    while tls.wants_write() {
        if tls.write_tls(&mut octets).is_err() {
            return false;
        }
    }
    octets.is_empty() || inner.send(&octets)
}

fn feed(tls: &mut Connection, mut octets: &[u8]) -> Result<(), rustls::Error> {
    while !octets.is_empty() {
        tls.read_tls(&mut octets).map_err(|e| rustls::Error::General(e.to_string()))?;
        tls.process_new_packets()?;
    }
    Ok(())
}

/// Whose certificate it is, is not what is judged here.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
