//! One transaction: MAIL, RCPTs, the message, and what each recipient is told (RFC 5321 §3.3).

use crate::{
    body::{Body, Chunk, Source},
    connection::Connection,
    delivery::{Addressee, content},
    outcome::{Cause, Failure, Outcome, Stage},
    policy::Said,
};
use smtp_driver::{
    Runtime, Stream,
    client::{LinkError, Next},
};
use smtp_proto::{
    CloseReason, EnhancedCode, Misuse,
    body::{Encoder, Framing},
    client::{ClientEvent, CommandId},
    ext::BodyType,
    wire::{Mail, Reply},
};
use std::{collections::VecDeque, sync::Arc};

/// Pieces of one BDAT: each line ending that is not CRLF ends one.
const PIECES: usize = 1_024;

/// The longest message that is sent before the server has taken a recipient, octets.
const UNASKED: usize = 64 << 10;

/// The recipients of a transaction, and what the server has said of them.
pub(crate) struct Transaction {
    slots: Vec<Slot>,
    /// The places in `slots` of those that were accepted, in the order of their RCPT.
    accepted: Vec<usize>,
    /// Commands without a reply, the first first.
    open: VecDeque<(CommandId, Command)>,
    /// MAIL, DATA, a BDAT or the end of the message was refused.
    failure: Option<Failure>,
    /// 354 came.
    wanted: bool,
    /// The end of the message was written, or begun to be.
    handed_over: bool,
    stage: Stage,
}

struct Slot {
    addressee: Addressee,
    state: State,
}

enum State {
    /// No word yet.
    Unknown,
    Accepted,
    /// The server has enough of recipients for now.
    Later(Failure),
    Done(Outcome),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Mail,
    /// The place of the recipient in the transaction.
    Rcpt(usize),
    Data,
    /// A BDAT that is not the last.
    Chunk,
    /// The end of the message.
    End,
}

impl Command {
    fn stage(self) -> Stage {
        match self {
            Self::Mail => Stage::Mail,
            Self::Rcpt(_) => Stage::Rcpt,
            Self::Data | Self::Chunk => Stage::Data,
            Self::End => Stage::End,
        }
    }
}

impl Transaction {
    /// A transaction for `batch`.
    pub(crate) fn new(batch: Vec<Addressee>) -> Self {
        let slot = |addressee| Slot { addressee, state: State::Unknown };
        Self {
            slots: batch.into_iter().map(slot).collect(),
            accepted: Vec::new(),
            open: VecDeque::new(),
            failure: None,
            wanted: false,
            handed_over: false,
            stage: Stage::Mail,
        }
    }

    /// The outcomes, once it has ended; by `failure` if the connection did. Gives back those who
    /// are to be in the next transaction.
    pub(crate) fn settle(
        self,
        failure: Option<&Failure>,
        outcomes: &mut [Option<Outcome>],
    ) -> Vec<Addressee> {
        // A server that says what is wrong has not taken the message, nor one that never got it.
        let lost = |failure: Failure| {
            let said = matches!(failure.cause, Cause::Server | Cause::Message);
            Outcome { in_doubt: self.handed_over && !said, ..failure.into() }
        };
        let mut later = Vec::new();
        for Slot { addressee, state } in self.slots {
            let place = addressee.place;
            let outcome = match (state, failure, &self.failure) {
                (State::Done(outcome), ..) => outcome,
                (State::Later(_), None, _) if !self.accepted.is_empty() => {
                    later.push(addressee);
                    continue;
                }
                (State::Later(reply), ..) => Outcome::delayed(reply),
                (State::Accepted, Some(failure), _) => lost(failure.clone()),
                (State::Unknown, Some(failure), _) => lost(failure.clone().for_others()),
                (_, None, Some(failure)) => failure.clone().into(),
                // The server was asked nothing about it.
                (_, None, None) => continue,
            };
            outcomes[place] = Some(outcome);
        }
        later
    }

    /// What the next reply is about.
    fn stage(&self) -> Stage {
        self.open.front().map_or(self.stage, |(_, command)| command.stage())
    }

    /// Takes in what happened; gives the failure if the server has ended the connection with it.
    fn take_in<S: Stream, R: Runtime>(
        &mut self,
        event: ClientEvent<'static>,
        conn: &Connection<S, R>,
    ) -> Option<Failure> {
        let (stage, host) = (self.stage(), &conn.host);
        // After 421 nobody else has a reply (RFC 5321 §3.8).
        let last = |reply: &Reply<'static>| {
            (reply.code() == 421).then(|| Failure::server(stage, reply.clone(), host))
        };
        match event {
            ClientEvent::Reply { id, reply } => {
                let last = last(&reply);
                self.replied(id, reply, host);
                last
            }
            ClientEvent::Delivery { id, index, reply } => {
                let last = last(&reply);
                self.delivered(id, index, reply, host);
                last
            }
            ClientEvent::Skipped(id) => {
                self.take(id);
                None
            }
            ClientEvent::Unsolicited(reply) => Some(conn.unasked(stage, reply)),
            _ => None,
        }
    }

    /// A command has its reply.
    fn replied(&mut self, id: CommandId, reply: Reply<'static>, host: &Arc<str>) {
        let Some((_, command)) = self.take(id) else { return };
        let (yes, failed) = (matches!(reply.code(), 200..300), command.stage());
        match command {
            Command::Rcpt(place) => {
                let failure = || Failure::server(failed, reply.clone(), host);
                self.slots[place].state = match yes {
                    true => State::Accepted,
                    false if is_full(&reply) && !self.accepted.is_empty() => {
                        State::Later(failure())
                    }
                    false => State::Done(failure().into()),
                };
                if yes {
                    self.accepted.push(place);
                }
            }
            Command::Data if matches!(reply.code(), 300..400) => self.wanted = true,
            Command::End if yes => {
                for &place in &self.accepted {
                    self.slots[place].state = State::Done(Outcome::sent(reply.clone(), host));
                }
            }
            Command::Mail | Command::Chunk if yes => {}
            // To DATA, a 2yz says nothing; the machine closes the connection.
            Command::Data if yes => {}
            Command::Mail | Command::Data | Command::Chunk | Command::End => {
                self.failure.get_or_insert(Failure::server(failed, reply, host));
            }
        }
    }

    /// LMTP: an accepted recipient has its reply (RFC 2033 §4.2).
    fn delivered(&mut self, id: CommandId, index: u32, reply: Reply<'static>, host: &Arc<str>) {
        if let Some(&place) = self.accepted.get(index as usize) {
            self.slots[place].state = State::Done(match reply.code() {
                200..300 => Outcome::sent(reply, host),
                _ => Failure::server(Stage::End, reply, host).into(),
            });
        }
        if index as usize + 1 >= self.accepted.len() {
            self.take(id);
        }
    }

    /// The command with this id, which is answered; those before it never will be.
    fn take(&mut self, id: CommandId) -> Option<(CommandId, Command)> {
        while let Some(first) = self.open.pop_front() {
            self.stage = first.1.stage();
            if first.0 == id {
                return Some(first);
            }
        }
        None
    }

    /// Whether no message is to be sent any more.
    fn is_over(&self) -> bool {
        self.failure.is_some() || (self.open.is_empty() && self.accepted.is_empty())
    }
}

/// Whether a reply to RCPT means that there are too many (RFC 5321 §4.5.3.1.10): 452, or 552 from
/// older servers, unless its enhanced code says something else, such as that a mailbox is full.
fn is_full(reply: &Reply<'_>) -> bool {
    let code = reply.enhanced().map(|code| (code.subject(), code.detail()));
    matches!(reply.code(), 452 | 552) && matches!(code, None | Some((5, 3)))
}

/// Runs `transaction` to its end, and leaves the connection ready for the next.
///
/// # Errors
/// Why the connection, or the message, came to an end before.
pub(crate) async fn run<S: Stream, R: Runtime, B: Body>(
    conn: &mut Connection<S, R>,
    transaction: &mut Transaction,
    mail: &Mail<'static>,
    source: &mut Source<B>,
) -> Result<(), Failure> {
    conn.transactions += 1;
    give_envelope(conn, transaction, mail).await?;
    let eight_bit = mail.body == BodyType::EightBitMime;
    if conn.policy.framing == Framing::Chunked && conn.capabilities().chunking {
        send_chunks(conn, transaction, source, eight_bit).await?;
    } else {
        send_data(conn, transaction, source).await?;
    }
    drain(conn, transaction).await?;
    if !conn.link.is_reusable() {
        // Refused half-way. Whether this works concerns no recipient.
        if let Ok(id) =
            conn.give(Stage::Mail, |conn| conn.link.machine().rset(), format_args!("RSET"))
        {
            let _ = conn.reply_to(id, Stage::Mail).await;
        }
    }
    Ok(())
}

/// MAIL and RCPTs.
async fn give_envelope<S: Stream, R: Runtime>(
    conn: &mut Connection<S, R>,
    transaction: &mut Transaction,
    mail: &Mail<'static>,
) -> Result<(), Failure> {
    let id =
        conn.give(Stage::Mail, |conn| conn.link.machine().mail(mail), format_args!("MAIL {mail}"))?;
    transaction.open.push_back((id, Command::Mail));
    let spaced = !conn.capabilities().pipelining;
    if spaced {
        // What would not leave before the reply need not be given, and taken back.
        drain(conn, transaction).await?;
    }
    for place in 0..transaction.slots.len() {
        while transaction.failure.is_none() {
            let rcpt = &transaction.slots[place].addressee.rcpt;
            match conn.link.machine().rcpt(rcpt) {
                Ok(id) => {
                    conn.policy.watch(Said::Client(format_args!("RCPT {rcpt}")));
                    transaction.open.push_back((id, Command::Rcpt(place)));
                    break;
                }
                Err(Misuse::Full) => {
                    step(conn, transaction).await?;
                }
                Err(Misuse::Closed) => return Err(over(conn, transaction, CloseReason::Eof).await),
                Err(misuse) => {
                    let failure = conn.misused(Stage::Rcpt, misuse);
                    transaction.slots[place].state = State::Done(failure.into());
                    break;
                }
            }
        }
    }
    if spaced {
        drain(conn, transaction).await?;
    }
    Ok(())
}

/// DATA and what follows it (RFC 5321 §4.1.1.4).
async fn send_data<S: Stream, R: Runtime, B: Body>(
    conn: &mut Connection<S, R>,
    transaction: &mut Transaction,
    source: &mut Source<B>,
) -> Result<(), Failure> {
    while !transaction.is_over() {
        match conn.link.machine().data() {
            Ok(id) => {
                conn.policy.watch(Said::Client(format_args!("DATA")));
                transaction.open.push_back((id, Command::Data));
                break;
            }
            Err(Misuse::Full) => {
                step(conn, transaction).await?;
            }
            Err(Misuse::Closed) => return Err(over(conn, transaction, CloseReason::Eof).await),
            // There is no recipient left to give.
            Err(_) => return Ok(()),
        }
    }
    drain(conn, transaction).await?;
    if !transaction.wanted {
        return Ok(());
    }
    transaction.stage = Stage::Data;
    loop {
        let Chunk { octets, last } = source.chunk();
        conn.policy.watch(Said::Body(octets.len() as u64));
        if last {
            transaction.handed_over = true;
            let written = conn.link.end_body(octets).await;
            let id = written_or(conn, transaction, written).await?;
            transaction.open.push_back((id, Command::End));
            return Ok(());
        }
        let written = conn.link.write_body(octets).await;
        written_or(conn, transaction, written).await?;
        advance(conn, source).await?;
    }
}

/// BDATs (RFC 3030 §2). A short message leaves together with the envelope, where the server offers
/// PIPELINING; a long one waits until somebody wants it, and each chunk for the reply to the one
/// before.
async fn send_chunks<S: Stream, R: Runtime, B: Body>(
    conn: &mut Connection<S, R>,
    transaction: &mut Transaction,
    source: &mut Source<B>,
    eight_bit: bool,
) -> Result<(), Failure> {
    let Chunk { octets, last } = source.chunk();
    let mut at_once = last && octets.len() <= UNASKED;
    if !at_once {
        drain(conn, transaction).await?;
    }
    let line_endings = conn.policy.machine.line_endings();
    let mut encoder = Encoder::new(Framing::Chunked, line_endings, eight_bit);
    loop {
        let Chunk { octets, last } = source.chunk();
        let mut rest = octets;
        let mut ended = false;
        while !ended && (last || !rest.is_empty()) {
            let mut pieces = Vec::new();
            let encoded = encode(&mut encoder, &mut rest, &mut pieces);
            ended = last && rest.is_empty();
            let encoded = match encoded {
                Ok(()) if ended => encoder.clone().finish().map(|end| pieces.push(end)),
                encoded => encoded,
            };
            if let Err(fault) = encoded {
                // RSET undoes what went before, but for a message whose pieces are in doubt.
                conn.link.machine().abort();
                return Err(content(conn, Stage::Data, fault));
            }
            let size = pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
            if size == 0 && !ended {
                break;
            }
            let id = loop {
                if transaction.is_over()
                    || (transaction.open.is_empty() && transaction.accepted.is_empty())
                {
                    return Ok(());
                }
                transaction.handed_over = ended;
                match conn.link.write_chunk(&pieces, ended).await {
                    Err(LinkError::Misuse(Misuse::NotNow | Misuse::Full)) if at_once => {
                        (at_once, transaction.handed_over) = (false, false);
                        drain(conn, transaction).await?;
                    }
                    written => break written_or(conn, transaction, written).await?,
                }
            };
            let end = if ended { " LAST" } else { "" };
            conn.policy.watch(Said::Client(format_args!("BDAT {size}{end}")));
            conn.policy.watch(Said::Body(size));
            let command = if ended { Command::End } else { Command::Chunk };
            transaction.open.push_back((id, command));
            if !ended {
                drain(conn, transaction).await?;
                transaction.stage = Stage::Data;
            }
        }
        if ended {
            return Ok(());
        }
        advance(conn, source).await?;
    }
}

/// Encodes from the front of `octets`, as far as `pieces` may grow.
fn encode<'b>(
    encoder: &mut Encoder,
    octets: &mut &'b [u8],
    pieces: &mut Vec<&'b [u8]>,
) -> Result<(), smtp_proto::body::ContentFault> {
    let mut some = [&[][..]; 64];
    while !octets.is_empty() && pieces.len() < PIECES {
        let n = encoder.encode(octets, &mut some)?;
        pieces.extend_from_slice(&some[..n]);
    }
    Ok(())
}

/// The next chunk; a message that cannot be read to its end is given up.
async fn advance<S: Stream, R: Runtime, B: Body>(
    conn: &mut Connection<S, R>,
    source: &mut Source<B>,
) -> Result<(), Failure> {
    if let Err(error) = source.advance().await {
        conn.link.machine().abort();
        return Err(conn.unreadable(Stage::Data, &error));
    }
    Ok(())
}

/// Takes what happens next into `transaction`; whether anything did, and it is not our move.
async fn step<S: Stream, R: Runtime>(
    conn: &mut Connection<S, R>,
    transaction: &mut Transaction,
) -> Result<bool, Failure> {
    let stage = transaction.stage();
    match conn.next(stage).await? {
        Next::Event(event) => transaction.take_in(event, conn).map_or(Ok(true), Err),
        Next::Closed(why) => Err(conn.closed(stage, why)),
        Next::Idle => Ok(false),
    }
}

/// Waits until the next move is ours: every command has its reply, or will have none.
async fn drain<S: Stream, R: Runtime>(
    conn: &mut Connection<S, R>,
    transaction: &mut Transaction,
) -> Result<(), Failure> {
    while step(conn, transaction).await? {}
    transaction.open.clear();
    Ok(())
}

/// What was written; or why not, in the server's own words if it has said any.
async fn written_or<S: Stream, R: Runtime, T>(
    conn: &mut Connection<S, R>,
    transaction: &mut Transaction,
    written: Result<T, LinkError>,
) -> Result<T, Failure> {
    let failure = match written {
        Ok(value) => return Ok(value),
        Err(LinkError::Closed(why)) => over(conn, transaction, why).await,
        Err(LinkError::Misuse(Misuse::Content(fault))) => {
            conn.link.machine().abort();
            content(conn, Stage::Data, fault)
        }
        Err(error) => {
            let broken = conn.broken(transaction.stage, error);
            last_words(conn, transaction).await.unwrap_or(broken)
        }
    };
    Err(failure)
}

/// The connection is over: what the server said last, or else why.
async fn over<S: Stream, R: Runtime>(
    conn: &mut Connection<S, R>,
    transaction: &mut Transaction,
    why: CloseReason,
) -> Failure {
    let stage = transaction.stage;
    last_words(conn, transaction).await.unwrap_or_else(|| conn.closed(stage, why))
}

/// The reply that the server closed the connection with, if it is still to be had.
async fn last_words<S: Stream, R: Runtime>(
    conn: &mut Connection<S, R>,
    transaction: &mut Transaction,
) -> Option<Failure> {
    loop {
        match conn.next(transaction.stage()).await {
            Ok(Next::Event(event)) => {
                let failure = transaction.take_in(event, conn);
                if failure.is_some() {
                    return failure;
                }
            }
            Ok(Next::Idle | Next::Closed(_)) | Err(_) => return None,
        }
    }
}

impl Failure {
    /// The same failure for those whom it does not concern by itself: a server that ends the
    /// connection has said nothing of them, so that they may be tried again.
    pub(crate) fn for_others(self) -> Self {
        match self.is_permanent() {
            false => self,
            true => {
                let text = self.reply.to_string();
                let enhanced = EnhancedCode::transient(4, 2);
                Self::local(self.stage, self.cause, enhanced, &text, &self.host)
            }
        }
    }
}
