//! The garden: servers of a few lines over loopback, one of which does otherwise, and the binary
//! that says who.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};
use tempfile::TempDir;

/// What a server does otherwise than all others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Odd {
    /// Nothing.
    Not,
    /// It takes VRFY for no command, where the others don't say.
    Refuses,
    /// It says more than the others, with the same code.
    Words,
    /// It says nothing.
    Silent,
    /// It closes.
    Closes,
    /// It does not stop replying.
    Endless,
    /// It sends a line without an end.
    NoLineEnd,
    /// It refuses each second time.
    Moody,
    /// It stores each message twice.
    Doubles,
    /// It wants no message.
    NoData,
}

/// A server with a Maildir in `folder` that does otherwise at VRFY; its target file.
fn server(folder: &Path, name: &str, odd: Odd) -> PathBuf {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let maildir = folder.join(format!("{name}-mail"));
    fs::create_dir_all(maildir.join("new")).unwrap();
    let target = folder.join(format!("{name}.toml"));
    let text = format!(
        "address = '{address}'\nrecipients = ['user1@example.test']\nsoftware = '{name} 1.0'\n\
         [mailbox.maildir]\n'user1@example.test' = '{}'\n",
        maildir.display()
    );
    fs::write(&target, text).unwrap();
    thread::spawn(move || {
        let asked: &AtomicUsize = Box::leak(Box::default());
        for stream in listener.incoming().map_while(Result::ok) {
            let new = maildir.join("new");
            thread::spawn(move || serve(stream, odd, asked, &new));
        }
    });
    target
}

fn serve(mut stream: TcpStream, odd: Odd, asked: &AtomicUsize, new: &Path) -> Option<()> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    stream.write_all(b"220 mx.example.test\r\n").ok()?;
    loop {
        let line = lines.next()?.ok()?;
        let reply: &[u8] = match (line.split(' ').next()?, odd) {
            ("VRFY", Odd::Refuses) => b"502 5.5.1 no\r\n",
            ("VRFY", Odd::Words) => b"252 2.0.0 in other words\r\n",
            ("VRFY", Odd::Moody) if asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) => {
                b"502 no\r\n"
            }
            ("VRFY", Odd::Silent) => continue,
            ("VRFY", Odd::Closes) => return None,
            ("VRFY", Odd::Endless) => loop {
                stream.write_all(b"252 2.0.0 once more\r\n").ok()?;
            },
            ("VRFY", Odd::NoLineEnd) => loop {
                stream.write_all(&[b'2'; 4096]).ok()?;
            },
            ("DATA", Odd::NoData) => b"554 5.5.1 no\r\n",
            ("DATA", _) => {
                stream.write_all(b"354 go on\r\n").ok()?;
                let mut message = "Received: from a test\n".to_owned();
                loop {
                    match lines.next()?.ok()? {
                        end if end == "." => break,
                        line => message.push_str(&format!("{line}\n")),
                    }
                }
                for _ in 0..if odd == Odd::Doubles { 2 } else { 1 } {
                    let n = NEXT.fetch_add(1, Ordering::SeqCst);
                    fs::write(new.join(n.to_string()), &message).ok()?;
                }
                b"250 2.0.0 stored\r\n"
            }
            ("VRFY", _) => b"252 2.0.0 maybe\r\n",
            _ => b"250 2.0.0 OK\r\n",
        };
        stream.write_all(reply).ok()?;
    }
}

/// Three servers that agree, and one that does otherwise.
fn four(folder: &Path, odd: Odd) -> Vec<PathBuf> {
    let three = ["one", "two", "three"].map(|name| server(folder, name, Odd::Not));
    [&three[..], &[server(folder, "odd", odd)]].concat()
}

const VRFY: &str = "# a user is asked for\nC: <HELLO>\nC: VRFY user1\nC: NOOP\n";
const MESSAGE: &str = "C: <HELLO>\nC: MAIL FROM:<a@client.example>\nC: RCPT TO:<{recipient}>\n\
                       C: DATA\nC+ Subject: {token}\nC+ \nC+ text of {token}\nC: .\n";

fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("script.smtp");
    fs::write(&path, text).unwrap();
    path
}

fn garden(files: &[PathBuf], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smtp-conformance"));
    command.arg("garden").args(files).args(arguments).output().unwrap()
}

/// What is said of `script` by three servers and an odd one.
fn among_four(odd: Odd, text: &str, arguments: &[&str]) -> String {
    let folder = TempDir::new().unwrap();
    let mut files = four(folder.path(), odd);
    files.push(script(folder.path(), text));
    let output = garden(&files, arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn one_of_four_that_answers_otherwise_is_shown_alone() {
    let text = among_four(Odd::Refuses, VRFY, &[]);
    let shown = "script  a user is asked for\n    1  C: <HELLO>\n    2  C: VRFY user1\n    \
                 3  C: NOOP\n  one, two, three\n      2  252 2.0.0 maybe\n→ alone: odd\n      \
                 2  502 5.5.1 no\n";
    assert!(text.starts_with(shown), "{text}");
    assert!(text.contains("  odd: alone 1, such as script\n"), "{text}");
}

#[test]
fn where_all_agree_nobody_is_alone_and_nothing_is_shown() {
    let text = among_four(Odd::Not, VRFY, &[]);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(among_four(Odd::Not, VRFY, &["--verbose"]).contains("  one, two, three, odd\n"));
}

#[test]
fn other_words_count_only_where_they_are_asked_for() {
    assert!(!among_four(Odd::Words, VRFY, &["--detail", "enhanced"]).contains("alone: odd"));
    assert!(among_four(Odd::Words, VRFY, &["--detail", "text"]).contains("alone: odd"));
}

#[test]
fn who_hangs_closes_or_does_not_stop_is_alone_and_stops_nobody() {
    let all = [
        (Odd::Silent, "2  silent\n"),
        (Odd::Closes, "2  closed\n"),
        (Odd::Endless, "2  endless\n"),
        (Odd::NoLineEnd, "2  silent\n"),
    ];
    thread::scope(|scope| {
        for (odd, sign) in all {
            scope.spawn(move || {
                let text = among_four(odd, VRFY, &["--timeout", "1"]);
                assert!(text.contains(&format!("→ alone: odd\n      {sign}")), "{text}");
            });
        }
    });
}

#[test]
fn what_was_stored_is_compared_and_not_what_the_server_puts_in_front() {
    let text = among_four(Odd::Doubles, MESSAGE, &[]);
    let message = "         stored for recipient 1: <LF><LF>text of {token}\n";
    let shown = format!("one, two, three\n         the same replies\n{message}→ alone: odd\n");
    assert!(text.contains(&shown), "{text}");
    assert_eq!(text.matches(message).count(), 3, "{text}");
    assert!(!among_four(Odd::Not, MESSAGE, &[]).contains("alone: "));
}

#[test]
fn a_message_is_said_only_to_who_asks_for_it() {
    let text = among_four(Odd::NoData, MESSAGE, &[]);
    let shown = "→ alone: odd\n      4  554 5.5.1 no\n         stored nothing\n";
    assert!(text.contains(shown), "{text}");
}

#[test]
fn who_does_otherwise_only_once_is_not_counted() {
    let text = among_four(Odd::Moody, VRFY, &[]);
    assert!(!text.contains("→ alone"), "{text}");
    assert!(text.contains("  odd: alone 0; alone, but not twice 1\n"), "{text}");
}

#[test]
fn who_cannot_be_asked_is_not_compared() {
    let text = among_four(Odd::Not, "C: <HELLO>\nC: RCPT TO:<{foreign}>\n", &["--verbose"]);
    assert!(text.contains("  not asked: odd: needs a foreign recipient\n"), "{text}");
    assert!(text.contains("  odd: alone 0; not asked 1\n"), "{text}");
    let text = among_four(Odd::Not, "C: <HELLO CHUNKING>\nC: BDAT 0\n", &["--verbose"]);
    assert!(text.contains("  not asked: odd: CHUNKING is not offered\n"), "{text}");
}

#[test]
fn when_time_is_up_no_further_script_begins() {
    let folder = TempDir::new().unwrap();
    let scripts = folder.path().join("scripts");
    fs::create_dir(&scripts).unwrap();
    for n in 0..5 {
        fs::write(scripts.join(format!("{n}.smtp")), VRFY).unwrap();
    }
    let mut files = four(folder.path(), Odd::Silent);
    files.push(scripts);
    let output = garden(&files, &["--timeout=0.5", "--time-limit=0.4", "--jobs=1"]);
    let text = stdout(&output);
    assert!(text.contains("\n4 scripts were not played: time was up\n"), "{text}");
}

#[test]
fn json_tells_scripts_groups_and_who_is_alone() {
    let text = among_four(Odd::Refuses, VRFY, &["--json", "-"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    let script = &report["scripts"][0];
    assert_eq!(script["lines"][1], "C: VRFY user1");
    assert_eq!(script["groups"][0]["servers"], serde_json::json!(["one", "two", "three"]));
    let odd = &script["groups"][1];
    assert_eq!((&odd["servers"][0], &odd["alone"]), (&"odd".into(), &true.into()));
    assert_eq!(odd["steps"][0]["signs"], serde_json::json!(["502 5.5.1 no"]));
    assert_eq!(report["servers"][3]["alone"], serde_json::json!(["script"]));
}

#[test]
fn the_same_seed_writes_the_same_scripts_and_a_folder_of_them_is_played() {
    let folder = TempDir::new().unwrap();
    let saved = |name: &str, seed: &str| {
        let path = folder.path().join(name);
        let arguments = ["--generate=30", "--seed", seed, "--save", path.to_str().unwrap()];
        assert_eq!(garden(&[], &arguments).status.code(), Some(0));
        let mut files: Vec<_> = fs::read_dir(&path)
            .unwrap()
            .map(|file| fs::read(file.unwrap().path()).unwrap())
            .collect();
        files.sort();
        files
    };
    assert_eq!(saved("a", "17"), saved("b", "17"));
    assert_ne!(saved("c", "18"), saved("a", "17"));
    let mut files = four(folder.path(), Odd::Not);
    files.push(folder.path().join("a"));
    let played =
        garden(&files, &["--timeout=0.2", "--pause=0.05", "--jobs=8", "--only=g17-3,g17-4"]);
    assert!(stdout(&played).contains("2 scripts on 4 servers"), "{}", stdout(&played));
}

#[test]
fn the_scripts_of_this_project_can_be_read() {
    let folder = TempDir::new().unwrap();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("garden");
    let output = garden(&[scripts], &["--save", folder.path().to_str().unwrap()]);
    assert!(stdout(&output).starts_with("wrote 18 scripts to "), "{}", stderr(&output));
}

#[test]
fn slips_of_the_pen_are_2_and_name_what_is_wrong() {
    let folder = TempDir::new().unwrap();
    let files = four(folder.path(), Odd::Not);
    let good = script(folder.path(), VRFY);
    let with = |more: &[&Path]| {
        let more: Vec<_> = more.iter().map(|path| path.to_path_buf()).collect();
        let output = garden(&[&files[..], &more[..]].concat(), &[]);
        assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
        stderr(&output)
    };
    let bad = folder.path().join("bad.smtp");
    fs::write(&bad, "C: NOOP\nNOOP\n").unwrap();
    assert!(with(&[&bad]).contains("bad.smtp: line 2: "));
    assert!(with(&[]).contains("no script"));
    assert!(with(&[&good, &files[0]]).contains("two target files are named one"));
    assert!(with(&[Path::new("/nonexistent.smtp")]).contains("/nonexistent.smtp"));
    let output = garden(&[files[0].clone(), files[1].clone(), good], &[]);
    assert!(stderr(&output).contains("at least three"), "{}", stderr(&output));
}
