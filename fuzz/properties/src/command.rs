//! One command line, in each state of a session.

use crate::{
    embedder::{Answer, NOW, Question, config, drain, extensions, lead},
    replies,
};
use smtp_proto::{
    Limits, Need, Step,
    ext::{QueueName, Xclient},
    server::{BareLineEnding, Event, Framing, Mode, ServerConnection, Start},
    wire::{ForwardPath, HelloName, ReversePath},
};

/// A line of any octets is one command: it is answered by exactly one well-formed reply, by the
/// machine or by the one question it became, and the line is consumed to its CRLF and no further.
/// What an event carries writes itself back so that parsing again gives the same value, and is
/// the same when it is owned.
///
/// The first octet of `data`, a digit, chooses the state; the rest, up to a CRLF, is the line.
///
/// # Panics
/// If it is not so.
pub fn command(data: &[u8]) {
    let [state, line @ ..] = data else { return };
    let end = line.windows(2).position(|w| w == b"\r\n").unwrap_or(line.len());
    let line = &line[..end];
    in_session(*state, line);
}

/// The scripts that lead to the states, by digit.
const STATES: [(Mode, &[u8]); 8] = [
    (Mode::Smtp, b""),
    (Mode::Smtp, b"EHLO a.example\r\n"),
    (Mode::Smtp, b"HELO a.example\r\n"),
    (Mode::Smtp, b"EHLO a.example\r\nMAIL FROM:<a@a.example>\r\n"),
    (Mode::Smtp, b"EHLO a.example\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n"),
    (Mode::Smtp, b"EHLO a.example\r\nMAIL FROM:<a@a.example> SMTPUTF8 BODY=8BITMIME\r\n"),
    (Mode::Lmtp, b"LHLO a.example\r\n"),
    (Mode::Submission, b"EHLO a.example\r\n"),
];

fn in_session(state: u8, line: &[u8]) {
    let (mode, script) = STATES[usize::from(state) % STATES.len()];
    let extensions = extensions().starttls();
    let config = config(mode, extensions, Limits::default(), BareLineEnding::Refuse);
    let mut connection = ServerConnection::new(config, Start::Plain);
    lead(&mut connection, script);

    let wire = [line, b"\r\n"].concat();
    let mut input = &wire[..];
    let mut output = Vec::new();
    let mut questions = 0;
    // The reply to BDAT comes behind octets that are not sent here.
    let mut owes_octets = line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"BDAT"));
    let closed = loop {
        match connection.poll_event(&mut input, NOW) {
            Step::Event(event) => {
                check(&event);
                owes_octets |= matches!(event, Event::Data { framing: Framing::Chunked, .. });
                if let Ok(question) = Question::of(event) {
                    questions += 1;
                    question.answer(&mut connection, Answer::No).expect("it was just asked");
                }
            }
            Step::Need(Need::Flush) => drain(&mut connection, &mut output),
            Step::Need(Need::Input) => break false,
            Step::Need(Need::Decision) => panic!("no question is open"),
            Step::Closed(_) => break true,
        }
    };
    drain(&mut connection, &mut output);
    assert!(questions <= 1, "one line asks one question");
    assert!(closed || input.is_empty(), "a whole line was left unread");
    let codes = replies::codes(&output);
    if !owes_octets {
        assert_eq!(codes.len(), 1, "one line, one reply: {codes:?}");
    }
}

/// What an event carries is the same when written and read again.
fn check(event: &Event<'_>) {
    match event {
        Event::Hello { name, .. } => {
            let text = name.to_string();
            assert_eq!(&HelloName::parse(&text).expect("it was written by us"), name);
        }
        Event::Mail { mail, .. } => {
            let text = mail.from.to_string();
            let again = ReversePath::parse(&text).expect("it was written by us");
            assert_eq!(again, (mail.from.clone(), ""));
            assert_eq!(&mail.clone().into_static(), mail);
        }
        Event::Rcpt { rcpt, .. } => {
            let text = rcpt.to.to_string();
            let again = ForwardPath::parse(&text).expect("it was written by us");
            assert_eq!(again, (rcpt.to.clone(), ""));
            assert_eq!(&rcpt.clone().into_static(), rcpt);
        }
        Event::Etrn { queue, .. } => {
            let text = queue.to_string();
            assert_eq!(&QueueName::parse(&text).expect("it was written by us"), queue);
            assert_eq!(&queue.clone().into_static(), queue);
        }
        Event::Xclient { client, .. } => {
            let text = client.to_string();
            assert_eq!(&Xclient::parse(&text).expect("it was written by us"), &**client);
            assert_eq!(client.clone().into_static(), **client);
        }
        _ => {}
    }
}
