//! What may happen to a client: any order of it.

use crate::client_model::{Command, Place, Setup};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{Index, select},
};

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Give(Command),
    /// A command that makes sense where the client stands.
    GoOn(Index),
    /// The server answers some of what it has heard, in pieces that end there.
    Answer(Vec<Index>, Vec<Index>),
    /// It says this.
    Say(String, Vec<Index>),
    /// So many seconds pass; or as many as there are to the next deadline, or one less.
    Pass(u64),
    PassToDeadline(bool),
    /// The server takes so many octets more, and then none; or whatever comes.
    MakeRoom(Option<usize>),
    /// The server answers some of what it has heard, and closes its side.
    Finish(Vec<Index>),
}

pub(crate) const COMMANDS: &[Command] = &[
    Command::Hello,
    Command::StartTls,
    Command::Auth,
    Command::Respond,
    Command::Cancel,
    Command::Mail,
    Command::Rcpt(1),
    Command::Rcpt(2),
    Command::Data,
    Command::Bdat(30, false),
    Command::Bdat(0, true),
    Command::Body("text\r\n"),
    Command::EndBody,
    Command::Rset,
    Command::Noop,
    Command::Quit,
    Command::Establish,
];

/// What makes sense in a place.
pub(crate) fn fitting(place: Place, challenged: bool) -> &'static [Command] {
    use Command::*;
    match place {
        _ if challenged => &[Respond, Respond, Cancel],
        Place::Fresh => &[Hello],
        Place::Ready => &[
            Mail, Mail, Mail, Mail, Mail, Mail, Mail, Auth, Auth, StartTls, StartTls, Hello, Noop,
            Rset, Quit,
        ],
        Place::Mail => &[Rcpt(1), Rcpt(1), Rcpt(1), Rcpt(1), Rcpt(1), Rset, Noop],
        Place::Envelope => &[
            Rcpt(2),
            Rcpt(3),
            Data,
            Data,
            Data,
            Bdat(30, false),
            Bdat(30, false),
            Bdat(40, true),
            Rset,
            Quit,
        ],
        Place::Dot => &[
            Body("text\r\n"),
            Body(".dot\r\n"),
            Body("no end"),
            Body("."),
            Body("\r"),
            Body("\nx"),
            Body("\r\n.\r\nx"),
            EndBody,
            EndBody,
            EndBody,
            Abort,
        ],
        Place::Chunks => &[Bdat(50, false), Bdat(60, true), Rset],
        Place::LastChunk | Place::Failed => &[Rset, Rset, Quit],
        Place::Handshake => &[Establish, Establish, Establish, Abandon],
        Place::Rejected => &[Quit],
        Place::Start | Place::Waiting | Place::Closed => &[Mail, Noop],
    }
}

/// What may be answered to a command; most of it is yes.
pub(crate) fn answers(awaited: &str) -> &'static [&'static str] {
    match awaited {
        "greeting" => &["220 mx.example\r\n", "220 mx.example\r\n", "554 no\r\n"],
        "EHLO" => EHLO,
        "DATA" => {
            &["354 go\r\n", "354 go\r\n", "354 go\r\n", "354 go\r\n", "451 later\r\n", "250 ok\r\n"]
        }
        "AUTH" => &["334 \r\n", "334 \r\n", "235 yes\r\n", "235 yes\r\n", "535 no\r\n"],
        "STARTTLS" => &["220 go\r\n", "220 go\r\n", "454 later\r\n", "220 go\r\n250 ok\r\n"],
        _ => &[
            "250 ok\r\n",
            "250 ok\r\n",
            "250 ok\r\n",
            "250 ok\r\n",
            "250 ok\r\n",
            "250 ok\r\n",
            "250 ok\r\n",
            "250 ok\r\n",
            "250 ok\r\n",
            "250 ok\r\n",
            "250-two\r\n250 lines\r\n",
            "550 no\r\n",
            "550 no\r\n",
            "450 later\r\n",
            "421 bye\r\n",
        ],
    }
}

const EHLO: &[&str] = &[
    "250-mx.example\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-STARTTLS\r\n250 AUTH LOGIN\r\n",
    "250-mx.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n",
    "250-mx.example\r\n250-CHUNKING\r\n250-STARTTLS\r\n250 AUTH LOGIN\r\n",
    "250-mx.example\r\n250 PIPELINING\r\n",
    "250 mx.example\r\n",
    "502 what?\r\n",
    "550 no\r\n",
];

/// Replies, with how often each comes.
fn reply() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        24 => Just("250 2.0.0 ok\r\n"),
        8 => Just("354 \r\n"),
        3 => Just("250-two\r\n250 lines\r\n"),
        6 => Just("550 5.1.1 no\r\n"),
        3 => Just("450 4.2.1 later\r\n"),
        1 => Just("500 what?\r\n"),
        1 => Just("421 4.3.2 bye\r\n"),
        1 => Just("what?\r\n"),
        1 => Just("250-half"),
        8 => select(EHLO),
    ];
    text.prop_map(str::to_owned)
}

fn action() -> impl Strategy<Value = Action> {
    let cuts = prop_oneof![3 => Just(vec![]), 1 => vec(any::<Index>(), 1..4)];
    prop_oneof![
        40 => any::<Index>().prop_map(Action::GoOn),
        4 => select(COMMANDS).prop_map(Action::Give),
        36 => (vec(any::<Index>(), 1..5), cuts.clone())
            .prop_map(|(which, cuts)| Action::Answer(which, cuts)),
        2 => (vec(reply(), 1..3), cuts).prop_map(|(text, cuts)| Action::Say(text.concat(), cuts)),
        2 => select(vec![1u64, 30, 59, 60, 119, 120, 179, 299, 300, 600]).prop_map(Action::Pass),
        1 => prop::bool::weighted(0.5).prop_map(Action::PassToDeadline),
        10 => option::weighted(0.5, prop_oneof![Just(0), 1..50usize]).prop_map(Action::MakeRoom),
        2 => vec(any::<Index>(), 0..4).prop_map(Action::Finish),
    ]
}

/// A session; most begin with a greeting and an EHLO that is answered.
pub(crate) fn script() -> impl Strategy<Value = (Setup, Vec<Action>)> {
    let setup =
        (any::<[bool; 2]>(), prop::bool::weighted(0.3), prop::bool::weighted(0.8), 1..12usize);
    let setup = setup.prop_map(|([may_helo, normalise], lmtp, may_pipeline, unanswered)| Setup {
        lmtp,
        may_pipeline,
        may_helo,
        normalise,
        unanswered,
    });
    let start = (select(&EHLO[..5]), prop::bool::weighted(0.9));
    (setup, vec(action(), 1..40), start).prop_map(|(setup, actions, (answer, greets))| {
        let mut script = vec![];
        if greets {
            script.push(Action::Say("220 mx.example ESMTP\r\n".into(), vec![]));
            script.push(Action::Give(Command::Hello));
            script.push(Action::Say(answer.into(), vec![]));
        }
        script.extend(actions);
        (setup, script)
    })
}
