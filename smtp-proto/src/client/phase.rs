//! The states of a connection and every transition between them, in one table.
//!
//! A command moves the connection when it is given, to where it will be if the server says yes; so
//! the next command of a group can be given before the reply to the first. A reply that says no
//! moves it to where it then stands. A command that has no row in the table for a state is
//! [`Misuse::NotNow`](crate::Misuse::NotNow).

use Phase::*;
use Trigger::*;

/// Where a connection stands once the commands given so far have succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The server owes its greeting.
    Start,
    /// The greeting was a refusal: only QUIT (RFC 5321 §3.1).
    Rejected,
    /// The server has not been told who we are.
    Fresh,
    /// EHLO, HELO or LHLO was given; what the server offers is not known yet.
    Introduced,
    /// No transaction is open.
    Ready,
    /// A transaction without a recipient.
    Mail,
    /// A transaction with recipients.
    Envelope,
    /// DATA was given.
    Data,
    /// 354 came: the octets of the message are wanted.
    Dot,
    /// Between two BDATs of one message.
    Chunks,
    /// The last BDAT was given. Nothing may follow until it is answered: had it failed, RSET would
    /// have to come first (RFC 3030 §2).
    LastChunk,
    /// DATA or a BDAT was refused: the message cannot be completed (RFC 3030 §2).
    Failed,
    /// An AUTH exchange runs.
    Auth,
    /// STARTTLS was given.
    StartTls,
    /// STARTTLS was accepted.
    Upgrade,
    /// The TLS handshake is running.
    Handshake,
    /// XCLIENT was given.
    Xclient,
    /// QUIT was given.
    Quitting,
    /// Over.
    Closed,
}

/// What can move a connection from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    // Commands.
    Hello,
    StartTlsCommand,
    AuthCommand,
    MailCommand,
    Rcpt,
    DataCommand,
    Bdat,
    BdatLast,
    EndBody,
    Rset,
    Noop,
    Etrn,
    Command,
    XclientCommand,
    Quit,
    // Replies.
    Greeted,
    Refused,
    HelloAccepted,
    HelloRefused,
    StartTlsAccepted,
    StartTlsRefused,
    Drained,
    Established,
    AuthEnded,
    XclientAccepted,
    XclientRefused,
    MailRefused,
    BodyWanted,
    /// No message follows DATA: it was granted although no recipient was, and the dot line has been
    /// sent; or MAIL was refused, and it was never sent.
    NobodyWanted,
    DataRefused,
    ChunkRefused,
    MessageTaken,
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

const fn stay(from: &'static [Phase], on: Trigger) -> Row {
    Row { from, on, to: None }
}

/// Every transition.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    row(&[Start],                          Greeted,          Fresh),
    row(&[Start],                          Refused,          Rejected),
    row(&[Fresh, Ready],                   Hello,            Introduced),
    row(&[Introduced],                     HelloAccepted,    Ready),
    row(&[Introduced],                     HelloRefused,     Fresh),
    stay(&[Fresh, Ready, Mail, Envelope, Failed], Noop),
    row(&[Ready, Mail, Envelope, Chunks, LastChunk, Failed], Rset, Ready),
    row(&[Rejected, Fresh, Ready, Mail, Envelope, Chunks, LastChunk, Failed], Quit, Quitting),

    row(&[Ready],                          StartTlsCommand,  StartTls),
    row(&[StartTls],                       StartTlsAccepted, Upgrade),
    row(&[StartTls],                       StartTlsRefused,  Ready),
    row(&[Upgrade],                        Drained,          Handshake),
    row(&[Handshake],                      Established,      Fresh),

    row(&[Ready],                          AuthCommand,      Auth),
    row(&[Auth],                           AuthEnded,        Ready),

    stay(&[Ready],                         Etrn),
    stay(&[Ready, Mail, Envelope],         Command),
    row(&[Ready],                          XclientCommand,   Xclient),
    row(&[Xclient],                        XclientAccepted,  Fresh),
    row(&[Xclient],                        XclientRefused,   Ready),

    row(&[Ready],                          MailCommand,      Mail),
    row(&[Mail, Envelope],                 MailRefused,      Ready),
    row(&[Chunks, LastChunk],              MailRefused,      Failed),
    stay(&[Ready, Data, Quitting],         MailRefused),
    row(&[Mail, Envelope],                 Rcpt,             Envelope),

    row(&[Envelope],                       DataCommand,      Data),
    row(&[Data],                           BodyWanted,       Dot),
    row(&[Data],                           NobodyWanted,     Ready),
    row(&[Data],                           DataRefused,      Failed),
    row(&[Dot],                            EndBody,          Ready),

    row(&[Envelope, Chunks],               Bdat,             Chunks),
    row(&[Envelope, Chunks],               BdatLast,         LastChunk),
    row(&[Chunks, LastChunk, Failed],      ChunkRefused,     Failed),
    stay(&[Ready, Quitting],               ChunkRefused),
    row(&[LastChunk],                      MessageTaken,     Ready),
    stay(&[Ready, Failed, Quitting],       MessageTaken),

    row(&[Start, Rejected, Fresh, Introduced, Ready, Mail, Envelope, Data, Dot, Chunks, LastChunk, Failed,
          Auth, StartTls, Upgrade, Handshake, Xclient, Quitting, Closed], Close, Closed),
];

impl Phase {
    /// Where `on` leads from here; `None` if it has no row.
    pub(super) fn next(self, on: Trigger) -> Option<Self> {
        let row = TABLE.iter().find(|row| row.on == on && row.from.contains(&self))?;
        Some(row.to.unwrap_or(self))
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
                Hello => "EHLO/LHLO".into(),
                StartTlsCommand => "STARTTLS".into(),
                AuthCommand => "AUTH".into(),
                XclientCommand => "XCLIENT".into(),
                Command => "custom command".into(),
                MailCommand => "MAIL".into(),
                DataCommand => "DATA".into(),
                BdatLast => "BDAT LAST".into(),
                EndBody => "end of body".into(),
                on if (on as usize) < Greeted as usize => format!("{on:?}").to_uppercase(),
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
            file: "client-state-machine.md",
            source: "client",
            title: "States of a client connection",
            words: "A command, in capitals, moves the connection when it is given, to where it will \
                    be if the\nserver says yes; so a group can be given before its first reply. What \
                    a reply or the embedder\ndoes is in lower case. A command that a state does not \
                    list is `Misuse::NotNow` there. `close`\nleads from every state to `Closed` and is \
                    not drawn.",
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
