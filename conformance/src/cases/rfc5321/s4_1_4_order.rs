//! RFC 5321 §4.1.4 and §3.3: the order of commands; §4.1.1.5 RSET and §4.1.1.10 QUIT.

use crate::{case::Case, outcome::Outcome, tester::Tester};

pub(super) const CASES: &[Case] = &[
    Case { id: "SEQ-01", run: seq_01 },
    Case { id: "SEQ-02", run: seq_02 },
    Case { id: "SEQ-03", run: seq_03 },
    Case { id: "SEQ-04", run: seq_04 },
    Case { id: "SEQ-05", run: seq_05 },
    Case { id: "SEQ-06", run: seq_06 },
    Case { id: "SEQ-07", run: seq_07 },
    Case { id: "SEQ-08", run: seq_08 },
    Case { id: "SEQ-09", run: seq_09 },
    Case { id: "SEQ-10", run: seq_10 },
    Case { id: "SEQ-11", run: seq_11 },
    Case { id: "SEQ-18", run: seq_18 },
    Case { id: "SEQ-19", run: seq_19 },
    Case { id: "SEQ-20", run: seq_20 },
    Case { id: "SEQ-21", run: seq_21 },
    Case { id: "SEQ-22", run: seq_22 },
];

/// SEQ-01. RCPT without MAIL is out of order.
fn seq_01(t: &Tester<'_>) -> Outcome {
    let recipient = t.recipient().unwrap_or("Postmaster");
    let mut s = t.hello()?;
    s.ask(format!("RCPT TO:<{recipient}>")).must("503")
}

/// SEQ-02. DATA without MAIL is out of order.
fn seq_02(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    s.ask("DATA").refused("503|554")
}

/// SEQ-03. DATA without a recipient is refused.
fn seq_03(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    s.ask("MAIL FROM:<a@client.example>").given("250")?;
    s.ask("DATA").refused("503|554")
}

/// SEQ-04. DATA whose recipients were all refused is refused, if not at once then at its end.
fn seq_04(t: &Tester<'_>) -> Outcome {
    let unknown = t.unknown()?;
    let mut s = t.hello()?;
    s.ask("MAIL FROM:<a@client.example>").given("250")?;
    s.ask(format!("RCPT TO:<{unknown}>")).given("4yz|5yz")?;
    let data = s.ask("DATA");
    if data.is("354") {
        s.send(t.message(&["nobody"]).stuffed());
        return s.hear().must("5yz");
    }
    data.refused("503|554")
}

/// SEQ-05. A second MAIL inside a transaction is refused and leaves the first as it was. By §3.3 it
/// resets all state, so that a server may also begin anew; but then no recipient is left.
fn seq_05(t: &Tester<'_>) -> Outcome {
    let recipient = t.recipient()?;
    let mut s = t.hello()?;
    s.ask("MAIL FROM:<a@client.example>").given("250")?;
    s.ask(format!("RCPT TO:<{recipient}>")).given("25z")?;
    let second = s.ask("MAIL FROM:<b@client.example>");
    if second.is("250") {
        if s.ask("DATA").is("354") {
            s.drop_connection();
            return Err(second.fail("taken, and the recipients of the first are kept"));
        }
        return second.should("503");
    }
    second.must("5yz")?;
    s.ask("DATA").must("354")?;
    second.should("503")
}

/// SEQ-06. RSET ends the transaction: the next RCPT is out of order.
fn seq_06(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    let recipient = t.envelope(&mut s)?;
    s.ask("RSET").must("250")?;
    s.ask(format!("RCPT TO:<{recipient}>")).refused("503")
}

/// SEQ-07. RSET is welcome at any time, before EHLO (where §4.1.4 says SHOULD) and twice in a row, and
/// closes nothing.
fn seq_07(t: &Tester<'_>) -> Outcome {
    let mut s = t.greeted()?;
    let before = [s.ask("RSET"), s.ask("RSET")];
    s.hello(t.hello_verb()).must("250")?;
    s.ask("RSET").must("250")?;
    s.ask("RSET").must("250")?;
    s.ask("NOOP").must("250")?;
    before.iter().try_for_each(|answer| answer.should("250"))
}

/// SEQ-08. QUIT is answered with 221, and then the server closes.
fn seq_08(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    let quit = s.ask("QUIT");
    quit.must("221")?;
    if s.closes_within(t.patience()) { Ok(()) } else { Err(quit.fail("still open behind 221")) }
}

/// SEQ-09. QUIT needs no EHLO.
fn seq_09(t: &Tester<'_>) -> Outcome {
    t.greeted()?.ask("QUIT").must("221")
}

/// SEQ-10. One command that is not understood closes no session.
fn seq_10(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    s.ask("XYZZY").must("5yz")?;
    s.ask("NOOP").must("250")
}

/// SEQ-11. A MAIL that is refused for its syntax starts no transaction.
fn seq_11(t: &Tester<'_>) -> Outcome {
    let recipient = t.recipient()?;
    let mut s = t.hello()?;
    s.ask("MAIL FROM:<a@").given("5yz")?;
    let early = s.ask(format!("RCPT TO:<{recipient}>"));
    early.must("5yz")?;
    s.ask("MAIL FROM:<a@client.example>").must("250")?;
    s.ask(format!("RCPT TO:<{recipient}>")).must("25z")?;
    early.should("503")
}

/// SEQ-18. A BDAT that is refused, for its syntax or its place, leaves the session in order.
fn seq_18(t: &Tester<'_>) -> Outcome {
    let (mut s, _) = t.offers("CHUNKING")?;
    t.envelope(&mut s)?;
    let bdat = s.ask("BDAT abc");
    bdat.given("5yz|421")?;
    if bdat.is("421|521") {
        // Where the chunk would end is not known: to say goodbye is as good as to guess.
        return Ok(());
    }
    let data = s.ask("DATA");
    data.must("354|503|554")?;
    if data.is("354") {
        s.send(t.message(&["by DATA after all"]).stuffed());
        s.hear().must("25z|4yz|5yz")?;
    }
    let (mut s, _) = t.offers("CHUNKING")?;
    s.send(b"BDAT 3 LAST\r\nabc");
    s.hear().must("5yz")?;
    s.ask("DATA").must("503|554")?;
    s.ask("NOOP").must("250")
}

/// SEQ-19. VRFY with octets outside ASCII leaves the transaction it stands in alone.
fn seq_19(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    t.envelope(&mut s)?;
    s.ask("VRFY j\u{fc}rgen@example.test").must("25z|5yz")?;
    let data = s.ask("DATA");
    data.must("354|503")?;
    if data.is("354") {
        s.send(t.message(&["behind VRFY"]).stuffed());
        s.hear().must("25z|4yz|5yz")?;
    }
    s.ask("NOOP").must("250")
}

/// SEQ-20. Commands that are no part of a transaction, such as NOOP, VRFY and HELP, leave it as it
/// is, also where they are refused.
fn seq_20(t: &Tester<'_>) -> Outcome {
    let recipient = t.recipient()?;
    let mut s = t.hello()?;
    s.ask("MAIL FROM:<a@client.example>").given("250")?;
    s.ask("NOOP").given("250")?;
    s.ask("VRFY Postmaster").given("2yz|5yz")?;
    s.ask(format!("RCPT TO:<{recipient}>")).must("25z")?;
    s.ask("HELP").given("2yz|5yz")?;
    let data = s.ask("DATA");
    data.must("354")?;
    s.send(t.message(&["all the same"]).stuffed());
    s.hear().must("25z")
}

/// SEQ-21. A recipient that is refused for its syntax leaves the transaction as it is.
fn seq_21(t: &Tester<'_>) -> Outcome {
    let recipient = t.recipient()?;
    let mut s = t.hello()?;
    s.ask("MAIL FROM:<a@client.example>").given("250")?;
    s.ask("RCPT TO:<a@").given("5yz")?;
    s.ask(format!("RCPT TO:<{recipient}>")).must("25z")?;
    let second = s.ask("MAIL FROM:<b@client.example>");
    if second.is("250") {
        // Whether it may be taken is a matter of SEQ-05.
        return second.should("503");
    }
    second.must("5yz")?;
    s.ask("DATA").must("354")?;
    second.should("503")
}

/// SEQ-22. A second MAIL with bad syntax leaves the transaction as it is.
fn seq_22(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    t.envelope(&mut s)?;
    s.ask("MAIL FROM:<@>").given("5yz")?;
    s.ask("DATA").must("354")
}
