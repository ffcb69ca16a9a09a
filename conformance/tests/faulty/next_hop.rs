//! Mail that is passed on, to a host without TLS.

use super::{
    envelope::{Envelope, Recipient},
    fault::Fault as F,
    session::Session,
    stream::find,
};
use std::{
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
};

impl Session<'_> {
    /// Passes a message on, or back where it must not go.
    pub(super) fn pass_on(&self, host: SocketAddr, mail: &Envelope, to: &Recipient, text: &[u8]) {
        let passed = if mail.tls_only && !self.has(F::RequireTlsDropped) {
            let header = find(text, b"\r\n\r\n").map_or(text, |at| &text[..at + 4]);
            let back = if self.has(F::RequireTlsBounceFull) { text } else { header };
            let report = b"Subject: 5.7.30 REQUIRETLS support required\r\n\r\n";
            send(host, b"", &mail.from.written, &[report, back].concat())
        } else {
            send(host, &mail.from.written, &to.address.written, text)
        };
        // What does not arrive is what the case looks for.
        drop(passed);
    }
}

fn send(host: SocketAddr, from: &[u8], to: &[u8], text: &[u8]) -> io::Result<()> {
    let stream = TcpStream::connect(host)?;
    let mut replies = BufReader::new(stream.try_clone()?).lines();
    let mut out = stream;
    let commands = [
        b"HELO mx.example.test\r\n".to_vec(),
        [b"MAIL FROM:<", from, b">\r\n"].concat(),
        [b"RCPT TO:<", to, b">\r\n"].concat(),
        b"DATA\r\n".to_vec(),
        [text, b".\r\nQUIT\r\n"].concat(),
    ];
    for command in commands {
        // The reply to what was before it, the greeting first.
        replies.next().transpose()?;
        out.write_all(&command)?;
    }
    replies.next().transpose().map(drop)
}
