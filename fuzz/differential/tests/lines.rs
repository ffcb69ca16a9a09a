//! All the lines of the corpus of commands, and many made from them.

use smtp_differential::{
    CLASSES, Difference, REPLY_CLASSES, Verdict, differences, reply_differences,
};
use std::{fs, path::Path};

/// The lines in the corpora of commands, addresses and parameters.
fn corpus() -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    for folder in ["command", "path", "dsn"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(folder);
        for entry in fs::read_dir(&folder).expect("a corpus") {
            let path = entry.expect("a readable folder").path();
            let data = fs::read(&path).expect("a readable file");
            if folder.ends_with("command") {
                lines.extend(data.get(1..).map(<[u8]>::to_vec));
            } else if folder.ends_with("path") {
                lines.push([b"RCPT TO:", &data[..]].concat());
                lines.push([b"MAIL FROM:", &data[..]].concat());
            } else {
                lines.push([b"RCPT TO:<b@b.example> ", &data[..]].concat());
                lines.push([b"MAIL FROM:<a@a.example> ", &data[..]].concat());
            }
        }
    }
    for line in &mut lines {
        let end = line.windows(2).position(|two| two == b"\r\n").unwrap_or(line.len());
        line.truncate(end);
    }
    lines.sort();
    lines.dedup();
    lines
}

/// Pieces that make a line another one.
const PIECES: &[&str] = &[
    " ",
    "  ",
    "\t",
    "<",
    ">",
    "@",
    ".",
    ",",
    ":",
    ";",
    "=",
    "\"",
    "\\",
    "-",
    "_",
    "[",
    "]",
    "+",
    "*",
    "/",
    "(",
    "a",
    "b.example",
    "x.y",
    "<>",
    "<@r.example:",
    "Postmaster",
    "\u{fc}",
    "\u{3002}",
    "\0",
    "\r",
    "\n",
    "\x7f",
    "0",
    "1",
    "25",
    "256",
    "[192.0.2.1]",
    "[IPv6:2001:db8::1]",
    "[IPv6:",
    "x-tag:y",
    "SIZE=1",
    " SIZE=",
    " BODY=8BITMIME",
    " BODY=7BIT",
    " BODY=BINARYMIME",
    " SMTPUTF8",
    " RET=FULL",
    " RET=HDRS",
    " ENVID=x",
    " AUTH=<>",
    " NOTIFY=NEVER",
    " NOTIFY=SUCCESS,FAILURE",
    ",DELAY",
    " ORCPT=rfc822;b@b.example",
    "+2B",
    "+2b",
    " BY=60;R",
    " BY=-5;NT",
    " HOLDFOR=60",
    " HOLDUNTIL=2030-01-01T00:00:00Z",
    " MT-PRIORITY=3",
    " REQUIRETLS",
    " XYZZY",
    " X-MAIL=1",
    "EHLO ",
    "HELO ",
    "MAIL FROM:",
    "RCPT TO:",
    "DATA",
    "RSET",
    "NOOP",
    "QUIT",
    "VRFY ",
    "EXPN ",
    "HELP ",
    "ETRN ",
    "STARTTLS",
    "AUTH PLAIN ",
    "AUTH LOGIN",
    "AGEAYg==",
    "BDAT 5",
    " LAST",
];

/// Lines made from others, the same in each run.
fn made(from: &[Vec<u8>], many: usize) -> Vec<Vec<u8>> {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below.max(1)
    };
    let mut lines = Vec::new();
    for _ in 0..many {
        let mut line = from[random(from.len())].clone();
        for _ in 0..=random(3) {
            let at = random(line.len() + 1);
            match random(5) {
                0 => drop(line.drain(at..(at + 1 + random(4)).min(line.len()))),
                1 => {
                    let other = &from[random(from.len())];
                    let cut = random(other.len() + 1);
                    line.splice(at.., other[cut..].iter().copied());
                }
                2 if at < line.len() => line[at] ^= 1 << random(7),
                _ => {
                    let piece = PIECES[random(PIECES.len())];
                    line.splice(at..at, piece.bytes());
                }
            }
        }
        lines.push(line);
    }
    lines
}

/// The differences that no class explains.
fn unexplained(lines: &[Vec<u8>]) -> Vec<Difference> {
    let all = lines.iter().flat_map(|line| differences(line));
    all.filter(|difference| !difference.is_of(CLASSES)).collect()
}

#[test]
fn every_difference_about_the_lines_of_the_corpora_is_known() {
    let lines = corpus();
    assert!(lines.len() > 800, "{} lines", lines.len());
    assert_eq!(unexplained(&lines), []);
}

#[test]
fn every_difference_about_lines_made_from_them_is_known() {
    assert_eq!(unexplained(&made(&corpus(), 20_000)), []);
}

#[test]
fn every_difference_about_replies_is_known() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/reply");
    let files = fs::read_dir(&folder).expect("a corpus");
    let paths = files.map(|entry| entry.expect("a readable folder").path());
    // The first octet is not of the reply.
    let wires = paths.filter_map(|path| fs::read(path).ok()?.get(1..).map(<[u8]>::to_vec));
    let mut wires: Vec<Vec<u8>> = wires.collect();
    wires.sort();
    wires.extend(made(&wires, 20_000));
    let all = wires.iter().flat_map(|wire| reply_differences(wire));
    let unknown: Vec<_> = all.filter(|difference| !difference.is_of(REPLY_CLASSES)).collect();
    assert_eq!(unknown, []);
}

#[test]
fn every_class_explains_its_example() {
    let mut silent = Vec::new();
    let commands = CLASSES.iter().map(|class| (class, differences(class.example)));
    let replies = REPLY_CLASSES.iter().map(|class| (class, reply_differences(class.example)));
    for (class, found) in commands.chain(replies) {
        let shows = |peer: &&str| found.iter().any(|it| it.peer == *peer && class.explains(it));
        silent.extend(class.peers.iter().filter(|peer| !shows(peer)).map(|it| (class.name, it)));
    }
    assert_eq!(silent, [], "examples that show no such difference with a peer");
}

#[test]
fn the_page_lists_every_class_and_no_other() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let page = fs::read_to_string(page).expect("the page");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows: Vec<String> = rows
        .map(|row| {
            let cells: Vec<&str> = row.split(" | ").collect();
            format!("{} | {} | {} | {}", cells[0], cells[1], cells[2], cells[3])
        })
        .collect();
    let classes: Vec<String> = CLASSES
        .iter()
        .chain(REPLY_CLASSES)
        .map(|class| {
            let who = match class.verdict {
                Verdict::Ours => "ours",
                Verdict::Theirs => "theirs",
                Verdict::Both => "both",
            };
            let peers = class.peers.join(", ");
            format!("{}` | {peers} | {who} | {}", class.name, class.section)
        })
        .collect();
    assert_eq!(rows, classes);
}
