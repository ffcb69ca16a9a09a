//! The binary as its users see it: exit codes, filters, files of expected deviations, reports.
//! The server is a few lines over loopback that follow the order of commands, or don't.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use smtp_conformance::report::{Status, json};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
};

/// What the server does wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing.
    None,
    /// It takes MAIL at any time, and says something about it that would break a page.
    AnyOrder,
    /// It greets without a name.
    NoName,
    /// It is brought down by a second MAIL.
    Crash,
}

/// A server on a port of its own, until the test process ends.
fn server(fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let down = Arc::new(AtomicBool::new(false));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let down = Arc::clone(&down);
            if !down.load(Ordering::SeqCst) {
                thread::spawn(move || serve(stream, fault, &down));
            }
        }
    });
    address
}

fn serve(mut stream: TcpStream, fault: Fault, down: &AtomicBool) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let mut say = |text: &str| stream.write_all(format!("{text}\r\n").as_bytes()).ok();
    say(if fault == Fault::NoName { "220" } else { "220 mx.example.test ESMTP" })?;
    let mut mail = false;
    loop {
        let line = lines.next()?.ok()?.to_ascii_uppercase();
        match line.split([' ', ':']).next()? {
            "EHLO" | "LHLO" => {
                mail = false;
                say("250-mx.example.test\r\n250 8BITMIME")?;
            }
            "MAIL" if fault == Fault::AnyOrder => {
                mail = true;
                say("250 </script><script>alert(1)</script> & ]]>")?;
            }
            "MAIL" if mail && fault == Fault::Crash => {
                down.store(true, Ordering::SeqCst);
                return None;
            }
            "MAIL" if mail => say("503 5.5.1 one at a time")?,
            "MAIL" => {
                mail = true;
                say("250 2.1.0 OK")?;
            }
            "RCPT" if mail => say("250 2.1.5 OK")?,
            "RCPT" => say("503 5.5.1 MAIL first")?,
            "DATA" => {
                say("354 go on")?;
                while lines.next()?.ok()? != "." {}
                mail = false;
                say("250 2.0.0 lost")?;
            }
            "RSET" => {
                mail = false;
                say("250 2.0.0 OK")?;
            }
            "QUIT" => return say("221 2.0.0 bye"),
            _ => say("500 5.5.2 what")?,
        }
    }
}

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smtp-conformance"));
    command.args(arguments).env_remove("NO_COLOR").output().unwrap()
}

/// Runs against a server with `fault`.
fn judge(fault: Fault, arguments: &[&str]) -> Output {
    let address = server(fault).to_string();
    let fixed = ["server", &address, "--recipient", "user1@example.test"];
    run(&[&fixed, arguments].concat())
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

/// A name for a file that no other test takes.
fn file(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{n}-{name}", std::process::id()))
}

fn written(name: &str, text: &str) -> PathBuf {
    let path = file(name);
    fs::write(&path, text).unwrap();
    path
}

fn deviation(id: &str, verdict: &str, more: &str) -> PathBuf {
    let text =
        format!("[[deviation]]\nid = '{id}'\nverdict = '{verdict}'\nreason = 'by design'\n{more}");
    written("expected.toml", &text)
}

#[test]
fn a_pass_is_0_and_the_summary_comes_last() {
    let output = judge(Fault::None, &["--only", "SEQ-05"]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    let text = stdout(&output);
    assert!(text.lines().last().unwrap().starts_with("No failure: 1 requirements in "), "{text}");
    assert!(!text.contains('\x1b'));
}

#[test]
fn a_failure_is_1_with_dialogue_place_requirement_and_reproducer() {
    let output = judge(Fault::AnyOrder, &["--only", "SEQ-05"]);
    assert_eq!(code(&output), 1);
    let text = stdout(&output);
    assert!(text.contains("✗ fail SEQ-05  MUST 5321 §4.1.4"), "{text}");
    assert!(text.contains("  --> S: 250 </script>"), "{text}");
    assert!(text.contains("  required: MAIL, MAIL"), "{text}");
    let again = text.lines().find_map(|line| line.strip_prefix("  again:    ")).unwrap();
    assert!(again.starts_with("smtp-conformance server 127.0.0.1:"), "{again}");
    assert!(again.ends_with(" --recipient user1@example.test --only SEQ-05"), "{again}");
    let words: Vec<_> = again.split(' ').skip(1).collect();
    assert_eq!(code(&run(&words)), 1);
}

#[test]
fn a_warning_is_0_and_with_deny_warn_it_is_3() {
    assert_eq!(code(&judge(Fault::NoName, &["--only", "CONN-02"])), 0);
    assert_eq!(code(&judge(Fault::NoName, &["--only", "CONN-02", "--deny", "warn"])), 3);
    assert_eq!(code(&judge(Fault::None, &["--only", "CONN-02", "--deny", "warn"])), 0);
    let expected = deviation("CONN-02", "warn", "");
    let expect = ["--only", "CONN-02", "--deny", "warn", "--expect", expected.to_str().unwrap()];
    assert_eq!(code(&judge(Fault::NoName, &expect)), 0);
}

#[test]
fn slips_of_the_pen_are_2_and_name_what_is_wrong() {
    let slips: [(&[&str], &str); 8] = [
        (&["server"], "which server?"),
        (&["server", "127.0.0.1:1", "--only", "SQE-05"], "SQE-05"),
        (&["server", "127.0.0.1:1", "--only", "SEQ", "--rfc", "6531", "--level", "may"], "filters"),
        (&["server", "127.0.0.1:1", "--profile", "lax"], "lax"),
        (&["server", "127.0.0.1:1", "--expect", "/nonexistent"], "/nonexistent"),
        (&["explain", "NO-99"], "NO-99"),
        (&["diff", "/nonexistent", "/nonexistent"], "/nonexistent"),
        (&["dance"], "dance"),
    ];
    for (arguments, word) in slips {
        let output = run(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(stderr(&output).contains(word), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn no_server_and_a_server_of_somebody_else_are_2() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let output = run(&["server", &free]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("cannot connect"), "{}", stderr(&output));
    for command in ["server", "probe"] {
        let output = run(&[command, "192.0.2.1:25"]);
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains("--i-run-this-server"), "{}", stderr(&output));
    }
}

#[test]
fn a_server_that_a_case_brought_down_is_2() {
    let output = judge(Fault::Crash, &["--only", "SEQ-05"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("did it crash?"), "{}", stderr(&output));
}

#[test]
fn a_mailbox_in_which_nothing_arrives_is_2() {
    let nowhere = format!("user1@example.test={}", file("Maildir").display());
    let output = judge(Fault::None, &["--only=SEQ-05", "--timeout=1", "--maildir", &nowhere]);
    assert_eq!(code(&output), 2, "{}", stdout(&output));
    assert!(stderr(&output).contains("not in its mailbox"), "{}", stderr(&output));
}

#[test]
fn what_is_expected_is_0_and_surprises_are_1() {
    let with = |fault, path: &PathBuf| {
        judge(fault, &["--only", "SEQ-05", "--expect", path.to_str().unwrap()])
    };
    let known = deviation("SEQ-05", "fail", "until = 2999-12-31");
    assert_eq!(code(&with(Fault::AnyOrder, &known)), 0);
    let passed = with(Fault::None, &known);
    assert_eq!(code(&passed), 1);
    assert!(stdout(&passed).contains("unexpected pass: SEQ-05"), "{}", stdout(&passed));
    let stale = with(Fault::AnyOrder, &deviation("SEQ-05", "fail", "until = 2001-01-01"));
    assert_eq!(code(&stale), 1);
    assert!(stdout(&stale).contains("stale: SEQ-05"), "{}", stdout(&stale));
    let unknown = with(Fault::None, &deviation("NO-99", "fail", ""));
    assert_eq!(code(&unknown), 1);
    assert!(stdout(&unknown).contains("NO-99"), "{}", stdout(&unknown));
    let lazy = written("lazy.toml", "[[deviation]]\nid='SEQ-05'\nverdict='fail'\nreason='known'");
    assert_eq!(code(&with(Fault::AnyOrder, &lazy)), 2);
}

#[test]
fn the_reports_are_written_and_two_of_them_are_compared() {
    let (before, after) = (file("before.json"), file("after.json"));
    let (xml, page) = (file("junit.xml"), file("page.html"));
    let names = [&before, &after, &xml, &page].map(|path| path.to_str().unwrap().to_owned());
    let [before_name, after_name, xml_name, page_name] = &names;
    judge(Fault::None, &["--only", "SEQ-05,CONN-02", "--json", before_name]);
    let wrong = ["--only", "SEQ-05,CONN-02", "--json", after_name, "--junit", xml_name];
    judge(Fault::AnyOrder, &[&wrong[..], &["--html", page_name]].concat());

    let document = json::read(&fs::read_to_string(&after).unwrap()).unwrap();
    assert_eq!(document.count(Status::Fail), 1);
    assert_eq!(document.subject.greeting, "220 mx.example.test ESMTP");
    assert_eq!(json::write(&document).unwrap(), fs::read_to_string(&after).unwrap());
    let xml = fs::read_to_string(&xml).unwrap();
    let tree = roxmltree::Document::parse(&xml).unwrap();
    assert_eq!(tree.descendants().filter(|node| node.has_tag_name("failure")).count(), 1);
    let page = fs::read_to_string(&page).unwrap();
    assert!(page.contains("&lt;/script&gt;") && page.matches("</script").count() == 1);

    assert_eq!(code(&run(&["diff", before_name, before_name])), 0);
    let output = run(&["diff", before_name, after_name]);
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("✗ SEQ-05      pass -> fail"), "{}", stdout(&output));
    assert_eq!(code(&run(&["diff", before_name, xml_name])), 2, "no report");
    for name in names {
        fs::remove_file(name).unwrap();
    }
}

#[test]
fn json_on_standard_output_stands_there_alone() {
    let output = judge(Fault::None, &["--only", "SEQ-05", "--json", "-"]);
    assert_eq!(json::read(&stdout(&output)).unwrap().results.len(), 1);
    assert!(stderr(&output).contains("No failure"));
}

#[test]
fn sarif_points_at_the_target_file() {
    let text =
        format!("address = '{}'\nrecipients = ['a@example.test']\n", server(Fault::AnyOrder));
    let path = written("scanned.toml", &text);
    let arguments = ["server", "--only", "SEQ-05", "--sarif", "-", "--target"];
    let output = run(&[&arguments[..], &[path.to_str().unwrap()]].concat());
    let log: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 1);
    let place = &results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert!(place.as_str().unwrap().ends_with("-scanned.toml"), "{place}");
    fs::remove_file(path).unwrap();
}

#[test]
fn colours_are_for_who_asks() {
    let always = judge(Fault::None, &["--only", "SEQ-05", "--color", "always"]);
    assert!(stdout(&always).contains("\x1b[32m"));
    assert!(!stdout(&judge(Fault::None, &["--only", "SEQ-05"])).contains('\x1b'));
}

#[test]
fn a_target_file_tells_what_flags_tell() {
    let address = server(Fault::AnyOrder).to_string();
    let text = format!("address = '{address}'\nrecipients = ['user1@example.test']\n");
    let path = written("target.toml", &text);
    let arguments = ["server", "--target", path.to_str().unwrap(), "--only", "SEQ-05"];
    assert_eq!(code(&run(&arguments)), 1);
    let strange = written("strange.toml", "adress = '127.0.0.1:25'");
    let output = run(&["server", "--target", strange.to_str().unwrap()]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("adress"), "{}", stderr(&output));
}

#[test]
fn what_was_missing_is_listed_and_nothing_is_dropped() {
    let address = server(Fault::None).to_string();
    let output = run(&["server", &address, "--only", "SEQ-05", "--family", "SEQ"]);
    assert_eq!(code(&output), 0);
    assert!(stdout(&output).contains("existing recipients\n      SEQ-05\n"), "{}", stdout(&output));
    let output = judge(Fault::None, &["--tag", "dos"]);
    assert!(stdout(&output).contains("needs --dos"), "{}", stdout(&output));
    assert!(stdout(&output).contains("SEC-DOS-01"), "{}", stdout(&output));
}

#[test]
fn a_dry_run_connects_to_nobody() {
    let arguments = ["server", "127.0.0.1:1", "--recipient", "user1@example.test"];
    let output = run(&[&arguments[..], &["--only", "SEQ-05,SEQ-12", "--dry-run"]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("  SEQ-05      no message\n"), "{text}");
    assert!(text.contains("2 cases would run and send about "), "{text}");
}

#[test]
fn the_list_follows_the_filters_and_explains_itself() {
    let text = stdout(&run(&["list", "--family", "SEQ", "--section", "5321:4.1.4"]));
    assert!(text.contains("SEQ-05") && !text.contains("SEQ-01 "), "{text}");
    let text = stdout(&run(&["explain", "SEQ-05"]));
    assert!(text.contains("5321 §4.1.4") && text.contains("--only SEQ-05"), "{text}");
}

#[test]
fn a_probe_writes_a_target_file_that_a_run_takes() {
    let address = server(Fault::None).to_string();
    let path = file("probed.toml");
    let name = path.to_str().unwrap();
    let output = run(&["probe", &address, "--output", name]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("tls_name = \"mx.example.test\""), "{text}");
    assert!(text.contains("recipients = [\"postmaster@mx.example.test\"]"), "{text}");
    let output = run(&["server", "--target", name, "--only", "SEQ-05"]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    assert_eq!(code(&run(&["probe", &address, "--output", name])), 2, "it is there already");
    assert_eq!(code(&run(&["probe", &address, "--output", name, "--force"])), 0);
}

#[test]
fn an_lmtp_run_greets_with_lhlo() {
    let output = judge(Fault::None, &["--profile", "lmtp", "--only", "SEQ-05", "--verbose"]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    let name = file("lmtp.json");
    judge(Fault::AnyOrder, &["--profile=lmtp", "--only=SEQ-05", "--json", name.to_str().unwrap()]);
    assert!(fs::read_to_string(name).unwrap().contains("LHLO client.example"));
}
