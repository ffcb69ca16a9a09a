//! One script on one server.

use super::{
    Limits, Played,
    behaviour::{Behaviour, Moment, Sign},
    script::{Script, Step},
};
use crate::{
    outcome::Verdict,
    session::{Heard, Session},
    tester::{Run, Tester},
    transcript::visible,
};
use std::time::{Duration, Instant};

/// Replies to one step; a server that has more to say is endless.
const MOST_REPLIES: usize = 50;

/// Plays `script`; `token` stands in its messages. The connection is dropped at the end.
///
/// # Errors
/// Why it was not played: there is no connection, no session that may say MAIL, or something that
/// the script speaks of was not told.
pub(super) fn play(script: &Script, run: &Run, token: &str, limits: Limits) -> Played {
    let tester = Tester::new(run, "garden");
    // First, so that no script is played in part.
    let steps = script.steps.iter().map(|step| match step {
        Step::Write(octets) => fill(octets, &tester, token).map(Step::Write),
        other => Ok(other.clone()),
    });
    let steps = steps.collect::<Result<Vec<_>, String>>()?;
    let deadline = Instant::now() + limits.script;
    let mut play =
        Play { tester: &tester, token, limits, deadline, behaviour: Behaviour::default() };
    let (mut session, mut going) = match steps.first() {
        Some(Step::Hello(keywords)) => (hello(&tester, keywords)?, true),
        _ => {
            let mut session = tester.connect().map_err(|verdict| reason(&verdict))?;
            let going = play.hear(&mut session, 0);
            (session, going)
        }
    };
    let mut refused = false;
    for (n, step) in steps.iter().enumerate() {
        if !going || Instant::now() >= deadline {
            break;
        }
        // A message is for who wants it: as commands its lines would be answered one by one.
        if std::mem::take(&mut refused) && matches!(step, Step::Write(_)) {
            continue;
        }
        let waits = matches!(steps.get(n + 1), Some(Step::Wait(_)));
        going = play.step(&mut session, n + 1, step, waits);
        refused = asks_for_message(step) && !waits && !play.may_send();
    }
    Ok(play.behaviour)
}

/// A session that may say MAIL, with a server that offers all of `keywords`.
fn hello(tester: &Tester<'_>, keywords: &[String]) -> Result<Session, String> {
    let session = tester.hello().map_err(|verdict| reason(&verdict))?;
    match keywords.iter().find(|keyword| session.extension(keyword).is_none()) {
        Some(keyword) => Err(format!("{keyword} is not offered")),
        None => Ok(session),
    }
}

struct Play<'a> {
    tester: &'a Tester<'a>,
    token: &'a str,
    limits: Limits,
    deadline: Instant,
    behaviour: Behaviour,
}

impl Play<'_> {
    /// Does one step; whether there can be another.
    fn step(&mut self, session: &mut Session, number: usize, step: &Step, waits: bool) -> bool {
        match step {
            Step::Hello(_) => true,
            Step::Write(octets) => {
                session.send(octets);
                waits || self.hear(session, number)
            }
            Step::Wait(time) => {
                std::thread::sleep((*time).min(self.left()));
                true
            }
            Step::Finish => {
                session.finish();
                self.hear(session, number)
            }
            Step::Tls => {
                let begun = session.start_tls(self.tester.tls()).is_ok();
                let sign = if begun { Sign::Tls } else { Sign::NoTls };
                self.behaviour.moments.push(Moment { step: number, signs: vec![sign] });
                true
            }
        }
    }

    /// Whether the last reply was 354, or another that asks for more.
    fn may_send(&self) -> bool {
        let last = self.behaviour.moments.last().and_then(|moment| moment.signs.last());
        matches!(last, Some(Sign::Reply { code: 300..400, .. }))
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Hears what the server has to say to a step; whether more can be said to it.
    fn hear(&mut self, session: &mut Session, step: usize) -> bool {
        let mut signs = Vec::new();
        let mut going = true;
        loop {
            let patience =
                if signs.is_empty() { self.tester.patience() } else { self.limits.pause };
            match session.hear_within(patience.min(self.left())).heard() {
                Heard::Reply(reply) if signs.len() < MOST_REPLIES => {
                    signs.push(Sign::of(reply, self.token));
                    continue;
                }
                Heard::Reply(_) => {
                    session.drop_connection();
                    // How many there were by then is chance.
                    signs = vec![Sign::Endless];
                    going = false;
                }
                Heard::Closed => {
                    signs.push(Sign::Closed);
                    going = false;
                }
                Heard::Silent if signs.is_empty() => signs.push(Sign::Silent),
                Heard::Silent => {}
            }
            break;
        }
        self.behaviour.moments.push(Moment { step, signs });
        going
    }
}

/// Whether the last line of what is said is DATA.
fn asks_for_message(step: &Step) -> bool {
    let Step::Write(octets) = step else { return false };
    let start = octets.len().saturating_sub(b"DATA\r\n".len());
    let last = octets.split_at(start);
    last.1.eq_ignore_ascii_case(b"DATA\r\n") && (last.0.is_empty() || last.0.ends_with(b"\n"))
}

/// Puts in what stands for something that the target tells.
fn fill(octets: &[u8], tester: &Tester<'_>, token: &str) -> Result<Vec<u8>, String> {
    let mut filled = Vec::with_capacity(octets.len());
    let mut rest = octets;
    while let Some((before, name, behind)) = super::script::placeholder(rest) {
        filled.extend_from_slice(before);
        let word = match name {
            "recipient" => tester.recipient(),
            "local" => {
                tester.recipient().map(|all| all.rsplit_once('@').map_or(all, |(local, _)| local))
            }
            "other" => tester.recipients(2).map(|all| all[1].as_str()),
            "unknown" => tester.unknown(),
            "foreign" => tester.foreign(),
            "domain" => tester.domain(),
            "hello" => Ok(tester.hello_verb()),
            _ => Ok(token),
        };
        filled.extend_from_slice(word.map_err(|verdict| reason(&verdict))?.as_bytes());
        rest = behind;
    }
    filled.extend_from_slice(rest);
    Ok(filled)
}

fn reason(verdict: &Verdict) -> String {
    // It may quote the server.
    visible(verdict.reason().as_bytes())
}
