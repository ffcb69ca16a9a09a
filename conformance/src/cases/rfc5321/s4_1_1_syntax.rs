//! RFC 5321 §4.1.1 and §2.4: the syntax of commands.

use crate::{
    case::Case,
    outcome::{Outcome, Verdict},
    session::{Answer, Session},
    tester::Tester,
};

pub(super) const CASES: &[Case] = &[
    Case { id: "SYN-01", run: syn_01 },
    Case { id: "SYN-02", run: syn_02 },
    Case { id: "SYN-03", run: syn_03 },
    Case { id: "SYN-04", run: syn_04 },
    Case { id: "SYN-05", run: syn_05 },
    Case { id: "SYN-06", run: syn_06 },
    Case { id: "SYN-09", run: syn_09 },
    Case { id: "SYN-10", run: syn_10 },
    Case { id: "SYN-21", run: syn_21 },
    Case { id: "SYN-22", run: syn_22 },
    Case { id: "SYN-24", run: syn_24 },
    Case { id: "SYN-26", run: syn_26 },
    Case { id: "SYN-27", run: syn_27 },
    Case { id: "MISC-01", run: misc_01 },
    Case { id: "MISC-02", run: misc_02 },
    Case { id: "MISC-03", run: misc_03 },
    Case { id: "MISC-04", run: misc_04 },
];

/// Says one command to a server that was greeted; a connection of its own for each.
fn alone(t: &Tester<'_>, command: &str) -> Result<(Session, Answer), Verdict> {
    let mut s = t.hello()?;
    let answer = s.ask(command);
    Ok((s, answer))
}

/// The recipient that was told, or the one that each server has.
fn somebody<'r>(t: &Tester<'r>) -> &'r str {
    t.recipient().unwrap_or("postmaster")
}

/// A session in which MAIL was accepted.
fn with_mail(t: &Tester<'_>) -> Result<Session, Verdict> {
    let mut s = t.hello()?;
    s.ask("MAIL FROM:<sender@client.example>").given("250")?;
    Ok(s)
}

/// SYN-01. Commands in small letters mean the same.
fn syn_01(t: &Tester<'_>) -> Outcome {
    let (mut s, mail) = alone(t, "mail from:<sender@client.example>")?;
    with_mail(t)?.say("QUIT");
    mail.must("250")?;
    let recipient = t.recipient()?;
    s.ask(format!("rcpt to:<{recipient}>")).must("25z")
}

/// SYN-02. White space at the end of a command is tolerated.
fn syn_02(t: &Tester<'_>) -> Outcome {
    alone(t, "NOOP  ")?.1.must("250")?;
    alone(t, "RSET ")?.1.must("250")?;
    with_mail(t)?.say("QUIT");
    alone(t, "MAIL FROM:<sender@client.example> ")?.1.must("250")
}

/// SYN-03. An unknown command is answered with 500.
fn syn_03(t: &Tester<'_>) -> Outcome {
    alone(t, "XYZZY")?.1.must("500")
}

/// SYN-04. MAIL without a path, or with something else in its place, begins no transaction.
fn syn_04(t: &Tester<'_>) -> Outcome {
    for command in ["MAIL", "MAIL FROM sender@client.example"] {
        let (mut s, answer) = alone(t, command)?;
        answer.must("50z|55z")?;
        s.ask(format!("RCPT TO:<{}>", somebody(t))).must("4yz|5yz")?;
    }
    // The path is there: a server that takes it misunderstands nobody.
    alone(t, "MAIL TO:<sender@client.example>")?.1.should("50z|55z")
}

/// SYN-05. A space behind the colon of MAIL FROM: is no syntax: 501, or 250 where the server
/// forgives.
fn syn_05(t: &Tester<'_>) -> Outcome {
    alone(t, "MAIL FROM: <sender@client.example>")?.1.must("250|501|50z|55z")
}

/// SYN-06. A path without its angle brackets: the same.
fn syn_06(t: &Tester<'_>) -> Outcome {
    alone(t, "MAIL FROM:sender@client.example")?.1.must("250|501|50z|55z")
}

/// SYN-09. A parameter of MAIL that nobody offered is refused, and begins no transaction.
fn syn_09(t: &Tester<'_>) -> Outcome {
    let (mut s, answer) = alone(t, "MAIL FROM:<sender@client.example> FOO=bar")?;
    answer.must("555|501|504")?;
    s.ask(format!("RCPT TO:<{}>", somebody(t))).must("4yz|5yz")
}

/// SYN-10. A parameter of RCPT that nobody offered is refused, and no recipient is added.
fn syn_10(t: &Tester<'_>) -> Outcome {
    let recipient = t.recipient()?;
    let mut s = with_mail(t)?;
    s.ask(format!("RCPT TO:<{recipient}> FOO=bar")).must("555|501|504")?;
    s.ask("DATA").must("4yz|5yz")
}

/// SYN-21. DATA, RSET and QUIT take no arguments.
fn syn_21(t: &Tester<'_>) -> Outcome {
    alone(t, "RSET foo")?.1.must("50z")?;
    alone(t, "QUIT foo")?.1.must("50z")?;
    let mut s = t.hello()?;
    t.envelope(&mut s)?;
    s.ask("DATA foo").must("50z")
}

/// SYN-22. What follows NOOP is ignored.
fn syn_22(t: &Tester<'_>) -> Outcome {
    alone(t, "NOOP anything at all")?.1.must("250")
}

/// SYN-24. Parameters are separated from the path by a space; what follows it directly is not lost.
fn syn_24(t: &Tester<'_>) -> Outcome {
    with_mail(t)?.say("QUIT");
    let accepted = alone(t, "MAIL FROM:<sender@client.example>SIZE=10")?.1;
    if accepted.is("50z|55z") {
        return Ok(());
    }
    accepted.must("250")?;
    // One that nobody knows is refused where it is read as a parameter, and accepted where it is lost.
    let unspaced = alone(t, "MAIL FROM:<sender@client.example>XYZZY=1")?.1;
    let spaced = alone(t, "MAIL FROM:<sender@client.example> XYZZY=1")?.1;
    if unspaced.is("250") && spaced.is("5yz") {
        return Err(unspaced.fail("what stands behind the path is lost"));
    }
    accepted.should("50z|55z")
}

/// SYN-26. An empty line is refused or ignored, and the session goes on.
fn syn_26(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    s.say("");
    s.hear_within(t.pause()).must("5yz|silent")?;
    let next = s.ask("NOOP");
    if next.is("50z") { s.hear().must("250") } else { next.must("250") }
}

/// SYN-27. Spaces in front of a command do not make it another one: it is refused, or taken for
/// what it is; never read as a line of something else.
fn syn_27(t: &Tester<'_>) -> Outcome {
    let (mut s, answer) = alone(t, " NOOP")?;
    answer.must("250|50z|55z")?;
    s.ask("NOOP").must("250")
}

/// MISC-01. SEND, SOML and SAML are refused where they are not offered.
fn misc_01(t: &Tester<'_>) -> Outcome {
    for verb in ["SEND", "SOML", "SAML"] {
        let (s, answer) = alone(t, &format!("{verb} FROM:<sender@client.example>"))?;
        if s.extension(verb).is_none() {
            answer.must("50z|53z|55z")?;
        }
    }
    Ok(())
}

/// MISC-02. A stranger cannot turn the connection around and fetch mail by TURN.
fn misc_02(t: &Tester<'_>) -> Outcome {
    alone(t, "TURN")?.1.must("50z|53z|55z")
}

/// MISC-03. A verb with something behind it is another verb, and unknown.
fn misc_03(t: &Tester<'_>) -> Outcome {
    alone(t, "NOOPX")?.1.must("50z")?;
    alone(t, "MAILFROM:<sender@client.example>")?.1.must("50z")?;
    t.greeted()?.ask(format!("{}\tclient.example", t.hello_verb())).must("50z")
}

/// MISC-04. A private command that the server does not know is answered with 500.
fn misc_04(t: &Tester<'_>) -> Outcome {
    alone(t, "X-NO-SUCH-COMMAND now")?.1.must("500")
}
