//! Opens many connections, says EHLO on each, and holds them: `idle-load ADDRESS:PORT CONNECTIONS
//! [tls]`. It prints `idle` when all are, and lets go when its input ends.

use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use socket2::{Domain, Socket, Type};
use std::{
    env,
    error::Error,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

/// Connections from one address of loopback.
const PER_ADDRESS: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let (server, many, tls) = match &words[..] {
        [server, many] => (server.parse()?, many.parse()?, None),
        [server, many, tls] if tls == "tls" => (server.parse()?, many.parse()?, Some(trusting()?)),
        _ => return Err("usage: idle-load ADDRESS:PORT CONNECTIONS [tls]".into()),
    };
    let mut plain = Vec::new();
    let mut encrypted = Vec::new();
    for number in 0..many {
        let mut stream = connect(server, number)?;
        match &tls {
            None => {
                greet(&mut stream)?;
                plain.push(stream);
            }
            Some(config) => {
                let client = ClientConnection::new(config.clone(), "mx.example".try_into()?)?;
                let mut stream = StreamOwned::new(client, stream);
                greet(&mut stream)?;
                encrypted.push(stream);
            }
        }
    }
    println!("idle");
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn connect(server: SocketAddr, number: usize) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
    let last = u8::try_from(1 + number / PER_ADDRESS).map_err(io::Error::other)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)).into())?;
    socket.connect(&server.into())?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    Ok(stream)
}

/// Hears the greeting, says EHLO, hears the answer.
fn greet(stream: &mut (impl Read + Write)) -> io::Result<()> {
    read_reply(stream)?;
    stream.write_all(b"EHLO client.example\r\n")?;
    read_reply(stream)
}

fn read_reply(stream: &mut impl Read) -> io::Result<()> {
    let mut reply = Vec::new();
    let is_whole = |reply: &[u8]| {
        let mut lines = reply.split_inclusive(|&octet| octet == b'\n');
        lines.any(|line| line.ends_with(b"\n") && line.get(3) == Some(&b' '))
    };
    while !is_whole(&reply) {
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => reply.extend_from_slice(&buffer[..n]),
        }
    }
    match reply.first() {
        Some(b'2') => Ok(()),
        _ => Err(io::Error::other(String::from_utf8_lossy(&reply).into_owned())),
    }
}

/// Believes every certificate: the server made its own a moment ago.
fn trusting() -> Result<Arc<ClientConfig>, Box<dyn Error>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting(provider)))
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct Trusting(Arc<CryptoProvider>);

impl ServerCertVerifier for Trusting {
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
