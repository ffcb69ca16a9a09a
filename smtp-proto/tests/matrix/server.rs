//! The server: what each line, and each thing that is no line, does in each state.

use crate::table::{Table, page};
use fuzz_properties::embedder::{self, Answer, Question};
use smtp_proto::{
    Instant, Limits, Need, Step,
    ext::Extensions,
    server::{BareLineEnding, Mode, ServerConnection, Start},
    wire::{Mechanism, Refused},
};
use std::collections::BTreeSet;

/// The rows: the name of each, and what the client sends. Names in angle brackets send nothing.
const ROWS: &[(&str, &str)] = &[
    // RFC 5321 §4.1.1, in the order of its sections.
    ("EHLO", "EHLO client.example\r\n"),
    ("HELO", "HELO client.example\r\n"),
    ("MAIL", "MAIL FROM:<a@client.example>\r\n"),
    ("RCPT", "RCPT TO:<b@example.test>\r\n"),
    ("DATA", "DATA\r\n"),
    ("RSET", "RSET\r\n"),
    ("VRFY", "VRFY b\r\n"),
    ("EXPN", "EXPN list\r\n"),
    ("HELP", "HELP\r\n"),
    ("NOOP", "NOOP\r\n"),
    ("QUIT", "QUIT\r\n"),
    // Of extensions.
    ("LHLO", "LHLO client.example\r\n"),
    ("BDAT", "BDAT 3\r\nabc"),
    ("BDAT LAST", "BDAT 3 LAST\r\nabc"),
    ("STARTTLS", "STARTTLS\r\n"),
    ("AUTH", "AUTH PLAIN AGEAYg==\r\n"),
    ("ETRN", "ETRN example.test\r\n"),
    ("XCLIENT", "XCLIENT NAME=client.example\r\n"),
    ("custom command", "XFUZZ\r\n"),
    // What no server knows.
    ("unknown", "XYZZY\r\n"),
    ("empty line", "\r\n"),
    ("HTTP", "GET / HTTP/1.1\r\n"),
    // Commands with something wrong in them.
    ("EHLO alone", "EHLO\r\n"),
    ("MAIL alone", "MAIL\r\n"),
    ("MAIL, bad path", "MAIL FROM:a@client.example\r\n"),
    ("MAIL, bad param", "MAIL FROM:<> NO=1\r\n"),
    ("RCPT, bad path", "RCPT TO:<>\r\n"),
    ("DATA x", "DATA x\r\n"),
    ("RSET x", "RSET x\r\n"),
    ("VRFY alone", "VRFY\r\n"),
    ("EXPN alone", "EXPN\r\n"),
    ("HELP x", "HELP MAIL\r\n"),
    ("NOOP x", "NOOP it is\r\n"),
    ("QUIT x", "QUIT x\r\n"),
    ("BDAT x", "BDAT x\r\n"),
    ("STARTTLS x", "STARTTLS x\r\n"),
    ("AUTH alone", "AUTH\r\n"),
    ("AUTH NONE", "AUTH NONE\r\n"),
    ("AUTH, no base64", "AUTH PLAIN !\r\n"),
    ("ETRN alone", "ETRN\r\n"),
    ("XCLIENT alone", "XCLIENT\r\n"),
    // Lines that are none.
    ("bare LF", "NO\nOP\r\n"),
    ("NUL", "NO\0OP\r\n"),
    ("too long", ""),
    // What is no line at all.
    ("<end of input>", ""),
    ("<time-out>", ""),
    ("<shutdown>", ""),
];

/// Where a column begins.
struct Situation {
    mode: Mode,
    extensions: Extensions,
    start: Start,
    /// What the client has sent.
    script: &'static str,
    /// The kind of question to which the answer was not yes, and the answer, if there was one.
    exception: Option<(&'static str, Option<Answer>)>,
    /// The last reply has not left.
    unwritten: bool,
    phase: &'static str,
}

/// The columns, by their names in the tables.
fn situation(column: &str) -> Situation {
    macro_rules! ehlo {
        ($($then:literal)*) => { concat!("EHLO c.example\r\n" $(, $then)*) };
    }
    macro_rules! envelope {
        ($($then:literal)*) => { ehlo!("MAIL FROM:<>\r\n" "RCPT TO:<b@d.example>\r\n" $($then)*) };
    }
    let base = |phase, script| Situation {
        mode: Mode::Smtp,
        extensions: embedder::extensions().starttls(),
        start: Start::Plain,
        script,
        exception: None,
        unwritten: false,
        phase,
    };
    let but = |kind, answer, base| Situation { exception: Some((kind, answer)), ..base };
    let lmtp = |phase, script| Situation { mode: Mode::Lmtp, ..base(phase, script) };
    match column {
        // Between commands.
        "Rejected" => but("Connect", Some(Answer::No), base("Rejected", "")),
        "Fresh" => base("Fresh", ""),
        "HELO" => base("Ready", "HELO c.example\r\n"),
        "Ready" => base("Ready", ehlo!()),
        "Mail" => base("Mail", ehlo!("MAIL FROM:<>\r\n")),
        "Envelope" => base("Envelope", envelope!()),
        "Chunks" => base("Chunks", envelope!("BDAT 1\r\nx")),
        "Failed" => but("Data", Some(Answer::No), base("Failed", envelope!("BDAT 1\r\nx"))),
        // Where a line is no command, or waits.
        "Start" => base("Start", ""),
        "Greeting" => but("Connect", None, base("Greeting", "")),
        "asked MAIL" => but("Mail", None, base("Ready", ehlo!("MAIL FROM:<>\r\n"))),
        "asked DATA" => but("Data", None, base("Envelope", envelope!("DATA\r\n"))),
        "Auth" => but("Auth", Some(Answer::InWords), base("Auth", ehlo!("AUTH LOGIN\r\n"))),
        "Upgrade" => Situation { unwritten: true, ..base("Upgrade", ehlo!("STARTTLS\r\n")) },
        "Handshake" => but("Handshake", None, base("Handshake", ehlo!("STARTTLS\r\n"))),
        "Dot" => base("Dot", envelope!("DATA\r\n")),
        "Chunk" => base("Chunk", envelope!("BDAT 99999\r\n")),
        "refused BDAT" => base("Ready", ehlo!("BDAT 99999\r\n")),
        "Message" => but("Message", None, base("Message", envelope!("BDAT 1 LAST\r\nx"))),
        "Delivery" => {
            let script =
                "LHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<b@d.example>\r\nBDAT 1 LAST\r\nx";
            but("Delivery", None, lmtp("Delivery", script))
        }
        "Closed" => base("Closed", "QUIT\r\n"),
        // Other servers, other sessions.
        "TLS, Fresh" => base("Fresh", ehlo!("STARTTLS\r\n")),
        "TLS, Ready" => Situation { start: Start::Tls, ..base("Ready", ehlo!()) },
        "after AUTH" => base("Ready", ehlo!("AUTH PLAIN AGEAYg==\r\n")),
        "AUTH needs TLS" => Situation {
            extensions: Extensions::new().starttls().auth([Mechanism::PLAIN]),
            ..base("Ready", ehlo!())
        },
        "no extensions" => Situation { extensions: Extensions::new(), ..base("Ready", ehlo!()) },
        "submission" => Situation { mode: Mode::Submission, ..base("Ready", ehlo!()) },
        "LMTP, Fresh" => lmtp("Fresh", ""),
        "LMTP, Ready" => lmtp("Ready", "LHLO c.example\r\n"),
        "LMTP, Envelope" => {
            lmtp("Envelope", "LHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<b@d.example>\r\n")
        }
        other => panic!("there is no column {other}"),
    }
}

struct Session {
    machine: ServerConnection,
    now: Instant,
    output: Vec<u8>,
    /// Whether what the machine says leaves.
    writes: bool,
}

impl Session {
    /// Leads a machine to where the column begins.
    fn new(at: &Situation) -> Self {
        let config = embedder::config(
            at.mode,
            at.extensions.clone(),
            Limits::default(),
            BareLineEnding::default(),
        );
        let machine = ServerConnection::new(config, at.start);
        let writes = !at.unwritten;
        let mut session = Self { machine, now: embedder::NOW, output: Vec::new(), writes };
        if at.phase != "Start" {
            session.run(at.script.as_bytes(), at.exception);
        }
        assert_eq!(session.phase(), at.phase, "{} leads there", at.script.escape_debug());
        session.output.clear();
        session
    }

    /// Says yes to every question, but for the exception. Gives what was not read.
    fn run<'i>(
        &mut self,
        mut input: &'i [u8],
        exception: Option<(&str, Option<Answer>)>,
    ) -> &'i [u8] {
        loop {
            match self.machine.poll_event(&mut input, self.now) {
                Step::Event(event) => {
                    let Ok(question) = Question::of(event) else { continue };
                    let kind = format!("{question:?}");
                    match exception.filter(|(name, _)| kind.starts_with(name)) {
                        None => question.answer(&mut self.machine, Answer::Yes).unwrap(),
                        Some((_, Some(answer))) => {
                            question.answer(&mut self.machine, answer).unwrap();
                        }
                        Some((_, None)) => break,
                    }
                }
                Step::Need(Need::Flush) if self.writes => {
                    embedder::drain(&mut self.machine, &mut self.output);
                }
                Step::Need(_) | Step::Closed(_) => break,
            }
        }
        if self.writes {
            embedder::drain(&mut self.machine, &mut self.output);
        }
        input
    }

    /// The name of the state, as the machine shows it.
    fn phase(&self) -> String {
        let shown = format!("{:?}", self.machine);
        shown.split("phase: ").nth(1).unwrap().split([',', ' ']).next().unwrap().to_owned()
    }

    /// The codes of the replies, or `-`.
    fn replies(&self) -> String {
        let output = String::from_utf8(self.output.clone()).unwrap();
        let last_lines = output.lines().filter(|line| line.as_bytes()[3] == b' ');
        let codes: Vec<String> = last_lines
            .map(|line| {
                let mut words = line.split(' ');
                let code = words.next().unwrap().to_owned();
                let enhanced = words.next().filter(|word| word.split('.').count() == 3);
                let is_code = |word: &&str| word.chars().all(|c| c.is_ascii_digit() || c == '.');
                enhanced.filter(is_code).map_or(code.clone(), |word| format!("{code} {word}"))
            })
            .collect();
        if codes.is_empty() { "-".into() } else { codes.join(", ") }
    }
}

/// A TLS handshake is not the client's to end.
const ONE_STEP: Option<(&str, Option<Answer>)> = Some(("Handshake", None));

/// What a row does in a column: the replies, or that it stays unread, and the state if it is another.
fn outcome(row: &str, column: &str) -> String {
    let at = situation(column);
    let mut session = Session::new(&at);
    let mut input = ROWS.iter().find(|(name, _)| *name == row).unwrap().1.as_bytes().to_vec();
    match row {
        "<end of input>" => session.machine.handle_eof(),
        "<shutdown>" => session.machine.shutdown(&Refused::SHUTTING_DOWN),
        "<time-out>" => {
            // Until it waits, no timer runs.
            session.run(b"", ONE_STEP);
            if let Some(deadline) = session.machine.poll_timeout() {
                session.now = deadline;
                session.machine.handle_timeout(deadline);
            }
        }
        "too long" => {
            // Longer than any line may be, a line of an AUTH exchange among them.
            input = format!("NOOP {}\r\n", "x".repeat(13_000)).into();
        }
        _ => {}
    }
    let unread = session.run(&input, ONE_STEP);
    let waits = !input.is_empty() && unread == input;
    let phase = session.phase();
    let mut outcome = if waits { "unread".into() } else { session.replies() };
    if phase != at.phase {
        outcome += &format!(" {phase}");
    }
    outcome
}

fn rows() -> Vec<&'static str> {
    ROWS.iter().map(|&(name, _)| name).collect()
}

const TABLES: [&str; 3] = [
    include_str!("server_commands.txt"),
    include_str!("server_no_commands.txt"),
    include_str!("server_others.txt"),
];

#[test]
fn every_command_does_in_every_state_what_the_rfcs_say() {
    Table::parse(TABLES[0], &rows()).check(outcome);
}

#[test]
fn where_no_command_is_expected_none_is_run() {
    Table::parse(TABLES[1], &rows()).check(outcome);
}

#[test]
fn what_was_agreed_on_before_decides_what_a_command_does() {
    Table::parse(TABLES[2], &rows()).check(outcome);
}

#[test]
fn no_state_and_no_command_of_the_server_is_without_a_cell() {
    let (states, commands) = page("state-machine.md");
    let columns = TABLES.iter().flat_map(|table| Table::parse(table, &rows()).columns);
    let met: BTreeSet<String> = columns.map(|column| situation(&column).phase.to_owned()).collect();
    assert_eq!(met, states);
    let missing: Vec<_> =
        commands.iter().filter(|command| !rows().contains(&command.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?} have no row");
}
