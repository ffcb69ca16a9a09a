//! DELIVERBY (RFC 2852).

use crate::session::Server;
use smtp_proto::{
    ext::{ByMode, Extensions},
    server::Event,
};

fn server(least: u32) -> Server {
    Server::new().with(|server| server.extensions = Extensions::new().deliver_by(least))
}

#[track_caller]
fn mail(server: &Server, by: &str, reply: &str) {
    let mail = format!("C: MAIL FROM:<a@client.example.test> {by}\nS: {reply} ...");
    server.greeted().hold(&mail);
}

/// RFC 2852 §2(3)
#[test]
fn the_least_time_is_told_if_there_is_one() {
    for (least, line) in [(0, "DELIVERBY"), (60, "DELIVERBY 60"), (u32::MAX, "DELIVERBY 999999999")]
    {
        server(least).hold(&format!(
            r"S: 220
            C: EHLO client.example.test
            S: 250-mx.example.test
            S: 250-PIPELINING
            S: 250-SIZE 52428800
            S: 250-8BITMIME
            S: 250-ENHANCEDSTATUSCODES
            S: 250 {line}"
        ));
    }
}

/// DBY-01, RFC 2852 §4
#[test]
fn a_time_with_its_mode_is_taken() {
    for by in ["BY=120;R", "by=120;r", "BY=+120;RT", "BY=120;NT", "BY=0;N", "BY=-10;N", "BY=-1;NT"]
    {
        mail(&server(0), by, "250 2.1.0");
    }
}

/// DBY-02, RFC 2852 §4
#[test]
fn what_is_no_time_with_a_mode_is_refused() {
    for by in [
        "BY",
        "BY=",
        "BY=abc;R",
        "BY=1",
        "BY=120;",
        "BY=120;X",
        "BY=9999999999;N",
        "BY=1;N;T",
        "BY=120;R BY=120;R",
    ] {
        mail(&server(0), by, "501 5.5.4");
    }
}

/// DBY-03, RFC 2852 §4: a syntax error
#[test]
fn with_r_the_time_is_more_than_zero() {
    mail(&server(0), "BY=0;R", "501 5.5.4");
    mail(&server(0), "BY=-1;R", "501 5.5.4");
    mail(&server(60), "BY=0;R", "501 5.5.4");
}

/// DBY-04, RFC 2852 §3
#[test]
fn with_r_a_time_below_the_least_is_refused_for_good() {
    mail(&server(60), "BY=59;R", "555 5.5.4");
    mail(&server(60), "BY=60;R", "250 2.1.0");
    mail(&server(60), "BY=59;N", "250 2.1.0");
    mail(&server(60), "BY=-60;N", "250 2.1.0");
}

/// RFC 5321 §4.1.1.11
#[test]
fn where_it_is_not_offered_by_is_unknown() {
    mail(&Server::new(), "BY=120;R", "555 5.5.4");
}

#[test]
fn the_event_has_the_time() {
    let server = server(0).with(|server| {
        server.desk = |_, event| {
            if let Event::Mail { mail, .. } = &event {
                let by = mail.deliver_by.unwrap();
                assert_eq!((by.seconds(), by.mode(), by.trace()), (-5, ByMode::Notify, true));
            }
            Some(event)
        };
    });
    mail(&server, "BY=-5;NT", "250 2.1.0");
}
