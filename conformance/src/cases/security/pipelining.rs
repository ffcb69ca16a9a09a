//! What comes all at once: a message before DATA was answered (RFC 2920 §3.1), and another protocol
//! altogether.

use crate::{case::Case, outcome::Outcome, tester::Tester};

pub(super) const CASES: &[Case] = &[
    Case { id: "SEC-XP-01", run: xp_01 },
    Case { id: "SEC-XP-02", run: xp_02 },
    Case { id: "SEC-PIPE-01", run: pipe_01 },
    Case { id: "SEC-PIPE-02", run: pipe_02 },
];

/// A request that a browser can be made to send, with SMTP in its body.
fn request(body: &str) -> String {
    let head = "POST / HTTP/1.1\r\nHost: mx.example.test\r\nContent-Type: text/plain\r\n\r\n";
    format!("{head}{body}")
}

/// SEC-XP-01. A transaction in the body of an HTTP request that greets nobody comes to nothing.
fn xp_01(t: &Tester<'_>) -> Outcome {
    let recipient = t.recipient().unwrap_or("Postmaster");
    let mut s = t.greeted()?;
    let transaction =
        format!("MAIL FROM:<sender@client.example>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n");
    s.send(request(&transaction));
    loop {
        let answer = s.hear_within(t.pause());
        answer.must_not("354")?;
        if answer.is("closed|silent") {
            return Ok(());
        }
    }
}

/// SEC-XP-02. A server that hears HTTP hangs up: a whole dialogue in the body of a request does not
/// get as far as DATA.
fn xp_02(t: &Tester<'_>) -> Outcome {
    let recipient = t.recipient().unwrap_or("Postmaster");
    let mut s = t.greeted()?;
    let dialogue = format!(
        "{} client.example\r\nMAIL FROM:<sender@client.example>\r\nRCPT TO:<{recipient}>\r\n\
         DATA\r\n",
        t.hello_verb()
    );
    s.send(request(&dialogue));
    loop {
        let answer = s.hear_within(t.pause());
        answer.must_not("354")?;
        if answer.is("closed|silent") {
            return Ok(());
        }
    }
}

/// SEC-PIPE-01. Where a client does not wait for 354, its text is the message or is refused: no
/// line of it is run as a command once DATA was accepted.
fn pipe_01(t: &Tester<'_>) -> Outcome {
    let recipient = t.recipient()?;
    let message = t.message(&["NOOP", "VRFY nobody", "HELP"]);
    let mut s = t.hello()?;
    let commands =
        format!("MAIL FROM:<sender@client.example>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n");
    s.send([commands.as_bytes(), &message.stuffed()].concat());
    s.hear().given("2yz|4yz|5yz|closed")?;
    s.hear().given("2yz|4yz|5yz|closed")?;
    let data = s.hear();
    if !data.is("354") {
        return data.must("4yz|5yz|closed");
    }
    s.hear().must("25z|4yz|5yz|closed")?;
    s.hear_nothing(t.pause()).must("silent|closed")
}

/// SEC-PIPE-02. Lines behind a DATA that was refused are commands, each with its own reply: none of
/// them becomes part of a message.
fn pipe_02(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    s.send("DATA\r\nRSET\r\nNOOP\r\n");
    let data = s.hear();
    data.must("503|554|5yz|421")?;
    let rset = s.hear();
    if rset.is("421|554|closed") {
        return Ok(());
    }
    rset.must("250")?;
    s.hear().must("250")
}
