//! `smtp-conformance client` as its users see it. The client is this test program itself, run with
//! another argument.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use smtp_conformance::{
    report::{Document, Status, json},
    requirement::Half,
};
use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Output},
    thread,
    time::Duration,
};

/// What tells this program to be a client: the server's address.
const SERVER: &str = "CLIENT_COMMAND_SERVER";

/// A client of a few lines, not a test: sends the file on its standard input, ends with 75 for what
/// may be tried again and 69 for what may not. Pipelines always, and so is at fault.
#[test]
fn the_client() {
    let Ok(server) = env::var(SERVER) else { return };
    let to: Vec<String> =
        env::var("CLIENT_COMMAND_TO").unwrap().split(',').map(String::from).collect();
    std::process::exit(send(&server, &to).unwrap_or(75));
}

fn send(server: &str, to: &[String]) -> Option<i32> {
    let mut stream = TcpStream::connect(server).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let mut hear = || loop {
        let line = lines.next()?.ok()?;
        if line.as_bytes().get(3) != Some(&b'-') {
            return line.get(..1)?.parse::<i32>().ok();
        }
    };
    let status = |class: i32| if class == 4 { 75 } else { 69 };
    let mut group = vec!["MAIL FROM:<sender@client.example>".to_owned()];
    group.extend(to.iter().map(|one| format!("RCPT TO:<{one}>")));
    let greeting = hear()?;
    if greeting != 2 {
        return Some(status(greeting));
    }
    stream.write_all(b"EHLO client.example\r\n").ok()?;
    hear()?;
    stream.write_all((group.join("\r\n") + "\r\nDATA\r\n").as_bytes()).ok()?;
    for _ in &group {
        hear()?;
    }
    let data = hear()?;
    if data != 3 {
        return Some(status(data));
    }
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let dot = if line.starts_with('.') { "." } else { "" };
        stream.write_all(format!("{dot}{line}\r\n").as_bytes()).ok()?;
    }
    stream.write_all(b".\r\n").ok()?;
    let end = hear()?;
    stream.write_all(b"QUIT\r\n").ok()?;
    hear()?;
    Some(if end == 2 { 0 } else { status(end) })
}

/// A folder for one test.
fn folder(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("client-command-{}-{name}", std::process::id()));
    fs::create_dir_all(&path).unwrap();
    path
}

/// The sender file of [`the_client`].
fn sender(name: &str, more: &str) -> PathBuf {
    let path = folder(name).join("sender.toml");
    let own = env::current_exe().unwrap();
    let text = format!(
        "name = 'a small client'\n{more}\n\
         env = {{ {SERVER} = '{{addr}}', CLIENT_COMMAND_TO = '{{recipients}}' }}\n\
         [commands]\nplain = ['{}', '--exact', 'the_client', '--nocapture']\n",
        own.display()
    );
    fs::write(&path, text).unwrap();
    path
}

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smtp-conformance"));
    command.args(arguments).env_remove("NO_COLOR").output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Judges [`the_client`] by these rows; the report.
fn judged(name: &str, more: &str, rows: &str) -> (Document, i32) {
    let file = sender(name, more);
    let output =
        run(&["client", "--sender", file.to_str().unwrap(), "--only", rows, "--json", "-"]);
    let document = json::read(&stdout(&output)).unwrap();
    (document, code(&output))
}

fn verdicts(document: &Document) -> Vec<(&str, Status)> {
    document.results.iter().map(|row| (row.id.as_str(), row.verdict)).collect()
}

#[test]
fn a_failure_is_red_and_its_dialogue_is_told() {
    let (document, code) = judged("red", "", "C-01,C-09,C-13");
    let seen = verdicts(&document);
    assert_eq!(seen, [("C-01", Status::Pass), ("C-09", Status::Fail), ("C-13", Status::Pass)]);
    assert_eq!((code, document.subject.half), (1, Half::Client));
    assert_eq!(document.subject.server, "a small client");
    let row = &document.results[1];
    let place = row.place.unwrap();
    let line = row.sessions[place.session][place.line].to_string();
    assert_eq!(line, "C: RCPT TO:<rcpt1@example.test>");
    let last = row.sessions[0].last().unwrap().to_string();
    assert!(last.contains("status 0") || last.contains("it said"), "{last}");
}

#[test]
fn classes_of_failures_are_told_apart_only_if_the_statuses_say_so() {
    let told = "exit_temporary = [69]\nexit_permanent = [75]";
    let (document, _) = judged("wrong-way-round", told, "C-13");
    assert_eq!(verdicts(&document), [("C-13", Status::Fail)]);
    let (document, _) = judged("not-told", "", "C-13");
    assert_eq!(verdicts(&document), [("C-13", Status::Pass)]);
}

#[test]
fn the_status_of_a_client_that_queues_says_nothing() {
    let (document, code) = judged("queues", "queues = true\nagain = 1", "C-01,C-13");
    let seen = verdicts(&document);
    assert_eq!(seen, [("C-01", Status::Pass), ("C-13", Status::Inconclusive)]);
    assert_eq!(code, 0);
}

#[test]
fn a_client_with_a_server_in_its_configuration_is_judged_there() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let more = format!("listen = '{address}'");
    let (document, _) = judged("fixed", &more, "C-01,C-02,C-13");
    assert_eq!(document.results[0].verdict, Status::Pass, "{document:?}");
    assert_eq!(document.results[2].verdict, Status::Pass, "{document:?}");
}

#[test]
fn what_the_client_cannot_be_told_is_not_tested() {
    let (document, code) = judged("needs", "", "C-20,C-33,C-34,C-57");
    assert!(document.results.iter().all(|row| row.verdict == Status::NotTested), "{document:?}");
    let reasons: Vec<_> = document.results.iter().map(|row| row.reason.as_str()).collect();
    assert!(reasons[0].contains("`starttls`") && reasons[1].contains("{timeout}"), "{reasons:?}");
    assert!(reasons[2].contains("`mx`") && reasons[3].starts_with("no case: "), "{reasons:?}");
    assert_eq!(code, 0);
}

#[test]
fn expected_deviations_and_all_reports_work_as_for_servers() {
    let file = sender("reports", "");
    let here = folder("reports");
    let path = |name: &str| here.join(name).to_str().unwrap().to_owned();
    let expected = "[[deviation]]\nid = 'C-09'\nverdict = 'fail'\nreason = 'made for a test'\n";
    fs::write(path("expected.toml"), expected).unwrap();
    let (report, junit, html) = (path("a.json"), path("a.xml"), path("a.html"));
    let output = run(&[
        "client",
        "--sender",
        file.to_str().unwrap(),
        "--only",
        "C-09",
        "--expect",
        &path("expected.toml"),
        "--json",
        &report,
        "--junit",
        &junit,
        "--html",
        &html,
    ]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("again:    smtp-conformance client --sender"));
    assert!(fs::read_to_string(junit).unwrap().contains("expected: made for a test"));
    assert!(fs::read_to_string(html).unwrap().contains("SMTP conformance of a small client"));
    let output = run(&["diff", &report, &report]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
}

#[test]
fn its_name_and_version_stand_in_the_file_and_the_flag_wins() {
    let (document, _) = judged("software", "software = 'Small 1.0'", "C-06");
    assert_eq!(document.subject.software, "Small 1.0");
    let file = sender("flag", "software = 'Small 1.0'");
    let words = ["client", "--only", "C-06", "--json", "-", "--software", "Small 1.1", "--sender"];
    let output = run(&[&words[..], &[file.to_str().unwrap()]].concat());
    assert_eq!(json::read(&stdout(&output)).unwrap().subject.software, "Small 1.1");
}

#[test]
fn a_client_that_hangs_is_ended_and_blamed() {
    let output = run(&["client", "--patience", "1", "--only", "C-07", "--", "sleep", "60"]);
    assert!(stdout(&output).contains("made no connection"), "{}", stdout(&output));
    let output = run(&["client", "--only", "C-07", "--", "/nowhere/to/be/found"]);
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("cannot be started"), "{}", stdout(&output));
}

#[test]
fn a_person_may_start_the_client() {
    // The port is free, and taken again by the judge.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let person = thread::spawn(move || {
        for _ in 0..500 {
            if let Ok(stream) = TcpStream::connect(address) {
                return by_hand(stream);
            }
            thread::park_timeout(Duration::from_millis(10));
        }
        None
    });
    let listen = address.to_string();
    let arguments = ["client", "--listen", &listen, "--only", "C-31", "--again", "0.2"];
    let output = run(&[&arguments[..], &["--patience", "20"]].concat());
    assert_eq!(person.join().unwrap(), Some(()));
    assert_eq!(code(&output), 1, "{}", stdout(&output));
    assert!(stdout(&output).contains("✗ fail C-31"), "{}", stdout(&output));
    assert!(stderr(&output).contains("C-31-"), "the person is told what to send");
}

/// Sends the message behind a DATA that was answered by 250: what the row is about.
fn by_hand(mut stream: TcpStream) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let mut hear = || loop {
        if lines.next()?.ok()?.as_bytes().get(3) == Some(&b' ') {
            return Some(());
        }
    };
    hear()?;
    for command in ["EHLO a.example", "MAIL FROM:<a@a.example>", "RCPT TO:<b@b.example>", "DATA"] {
        stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
        hear()?;
    }
    let name = fs::read_dir(env::temp_dir()).ok()?.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        (name.starts_with("C-31-") && name.ends_with(".eml")).then_some(name)
    });
    for name in name {
        let subject = name.trim_end_matches(".eml").to_owned();
        stream.write_all(format!("Subject: {subject}\r\n").as_bytes()).ok()?;
    }
    stream.write_all(b"\r\n.\r\n").ok()
}

#[test]
fn rows_for_clients_are_listed_and_explained() {
    let output = run(&["list", "--clients"]);
    let text = stdout(&output);
    assert!(
        text.contains("C-01 ")
            && text.ends_with("60 requirements, 59 with a case that runs, 1 without (○)\n")
    );
    let output = run(&["explain", "C-51"]);
    assert!(stdout(&output).contains("smtp-conformance client --only C-51 -- COMMAND"));
    let output = run(&["list"]);
    assert!(!stdout(&output).contains("C-51 "));
    let output = run(&["client", "--only", "SEQ-05", "--", "true"]);
    assert_eq!(code(&output), 2);
}
