//! What may happen to a server: any order of it.

use crate::server_model::{Answer, Bare, Mode, Offer, Setup};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{Index, select},
};

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// The client writes this, and it arrives in pieces that end here.
    Say(String, Vec<Index>),
    /// The same with something that makes sense where the client is.
    GoOn(Index, Vec<Index>),
    /// The embedder decides one of the open questions.
    Decide(Index, Answer),
    /// So many seconds pass; or as many as there are to the next deadline, or one less.
    Pass(u64),
    PassToDeadline(bool),
    /// A slow client reads so many octets more, and then none; or all.
    MakeRoom(Option<usize>),
    /// It reads until the server would go on, or one octet less.
    ReadToMark(bool),
    /// The embedder wants no more of the message.
    Discard,
    /// The server is to stop.
    ShutDown,
    /// The client has finished sending.
    Finish,
}

const ANSWERS: [Answer; 6] = [
    Answer::Yes,
    Answer::InWords,
    Answer::Challenge,
    Answer::NotNow,
    Answer::Never,
    Answer::Disconnect,
];

fn offer() -> impl Strategy<Value = Offer> {
    any::<[bool; 11]>().prop_map(|flags| Offer {
        smtputf8: flags[0],
        chunking: flags[1] | flags[2],
        binarymime: (flags[1] | flags[2]) && flags[3],
        dsn: flags[4],
        starttls: flags[2],
        auth: flags[5],
        auth_in_clear: flags[6],
        expn: flags[7],
        etrn: flags[8],
        xclient: flags[9],
        peace: flags[10],
    })
}

pub(crate) fn setup() -> impl Strategy<Value = Setup> {
    let modes = select(vec![Mode::Smtp, Mode::Smtp, Mode::Submission, Mode::Lmtp]);
    let bare = select(vec![Bare::Refuse, Bare::Normalise, Bare::Pass]);
    let limits = (1..4usize, select(vec![2usize, 4, 20, 20, 20]), 1..4usize, 1..5usize);
    let message = (option::weighted(0.3, Just(998)), select(vec![0u64, 3_000, 1 << 20]));
    let times = (
        any::<bool>(),
        prop::bool::weighted(0.2),
        option::weighted(0.1, select(vec![90u64, 400, 1_000])),
    );
    // Most questions are answered yes at once, so that sessions get somewhere.
    let answer = prop_oneof![
        16 => Just(Some(Answer::Yes)),
        2 => Just(Some(Answer::Challenge)),
        2 => select(&ANSWERS[..]).prop_map(Some),
        7 => Just(None),
    ];
    (modes, bare, (offer(), offer()), limits, message, times, vec(answer, 1..12)).prop_map(
        |(mode, bare, (mut offer, other), limits, message, times, mut at_once)| {
            let (any_rate, slow, session) = times;
            offer.auth |= mode == Mode::Submission;
            offer.auth_in_clear |= mode == Mode::Submission;
            if slow {
                // Many words fill the buffer.
                for answer in at_once.iter_mut().filter(|it| **it == Some(Answer::Yes)) {
                    *answer = Some(Answer::InWords);
                }
            }
            Setup {
                mode,
                bare,
                offer,
                other,
                message: 65_536,
                text_line: message.0,
                swallow: message.1,
                recipients: 100,
                transactions: limits.0,
                violations: limits.1,
                auth_failures: limits.2,
                // Whether there is room for another question depends on replies that nobody has seen.
                in_flight: if slow { 1 } else { limits.3 },
                send_buffer: if slow { 8_192 } else { 16_384 },
                slow,
                any_rate,
                session,
                at_once,
            }
        },
    )
}

/// Lines that are plainly right or plainly wrong.
const LINES: &[&str] = &[
    "EHLO c.example\r\n",
    "EHLO c.example\r\n",
    "HELO c.example\r\n",
    "HELO c.example\r\nMAIL FROM:<> X-A=1\r\n",
    "LHLO c.example\r\n",
    "EHLO\r\n",
    "MAIL FROM:<a@b.example>\r\n",
    "MAIL FROM:<>\r\n",
    "mail FROM:<a@b.example> SIZE=65536\r\n",
    "MAIL FROM:<a@b.example> SIZE=65537\r\n",
    "MAIL FROM:<a@b.example> BODY=8BITMIME\r\n",
    "MAIL FROM:<> NONSENSE=1\r\n",
    "MAIL FROM:<> BODY=BINARYMIME\r\n",
    "MAIL FROM:a@b.example\r\n",
    "MAIL FROM:<é@b.example>\r\n",
    "MAIL FROM:<> SMTPUTF8=1\r\n",
    "MAIL FROM:<> SMTPUTF8 SMTPUTF8\r\n",
    "MAIL FROM:<> RET=HDRS ENVID=a+2Bb X-A=1\r\n",
    "MAIL FROM:<> RET=ALL\r\n",
    "MAIL FROM:<> NOTIFY=NEVER RET=ALL\r\n",
    "RCPT TO:<c@d.example>\r\n",
    "rcpt TO:<e@d.example>\r\n",
    "RCPT TO:<>\r\n",
    "RCPT TO:<c@d.example> NOTIFY=NEVER\r\n",
    "RCPT TO:<c@d.example> NOTIFY=NEVER,DELAY\r\n",
    "RCPT TO:<c@d.example> X-B X-B\r\n",
    "RCPT TO:<é@d.example>\r\n",
    "RCPTX\r\n",
    "DATA\r\n",
    "DATA now\r\n",
    "BDAT 3\r\nabc",
    "BDAT 0\r\n",
    "BDAT 4 LAST\r\nd.\r\n",
    "BDAT 0 LAST\r\n",
    "BDAT many\r\n",
    "RSET\r\n",
    "RSET now\r\n",
    "NOOP\r\n",
    "VRFY c\r\n",
    "VRFY\r\n",
    "EXPN list\r\n",
    "HELP\r\n",
    "HELP\r\nVRFY c\r\nHELP\r\nHELP\r\n",
    "ETRN d.example\r\n",
    "ETRN\r\n",
    "XPEACE now\r\n",
    "QUIT\r\n",
    "QUIT now\r\n",
    "STARTTLS\r\n",
    "STARTTLS now\r\n",
    "AUTH PLAIN AGEAYg==\r\n",
    "AUTH LOGIN\r\n",
    "AUTH LOGIN =\r\n",
    "AUTH PLAIN no!\r\n",
    "AUTH NONE\r\n",
    "AUTH\r\n",
    "XCLIENT\r\n",
    "XCLIENT NAME=c.example\r\n",
    "YWJj\r\n",
    "*\r\n",
    "no base64\r\n",
    "NO\nOP\r\n",
    "NO\0OP\r\n",
    "\r\n",
    "XYZZY\r\n",
    "GET / HTTP/1.1\r\n",
    "NOO",
];

/// Octets of messages.
const TEXT: &[&str] = &[
    "Subject: x\r\n\r\n",
    "text\r\n",
    ".\r\n",
    ".\r\n",
    "..\r\n",
    ".dot\r\n",
    "\r\n.\r\n",
    "\r",
    "\n",
    ".",
    "\n.\n",
    "\r.\r",
];

/// Enough recipients for the replies of LMTP to fill a buffer.
const MANY: &str = concat!(
    "RCPT TO:<1@d.example>\r\nRCPT TO:<2@d.example>\r\nRCPT TO:<3@d.example>\r\n",
    "RCPT TO:<4@d.example>\r\nRCPT TO:<5@d.example>\r\nDATA\r\n",
);

/// What makes sense in a place that the model names.
pub(crate) fn fitting(place: &str) -> &'static [&'static str] {
    match place {
        "greeting" => &[
            "EHLO c.example\r\n",
            "LHLO c.example\r\n",
            "EHLO c.example\r\nSTARTTLS\r\n",
            "XCLIENT LOGIN=somebody\r\nEHLO c.example\r\n",
            "HELO c.example\r\n",
        ],
        "ready" => &[
            "MAIL FROM:<a@b.example>\r\n",
            "HELP\r\nHELP\r\nHELP\r\nMAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\n",
            "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n",
            "MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@d.example>\r\nDATA\r\n",
            "MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nBDAT 3\r\nabcBDAT 3 LAST\r\ndef",
            "MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<c@d.example>\r\n",
            "MAIL FROM:<é@b.example> SMTPUTF8\r\nRCPT TO:<ü@d.example>\r\n",
            "MAIL FROM:<> RET=FULL X-A\r\nRCPT TO:<c@d.example> NOTIFY=NEVER\r\n",
            "ETRN #queue\r\nXPEACE now\r\n",
            "XCLIENT NAME=c.example\r\n",
            "STARTTLS\r\n",
            "AUTH LOGIN\r\n",
            "AUTH LOGIN\r\n",
            "AUTH PLAIN AGEAYg==\r\n",
            "AUTH PLAIN AGEAYg==\r\n",
            "AUTH PLAIN AGEAYg==\r\n",
            "BDAT 6 LAST\r\nRSET\r\n",
        ],
        "auth" => &["YWJj\r\n", "\r\n", "*\r\n", "no base64\r\n", "YWJj\r\nMAIL FROM:<>\r\n"],
        "mail" => &[
            "RCPT TO:<c@d.example>\r\n",
            "RCPT TO:<c@d.example>\r\nRCPT TO:<e@d.example>\r\nRCPT TO:<>\r\n",
            "RCPT TO:<c@d.example>\r\nRCPT TO:<e@d.example>\r\nDATA\r\n",
            "RCPT TO:<é@d.example>\r\n",
            "RCPT TO:<c@d.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x@d.example X-B=2\r\n",
            MANY,
            "STARTTLS\r\n",
        ],
        "envelope" => &[
            "DATA\r\n",
            "DATA\r\n",
            "BDAT 3\r\nabc",
            "BDAT 3 LAST\r\nabc",
            "BDAT 4\r\nab",
            "RCPT TO:<f@d.example>\r\n",
            "ETRN @d.example\r\n",
            "RSET\r\nMAIL FROM:<>\r\n",
            "EHLO c.example\r\n",
            "STARTTLS\r\n",
        ],
        "message" => &[
            "Subject: x\r\n\r\n..dot\r\n.\r\n",
            "text\r\n",
            "text\r\n.\r\n",
            ".\r\n",
            "\r\n.\r\nMAIL FROM:<>\r\n",
            "\n.\r\n.\r\n",
        ],
        "chunk" => &["a", "abc", "abcdef", "\r\n.\r\n"],
        "chunks" => &["BDAT 3 LAST\r\nabc", "BDAT 2\r\n\r\n", "BDAT 0 LAST\r\n", "RSET\r\n"],
        _ => &["RSET\r\n", "BDAT 3 LAST\r\nabc", "BDAT 3\r\nabc", "EHLO c.example\r\n"],
    }
}

fn said() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        30 => select(LINES).prop_map(str::to_owned),
        12 => select(TEXT).prop_map(str::to_owned),
        1 => Just("RCPT TO:<c@d.example>\r\n".repeat(101)),
        1 => Just("HELP\r\n".repeat(8)),
        1 => (990..1_003usize).prop_map(|n| "x".repeat(n) + "\r\n"),
        1 => (2_035..2_050usize).prop_map(|n| format!("NOOP {}\r\n", "x".repeat(n))),
        1 => Just(format!("AUTH PLAIN {}\r\n", "A".repeat(12_300))),
        1 => Just("text text text\r\n".repeat(250)),
    ];
    prop_oneof![
        30 => vec(word, 1..4).prop_map(|words| words.concat()),
        // About as much as a message may be.
        1 => (65_530..65_540usize).prop_map(|n| "x".repeat(n)),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let cuts = prop_oneof![Just(vec![]), vec(any::<Index>(), 1..4)];
    prop_oneof![
        12 => (said(), cuts.clone()).prop_map(|(text, cuts)| Action::Say(text, cuts)),
        24 => (any::<Index>(), cuts).prop_map(|(which, cuts)| Action::GoOn(which, cuts)),
        10 => (any::<Index>(), select(&ANSWERS[..])).prop_map(|(which, it)| Action::Decide(which, it)),
        4 => (any::<Index>(),).prop_map(|(which,)| Action::Decide(which, Answer::Yes)),
        4 => select(vec![1u64, 30, 59, 60, 119, 120, 180, 299, 300, 480]).prop_map(Action::Pass),
        3 => prop::bool::weighted(0.7).prop_map(Action::PassToDeadline),
        6 => option::weighted(0.7, prop_oneof![Just(0), 1..5_000usize, 5_000..40_000usize]).prop_map(Action::MakeRoom),
        3 => any::<bool>().prop_map(Action::ReadToMark),
        3 => Just(Action::Discard),
        1 => Just(Action::ShutDown),
        1 => Just(Action::Finish),
    ]
}

/// A session; most begin with a greeting that fits the mode.
pub(crate) fn script() -> impl Strategy<Value = (Setup, Vec<Action>)> {
    (setup(), vec(action(), 1..20), prop::bool::weighted(0.9)).prop_map(
        |(setup, mut actions, greets)| {
            let hello = match setup.mode {
                Mode::Lmtp => "LHLO c.example\r\n",
                Mode::Submission => "EHLO c.example\r\nAUTH PLAIN AGEAYg==\r\n",
                Mode::Smtp => "EHLO c.example\r\n",
            };
            if setup.slow {
                actions.insert(0, Action::MakeRoom(Some(3_000)));
                actions.insert(1, Action::Say("HELP\r\n".repeat(5), vec![]));
            }
            if greets {
                actions.insert(0, Action::Say(hello.into(), vec![]));
            }
            (setup, actions)
        },
    )
}
