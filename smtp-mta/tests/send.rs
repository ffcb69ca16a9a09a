//! `smtp-mta send`, at servers in this process.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod site;

use site::Site;
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::net::UnixListener,
    process::{Command, Stdio},
    thread,
};
use testkit::dns::Zone;

const PASSWORD: &str = "a pass word";

/// A server for `mx.example` with one listener, and the user `you`.
fn site(listener: &str) -> Site {
    let site = Site::listening(listener);
    site.add_user("you", PASSWORD);
    site
}

/// What a run has said, and how it ended.
struct Sent {
    code: Option<i32>,
    /// What became of each recipient.
    out: String,
    dialogue: String,
}

/// Runs it with `input` as standard input.
fn send(arguments: &[&str], input: &str) -> Sent {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smtp-mta"));
    command.arg("send").args(arguments).env("USER", "me");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that does not read it may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Sent {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        dialogue: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The file of the certificate that the site has made for itself.
fn certificate(site: &Site) -> String {
    site.folder.path().join("tls/mx.example.crt").to_str().unwrap().to_owned()
}

fn localhost(site: &Site) -> String {
    format!("localhost:{}", site.address.port())
}

#[test]
fn a_message_from_standard_input_goes_to_a_server() {
    let site = site("role = 'mx'");
    let server = site.address.to_string();
    let to = ["--server", &server, "--to", "you@mx.example"];
    let sent = send(&to, "Subject: x\n\n.text\n");
    assert_eq!(sent.code, Some(0), "{}{}", sent.out, sent.dialogue);
    let expected =
        format!("you@mx.example: sent by 127.0.0.1 at {server} over TLSv1.3, not verified (");
    assert!(sent.out.starts_with(&expected), "{}", sent.out);
    for line in
        ["<- 220 mx.example ", "-> STARTTLS\n", "-> MAIL FROM:<me@localhost>", "<- 250 2.0.0 Ok: "]
    {
        assert!(sent.dialogue.contains(line), "{line}: {}", sent.dialogue);
    }
    let message = site.mailbox("you").remove(0);
    assert!(message.ends_with(b"Subject: x\r\n\r\n.text\r\n"));
}

#[test]
fn a_login_needs_the_right_certificate_and_its_password_is_not_shown() {
    for role in ["submission", "submissions"] {
        let site = site(&format!("role = '{role}'"));
        let (server, ca) = (localhost(&site), certificate(&site));
        let mut arguments = vec!["--server", &server, "--to", "other@mx.example", "--login", "you"];
        arguments.extend(["--from", "you@mx.example", "--text", "hello"]);
        if role == "submissions" {
            arguments.extend(["--tls", "implicit"]);
        }
        let stranger = send(&arguments, PASSWORD);
        assert_eq!(stranger.code, Some(75), "{}", stranger.out);
        assert!(!stranger.dialogue.contains("AUTH SCRAM"), "{}", stranger.dialogue);

        arguments.extend(["--ca", &ca]);
        let sent = send(&arguments, &format!("{PASSWORD}\n"));
        assert_eq!(sent.code, Some(0), "{}{}", sent.out, sent.dialogue);
        assert!(sent.out.contains(" over TLSv1.3, verified, "), "{}", sent.out);
        assert!(sent.dialogue.contains("-> AUTH SCRAM-SHA-256-PLUS"), "{}", sent.dialogue);
        assert!(!sent.dialogue.contains(PASSWORD), "{}", sent.dialogue);
        let message = String::from_utf8(site.mailbox("other").remove(0)).unwrap();
        assert!(message.contains("\r\nSubject: A test\r\nDate: "), "{message}");
        assert!(message.ends_with("\r\n\r\nhello\r\n"), "{message}");
    }
}

#[test]
fn a_wrong_password_is_a_failure() {
    let site = site("role = 'submission'");
    let (server, ca) = (localhost(&site), certificate(&site));
    let file = site.folder.path().join("password");
    fs::write(&file, "wrong\n").unwrap();
    let mut arguments = vec!["--server", &server, "--ca", &ca, "--to", "you@mx.example"];
    arguments.extend(["--login", "you", "--password-file", file.to_str().unwrap()]);
    let sent = send(&arguments, "Subject: x\n\ntext\n");
    assert_eq!(sent.code, Some(1), "{}", sent.out);
    assert!(sent.out.contains(": failed by localhost"), "{}", sent.out);
    assert!(sent.out.contains(", AUTH: 535 5.7.8 "), "{}", sent.out);
}

#[test]
fn a_password_and_a_message_cannot_both_be_the_standard_input() {
    let sent = send(&["--server", "127.0.0.1", "--to", "a@b.example", "--login", "me"], "x");
    assert_eq!(sent.code, Some(1));
    assert!(sent.dialogue.ends_with("use --password-file\n"), "{}", sent.dialogue);
}

#[test]
fn each_recipient_has_its_outcome_and_one_refused_is_a_failure() {
    for role in ["mx", "lmtp"] {
        let site = site(&format!("role = '{role}'"));
        let server = site.address.to_string();
        let mut arguments = vec!["--server", &server, "--quiet", "--subject", "x"];
        for to in ["you@mx.example", "nobody@mx.example", "other@mx.example"] {
            arguments.extend(["--to", to]);
        }
        if role == "lmtp" {
            arguments.push("--lmtp");
        }
        let sent = send(&arguments, "");
        assert_eq!((sent.code, sent.dialogue.as_str()), (Some(1), ""), "{}", sent.out);
        let lines: Vec<_> = sent.out.lines().collect();
        assert!(lines[0].starts_with("you@mx.example: sent by "), "{}", sent.out);
        assert!(lines[1].starts_with("nobody@mx.example: failed by "), "{}", sent.out);
        assert!(lines[1].contains(", RCPT: 550 5.1.1 "), "{}", sent.out);
        assert!(lines[2].starts_with("other@mx.example: sent by "), "{}", sent.out);
        assert_eq!((site.mailbox("you").len(), site.mailbox("other").len()), (1, 1));
    }
}

#[test]
fn a_server_may_be_a_socket_in_the_file_system() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220 lmtp\r\n").unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
        for line in lines {
            let reply = match line.as_str() {
                "DATA" => "354 go on",
                "." => "452 4.2.2 full",
                // The message.
                "A: b" | "" | "x" => continue,
                _ => "250 ok",
            };
            stream.write_all(format!("{reply}\r\n").as_bytes()).unwrap();
        }
    });
    let server_name = format!("unix:{}", path.display());
    let arguments = ["--server", &server_name, "--lmtp", "--to", "you@mx.example"];
    let sent = send(&arguments, "A: b\n\nx\n");
    server.join().unwrap();
    assert_eq!(sent.code, Some(75), "{}{}", sent.out, sent.dialogue);
    assert!(sent.out.ends_with(", end of message: 452 4.2.2 full\n"), "{}", sent.out);
}

#[test]
fn a_server_that_is_not_there_is_to_be_tried_again() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sent = send(&["--server", &port.to_string(), "--to", "a@b.example", "--text", "x"], "");
    assert_eq!(sent.code, Some(75), "{}", sent.out);
    assert!(sent.out.starts_with("a@b.example: delayed by 127.0.0.1 "), "{}", sent.out);
}

#[test]
fn without_a_server_the_name_servers_of_the_configuration_say_where() {
    let site = site("role = 'mx'");
    let zone = "mx.example MX 10 host.mx.example
        host.mx.example A 127.0.0.1
        null.example MX 0 .";
    let names = Zone::new(zone).serve();
    let file = site.folder.path().join("send.toml");
    fs::write(&file, format!("name_servers = ['{}']", names.address())).unwrap();
    let (file, port) = (file.to_str().unwrap(), site.address.port().to_string());
    let message = site.folder.path().join("message");
    fs::write(&message, "Subject: x\n\ntext\n").unwrap();
    let mut arguments = vec!["--config", file, "--mx-port", &port, "--loopback"];
    arguments.extend(["--to", "you@mx.example", "--to", "a@null.example"]);
    arguments.push(message.to_str().unwrap());
    let sent = send(&arguments, "");
    assert_eq!(sent.code, Some(1), "{}{}", sent.out, sent.dialogue);
    assert!(
        sent.out.contains("you@mx.example: sent by host.mx.example at 127.0.0.1:"),
        "{}",
        sent.out
    );
    assert!(sent.out.contains("a@null.example: failed by null.example, routing: "), "{}", sent.out);
    assert_eq!(site.mailbox("you").len(), 1);
}
