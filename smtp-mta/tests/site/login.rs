//! What a client says to log in.

use rustls::{ClientConnection, StreamOwned};
use smtp_driver::sasl::{ClientExchange, Login};
use smtp_proto::wire::{Base64, Mechanism};
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
};

pub(crate) fn base64(text: &str) -> String {
    Base64::encode(text.as_bytes()).as_str().to_owned()
}

/// The line that begins and ends AUTH PLAIN.
pub(crate) fn plain(name: &str, password: &str) -> String {
    format!("AUTH PLAIN {}\r\n", base64(&format!("\0{name}\0{password}")))
}

/// A login of our own client by SCRAM, bound to the connection or not, whose last reply begins with
/// `last`; gives all lines that were said and heard.
#[track_caller]
pub(crate) fn scram(
    stream: &mut StreamOwned<ClientConnection, TcpStream>,
    mechanism: &Mechanism<'static>,
    name: &str,
    password: &str,
    last: &str,
) -> Vec<String> {
    let label = b"EXPORTER-Channel-Binding";
    let channel = (*mechanism == Mechanism::SCRAM_SHA_256_PLUS)
        .then(|| stream.conn.export_keying_material([0; 32], label, Some(&[])).unwrap().into());
    let mut lines = Vec::new();
    let mut replies = BufReader::new(stream);
    let mut say = |line: String| {
        replies.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
        let mut reply = String::new();
        replies.read_line(&mut reply).unwrap();
        lines.extend([line, reply.clone()]);
        reply
    };
    let login = Login::password(name, password);
    let mut exchange = ClientExchange::new(&login, mechanism, &[], channel).unwrap();
    let first = exchange.initial().unwrap().unwrap();
    let mut reply = say(format!("AUTH {mechanism} {}", Base64::encode(first.expose())));
    while let Some(challenge) = reply.strip_prefix("334 ") {
        let challenge = Base64::parse(challenge.trim_end()).unwrap().decode();
        let response = exchange.respond(&challenge).unwrap();
        reply = say(Base64::encode(response.expose()).as_str().to_owned());
    }
    assert!(reply.starts_with(last), "{reply}");
    assert_eq!(exchange.finish().is_ok(), last.starts_with('2'));
    lines
}
