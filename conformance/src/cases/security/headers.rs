//! Header fields that break programs, and greetings that try to become header fields.

use crate::{
    case::Case,
    outcome::{Outcome, fail, graver, warn},
    tester::Tester,
};

pub(super) const CASES: &[Case] =
    &[Case { id: "SEC-INJ-04", run: inj_04 }, Case { id: "SEC-HDR-01", run: hdr_01 }];

/// SEC-INJ-04. A field may have any name (CVE-2026-34752): the server lives on.
fn inj_04(t: &Tester<'_>) -> Outcome {
    let long = "X".repeat(300);
    for name in ["__proto__", "constructor", "toString", "", &long] {
        let mut s = t.hello()?;
        t.envelope(&mut s)?;
        s.ask("DATA").given("354")?;
        let fields = format!("{name}: text\r\n");
        s.send([fields.as_bytes(), &t.message(&["text"]).stuffed()].concat());
        s.hear().must("25z|4yz|5yz")?;
        t.greeted()?.ask("NOOP").must("250")?;
    }
    Ok(())
}

/// SEC-HDR-01. Whatever the client calls itself, the Received field stays one field, and the clauses
/// behind the name are the server's own. It should be possible to tell where they end; but §4.4 also
/// says SHOULD of the name "as presented in the EHLO command".
fn hdr_01(t: &Tester<'_>) -> Outcome {
    t.mailbox()?;
    let recipient = t.recipient()?;
    let long = format!("{}.example", "x".repeat(400));
    let mut outcome = Ok(());
    for name in ["x.example) by evil.example; (", "x.example\tby evil.example", "(((", "a;b", &long]
    {
        let mut s = t.greeted()?;
        let hello = s.ask(format!("{} {name}", t.hello_verb()));
        if hello.is("4yz|5yz|closed") {
            continue;
        }
        hello.given("250")?;
        let message = t.message(&["text"]);
        s.ask("MAIL FROM:<sender@client.example>").given("250")?;
        s.ask(format!("RCPT TO:<{recipient}>")).given("25z")?;
        s.ask("DATA").given("354")?;
        s.send(message.stuffed());
        let end = s.hear();
        if end.is("4yz|5yz|closed") {
            continue;
        }
        let stored = t.arrived(recipient, &message.token)?;
        let fields: Vec<_> = stored.fields("Received").map(|field| field.unfolded()).collect();
        let Some(received) = fields.first() else { continue };
        let (clauses, closed) = outside_comments(received);
        if clauses.replace('\t', " ").contains(" by evil.example") {
            let what = format!("the name is read as clauses in \"{received}\"");
            return Err(fail(what).at(t.here()));
        }
        if !closed || clauses.matches(';').count() != 1 {
            let what = format!("the name hides where clauses end in \"{received}\"");
            outcome = graver(outcome, Err(warn(what).at(t.here())));
        }
    }
    outcome
}

/// A field without its comments, and whether each of their ends has a beginning and the reverse.
fn outside_comments(value: &str) -> (String, bool) {
    let (mut depth, mut closed) = (0_usize, true);
    let mut outside = String::new();
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        match c {
            // The character behind a backslash is only itself.
            '\\' => drop(characters.next()),
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            ')' => closed = false,
            c if depth == 0 => outside.push(c),
            _ => {}
        }
    }
    (outside, closed && depth == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_left_out_and_must_close() {
        assert_eq!(outside_comments("a (b (c\\))) d"), ("a  d".into(), true));
        assert_eq!(outside_comments("a (b"), ("a ".into(), false));
        assert_eq!(outside_comments("a) b (c) d"), ("a b  d".into(), false));
    }
}
