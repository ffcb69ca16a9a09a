//! What is shown, in its order.

use super::{
    Server, below, quote, say, servers,
    witness::{Delivery, Event, Witness},
    zone::{Asked, NameServer},
};
use crate::{
    config::Role,
    policy::DomainName,
    server::Refusal,
    tls,
    trace::Date,
    users::{UserName, UsersFile},
};
use jiff::Zoned;
use smtp_client::{
    Connection, Envelope, Policy, Tls,
    driver::{
        sasl::Login,
        tls::{ClientTls, Verify},
    },
    proto::wire::HelloName,
    runtime::tokio::{Tokio, connect},
};
use std::{fmt::Display, path::Path, sync::Arc, time::Instant};
use tokio::sync::mpsc::Receiver;

/// Who writes; also the name of the login, with the domain.
const SENDER: &str = "ann@a.example";
/// Found by the DNS.
const BY_MX: &str = "bob@b.example";
/// Handed on by LMTP.
const BY_LMTP: &str = "carol@c.example";
/// Does not exist.
const MISTYPED: &str = "bbo@b.example";

/// The demonstration under way.
#[derive(Debug)]
pub(super) struct Story {
    events: Receiver<Event>,
    servers: Vec<Server>,
    /// Who has not yet heard anything that will not change.
    left: Vec<&'static str>,
    since: Instant,
}

impl Story {
    pub(super) fn new(events: Receiver<Event>) -> Self {
        let left = vec![BY_MX, BY_LMTP, MISTYPED, SENDER];
        Self { events, servers: Vec::new(), left, since: Instant::now() }
    }

    /// Whose part of it has not happened.
    pub(super) fn left(&self) -> String {
        self.left.join(", ")
    }

    /// The servers, in the order in which to stop them.
    pub(super) fn into_servers(self) -> impl Iterator<Item = Server> {
        self.servers.into_iter().rev()
    }

    /// Shows all of it. The servers have their folders in `folder`.
    pub(super) async fn tell(&mut self, folder: &Path, witness: &Witness) -> Result<(), Refusal> {
        let names = NameServer::bind("b.example", "mx.b.example").await;
        let names = names.map_err(failed("cannot start a name server"))?;
        let at = names.address().map_err(failed("cannot start a name server"))?;
        tokio::spawn(names.serve(witness.events()));
        let far = Server::start(servers::FAR, folder.join("b"))?;
        let (mx, lmtp) = (far.address(Role::Mx)?, far.address(Role::Lmtp)?);
        self.servers.push(far);
        let config = servers::near(at, mx, lmtp);
        let near = Server::start(&config, folder.join("a"))?;
        let submission = near.address(Role::Submission)?;
        self.servers.push(near);

        say("Two mail servers and a name server, in this process and on loopback:\n");
        say(&format!("  a.example    {submission}  its users submit here: STARTTLS, login"));
        say(&format!("  b.example    {mx}  other servers bring mail here"));
        say(&format!("               {lmtp}  LMTP, for c.example"));
        say(&format!("  name server  {at}  MX of b.example\n"));
        say(&format!("{SENDER} writes to {BY_MX}, {BY_LMTP}"));
        say(&format!("and {MISTYPED}, who does not exist:\n"));

        let sent = message();
        self.submit(folder, submission, &sent).await?;
        while !self.left.is_empty() {
            match self.events.recv().await {
                Some(Event::Asked(asked)) => self.asked(&asked),
                Some(Event::Delivery(delivery)) => self.delivery(&delivery)?,
                None => return Err(Refusal("the servers have gone".into())),
            }
        }
        self.show(folder, &sent)?;
        say("\na.example is configured by these lines:\n");
        quote(&config);
        say(
            "\nIn earnest leave out `name_servers`, `port` and `loopback`, and listen on the ports",
        );
        say(
            "25 and 587. smtp-mta/example.toml has every key; `smtp-mta user add NAME` lets somebody",
        );
        say("log in; `smtp-mta serve --config FILE` starts the server.");
        Ok(())
    }

    /// Sends the message as a mail program does.
    async fn submit(
        &mut self,
        folder: &Path,
        at: std::net::SocketAddr,
        message: &str,
    ) -> Result<(), Refusal> {
        const NOT_SUBMITTED: &str = "the message was not submitted";
        let near = folder.join("a");
        let password = password().map_err(failed("there is no random number"))?;
        let ann = UserName::new(SENDER).ok_or_else(|| Refusal(NOT_SUBMITTED.into()))?;
        UsersFile::new(&near).add(&ann, &password).map_err(failed(NOT_SUBMITTED))?;
        let host =
            DomainName::new("mail.a.example").ok_or_else(|| Refusal(NOT_SUBMITTED.into()))?;
        let (certificate, _) = tls::self_made(&host, &near.join("tls"));
        let trust = ClientTls::builder().roots_pem_file(certificate).and_then(|it| it.build());
        let trust = trust.and_then(|it| it.connector(host.as_str(), Verify::Required));
        let hello = HelloName::parse("laptop.a.example").map_err(failed(NOT_SUBMITTED))?;
        let mut policy = Policy::new(hello);
        policy.tls = Tls::Required(trust.map_err(failed(NOT_SUBMITTED))?);
        policy.login = Some(Login::password(ann.as_str(), &password));
        let envelope = Envelope::builder(SENDER).to(BY_MX).to(BY_LMTP).to(MISTYPED).build();
        let envelope = envelope.map_err(failed(NOT_SUBMITTED))?;

        self.since = Instant::now();
        let stream = connect(at).await.map_err(failed(NOT_SUBMITTED))?;
        let opening = Connection::open(stream, Tokio::new(), host.as_str(), Arc::new(policy));
        let mut connection = opening.await.map_err(failed(NOT_SUBMITTED))?;
        let tls = connection.tls().map(|tls| tls.version.to_string()).unwrap_or_default();
        let mechanism = connection.mechanism().map(ToString::to_string).unwrap_or_default();
        self.now(&format!("connected: {tls}, certificate verified, logged in by {mechanism}"));
        let since = Instant::now();
        let report = connection.send(&envelope, message).await;
        let milliseconds = since.elapsed().as_millis();
        if let Some(outcome) = report.outcomes.iter().find(|_| !report.is_all_sent()) {
            return Err(Refusal(format!("{NOT_SUBMITTED}: {}", outcome.reply)));
        }
        if let Some(outcome) = report.outcomes.first() {
            let said = &outcome.reply;
            self.now(&format!("submitted, and on a.example's disk, in {milliseconds} ms: {said}"));
        }
        connection.quit().await;
        Ok(())
    }

    fn asked(&self, Asked { question, answer }: &Asked) {
        self.now(&format!("a.example asks the DNS: {question} -> {answer}"));
    }

    /// Tells what became of a recipient.
    fn delivery(&mut self, delivery: &Delivery) -> Result<(), Refusal> {
        let Delivery { route, host, outcome, reply, milliseconds, .. } = delivery;
        let to = delivery.to.trim_matches(['<', '>']);
        let is_local = route == "local";
        let is_last = match outcome.as_str() {
            "delivered" | "relayed" if to != MISTYPED => is_local,
            "failed" if to == MISTYPED => true,
            _ => return Err(Refusal(format!("{to}: {outcome} at {host}: {reply}"))),
        };
        let what = match outcome.as_str() {
            "failed" => format!("refused by {host}"),
            _ if is_local => format!("in the mailbox at {host}"),
            "relayed" => format!("relayed to {host}"),
            _ => format!("handed to {route}"),
        };
        self.now(&format!("{to}: {what}, in {milliseconds} ms: {reply}"));
        if is_last {
            self.left.retain(|left| *left != to);
        }
        Ok(())
    }

    /// Shows what was delivered, if it is right.
    fn show(&self, folder: &Path, sent: &str) -> Result<(), Refusal> {
        let [far, near] = &self.servers[..] else { return Err(Refusal("a server is gone".into())) };
        for (mailbox, address) in [("carol", BY_LMTP), ("bob", BY_MX)] {
            let (path, message) = far.only_message(mailbox)?;
            if !is_same(&message, sent) {
                quote(&String::from_utf8_lossy(&message));
                return Err(Refusal(format!("{address} has another message than was sent")));
            }
            if address == BY_MX {
                say(&format!(
                    "\n{address} has it, octet for octet, in {}:\n",
                    below(&path, folder)
                ));
                quote(&String::from_utf8_lossy(&message));
            }
        }
        let (path, notice) = near.only_message("ann")?;
        let notice = String::from_utf8_lossy(&notice);
        let Some(text) = first_part(&notice).filter(|text| text.contains(MISTYPED)) else {
            quote(&notice);
            return Err(Refusal(format!("the notice does not tell of {MISTYPED}")));
        };
        say(&format!("\n{SENDER} is told what failed, in {}:\n", below(&path, folder)));
        quote(text);
        Ok(())
    }

    /// A line with the time since the message was submitted.
    fn now(&self, text: &str) {
        say(&format!("{:6} ms  {text}", self.since.elapsed().as_millis()));
    }
}

/// The message. Its first line has a dot that must neither end it nor get lost.
fn message() -> String {
    let now = Zoned::now();
    format!(
        "From: Ann <{SENDER}>\r\n\
         To: {BY_MX}, {BY_LMTP}, {MISTYPED}\r\n\
         Subject: Tea\r\n\
         Date: {}\r\n\
         Message-ID: <{}@a.example>\r\n\
         \r\n\
         ... at four?\r\n",
        Date(&now),
        now.timestamp().as_nanosecond(),
    )
}

/// A password that nobody knows.
fn password() -> Result<String, getrandom::Error> {
    let mut octets = [0; 16];
    getrandom::fill(&mut octets)?;
    Ok(format!("{:032x}", u128::from_le_bytes(octets)))
}

/// Whether `delivered` is `sent` with the trace of its way in front: Return-Path, and a Received of
/// each of the two servers.
fn is_same(delivered: &[u8], sent: &str) -> bool {
    let Some(trace) = delivered.strip_suffix(sent.as_bytes()) else { return false };
    let trace = String::from_utf8_lossy(trace);
    let fields: Vec<_> = trace.lines().filter(|line| !line.starts_with('\t')).collect();
    let return_path = format!("Return-Path: <{SENDER}>");
    matches!(&fields[..], [first, second, third]
        if *first == return_path && [second, third].iter().all(|it| it.starts_with("Received: ")))
}

/// The text of the first part of a message in parts.
fn first_part(message: &str) -> Option<&str> {
    let (_, part) = message.split_once("\r\nContent-Type: text/plain")?;
    let (_, text) = part.split_once("\r\n\r\n")?;
    Some(text.split("\r\n--").next().unwrap_or(text).trim_end())
}

/// A refusal that says what was tried.
fn failed<E: Display>(what: &str) -> impl Fn(E) -> Refusal {
    move |error| Refusal(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sent_behind_its_trace_is_the_same() {
        let is_same = |delivered: &str| is_same(delivered.as_bytes(), "From: x\r\n\r\ntext\r\n");
        let trace =
            "Return-Path: <ann@a.example>\r\nReceived: from c\r\n\tby b\r\nReceived: from d\r\n";
        assert!(is_same(&format!("{trace}From: x\r\n\r\ntext\r\n")));
        assert!(!is_same(&format!("{trace}From: x\r\n\r\ntext\r\n\r\n")));
        assert!(!is_same(&format!("{trace}From: x\r\n\r\n text\r\n")));
        assert!(!is_same(&format!("{trace}Received: from e\r\nFrom: x\r\n\r\ntext\r\n")));
        assert!(!is_same("From: x\r\n\r\ntext\r\n"));
    }

    #[test]
    fn the_first_part_of_a_notice_is_its_text() {
        let notice = "A: b\r\n\r\nx\r\n--1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
                      It failed.\r\n\r\nFor good.\r\n\r\n--1\r\nContent-Type: y\r\n\r\nz\r\n--1--\r\n";
        assert_eq!(first_part(notice), Some("It failed.\r\n\r\nFor good."));
        assert_eq!(first_part("A: b\r\n\r\nx\r\n"), None);
    }
}
