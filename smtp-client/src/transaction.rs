//! One transaction: MAIL, RCPTs, the message, and what each recipient is told (RFC 5321 §3.3).

use crate::{
    body::{Body, Source},
    connection::Connection,
    delivery::Addressee,
    message,
    outcome::{Cause, Failure, Outcome, Stage},
    policy::Said,
};
use smtp_driver::{Runtime, Stream, client::Next};
use smtp_proto::{
    CloseReason, EnhancedCode, Misuse,
    body::Framing,
    client::{ClientEvent, CommandId},
    ext::BodyType,
    wire::{Mail, Reply},
};
use std::{collections::VecDeque, sync::Arc};

/// The recipients of a transaction, and what the server has said of them.
pub(crate) struct Transaction {
    slots: Vec<Slot>,
    /// The places in `slots` of those that were accepted, in the order of their RCPT.
    accepted: Vec<usize>,
    /// Commands without a reply, the first first.
    pub(crate) open: VecDeque<(CommandId, Command)>,
    /// MAIL, DATA, a BDAT or the end of the message was refused.
    failure: Option<Failure>,
    /// 354 came.
    pub(crate) wanted: bool,
    /// The end of the message was written, or begun to be.
    pub(crate) handed_over: bool,
    /// Octets of a BDAT have yet to leave: the server cannot have taken it.
    pub(crate) unwritten: bool,
    /// LMTP: the server has begun to tell what became of each recipient.
    delivering: bool,
    /// What the last reply was about, or what was done since.
    pub(crate) stage: Stage,
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
pub(crate) enum Command {
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
            unwritten: false,
            delivering: false,
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
        // A server that says what is wrong has not taken the message, nor one that never got it;
        // unless it has begun to tell of each recipient, and of this one it did not.
        let lost = |failure: Failure| {
            let said = matches!(failure.cause, Cause::Server | Cause::Message) && !self.delivering;
            Outcome { in_doubt: self.handed_over && !said, ..failure.into() }
        };
        let mut later = Vec::new();
        for Slot { addressee, state } in self.slots {
            let place = addressee.place;
            let outcome = match (state, failure, &self.failure) {
                (State::Done(outcome), ..) => outcome,
                // What the server said counts, whatever became of the connection.
                (State::Accepted | State::Unknown, _, Some(refused)) => refused.clone().into(),
                (State::Later(_), None, _) if !self.accepted.is_empty() => {
                    later.push(addressee);
                    continue;
                }
                (State::Later(reply), ..) => Outcome::delayed(reply),
                (State::Accepted, Some(failure), None) => lost(failure.clone()),
                (State::Unknown, Some(failure), None) => lost(failure.clone().for_others()),
                // The server was asked nothing about it.
                (_, None, None) => continue,
            };
            outcomes[place] = Some(outcome);
        }
        later
    }

    /// What the next reply is about.
    pub(crate) fn stage(&self) -> Stage {
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
        let last = |reply: &Arc<Reply<'static>>| {
            (reply.code() == 421).then(|| Failure::server(stage, reply.clone(), host))
        };
        match event {
            ClientEvent::Reply { id, reply } => {
                let reply = Arc::new(reply);
                let last = last(&reply);
                self.replied(id, reply, host);
                last
            }
            ClientEvent::Delivery { id, index, reply } => {
                let reply = Arc::new(reply);
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
    fn replied(&mut self, id: CommandId, reply: Arc<Reply<'static>>, host: &Arc<str>) {
        let Some((_, command)) = self.take(id) else { return };
        let (yes, failed) = (matches!(reply.code(), 200..300), command.stage());
        match command {
            // Without a sender, "bad sequence" is all that a server says of the commands behind it.
            Command::Rcpt(_) | Command::Data | Command::End if self.is_without_sender() => {}
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
            Command::End if yes && self.unwritten => {}
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
    fn delivered(
        &mut self,
        id: CommandId,
        index: u32,
        reply: Arc<Reply<'static>>,
        host: &Arc<str>,
    ) {
        self.delivering = true;
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

    /// Whether MAIL was refused.
    fn is_without_sender(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.stage == Stage::Mail)
    }

    /// Whether the server takes no more transactions on this connection: it says so of MAIL
    /// (RFC 3463 §3.6, X.5.3).
    fn was_one_too_many(&self) -> bool {
        let code = |failure: &Failure| (failure.enhanced().subject(), failure.enhanced().detail());
        self.is_without_sender() && self.failure.as_ref().map(code) == Some((5, 3))
    }

    /// Whether no message is to be sent any more.
    pub(crate) fn is_over(&self) -> bool {
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
    conn.check_quiet()?;
    conn.transactions += 1;
    give_envelope(conn, transaction, mail).await?;
    let eight_bit = mail.body == BodyType::EightBitMime;
    match conn.policy.framing {
        Framing::Chunked if conn.capabilities().chunking => {
            message::send_chunks(conn, transaction, source, eight_bit).await?;
        }
        _ => message::send_data(conn, transaction, source).await?,
    }
    drain(conn, transaction).await?;
    if transaction.was_one_too_many() {
        conn.exhausted = true;
        // Where others went through before it, the class of the reply is not that of the message.
        if conn.transactions > 1
            && let Some(failure) = &mut transaction.failure
        {
            failure.cause = Cause::Limit;
        }
    }
    if !conn.exhausted && !conn.link.is_reusable() {
        // Refused half-way. Whether this works concerns no recipient, but the next message.
        if conn.reset().await.is_err() {
            conn.link.machine().abort();
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
                    conn.show(Said::Client(format_args!("RCPT {rcpt}")));
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

/// Takes what happens next into `transaction`; whether anything did, and it is not our move.
pub(crate) async fn step<S: Stream, R: Runtime>(
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
pub(crate) async fn drain<S: Stream, R: Runtime>(
    conn: &mut Connection<S, R>,
    transaction: &mut Transaction,
) -> Result<(), Failure> {
    while step(conn, transaction).await? {}
    transaction.open.clear();
    Ok(())
}

/// The connection is over: what the server said last, or else why.
pub(crate) async fn over<S: Stream, R: Runtime>(
    conn: &mut Connection<S, R>,
    transaction: &mut Transaction,
    why: CloseReason,
) -> Failure {
    let stage = transaction.stage;
    last_words(conn, transaction).await.unwrap_or_else(|| conn.closed(stage, why))
}

/// The reply that the server closed the connection with, if it is still to be had.
pub(crate) async fn last_words<S: Stream, R: Runtime>(
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
    /// connection has said nothing of them, so that they may be tried again. What is wrong with the
    /// message is so for all.
    pub(crate) fn for_others(self) -> Self {
        match self.is_permanent() && self.cause != Cause::Message {
            false => self,
            true => {
                let text = self.reply.to_string();
                let enhanced = EnhancedCode::transient(4, 2);
                Self::local(self.stage, self.cause, enhanced, &text, &self.host)
            }
        }
    }
}
