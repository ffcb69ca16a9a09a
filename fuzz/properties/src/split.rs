//! How the input is cut does not matter.

use crate::embedder::{Answer, NOW, Question, config, drain, extensions};
use smtp_proto::{
    CloseReason, Limits, Need, Step, Violation,
    server::{BareLineEnding, Event, Mode, ServerConfig, ServerConnection, Start},
    wire::{ForwardPath, ReversePath},
};
use std::sync::Arc;

/// The same octets and the same answers give the same events and the same replies, however the
/// octets are cut: all at once, one by one, in pieces of sizes drawn from the input itself, and all
/// at once with the RCPT questions held open together and answered last first.
///
/// The first octet of `data` chooses mode and line endings, the second the sizes of the pieces; the
/// rest is what the peer sends. STARTTLS is not offered, the greeting is answered before the first
/// octet is shown, and a session is compared up to the first DATA that was refused with octets
/// behind it: those three depend, as the contract says, on when one reads.
///
/// # Panics
/// If it is not so.
pub fn split(data: &[u8]) {
    let [flags, seed, input @ ..] = data else { return };
    let config = configuration(*flags);
    let whole = run(&config, input, &mut || usize::MAX, false);

    let bytewise = run(&config, input, &mut || 1, false);
    assert_same(&whole, &bytewise, "octet by octet");

    let mut state = u32::from(*seed) | 1;
    let mut random = || {
        // xorshift: only to have sizes that differ.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state % 23) as usize + 1
    };
    let pieces = run(&config, input, &mut random, false);
    assert_same(&whole, &pieces, "in pieces");

    let together = run(&config, input, &mut || usize::MAX, true);
    assert_same(&whole, &together, "with RCPT questions open together");
    let both = run(&config, input, &mut random, true);
    assert_same(&whole, &both, "in pieces, with RCPT questions open together");
}

fn configuration(flags: u8) -> Arc<ServerConfig> {
    let mode = if flags & 1 == 0 { Mode::Smtp } else { Mode::Lmtp };
    let bare = match flags >> 1 & 3 {
        0 => BareLineEnding::Refuse,
        1 => BareLineEnding::Normalise,
        _ => BareLineEnding::Pass,
    };
    let mut limits = Limits::default();
    limits.decisions_in_flight = 4;
    if flags & 8 != 0 {
        limits.violations = 3;
        limits.text_line = Some(Limits::MIN_TEXT_LINE);
        limits.command_line = Limits::MIN_COMMAND_LINE;
    }
    config(mode, extensions(), limits, bare)
}

/// What can be seen of a session from outside.
#[derive(Debug, Default, PartialEq, Eq)]
struct Transcript {
    events: Vec<String>,
    output: Vec<u8>,
    closed: Option<CloseReason>,
    /// Octets that the session left unread.
    unread: usize,
    /// Events and octets of output before octets were seen behind a refused DATA.
    past_data: Option<(usize, usize)>,
}

fn assert_same(whole: &Transcript, other: &Transcript, how: &str) {
    match whole.past_data {
        None => assert_eq!(whole, other, "{how}"),
        Some((events, output)) => {
            assert_eq!(whole.events[..events], other.events[..events], "{how}");
            assert_eq!(whole.output[..output], other.output[..output], "{how}");
        }
    }
}

fn run(
    config: &Arc<ServerConfig>,
    input: &[u8],
    next: &mut dyn FnMut() -> usize,
    together: bool,
) -> Transcript {
    let mut connection = ServerConnection::new(Arc::clone(config), Start::Plain);
    let mut seen = Transcript::default();
    let mut held = Vec::new();
    let (mut at, mut offered, mut greeted, mut ended) = (0, 0, false, false);
    loop {
        drain(&mut connection, &mut seen.output);
        let before = seen.output.len();
        let mut window = &input[at..offered];
        let step = connection.poll_event(&mut window, NOW);
        at = offered - window.len();
        match step {
            Step::Event(event) => {
                if matches!(event, Event::Violation(Violation::PastData)) {
                    seen.past_data.get_or_insert((seen.events.len(), before));
                }
                let answer = policy(&event);
                note(&mut seen.events, &event);
                match Question::of(event) {
                    Ok(question @ Question::Rcpt(_)) if together => held.push((question, answer)),
                    Ok(question) => {
                        assert!(held.is_empty(), "only RCPT questions are open together");
                        greeted = true;
                        question.answer(&mut connection, answer).expect("it was just asked");
                    }
                    Err(_) => {}
                }
            }
            Step::Need(Need::Decision) => {
                assert!(!held.is_empty(), "a decision is wanted, but no question is open");
                while let Some((question, answer)) = held.pop() {
                    question.answer(&mut connection, answer).expect("it was not answered before");
                }
            }
            Step::Need(Need::Flush) => {
                assert!(connection.poll_transmit().is_some(), "nothing to flush");
            }
            Step::Need(Need::Input) => {
                assert!(held.is_empty(), "input is wanted while a question is open");
                assert!(greeted, "input is wanted before the greeting was decided");
                assert!(!ended, "input is wanted after its end");
                if offered == input.len() {
                    connection.handle_eof();
                    ended = true;
                } else {
                    offered = input.len().min(offered.saturating_add(next()));
                }
            }
            Step::Closed(reason) => {
                assert!(held.is_empty(), "closed while a question is open");
                drain(&mut connection, &mut seen.output);
                seen.closed = Some(reason);
                // Half a command at the end is dropped either way.
                seen.unread = if ended { 0 } else { input.len() - at };
                return seen;
            }
        }
    }
}

/// Answers that depend on nothing but what is asked.
fn policy(event: &Event<'_>) -> Answer {
    let unwelcome = match event {
        Event::Hello { name, .. } => name.to_string().starts_with('x'),
        Event::Mail { mail, .. } => match &mail.from {
            ReversePath::Mailbox(mailbox) => mailbox.local_part.as_str().starts_with('x'),
            ReversePath::Null => false,
        },
        Event::Rcpt { rcpt, .. } => match &rcpt.to {
            ForwardPath::Mailbox(mailbox) => mailbox.local_part.as_str().starts_with('x'),
            ForwardPath::Postmaster => false,
        },
        Event::BodyEnd { size, .. } => size % 7 == 1,
        Event::Delivery { size, index, .. } => (size + u64::from(*index)) % 7 == 1,
        Event::Verify { what, .. } => what.as_str().starts_with('x'),
        Event::Auth { initial: None, .. } => return Answer::InWords,
        Event::AuthResponse { data, .. } => data.expose().as_str().starts_with('x'),
        _ => false,
    };
    if unwelcome { Answer::No } else { Answer::Yes }
}

/// Notes an event without its token; neighbouring pieces of a body are one.
fn note(events: &mut Vec<String>, event: &Event<'_>) {
    let line = match event {
        Event::Connect(_) => "connect".to_owned(),
        Event::Hello { kind, name, .. } => format!("hello {kind:?} {name}"),
        Event::StartTls(_) => "starttls".to_owned(),
        Event::Handshake(_) => "handshake".to_owned(),
        Event::Auth { mechanism, initial, .. } => format!(
            "auth {} {:?}",
            mechanism.as_str(),
            initial.as_ref().map(|initial| initial.expose().as_str())
        ),
        Event::AuthResponse { data, .. } => format!("response {}", data.expose().as_str()),
        Event::Mail { mail, .. } => format!("{mail:?}"),
        Event::Rcpt { rcpt, .. } => format!("{rcpt:?}"),
        Event::Data { framing, .. } => format!("data {framing:?}"),
        Event::Body(piece) => {
            assert!(!piece.is_empty(), "a piece of no octets");
            let text = piece.escape_ascii().to_string();
            match events.last_mut() {
                Some(last) if last.starts_with("body ") => {
                    last.push_str(&text);
                    return;
                }
                _ => format!("body {text}"),
            }
        }
        Event::BodyEnd { size, .. } => format!("end {size}"),
        Event::Delivery { size, index, .. } => format!("delivery {index} {size}"),
        Event::Verify { what, .. } => format!("verify {}", what.as_str()),
        Event::Expand { what, .. } => format!("expand {}", what.as_str()),
        Event::Etrn { queue, .. } => format!("etrn {queue}"),
        Event::Xclient { client, .. } => format!("xclient {client}"),
        Event::Help { topic, .. } => format!("help {}", topic.as_str()),
        Event::Command { verb, args, .. } => format!("command {verb:?} {}", args.as_str()),
        other => format!("{other:?}"),
    };
    events.push(line);
}
