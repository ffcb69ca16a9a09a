//! The states of a connection and every transition between them, in one table.
//!
//! A question does not change the state; its answer does. So a refused EHLO, MAIL or RCPT leaves
//! everything as it was (RFC 5321 §4.1.4) without a line of code that says so. A command that has no
//! row in the table for a state is out of sequence there: 503.

use Phase::*;
use Trigger::*;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing has happened.
    Start,
    /// The embedder is asked about the connection.
    Greeting,
    /// The greeting was a refusal: only QUIT (§3.1).
    Rejected,
    /// Greeted; the peer has not said who it is.
    Fresh,
    /// No transaction is open.
    Ready,
    /// A transaction without a recipient.
    Mail,
    /// A transaction with recipients.
    Envelope,
    /// The peer owes a line of an AUTH exchange.
    Auth,
    /// STARTTLS was accepted; its 220 is leaving.
    Upgrade,
    /// The TLS handshake is running.
    Handshake,
    /// The octets of a DATA are coming.
    Dot,
    /// The octets of a BDAT are coming.
    Chunk,
    /// Between two BDATs of one message.
    Chunks,
    /// A BDAT has failed: the message cannot be completed (RFC 3030 §2).
    Failed,
    /// The message is complete; the embedder is asked about it.
    Message,
    /// LMTP: the embedder is asked about each recipient.
    Delivery,
    /// Over.
    Closed,
}

/// What can move a connection from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    // Commands.
    Hello,
    StartTls,
    AuthCommand,
    MailCommand,
    Rcpt,
    Data,
    Bdat,
    Rset,
    Noop,
    Quit,
    Vrfy,
    Expn,
    Help,
    Etrn,
    Xclient,
    Command,
    // Answers.
    Begin,
    ConnectAccepted,
    ConnectRefused,
    HelloAccepted,
    StartTlsAccepted,
    Drained,
    Established,
    Challenged,
    AuthEnded,
    XclientAccepted,
    XclientRefused,
    MailAccepted,
    RcptAccepted,
    DataAccepted,
    ChunkBegins,
    ChunkEnds,
    ChunkFails,
    MessageEnds,
    LmtpMessageEnds,
    TransactionEnds,
    Close,
}

/// A row: in these states, this trigger leads there; `None` stays.
struct Row {
    from: &'static [Phase],
    on: Trigger,
    to: Option<Phase>,
}

const fn row(from: &'static [Phase], on: Trigger, to: Phase) -> Row {
    Row { from, on, to: Some(to) }
}

/// A command that changes nothing by itself: it asks, or it is answered at once.
const fn ask(from: &'static [Phase], on: Trigger) -> Row {
    Row { from, on, to: None }
}

/// States in which the peer may send commands.
const COMMAND: &[Phase] = &[Fresh, Ready, Mail, Envelope, Chunks, Failed];

/// Every transition.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    row(&[Start],                          Begin,            Greeting),
    row(&[Greeting],                       ConnectAccepted,  Fresh),
    row(&[Greeting],                       ConnectRefused,   Rejected),

    ask(COMMAND,                           Hello),
    row(COMMAND,                           HelloAccepted,    Ready),
    ask(COMMAND,                           Noop),
    ask(COMMAND,                           Vrfy),
    ask(COMMAND,                           Expn),
    ask(COMMAND,                           Help),
    ask(&[Fresh],                          Rset),
    row(&[Ready, Mail, Envelope, Chunks, Failed], Rset,      Ready),
    row(&[Rejected, Fresh, Ready, Mail, Envelope, Chunks, Failed], Quit, Closed),

    ask(&[Ready, Mail, Envelope],          StartTls),
    row(&[Ready, Mail, Envelope],          StartTlsAccepted, Upgrade),
    row(&[Upgrade],                        Drained,          Handshake),
    row(&[Handshake],                      Established,      Fresh),

    ask(&[Ready],                          AuthCommand),
    row(&[Ready, Auth],                    Challenged,       Auth),
    row(&[Ready, Auth],                    AuthEnded,        Ready),

    ask(&[Ready, Mail, Envelope, Chunks, Failed], Etrn),
    ask(&[Ready, Mail, Envelope, Chunks, Failed], Command),
    // A proxy may say what it knows in several of them.
    ask(&[Fresh, Ready],                   Xclient),
    row(&[Fresh, Ready],                   XclientAccepted,  Fresh),
    row(&[Fresh, Ready],                   XclientRefused,   Rejected),

    ask(&[Ready],                          MailCommand),
    row(&[Ready],                          MailAccepted,     Mail),
    ask(&[Mail, Envelope],                 Rcpt),
    row(&[Mail, Envelope],                 RcptAccepted,     Envelope),

    ask(&[Envelope],                       Data),
    row(&[Envelope],                       DataAccepted,     Dot),
    ask(&[Envelope, Chunks],               Bdat),
    row(&[Envelope, Chunks],               ChunkBegins,      Chunk),
    row(&[Chunk],                          ChunkEnds,        Chunks),
    row(&[Chunk, Chunks, Envelope],        ChunkFails,       Failed),

    row(&[Dot, Chunk],                     MessageEnds,      Message),
    row(&[Dot, Chunk, Failed],             LmtpMessageEnds,  Delivery),
    row(&[Dot, Chunk, Failed, Message, Delivery], TransactionEnds,         Ready),

    row(&[Start, Greeting, Rejected, Fresh, Ready, Mail, Envelope, Auth, Upgrade, Handshake, Dot,
          Chunk, Chunks, Failed, Message, Delivery, Closed], Close,           Closed),
];

const PHASES: usize = Closed as usize + 1;
const TRIGGERS: usize = Close as usize + 1;

/// The table turned for looking up: state by trigger.
static NEXT: [[Option<Phase>; TRIGGERS]; PHASES] = {
    let mut next = [[None; TRIGGERS]; PHASES];
    let mut i = 0;
    while i < TABLE.len() {
        let Row { from, on, to } = &TABLE[i];
        let mut k = 0;
        while k < from.len() {
            next[from[k] as usize][*on as usize] = match to {
                Some(to) => Some(*to),
                None => Some(from[k]),
            };
            k += 1;
        }
        i += 1;
    }
    next
};

impl Phase {
    /// Where `on` leads from here; `None` if it is out of sequence.
    pub(super) fn next(self, on: Trigger) -> Option<Phase> {
        NEXT[self as usize][on as usize]
    }

    /// Between the 220 to STARTTLS and the end of the TLS handshake.
    pub(super) fn in_handshake(self) -> bool {
        matches!(self, Upgrade | Handshake)
    }

    /// A transaction is open.
    pub(super) fn in_transaction(self) -> bool {
        matches!(self, Mail | Envelope | Dot | Chunk | Chunks | Failed | Message | Delivery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagram::{Edge, Page};
    use std::{format, vec::Vec};

    fn edges() -> Vec<Edge> {
        let edge = |row: &Row, from: Phase| Edge {
            from: format!("{from:?}"),
            on: match row.on {
                Hello => "EHLO/HELO/LHLO".into(),
                AuthCommand => "AUTH".into(),
                MailCommand => "MAIL".into(),
                Command => "custom command".into(),
                on if (on as usize) < Begin as usize => format!("{on:?}").to_uppercase(),
                on => format!("{on:?}"),
            },
            to: row.to.map(|to| format!("{to:?}")),
            drawn: row.on != Close,
        };
        TABLE.iter().flat_map(|row| row.from.iter().map(move |&from| edge(row, from))).collect()
    }

    #[test]
    fn the_state_machine_page_shows_the_table() {
        Page {
            file: "state-machine.md",
            source: "server",
            title: "States of a server connection",
            words: "Commands are written as they are on the wire, what the machine or its embedder \
                    does in\nlower case. A question changes nothing, its answer does; a command that \
                    a state does not\nlist is answered 503 there. `close` leads from every state to \
                    `Closed` and is not drawn.",
            start: "Start",
            edges: edges(),
        }
        .check();
    }

    #[test]
    fn no_row_of_the_table_hides_another() {
        crate::diagram::check_distinct(&edges());
    }
}
