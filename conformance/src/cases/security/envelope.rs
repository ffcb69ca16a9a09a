//! Addresses and parameters that other programs have run, expanded, or taken for a path.

use super::relay::is_refused;
use crate::{
    case::Case,
    mailbox::contains,
    outcome::{Outcome, Verdict, fail, warn},
    session::Answer,
    tester::Tester,
};
use std::time::{Duration, Instant};

pub(super) const CASES: &[Case] = &[
    Case { id: "SEC-INJ-01", run: inj_01 },
    Case { id: "SEC-INJ-02", run: inj_02 },
    Case { id: "SEC-INJ-03", run: inj_03 },
    Case { id: "SEC-INJ-07", run: inj_07 },
    Case { id: "SEC-INJ-08", run: inj_08 },
    Case { id: "SEC-INJ-09", run: inj_09 },
    Case { id: "SEC-INJ-10", run: inj_10 },
    Case { id: "SEC-INJ-11", run: inj_11 },
];

/// Of the three seconds that an attack sleeps where it works, those that prove it.
const TELLING: Duration = Duration::from_millis(2_500);

/// Says `line` in a session where MAIL was answered once already, so that looking names up is no
/// part of the time; the answer must not take as long as an attack that sleeps.
fn answers_at_once(t: &Tester<'_>, before: &str, line: &str) -> Result<Answer, Verdict> {
    let mut s = t.hello()?;
    s.ask("MAIL FROM:<sender@client.example>").given("250")?;
    s.ask("RSET").given("250")?;
    let began = Instant::now();
    s.ask("MAIL FROM:<sender@client.example>").given("250")?;
    let usual = began.elapsed();
    s.ask(before).given("250")?;
    s.patience = s.patience.max(2 * TELLING);
    let began = Instant::now();
    let answer = s.ask(line);
    if began.elapsed() > usual + TELLING && !answer.is("silent") {
        return Err(answer.fail("the answer took as long as the command in it"));
    }
    Ok(answer)
}

/// SEC-INJ-01. A reverse-path reaches no shell (CVE-2020-7247).
fn inj_01(t: &Tester<'_>) -> Outcome {
    answers_at_once(t, "RSET", "MAIL FROM:<;sleep 3;>")?.must("5yz|closed")
}

/// SEC-INJ-02. Nothing in an address is expanded (CVE-2019-10149).
fn inj_02(t: &Tester<'_>) -> Outcome {
    let domain = t.domain()?;
    let run = "${run{\\x2Fbin\\x2Fsleep\\t3}}";
    for local in [run, "$(sleep$IFS'3')", "`sleep$IFS'3'`", "%n%s"] {
        let rcpt = format!("RCPT TO:<{local}@{domain}>");
        answers_at_once(t, "NOOP", &rcpt)?.must("2yz|4yz|5yz|closed")?;
        let mail = format!("MAIL FROM:<{local}@client.example>");
        answers_at_once(t, "RSET", &mail)?.must("2yz|4yz|5yz|closed")?;
    }
    Ok(())
}

/// SEC-INJ-03. Local parts that look like programs, paths and hidden files are no mailboxes.
fn inj_03(t: &Tester<'_>) -> Outcome {
    let domain = t.domain()?;
    for local in ["|/bin/sh", "../../etc/passwd", "/etc/passwd", ".hidden", "a/b"] {
        is_refused(t, &format!("<{local}@{domain}>"))?;
    }
    Ok(())
}

/// SEC-INJ-07. Line ends that xtext carries stay encoded (CVE-2020-28015, CVE-2020-28021).
fn inj_07(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("DSN")?;
    let recipient = t.recipient()?;
    let message = t.message(&["text"]);
    let mail = "MAIL FROM:<sender@client.example> ENVID=a+0D+0AX-Evil:+20y";
    let mail = s.ask(mail);
    if mail.is("4yz|5yz|closed") {
        return Ok(());
    }
    mail.given("250")?;
    let rcpt = format!("RCPT TO:<{recipient}> ORCPT=rfc822;d+0D+0AX-Evil:+20z");
    let rcpt = s.ask(rcpt);
    if rcpt.is("4yz|5yz|closed") {
        return Ok(());
    }
    s.ask("DATA").given("354")?;
    s.send(message.stuffed());
    s.hear().given("25z")?;
    let stored = t.arrived(recipient, &message.token)?;
    if stored.position("X-Evil").is_some() {
        return Err(fail("the line end in a parameter made a header field").at(t.here()));
    }
    Ok(())
}

/// SEC-INJ-08. A quoted local part holds no CR, LF or NUL, quoted or not.
fn inj_08(t: &Tester<'_>) -> Outcome {
    for octet in [b'\r', b'\n', 0] {
        let mut s = t.hello()?;
        s.send([b"MAIL FROM:<\"a\\", &[octet][..], b"X-Evil: y\"@client.example>\r\n"].concat());
        let mail = s.hear();
        if mail.is("4yz|5yz|closed") {
            continue;
        }
        mail.given("250")?;
        let recipient = t.recipient()?;
        if t.cooperation().mailbox.is_none() {
            return Err(mail.warn("accepted; whether it breaks a line only the mailbox tells"));
        }
        let message = t.message(&["text"]);
        s.ask(format!("RCPT TO:<{recipient}>")).given("25z")?;
        s.ask("DATA").given("354")?;
        s.send(message.stuffed());
        let end = s.hear();
        if end.is("4yz|5yz|closed") {
            continue;
        }
        let stored = t.arrived(recipient, &message.token)?;
        if contains(&stored.octets, b"\nX-Evil") {
            return Err(mail.fail("the control character is a line break in the stored message"));
        }
        if contains(&stored.octets, b"\rX-Evil") {
            let what = "stored with a bare CR, which some readers take for the end of a line";
            return Err(mail.warn(what));
        }
        return Err(mail.warn("a control character in an address is accepted"));
    }
    Ok(())
}

/// SEC-INJ-09. A backslash with nothing behind it ends no session (CVE-2019-15846), and should be
/// refused.
fn inj_09(t: &Tester<'_>) -> Outcome {
    t.greeted()?.ask(format!("{} x\\", t.hello_verb())).must("250|4yz|5yz")?;
    let mut taken = None;
    for path in ["<a\\@client.example>", "<\"a\\>", "<\"a\\\"@client.example>", "<\"\\"] {
        let mail = t.hello()?.ask(format!("MAIL FROM:{path}"));
        mail.must("250|4yz|5yz")?;
        t.greeted()?.ask("NOOP").must("250")?;
        taken = taken.or(mail.is("250").then_some(mail));
    }
    taken.map_or(Ok(()), |mail| mail.should("4yz|5yz"))
}

/// SEC-INJ-10. Quotation marks and comments of SQL in an address are text (CVE-2025-26794,
/// CVE-2025-67896).
fn inj_10(t: &Tester<'_>) -> Outcome {
    let domain = t.domain()?;
    for line in [
        "MAIL FROM:<a'--@client.example>".to_owned(),
        "MAIL FROM:<\"a'; SELECT 1 --\"@client.example>".to_owned(),
        format!("ETRN {domain}'--"),
    ] {
        let answer = t.hello()?.ask(&line);
        answer.must("250|251|252|253|4yz|5yz")?;
        if answer.is("451|554") && line.starts_with("MAIL") {
            return Err(answer.warn("an apostrophe in an address is an error of the server"));
        }
    }
    Ok(())
}

/// SEC-INJ-11. Address literals that are none end no session (CVE-2023-29323, CVE-2023-42117).
fn inj_11(t: &Tester<'_>) -> Outcome {
    for literal in ["[IPv6:fe80::1%lo]", "[IPv6::::]", "[999.1.1.1]", "[]", "[IPv6:", "[1.2.3"] {
        t.greeted()?.ask(format!("{} {literal}", t.hello_verb())).must("250|4yz|5yz")?;
        let mut s = t.hello()?;
        let mail = s.ask(format!("MAIL FROM:<a@{literal}>"));
        mail.must("250|4yz|5yz")?;
        if mail.is("250") && !literal.ends_with(']') {
            return Err(warn(format!("{literal} is taken for an address")).at(t.here()));
        }
    }
    Ok(())
}
