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
    use std::{collections::BTreeMap, env, fs, string::String, vec::Vec};

    /// Writes the table as a page: a drawing, then the rows.
    fn page() -> String {
        use std::fmt::Write;
        let mut page = String::from(
            "# States of a server connection\n\n\
             Made from the table in `smtp-proto/src/server/phase.rs`; a test compares them. To write it\n\
             anew: `UPDATE_DOCS=1 cargo test -p smtp-proto state_machine`.\n\n\
             Commands are written as they are on the wire, what the machine or its embedder does in\n\
             lower case. A question changes nothing, its answer does; a command that a state does not\n\
             list is answered 503 there. `close` leads from every state to `Closed` and is not drawn.\n\n\
             ```mermaid\nstateDiagram-v2\n    [*] --> Start\n",
        );
        let mut arrows: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for row in TABLE.iter().filter(|row| row.on != Close) {
            for from in row.from {
                if let Some(to) = row.to.filter(|to| to != from) {
                    let ends = (std::format!("{from:?}"), std::format!("{to:?}"));
                    arrows.entry(ends).or_default().push(name(row.on));
                }
            }
        }
        for ((from, to), on) in arrows {
            writeln!(page, "    {from} --> {to}: {}", on.join(", ")).unwrap();
        }
        page.push_str("    Closed --> [*]\n```\n\n| state | trigger | next |\n|---|---|---|\n");
        for state in 0..PHASES {
            for row in TABLE {
                for from in row.from.iter().filter(|from| **from as usize == state) {
                    let to = row.to.map_or("(stays)".into(), |to| std::format!("{to:?}"));
                    writeln!(page, "| {from:?} | {} | {to} |", name(row.on)).unwrap();
                }
            }
        }
        page
    }

    fn name(on: Trigger) -> String {
        match on {
            Hello => "EHLO/HELO/LHLO".into(),
            AuthCommand => "AUTH".into(),
            MailCommand => "MAIL".into(),
            on if (on as usize) < Begin as usize => std::format!("{on:?}").to_uppercase(),
            on => {
                let mut words = String::new();
                for c in std::format!("{on:?}").chars() {
                    if c.is_uppercase() && !words.is_empty() {
                        words.push(' ');
                    }
                    words.extend(c.to_lowercase());
                }
                words
            }
        }
    }

    #[test]
    fn the_state_machine_page_shows_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/state-machine.md");
        if env::var_os("UPDATE_DOCS").is_some() {
            fs::write(path, page()).unwrap();
        }
        let written = fs::read_to_string(path).unwrap_or_default();
        assert!(written == page(), "docs/state-machine.md is stale; see its first lines");
    }

    #[test]
    fn no_row_of_the_table_hides_another() {
        let mut seen = BTreeMap::new();
        for row in TABLE {
            for from in row.from {
                let old =
                    seen.insert((*from as usize, row.on as usize), row.to.map(|to| to as usize));
                assert!(old.is_none(), "{from:?} has two rows for {:?}", row.on);
            }
        }
    }
}
