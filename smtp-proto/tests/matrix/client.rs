//! The client: what each reply does at each moment, and which command may be given then.

use crate::table::{Table, page};
use smtp_proto::{
    CloseReason, Instant, Misuse, Need, Start, Step,
    client::{ClientConfig, ClientConnection, ClientEvent, Mode},
    ext::{CustomExtension, QueueName, Xclient},
    wire::{ForwardPath, HelloName, Mail, Mechanism, Rcpt, ReversePath, Text},
};
use std::collections::BTreeSet;

/// The rows of the replies: the name of each, and what the server sends.
const REPLIES: &[(&str, &str)] = &[
    ("2yz", "250 ok\r\n"),
    ("3yz", "354 \r\n"),
    ("4yz", "450 4.2.0 later\r\n"),
    ("5yz", "550 5.1.1 no\r\n"),
    ("500", "500 what?\r\n"),
    ("421", "421 4.3.2 bye\r\n"),
    ("no reply", "what?\r\n"),
    ("<half, end>", "250-half\r\n"),
    ("<end of input>", ""),
    ("<time-out>", ""),
];

/// The rows of the commands.
const COMMANDS: &[&str] = &[
    "EHLO",
    "STARTTLS",
    "AUTH",
    "respond",
    "cancel",
    "XCLIENT",
    "MAIL",
    "RCPT",
    "DATA",
    "body",
    "end of body",
    "BDAT",
    "BDAT LAST",
    "RSET",
    "NOOP",
    "ETRN",
    "custom command",
    "QUIT",
    "establish",
];

const OFFER: &str = "250-mx.example\r\n250-CHUNKING\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n\
                     250-ETRN\r\n250-XCLIENT NAME\r\n250-X-OURS\r\n";

/// What led to a moment: a command of which all is written (`C`), its line only (`L`) or nothing (`Q`);
/// a reply, behind which all is written (`S`), or of which only one event is taken (`E`).
type Script = &'static [(char, &'static str)];

/// A moment: LMTP or not, whether PIPELINING is offered, what led to it, and the state.
struct Moment(Mode, bool, Script, &'static str);

const GREETING: Script = &[('S', "220 mx.example\r\n")];
const MAIL: Script = &[('C', "MAIL"), ('S', "250 ok\r\n")];
const RCPT: Script = &[('C', "RCPT"), ('S', "250 ok\r\n")];

/// The columns, by their names in the tables.
fn moment(column: &str) -> (Moment, Vec<Script>) {
    let ready = |script, phase| (Moment(Mode::Smtp, false, script, phase), vec![GREETING]);
    let group = |script, phase| (Moment(Mode::Smtp, true, script, phase), vec![GREETING]);
    let greeted = |script, phase| (Moment(Mode::Smtp, false, script, phase), vec![]);
    let envelope =
        |script, phase| (Moment(Mode::Smtp, false, script, phase), vec![GREETING, MAIL, RCPT]);
    match column {
        "Start" => greeted(&[], "Start"),
        "Rejected" => greeted(&[('S', "554 no\r\n")], "Rejected"),
        "Fresh" => greeted(GREETING, "Fresh"),
        "EHLO" => greeted(&[('S', "220 mx.example\r\n"), ('C', "EHLO")], "Introduced"),
        "HELO" => greeted(
            &[('S', "220 mx.example\r\n"), ('C', "EHLO"), ('S', "502 what?\r\n")],
            "Introduced",
        ),
        "Ready" => ready(&[], "Ready"),
        "STARTTLS" => ready(&[('C', "STARTTLS")], "StartTls"),
        "Upgrade" => ready(&[('C', "STARTTLS"), ('E', "220 go\r\n")], "Upgrade"),
        "Handshake" => ready(&[('C', "STARTTLS"), ('S', "220 go\r\n")], "Handshake"),
        "AUTH" => ready(&[('C', "AUTH")], "Auth"),
        "challenged" => ready(&[('C', "AUTH"), ('S', "334 \r\n")], "Auth"),
        "responded" => ready(&[('C', "AUTH"), ('S', "334 \r\n"), ('C', "respond")], "Auth"),
        "cancelled" => ready(&[('C', "AUTH"), ('S', "334 \r\n"), ('C', "cancel")], "Auth"),
        "XCLIENT" => ready(&[('C', "XCLIENT")], "Xclient"),
        "MAIL unsent" => ready(&[('Q', "MAIL")], "Mail"),
        "MAIL" => ready(&[('C', "MAIL")], "Mail"),
        "MAIL, grouped" => group(&[('C', "MAIL")], "Mail"),
        "Mail" => ready(MAIL, "Mail"),
        "RCPT" => ready(&[('C', "MAIL"), ('S', "250 ok\r\n"), ('C', "RCPT")], "Envelope"),
        "Envelope" => envelope(&[], "Envelope"),
        "DATA" => envelope(&[('C', "DATA")], "Data"),
        "DATA for nobody" => group(
            &[
                ('C', "MAIL"),
                ('C', "RCPT"),
                ('C', "DATA"),
                ('S', "250 ok\r\n"),
                ('S', "550 no\r\n"),
            ],
            "Data",
        ),
        "lone dot" => group(
            &[
                ('C', "MAIL"),
                ('C', "RCPT"),
                ('C', "DATA"),
                ('S', "250 ok\r\n"),
                ('S', "550 no\r\n"),
                ('S', "354 go\r\n"),
            ],
            "Ready",
        ),
        "Dot" => envelope(&[('C', "DATA"), ('S', "354 go\r\n")], "Dot"),
        "End" => envelope(&[('C', "DATA"), ('S', "354 go\r\n"), ('C', "end of body")], "Ready"),
        "End, LMTP" => {
            let script: Script = &[
                ('C', "RCPT"),
                ('S', "250 ok\r\n"),
                ('C', "DATA"),
                ('S', "354 go\r\n"),
                ('C', "end of body"),
            ];
            (Moment(Mode::Lmtp, false, script, "Ready"), vec![GREETING, MAIL, RCPT])
        }
        "BDAT unsent" => envelope(&[('L', "BDAT")], "Chunks"),
        "BDAT" => envelope(&[('C', "BDAT")], "Chunks"),
        "Chunks" => envelope(&[('C', "BDAT"), ('S', "250 ok\r\n")], "Chunks"),
        "LastChunk" => envelope(&[('C', "BDAT LAST")], "LastChunk"),
        "Failed" => envelope(&[('C', "DATA"), ('S', "451 later\r\n")], "Failed"),
        "RSET" => ready(&[('C', "RSET")], "Ready"),
        "NOOP" => ready(&[('C', "NOOP")], "Ready"),
        "ETRN" => ready(&[('C', "ETRN")], "Ready"),
        "custom" => ready(&[('C', "custom command")], "Ready"),
        "QUIT" => ready(&[('C', "QUIT")], "Quitting"),
        "Closed" => ready(&[('C', "QUIT"), ('S', "221 bye\r\n")], "Closed"),
        other => panic!("there is no column {other}"),
    }
}

struct Session {
    machine: ClientConnection,
    now: Instant,
    told: Vec<&'static str>,
    why: Option<CloseReason>,
}

impl Session {
    /// Leads a machine to where the column begins.
    fn new(column: &str) -> (Self, &'static str) {
        let (Moment(mode, pipelining, script, phase), before) = moment(column);
        let ours = CustomExtension::new("X-OURS").unwrap().command("XOURS").unwrap();
        let config = ClientConfig::builder().mode(mode).custom(ours).build();
        let machine = ClientConnection::new(config, Start::Plain);
        let mut session = Self { machine, now: Instant::from_secs(1), told: vec![], why: None };
        for (at, part) in before.into_iter().chain([script]).enumerate() {
            for &(who, what) in part {
                session.step(who, what);
            }
            if at == 0 && part == GREETING && phase != "Fresh" {
                // What every moment behind it begins with.
                session.step('C', "EHLO");
                let last = if pipelining { "250 PIPELINING\r\n" } else { "250 HELP\r\n" };
                session.run(&format!("{OFFER}{last}"), usize::MAX);
            }
        }
        assert_eq!(session.phase(), phase, "{column}");
        session.told.clear();
        (session, phase)
    }

    fn step(&mut self, who: char, what: &str) {
        match who {
            'C' => {
                self.give(what).unwrap();
                self.write();
                self.run("", usize::MAX);
            }
            'L' => {
                self.give(what).unwrap();
                self.write_lines();
            }
            'Q' => self.give(what).unwrap(),
            'S' => {
                self.run(what, usize::MAX);
                self.write();
            }
            _ => self.run(what, 1),
        }
    }

    /// Writes all that may leave, octets of a message among it.
    fn write(&mut self) -> String {
        let sent = self.write_lines();
        self.machine.handle_transmitted(3);
        sent
    }

    fn write_lines(&mut self) -> String {
        let mut sent = String::new();
        while let Some(octets) = self.machine.poll_transmit() {
            sent += std::str::from_utf8(octets).unwrap();
            let n = octets.len();
            self.machine.handle_transmitted(n);
        }
        sent
    }

    /// Takes at most so many events.
    fn run(&mut self, input: &str, most: usize) {
        let mut unread = input.as_bytes();
        for _ in 0..most {
            match self.machine.poll_event(&mut unread, self.now) {
                Step::Event(event) => self.told.push(match event {
                    ClientEvent::Greeting(_) => "greeting",
                    ClientEvent::Reply { .. } => "reply",
                    ClientEvent::Challenge { .. } => "challenge",
                    ClientEvent::Delivery { .. } => "delivery",
                    ClientEvent::Skipped(_) => "skipped",
                    ClientEvent::Handshake => "handshake",
                    ClientEvent::Unsolicited(_) => "unsolicited",
                    other => panic!("{other:?}"),
                }),
                Step::Need(Need::Flush) => panic!("a client does not say this"),
                Step::Need(_) => break,
                Step::Closed(why) => {
                    self.why = Some(why);
                    break;
                }
            }
        }
    }

    fn give(&mut self, command: &str) -> Result<(), Misuse> {
        let machine = &mut self.machine;
        let mut rest = &b"x\r\n"[..];
        match command {
            "EHLO" => machine.hello(&HelloName::parse("c.example").unwrap()).map(drop),
            "STARTTLS" => machine.start_tls().map(drop),
            "AUTH" => machine.auth(&Mechanism::LOGIN, None).map(drop),
            "respond" => machine.respond(b"x"),
            "cancel" => machine.cancel(),
            "XCLIENT" => {
                let mut client = Xclient::default();
                client.name = Some(smtp_proto::ext::Fact::Unavailable);
                machine.xclient(&client).map(drop)
            }
            "MAIL" => machine.mail(&Mail::new(ReversePath::Null)).map(drop),
            "RCPT" => {
                let to = ForwardPath::parse("<b@d.example>").unwrap().0;
                machine.rcpt(&Rcpt::new(to)).map(drop)
            }
            "DATA" => machine.data().map(drop),
            "body" => machine.body(&mut rest, &mut [&[][..]; 3]).map(drop),
            "end of body" => machine.end_body().map(drop),
            "BDAT" => machine.bdat(3, false).map(drop),
            "BDAT LAST" => machine.bdat(3, true).map(drop),
            "RSET" => machine.rset().map(drop),
            "NOOP" => machine.noop().map(drop),
            "ETRN" => machine.etrn(&QueueName::parse("d.example").unwrap()).map(drop),
            "custom command" => machine.command("XOURS", &Text::parse("").unwrap()).map(drop),
            "QUIT" => machine.quit().map(drop),
            "establish" => machine.establish(),
            other => panic!("there is no command {other}"),
        }
    }

    /// The name of the state, as the machine shows it.
    fn phase(&self) -> String {
        let shown = format!("{:?}", self.machine);
        shown.split("phase: ").nth(1).unwrap().split([',', ' ']).next().unwrap().to_owned()
    }

    /// What was told, and the state, if it is another than `before`, with the reason of an end.
    fn outcome(&self, before: &str) -> String {
        let told = if self.told.is_empty() { "-".into() } else { self.told.join(", ") };
        let phase = self.phase();
        match self.why.filter(|_| before != "Closed") {
            Some(why) => format!("{told} {phase} {why:?}"),
            None if phase != before => format!("{told} {phase}"),
            None => told,
        }
    }
}

fn outcome_of_reply(row: &str, column: &str) -> String {
    let (mut session, before) = Session::new(column);
    let reply = REPLIES.iter().find(|(name, _)| *name == row).unwrap().1;
    match row {
        "<end of input>" | "<half, end>" => session.machine.handle_eof(),
        "<time-out>" => {
            session.run("", usize::MAX);
            if let Some(deadline) = session.machine.poll_timeout() {
                session.now = deadline;
                session.machine.handle_timeout(deadline);
            }
        }
        _ => {}
    }
    session.run(reply, usize::MAX);
    session.outcome(before)
}

/// Whether the command is taken, and what leaves of it.
fn outcome_of_command(row: &str, column: &str) -> String {
    let (mut session, before) = Session::new(column);
    let given = session.give(row);
    let sent = session.write();
    let answer = match given {
        Ok(()) if row == "body" || row == "establish" => "yes",
        Ok(()) if sent.is_empty() => "waits",
        Ok(()) => "sent",
        Err(Misuse::NotNow) => "no",
        Err(Misuse::NotOffered(_)) => "not offered",
        Err(Misuse::Closed) => "closed",
        Err(other) => panic!("{other:?}"),
    };
    assert!(given.is_ok() || sent.is_empty(), "{row} in {column}: it sends {sent}");
    let phase = session.phase();
    if phase == before { answer.into() } else { format!("{answer} {phase}") }
}

const REPLY_TABLES: [&str; 2] =
    [include_str!("client_replies_1.txt"), include_str!("client_replies_2.txt")];
const COMMAND_TABLE: &str = include_str!("client_commands.txt");

fn replies(table: &str) -> Table {
    Table::parse(table, &REPLIES.iter().map(|&(name, _)| name).collect::<Vec<_>>())
}

#[test]
fn every_reply_does_at_every_moment_what_the_rfcs_say() {
    for table in REPLY_TABLES {
        replies(table).check(outcome_of_reply);
    }
}

#[test]
fn every_command_can_be_given_when_the_rfcs_let_it() {
    Table::parse(COMMAND_TABLE, COMMANDS).check(outcome_of_command);
}

#[test]
fn no_state_and_no_command_of_the_client_is_without_a_cell() {
    let (states, commands) = page("client-state-machine.md");
    let phases = |table: Table| -> BTreeSet<String> {
        table.columns.iter().map(|column| moment(column).0.3.to_owned()).collect()
    };
    let met: BTreeSet<_> = REPLY_TABLES.iter().flat_map(|table| phases(replies(table))).collect();
    assert_eq!(met, states, "of the replies");
    assert_eq!(phases(Table::parse(COMMAND_TABLE, COMMANDS)), states, "of the commands");
    // LHLO is EHLO for LMTP.
    let missing: Vec<_> =
        commands.iter().filter(|it| *it != "LHLO" && !COMMANDS.contains(&it.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?} have no row");
}
