//! RFC 5321 §4.1.2 and §4.1.3: the syntax of addresses.

use crate::{
    case::Case,
    outcome::{Outcome, Verdict, graver, inconclusive},
    session::{Answer, Session},
    tester::Tester,
};

pub(super) const CASES: &[Case] = &[
    Case { id: "SYN-07", run: syn_07 },
    Case { id: "SYN-08", run: syn_08 },
    Case { id: "SYN-11", run: syn_11 },
    Case { id: "SYN-12", run: syn_12 },
    Case { id: "SYN-13", run: syn_13 },
    Case { id: "SYN-14", run: syn_14 },
    Case { id: "SYN-15", run: syn_15 },
    Case { id: "SYN-16", run: syn_16 },
    Case { id: "SYN-17", run: syn_17 },
    Case { id: "SYN-18", run: syn_18 },
    Case { id: "SYN-19", run: syn_19 },
    Case { id: "SYN-20", run: syn_20 },
    Case { id: "SYN-23", run: syn_23 },
    Case { id: "SYN-25", run: syn_25 },
    Case { id: "SYN-28", run: syn_28 },
    Case { id: "SYN-29", run: syn_29 },
];

/// The answer to MAIL with `path`, on a connection of its own.
fn mail(t: &Tester<'_>, path: &[u8]) -> Result<Answer, Verdict> {
    Ok(t.hello()?.ask([b"MAIL FROM:", path].concat()))
}

/// Whether an ordinary sender is accepted here; where it is not, a refusal says nothing.
fn mail_works(t: &Tester<'_>) -> Result<Session, Verdict> {
    let mut s = t.hello()?;
    s.ask("MAIL FROM:<sender@client.example>").given("250")?;
    Ok(s)
}

/// A recipient that is accepted, in its two parts, and a session in which MAIL was said.
fn halves<'r>(t: &Tester<'r>) -> Result<(&'r str, &'r str, Session), Verdict> {
    let recipient = t.envelope(&mut t.hello()?)?;
    let (local, domain) = recipient
        .rsplit_once('@')
        .ok_or_else(|| inconclusive(format!("{recipient} has no domain")))?;
    Ok((local, domain, mail_works(t)?))
}

/// SYN-07. The empty reverse-path is accepted.
fn syn_07(t: &Tester<'_>) -> Outcome {
    mail_works(t)?.say("QUIT");
    mail(t, b"<>")?.must("250")
}

/// SYN-08. The empty forward-path is not.
fn syn_08(t: &Tester<'_>) -> Outcome {
    mail_works(t)?.ask("RCPT TO:<>").must("50z|55z")
}

/// SYN-11. An address with two @ is refused; no malformed address is left without a reply.
fn syn_11(t: &Tester<'_>) -> Outcome {
    mail(t, b"<a@b@c.example>")?.must("50z|55z")?;
    for path in [&b"<@>"[..], b"<a@>", b"<@client.example>", b"<a@-x.example>", b"<a"] {
        mail(t, path)?.must("xyz")?;
    }
    Ok(())
}

/// SYN-12. Dots at the ends of a local part, or two in a row, are no syntax.
fn syn_12(t: &Tester<'_>) -> Outcome {
    for path in [&b"<a..b@client.example>"[..], b"<.a@client.example>", b"<a.@client.example>"] {
        mail(t, path)?.must("50z|55z")?;
    }
    Ok(())
}

/// SYN-13. A local part in quotes may have spaces and quoted quotes.
fn syn_13(t: &Tester<'_>) -> Outcome {
    mail_works(t)?.say("QUIT");
    mail(t, br#"<"a b\"c"@client.example>"#)?.must("250")
}

/// SYN-14. A local part in quotes is the same as without.
fn syn_14(t: &Tester<'_>) -> Outcome {
    let (local, domain, mut s) = halves(t)?;
    s.ask(format!("RCPT TO:<\"{local}\"@{domain}>")).must("25z")
}

/// SYN-15. Addresses in brackets, IPv4 and IPv6, are domains; a policy may be against them.
fn syn_15(t: &Tester<'_>) -> Outcome {
    mail_works(t)?.say("QUIT");
    for path in [&b"<a@[192.0.2.1]>"[..], b"<a@[IPv6:2001:db8::1]>"] {
        let answer = mail(t, path)?;
        answer.must("250|45z|55z")?;
        answer.should("250")?;
    }
    Ok(())
}

/// SYN-16. The syntax of source routes is known; a server may decline to go along.
fn syn_16(t: &Tester<'_>) -> Outcome {
    let (local, domain, mut s) = halves(t)?;
    s.ask(format!("RCPT TO:<@relay.example:{local}@{domain}>")).must("25z|45z|55z")
}

/// SYN-17. In reverse-paths as well.
fn syn_17(t: &Tester<'_>) -> Outcome {
    mail_works(t)?.say("QUIT");
    mail(t, b"<@relay.example:a@client.example>")?.must("250|45z|55z")
}

/// SYN-18. Octets of 128 and more are no address where SMTPUTF8 was not asked for.
fn syn_18(t: &Tester<'_>) -> Outcome {
    mail(t, "<jürgen@client.example>".as_bytes())?.must("50z|55z")
}

/// SYN-19. An address with a NUL is refused, in MAIL and in RCPT.
fn syn_19(t: &Tester<'_>) -> Outcome {
    mail(t, b"<a\0b@client.example>")?.must("50z|55z|closed")?;
    let (local, domain, mut s) = halves(t)?;
    s.ask(format!("RCPT TO:<{local}\0@{domain}>")).must("50z|55z|closed")
}

/// SYN-20. Other control characters neither.
fn syn_20(t: &Tester<'_>) -> Outcome {
    for path in
        [&b"<a\x01b@client.example>"[..], b"<a\x7fb@client.example>", b"<a\tb@client.example>"]
    {
        let mail = mail(t, path)?;
        mail.must("5yz")?;
        mail.should("50z|55z")?;
    }
    Ok(())
}

/// SYN-23. A domain means the same in capital letters.
fn syn_23(t: &Tester<'_>) -> Outcome {
    let (local, domain, mut s) = halves(t)?;
    let domain = if domain.bytes().any(|b| b.is_ascii_lowercase()) {
        domain.to_ascii_uppercase()
    } else {
        domain.to_ascii_lowercase()
    };
    s.ask(format!("RCPT TO:<{local}@{domain}>")).must("25z")
}

/// SYN-25. A recipient without a domain, other than postmaster, is refused.
fn syn_25(t: &Tester<'_>) -> Outcome {
    let (local, _, mut s) = halves(t)?;
    s.ask(format!("RCPT TO:<{local}>")).must("45z|50z|55z")
}

/// SYN-28. The same mailbox in quotes with a needless backslash is the same mailbox.
fn syn_28(t: &Tester<'_>) -> Outcome {
    let (local, domain, mut s) = halves(t)?;
    let (first, rest) = local.split_at(local.chars().next().map_or(0, char::len_utf8));
    s.ask(format!("RCPT TO:<\"\\{first}{rest}\"@{domain}>")).must("25z")
}

/// SYN-29. A path has both its brackets, and no name in front of them.
fn syn_29(t: &Tester<'_>) -> Outcome {
    mail_works(t)?;
    let mut outcome = Ok(());
    for path in ["<a@client.example", "A <a@client.example>"] {
        outcome = graver(outcome, mail(t, path.as_bytes())?.refused("501|553|555"));
    }
    outcome
}
