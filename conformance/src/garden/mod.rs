//! Differential mode: one script for many servers, and who answers otherwise than all others.
//!
//! A row of the catalogue asks what its author thought of; a script asks anything, and the servers
//! judge each other. Whoever [answers alone](cluster::Group::alone) is looked at by a person: it may
//! be the one that is right.

pub mod behaviour;
pub mod cluster;
mod forms;
pub mod generate;
mod kept;
mod play;
pub mod report;
pub mod script;

use crate::{cooperation::Mailbox, tester::Run};
use behaviour::{Behaviour, Detail};
use cluster::{Group, groups};
use script::Script;
use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// A server that takes part.
pub struct Server {
    /// Its name in what is found.
    pub name: String,
    /// How it is spoken to.
    pub run: Run,
}

impl Server {
    /// The word that it shares with others of the same software: they count as one.
    pub fn family(&self) -> &str {
        let software = self.run.cooperation.software.as_deref().unwrap_or(&self.name);
        software.split_whitespace().next().unwrap_or(&self.name)
    }
}

/// How a run is bounded.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long to go on listening behind a reply: more may come.
    pub pause: Duration,
    /// How long one script may take on one server.
    pub script: Duration,
    /// When no further script begins.
    pub all: Duration,
    /// Scripts at once; each is played on every server.
    pub jobs: NonZeroUsize,
}

/// What one script brought to light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its place among the scripts.
    pub script: usize,
    /// Who behaves alike, the largest group first.
    pub groups: Vec<Group>,
    /// Who did not play it, and why.
    pub absent: Vec<(usize, String)>,
}

/// What a run brought to light.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// One for each script that was played.
    pub all: Vec<Finding>,
    /// Scripts that did not begin in time.
    pub left_out: usize,
    /// About the run as a whole.
    pub remarks: Vec<String>,
}

/// What came of a script on a server: its behaviour, or why it was not played.
type Played = Result<Behaviour, String>;

/// Plays `scripts` on all `servers`, looks into their mailboxes, and groups who behaves alike at
/// `detail`. Who answers alone is asked a second time, and does not count if it answers otherwise
/// then. `progress` hears of each script that was played.
///
/// # Errors
/// A mailbox cannot be read.
pub fn run(
    servers: &[Server],
    scripts: &[Script],
    limits: Limits,
    detail: Detail,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Findings, String> {
    let deadline = Instant::now() + limits.all;
    let everybody: Vec<_> =
        (0..scripts.len()).map(|script| (script, (0..servers.len()).collect())).collect();
    let mut played = play_all(servers, scripts, &everybody, limits, deadline, progress, 0);
    let mut findings = Findings { left_out: scripts.len() - played.len(), ..Findings::default() };
    let stored = compares_mailboxes(servers, &mut findings.remarks);
    if stored {
        look_into_mailboxes(servers, &mut played, 0)?;
    }
    findings.all =
        played.iter().map(|(&script, all)| finding(servers, script, all, detail)).collect();
    let alone: Vec<(usize, Vec<usize>)> = findings
        .all
        .iter()
        .map(|one| (one.script, one.alone().flat_map(|group| group.servers.clone()).collect()))
        .filter(|(_, servers): &(usize, Vec<usize>)| !servers.is_empty())
        .collect();
    let late = Instant::now() + limits.all;
    let mut again = play_all(servers, scripts, &alone, limits, late, &|_| {}, 1);
    if stored {
        look_into_mailboxes(servers, &mut again, 1)?;
    }
    for finding in &mut findings.all {
        let second = again.get(&finding.script);
        for group in finding.groups.iter_mut().filter(|group| group.alone) {
            group.steady = group.servers.iter().all(|server| {
                let other = second.and_then(|all| all.get(server)?.as_ref().ok());
                other.is_some_and(|other| other.key(detail) == group.key)
            });
        }
    }
    Ok(findings)
}

impl Finding {
    /// The groups that stand alone, whether they did so twice or not.
    pub fn alone(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter(|group| group.alone)
    }
}

fn finding(
    servers: &[Server],
    script: usize,
    all: &BTreeMap<usize, Played>,
    detail: Detail,
) -> Finding {
    let mut behaved = Vec::new();
    let mut absent = Vec::new();
    for (&server, played) in all {
        match played {
            Ok(behaviour) => behaved.push((server, behaviour.clone())),
            Err(why) => absent.push((server, why.clone())),
        }
    }
    Finding { script, groups: groups(behaved, detail, |server| servers[server].family()), absent }
}

/// Plays each script on its servers, all of them at once, a few scripts at a time.
fn play_all(
    servers: &[Server],
    scripts: &[Script],
    tasks: &[(usize, Vec<usize>)],
    limits: Limits,
    deadline: Instant,
    progress: &(dyn Fn(usize) + Sync),
    turn: u8,
) -> BTreeMap<usize, BTreeMap<usize, Played>> {
    let all = Mutex::new(BTreeMap::new());
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((number, who)) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            if Instant::now() >= deadline {
                return;
            }
            let script = &scripts[*number];
            let played = Mutex::new(BTreeMap::new());
            thread::scope(|scope| {
                for &server in who {
                    let played = &played;
                    scope.spawn(move || {
                        let run = &servers[server].run;
                        let token = kept::token(run.seed, *number, turn);
                        let one = play::play(script, run, &token, limits);
                        played.lock().unwrap_or_else(PoisonError::into_inner).insert(server, one);
                    });
                }
            });
            let played = played.into_inner().unwrap_or_else(PoisonError::into_inner);
            all.lock().unwrap_or_else(PoisonError::into_inner).insert(*number, played);
            progress(*number);
        }
    };
    thread::scope(|scope| {
        for _ in 0..limits.jobs.get().min(tasks.len()) {
            scope.spawn(work);
        }
    });
    all.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Whether mailboxes are compared: only if every server has one, or whoever has none would stand
/// alone.
fn compares_mailboxes(servers: &[Server], remarks: &mut Vec<String>) -> bool {
    let without = servers.iter().filter(|server| server.run.cooperation.mailbox.is_none());
    let without: Vec<_> = without.map(|server| server.name.as_str()).collect();
    if !without.is_empty() && without.len() < servers.len() {
        let names = without.join(", ");
        remarks.push(format!("mailboxes are not compared: none is told of {names}"));
    }
    without.is_empty()
}

/// Adds to each behaviour what was stored.
fn look_into_mailboxes(
    servers: &[Server],
    played: &mut BTreeMap<usize, BTreeMap<usize, Played>>,
    turn: u8,
) -> Result<(), String> {
    let mailboxes: Vec<(&Run, &Mailbox)> = servers
        .iter()
        .filter_map(|server| Some((&server.run, server.run.cooperation.mailbox.as_ref()?)))
        .collect();
    let mut found = thread::scope(|scope| {
        let threads: Vec<_> = mailboxes
            .iter()
            .map(|&(run, mailbox)| scope.spawn(move || kept::settled(run, mailbox)))
            .collect();
        let ended = threads.into_iter().map(|one| {
            one.join().unwrap_or_else(|_| Err("a mailbox could not be looked into".into()))
        });
        ended.collect::<Result<Vec<_>, String>>()
    })?;
    for (&script, all) in played.iter_mut() {
        for (&server, one) in all.iter_mut() {
            let (Ok(behaviour), Some(found)) = (one, found.get_mut(server)) else { continue };
            let token = kept::token(servers[server].run.seed, script, turn);
            behaviour.stored = Some(found.remove(&token).unwrap_or_default());
        }
    }
    Ok(())
}
