//! A name server of three records, for the demonstration only.

use hickory_proto::{
    op::{Message, MessageType, Metadata, Query},
    rr::{Name, RData, Record, RecordType, rdata::MX},
};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};
use tokio::{net::UdpSocket, sync::mpsc::Sender};

/// The longest question over UDP that is read; what it is asked for is shorter.
const QUESTION: usize = 512;

/// Seconds for which an answer may be kept.
const TTL: u32 = 60;

/// A name server on loopback that knows where the mail of one domain goes.
#[derive(Debug)]
pub(super) struct NameServer {
    socket: UdpSocket,
    domain: Name,
    exchange: Name,
}

/// A question and its answer, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) question: String,
    pub(super) answer: String,
}

impl NameServer {
    /// One that names `exchange`, at 127.0.0.1, for mail to `domain`.
    pub(super) async fn bind(domain: &str, exchange: &str) -> io::Result<Self> {
        let name = |text: &str| Name::from_ascii(format!("{text}.")).map_err(io::Error::other);
        let (domain, exchange) = (name(domain)?, name(exchange)?);
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(Self { socket, domain, exchange })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Answers for ever, and tells `asked` what.
    pub(super) async fn serve<E: From<Asked>>(self, asked: Sender<E>) {
        let mut octets = [0; QUESTION];
        loop {
            // What cannot be read or sent is asked again.
            let Ok((length, from)) = self.socket.recv_from(&mut octets).await else { continue };
            let Ok(question) = Message::from_vec(&octets[..length]) else { continue };
            let Some((answer, said)) = self.answer(&question) else { continue };
            let _ = asked.try_send(said.into());
            let _ = self.socket.send_to(&answer, from).await;
        }
    }

    fn answer(&self, message: &Message) -> Option<(Vec<u8>, Asked)> {
        let query = message.queries.first().filter(|_| message.queries.len() == 1)?;
        let found = self.find(query);
        let name = query.name().to_lowercase().to_ascii();
        let question = format!("{} {}", query.query_type(), name.trim_end_matches('.'));
        let answer = found.as_ref().map_or("none".into(), ToString::to_string);
        let answer = answer.trim_end_matches('.').to_owned();
        let id = message.metadata.id;
        let mut reply = Message::new(id, MessageType::Response, message.metadata.op_code);
        reply.metadata = Metadata::response_from_request(&message.metadata);
        reply.metadata.authoritative = true;
        reply.add_query(query.clone());
        reply.add_answers(found.map(|data| Record::from_rdata(query.name().clone(), TTL, data)));
        Some((reply.to_vec().ok()?, Asked { question, answer }))
    }

    fn find(&self, query: &Query) -> Option<RData> {
        match query.query_type() {
            RecordType::MX if *query.name() == self.domain => {
                Some(RData::MX(MX::new(10, self.exchange.clone())))
            }
            RecordType::A if *query.name() == self.exchange => {
                Some(RData::A(Ipv4Addr::LOCALHOST.into()))
            }
            _ => None,
        }
    }
}
