//! Control characters in commands: they reach neither a reply nor the log, and no line is too long
//! to be refused.

use crate::{
    case::Case,
    outcome::{Outcome, Verdict, fail},
    reply::Defect,
    tester::Tester,
};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

pub(super) const CASES: &[Case] = &[
    Case { id: "SEC-INJ-05", run: inj_05 },
    Case { id: "SEC-INJ-06", run: inj_06 },
    Case { id: "SEC-LEN-01", run: len_01 },
    Case { id: "SEC-LEN-02", run: len_02 },
];

/// SEC-INJ-05. What a client sends stands in the log escaped, one line for each event.
fn inj_05(t: &Tester<'_>) -> Outcome {
    let log = t.cooperation().log.as_deref();
    let log = log.ok_or_else(|| Verdict::NotTested("needs the server's log file".into()))?;
    let unread = |error: std::io::Error| Verdict::Error(format!("the log: {error}"));
    let before = std::fs::metadata(log).map_err(unread)?.len();
    let hello = t.hello_verb();
    for line in [
        format!("{hello} \x1b[2J\x07x.example"),
        format!("{hello} x\u{2028}y.example\"%0d%0aFORGED"),
        format!("\x1b]0;FORGED\x07{}", "x".repeat(300)),
    ] {
        let mut s = t.greeted()?;
        s.ask(&line).given("2yz|4yz|5yz|closed")?;
        s.ask("QUIT").ignore();
    }
    t.let_settle();
    let written = read_from(log, before).map_err(unread)?;
    let raw = written.iter().find(|&&b| (b < 0x20 && !matches!(b, b'\n' | b'\t')) || b == 0x7f);
    if let Some(octet) = raw {
        return Err(fail(format!("the octet {octet:02X} stands in the log")).at(t.here()));
    }
    Ok(())
}

fn read_from(log: &Path, place: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(place))?;
    let mut written = Vec::new();
    file.read_to_end(&mut written)?;
    Ok(written)
}

/// SEC-INJ-06. A reply repeats no control character of the command that it answers.
fn inj_06(t: &Tester<'_>) -> Outcome {
    let lines: [&[u8]; 5] = [
        b"X\x1b[2JYZ",
        b"NOOP \0x",
        b"VRFY a\rb",
        b"RCPT TO:<j\x9b2Jrgen@client.example>",
        b"MAIL FROM:<a\x08b\x1b@client.example>",
    ];
    for line in lines {
        let mut s = t.hello()?;
        let answer = s.ask(line);
        for defect in answer.reply().map_or(&[][..], |reply| &reply.defects) {
            let echo =
                [Defect::Control, Defect::Nul, Defect::BareCr, Defect::EightBit].contains(defect);
            if echo {
                return Err(answer.fail(&format!("{defect} in the reply")));
            }
        }
    }
    Ok(())
}

/// SEC-LEN-01. A greeting of 11,000 octets is survived (CVE-2019-16928), and should be refused.
fn len_01(t: &Tester<'_>) -> Outcome {
    let mut taken = None;
    for verb in [t.hello_verb(), "HELO"] {
        let mut s = t.greeted()?;
        let hello = s.ask(format!("{verb} {}", "x".repeat(11_000)));
        hello.must("250|5yz|421|closed")?;
        t.greeted()?.ask("NOOP").must("250")?;
        taken = taken.or(hello.is("250").then_some(hello));
    }
    taken.map_or(Ok(()), |hello| hello.should("5yz|421|closed"))
}

/// SEC-LEN-02. Addresses that a parser could get lost in are survived (CVE-2002-1337,
/// CVE-2003-0161, CVE-2020-28016), and should be refused: brackets, quotes and routes a thousand
/// times over, and two hundred parameters.
fn len_02(t: &Tester<'_>) -> Outcome {
    let mut taken = None;
    for path in [
        "<".repeat(1_000),
        format!("<{}a@client.example>", "(".repeat(1_000)),
        format!("<{}a@client.example>", "<>".repeat(500)),
        format!("<{}a@client.example>", "@a,".repeat(300)),
        format!("<{}@client.example>", "\"\\\"".repeat(300)),
        format!("<a@client.example>{}", " A=b".repeat(200)),
    ] {
        let mail = t.hello()?.ask(format!("MAIL FROM:{path}"));
        mail.must("250|4yz|5yz|closed")?;
        t.greeted()?.ask("NOOP").must("250")?;
        taken = taken.or(mail.is("250").then_some(mail));
    }
    taken.map_or(Ok(()), |mail| mail.should("4yz|5yz|closed"))
}
