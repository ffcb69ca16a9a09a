//! What a handler hears of extensions that not every server has.

use crate::harness::{Connection, Plan};
use smtp_proto::ext::{CustomExtension, Extensions};

fn open(offer: Extensions) -> Connection {
    let connection = Connection::open(Plan { offer: Some(offer), ..Plan::default() });
    connection.receive();
    connection
}

#[test]
fn a_peer_is_offered_what_the_handler_says() {
    let connection = open(Extensions::new().etrn());
    let answer = connection.send("EHLO client.example\r\n");
    assert!(answer.ends_with("\r\n250 ETRN\r\n") && !answer.contains("STARTTLS"), "{answer}");
    let others = Connection::open(Plan::default());
    let answer = others.send("EHLO client.example\r\nETRN a.example\r\n");
    assert!(answer.contains("STARTTLS") && answer.contains("\r\n502 5.5.1 "), "{answer}");
}

#[test]
fn etrn_is_the_handlers() {
    let connection = open(Extensions::new().etrn());
    let answer = connection.send("EHLO client.example\r\nETRN @a.example\r\n");
    assert!(answer.ends_with("\r\n250 2.0.0 Ok, queuing for this node started\r\n"), "{answer}");
    assert!(connection.noted("etrn @a.example"));
}

#[test]
fn after_xclient_the_peer_is_the_client_of_the_proxy() {
    let connection = open(Extensions::new().danger_xclient());
    connection.send("EHLO proxy.example\r\n");
    assert!(connection.noted("offer to None at None"));
    let told = "XCLIENT ADDR=192.0.2.9 PORT=40000 DESTADDR=IPV6:2001:db8::1\r\n";
    assert_eq!(connection.send(told), "220 mx.example.test ESMTP\r\n");
    assert_eq!(connection.send("XCLIENT PORT=40001\r\n"), "220 mx.example.test ESMTP\r\n");
    connection.send("EHLO client.example\r\n");
    let offer = "offer to Some(192.0.2.9:40001) at Some([2001:db8::1]:0)";
    assert!(connection.noted(offer), "{:?}", connection.log);
    assert_eq!(connection.send("XCLIENT ADDR=[UNAVAILABLE]\r\n"), "220 mx.example.test ESMTP\r\n");
    connection.send("EHLO client.example\r\n");
    assert!(connection.noted("offer to None at Some([2001:db8::1]:0)"));
}

#[test]
fn a_client_of_a_proxy_that_is_refused_can_only_quit() {
    let connection = open(Extensions::new().danger_xclient());
    connection.send("EHLO proxy.example\r\n");
    let answer = connection.send("XCLIENT HELO=bad.example ADDR=192.0.2.9\r\nMAIL FROM:<>\r\n");
    assert!(answer.starts_with("554 5.7.1 ") && answer.contains("\r\n503 "), "{answer}");
}

#[test]
fn a_command_of_an_extension_of_our_own_is_the_handlers() {
    let extension = CustomExtension::new("X-SHELF").and_then(|it| it.command("XSHELVES")).unwrap();
    let connection = open(Extensions::new().custom(extension));
    let answer = connection.send("EHLO client.example\r\nxshelves of oak\r\n");
    assert!(answer.ends_with("\r\n250 X-SHELF\r\n250 2.0.0 Ok\r\n"), "{answer}");
    assert!(connection.noted("command xshelves of oak"));
}
