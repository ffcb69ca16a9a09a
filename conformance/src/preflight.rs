//! What is found out in front of a run and behind it: is there a server, is it slow, does it want
//! AUTH, do messages arrive where they are looked for, and is it still there in the end.

use crate::Stop;
use smtp_conformance::{
    mailbox,
    outcome::Verdict,
    session::{Heard, Session},
    tester::{Run, Tester},
    transcript::Transcript,
    wire::{Port, Target, TcpTarget},
};
use std::time::{Duration, Instant};

/// What the first session found out.
pub(crate) struct Greeted {
    pub(crate) greeting: String,
    pub(crate) remarks: Vec<String>,
    pub(crate) patience: Duration,
    /// MAIL is taken only after AUTH or inside TLS, RFC 4954 §6 and RFC 3207 §4.
    pub(crate) wants_auth: bool,
}

/// The least time that the first session is given: a server without DNS asks it in vain.
const FIRST_PATIENCE: Duration = Duration::from_secs(30);

/// Opens a first session, to find out whether there is a server, and how slow it is: on a machine
/// without DNS the first MAIL may take long.
pub(crate) fn greet(target: &TcpTarget, port: Port, patience: Duration) -> Result<Greeted, Stop> {
    let wire =
        target.connect(port).map_err(|e| Stop(format!("cannot connect to {port:?}: {e}")))?;
    let first_patience = patience.max(FIRST_PATIENCE);
    let mut session = Session::new(wire, Transcript::default(), 0, first_patience);
    let greeting = match session.hear().heard() {
        Heard::Reply(reply) => format!("{:03} {}", reply.code, reply.text(0)),
        Heard::Closed => return Err(Stop("the server closed without a greeting".into())),
        Heard::Silent => return Err(Stop("the server was silent; does it speak SMTP?".into())),
    };
    let hello = if port == Port::Lmtp { "LHLO" } else { "EHLO" };
    session.hello(hello).ignore();
    let asked = Instant::now();
    let mail = session.ask("MAIL FROM:<sender@client.example>");
    let took = asked.elapsed();
    session.ask("QUIT").ignore();
    let wants_auth = mail.is("530");
    let mut greeted = Greeted { greeting, remarks: Vec::new(), patience, wants_auth };
    if took > Duration::from_secs(2) {
        greeted.patience = patience.max(2 * took);
        greeted.remarks.push(format!(
            "the first MAIL took {:.1} s (a server without DNS?); replies are waited for {:.0} s",
            took.as_secs_f64(),
            greeted.patience.as_secs_f64()
        ));
    }
    Ok(greeted)
}

/// Sends a first message, if mailboxes were told, and looks for it: with a mailbox in the wrong place
/// every row that looks into it would blame the server.
pub(crate) fn check_mailbox(run: &Run) -> Result<(), Stop> {
    let Some(mailbox) = &run.cooperation.mailbox else { return Ok(()) };
    let tester = Tester::new(run, "FIRST");
    let message = tester.message(&["The first message of a run: does it arrive?"]);
    let sent = || -> Result<Option<&str>, Verdict> {
        let mut session = tester.hello()?;
        let (recipient, answer) = tester.send(&mut session, &message)?;
        session.ask("QUIT").ignore();
        Ok(answer.is("250").then_some(recipient))
    };
    // Why it was refused is found out by the cases.
    let Ok(Some(recipient)) = sent() else { return Ok(()) };
    let found = mailbox::wait_for(mailbox, recipient, &message.token, 1, run.patience);
    let found = found.map_err(|error| Stop(format!("the mailbox of {recipient}: {error}")))?;
    if found.is_empty() {
        return Err(Stop(format!(
            "a message to {recipient} was accepted and is not in its mailbox after {:.0} s: the \
             mailbox is another, or the server loses mail. Without a mailbox the rest can be judged",
            run.patience.as_secs_f64()
        )));
    }
    Ok(())
}

/// Whether the server greets a last session; one that a case brought down has not passed.
pub(crate) fn answers(run: &Run) -> bool {
    let Ok(wire) = run.target.connect(run.port) else { return false };
    let patience = run.patience.max(FIRST_PATIENCE);
    let mut session = Session::new(wire, Transcript::default(), 0, patience);
    let greeted = session.hear().reply().is_some();
    session.ask("QUIT").ignore();
    greeted
}
