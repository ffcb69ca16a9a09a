//! Too much of everything. These cases run only where the operator asks for them.

use crate::{
    case::Case,
    outcome::{Outcome, fail},
    session::Answer,
    tester::Tester,
};
use std::time::{Duration, Instant};

pub(super) const CASES: &[Case] = &[
    Case { id: "SEC-DOS-01", run: dos_01 },
    Case { id: "SEC-DOS-02", run: dos_02 },
    Case { id: "SEC-DOS-03", run: dos_03 },
    Case { id: "SEC-DOS-04", run: dos_04 },
    Case { id: "SEC-DOS-05", run: dos_05 },
    Case { id: "SEC-DOS-06", run: dos_06 },
    Case { id: "SEC-DOS-07", run: dos_07 },
    Case { id: "SEC-DOS-08", run: dos_08 },
];

/// The most that the server's memory may grow, in KiB: far less than what is sent, and more than an
/// allocator keeps for the next session.
const MOST_GROWTH: u64 = 8 << 10;

/// The resident memory of the server in KiB, if its process was told and the system tells.
fn resident(t: &Tester<'_>) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", t.cooperation().pid?)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// The server's memory has grown little since `before`, as far as that can be seen.
fn has_not_grown(t: &Tester<'_>, before: Option<u64>) -> Outcome {
    match (before, resident(t)) {
        (Some(before), Some(now)) if now > before + MOST_GROWTH => {
            Err(fail(format!("the server grew from {before} KiB to {now} KiB")).at(t.here()))
        }
        _ => Ok(()),
    }
}

/// The server serves the next client.
fn lives(t: &Tester<'_>) -> Outcome {
    let next: Result<Answer, _> = t.greeted().map(|mut s| s.ask("NOOP"));
    match next {
        Ok(answer) => answer.must("250"),
        Err(_) => Err(fail("the next client is not greeted").at(t.here())),
    }
}

/// The server serves the next client as soon as it has seen that those before are gone.
fn lives_again(t: &Tester<'_>) -> Outcome {
    let deadline = Instant::now() + t.patience().max(Duration::from_secs(5));
    loop {
        match lives(t) {
            Err(_) if Instant::now() < deadline => std::thread::sleep(t.pause()),
            outcome => return outcome,
        }
    }
}

/// SEC-DOS-01. A client that sends only nonsense is dropped before its hundredth command.
fn dos_01(t: &Tester<'_>) -> Outcome {
    let mut s = t.hello()?;
    for _ in 0..100 {
        let answer = s.ask("XYZZY");
        if answer.is("421|521|closed") {
            return Ok(());
        }
        answer.must("5yz")?;
    }
    Err(fail("100 unknown commands are answered, and the session goes on").at(t.here()))
}

/// SEC-DOS-02. A line without an end is not kept: it is refused, and the memory stays small.
fn dos_02(t: &Tester<'_>) -> Outcome {
    let before = resident(t);
    let mut s = t.hello()?;
    let sent = s.send_much(&vec![b'x'; 50 << 20], "no line end");
    has_not_grown(t, before)?;
    if sent {
        s.send(b"\r\n");
    }
    s.hear().must("500|4yz|5yz|closed")?;
    lives(t)
}

/// SEC-DOS-03. A header line of 900 KB and a header section of 20,000 lines are taken or refused.
fn dos_03(t: &Tester<'_>) -> Outcome {
    let long = format!("X-Long: {}\r\n", "x".repeat(900_000));
    for (fields, what) in [(long, "a long field"), ("X-Many: y\r\n".repeat(20_000), "many fields")]
    {
        let mut s = t.hello()?;
        t.envelope(&mut s)?;
        s.ask("DATA").given("354")?;
        s.send_much(fields.as_bytes(), what);
        s.send(t.message(&["text"]).stuffed());
        s.hear().must("25z|4yz|5yz|closed")?;
        lives(t)?;
    }
    Ok(())
}

/// SEC-DOS-04. Three thousand chunks of one octet cost little, each with its reply.
fn dos_04(t: &Tester<'_>) -> Outcome {
    let before = resident(t);
    let (mut s, _) = t.offers("CHUNKING")?;
    t.envelope(&mut s)?;
    for _ in 0..30 {
        s.send_much(&b"BDAT 1\r\nx".repeat(100), "100 chunks of one octet");
        for _ in 0..100 {
            let chunk = s.hear();
            if chunk.is("4yz|5yz|closed") {
                return lives(t);
            }
            chunk.must("250")?;
        }
    }
    has_not_grown(t, before)?;
    s.drop_connection();
    lives(t)
}

/// SEC-DOS-05. Fifty clients that say nothing keep nobody else out.
fn dos_05(t: &Tester<'_>) -> Outcome {
    let mut idle = Vec::new();
    for _ in 0..50 {
        match t.connect() {
            Ok(session) => idle.push(session),
            // A limit for each address is as good.
            Err(_) => break,
        }
    }
    let mut s = t.connect()?;
    s.hear().must("220|421|4yz|closed")?;
    drop((idle, s));
    lives_again(t)
}

/// SEC-DOS-06. A client that does not read its replies costs the server no memory, and nobody else
/// anything.
fn dos_06(t: &Tester<'_>) -> Outcome {
    let before = resident(t);
    let mut s = t.hello()?;
    let began = Instant::now();
    let batch = b"NOOP\r\n".repeat(50_000);
    // A server that stops reading us does the right thing: no need to wait for long.
    for _ in 0..100 {
        let sent = s.send_much(&batch, "commands whose replies are not read");
        has_not_grown(t, before)?;
        if !sent || began.elapsed() > Duration::from_secs(10) {
            break;
        }
    }
    s.drop_connection();
    lives(t)
}

/// SEC-DOS-07. A command, a message and a handshake each have a time as a whole: an octet now and
/// then does not keep the session for ever.
fn dos_07(t: &Tester<'_>) -> Outcome {
    // A ClientHello of 508 octets, and what it begins with.
    const HELLO: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];
    let mut command = t.hello()?;
    command.send("NOOP ");
    let mut message = t.hello()?;
    t.envelope(&mut message)?;
    message.ask("DATA").given("354")?;
    message.send("Subject: an octet now and then\r\n\r\n");
    let mut places = vec![("a command", command), ("a message", message)];
    if let Ok((mut handshake, _)) = t.offers("STARTTLS") {
        handshake.ask("STARTTLS").given("220")?;
        handshake.send(HELLO);
        places.push(("a handshake", handshake));
    }
    let began = Instant::now();
    // A command may take five minutes (RFC 5321 §4.5.3.2.7), the end of a message ten (§4.5.3.2.6).
    while !places.is_empty() && began.elapsed() < 11 * t.minute() {
        let next = Instant::now() + t.minute() / 6;
        places.retain_mut(|(_, s)| s.trickle(b'x'));
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    if places.is_empty() {
        return Ok(());
    }
    let held: Vec<_> = places.iter().map(|(what, _)| *what).collect();
    let what = format!("one octet every ten seconds holds {} for ever", held.join(" and "));
    Err(fail(what).at(t.here()))
}

/// SEC-DOS-08. A message that is four times as hard to read takes about four times as long, not
/// sixteen: empty addresses, open
/// brackets.
fn dos_08(t: &Tester<'_>) -> Outcome {
    for piece in ["To: ,,,,,,,,,,,,,,,,,,,,\r\n ", "X: <<<<<<<<\"\\((((((((\r\n "] {
        let (small, large) = (reads(t, piece, 4_000)?, reads(t, piece, 16_000)?);
        // Below a second the clock says nothing.
        if large > Duration::from_secs(1) && large > small * 8 {
            let what = format!("{small:?} for a message, {large:?} for one four times as long");
            return Err(fail(what).at(t.here()));
        }
    }
    lives(t)
}

/// How long the server takes for a message whose header section has `piece` so many times.
fn reads(t: &Tester<'_>, piece: &str, times: usize) -> Result<Duration, crate::outcome::Verdict> {
    let mut s = t.hello()?;
    t.envelope(&mut s)?;
    s.ask("DATA").given("354")?;
    let fields = format!("{}x\r\n", piece.repeat(times));
    s.send_much(fields.as_bytes(), "a field that is hard to read");
    s.send(t.message(&["text"]).stuffed());
    let began = Instant::now();
    s.hear().must("25z|4yz|5yz|closed")?;
    Ok(began.elapsed())
}
