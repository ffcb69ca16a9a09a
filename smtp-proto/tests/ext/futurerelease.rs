//! FUTURERELEASE (RFC 4865).

use crate::session::Server;
use smtp_proto::{
    ext::{Extensions, FutureRelease, Hold},
    server::{Event, Mode},
    wire::{DateTime, Mechanism},
};

/// A submission server that holds messages for an hour, or to the end of 2030.
fn server() -> Server {
    let latest = DateTime::parse("2030-12-31T23:59:59Z").unwrap();
    Server::new().with(|server| {
        server.mode = Mode::Submission;
        server.extensions = Extensions::new()
            .deliver_by(0)
            .future_release(FutureRelease { longest: 3600, latest })
            .auth([Mechanism::PLAIN])
            .danger_auth_in_clear();
    })
}

const SIGN_IN: &str = "C: AUTH PLAIN AHVzZXIxAHNlY3JldDE=\nS: 235";

#[track_caller]
fn mail(params: &str, reply: &str) {
    server()
        .greeted()
        .hold(&format!("{SIGN_IN}\nC: MAIL FROM:<a@client.example.test> {params}\nS: {reply} ..."));
}

/// RFC 4865 §3(3)
#[test]
fn ehlo_tells_the_longest_hold_and_the_latest_moment() {
    server().hold(
        r"S: 220
        C: EHLO client.example.test
        S: 250-mx.example.test
        S: 250-PIPELINING
        S: 250-SIZE 52428800
        S: 250-8BITMIME
        S: 250-ENHANCEDSTATUSCODES
        S: 250-DELIVERBY
        S: 250-FUTURERELEASE 3600 2030-12-31T23:59:59Z
        S: 250 AUTH PLAIN",
    );
}

/// FR-03, RFC 4865 §3(7), §4.2(2)
#[test]
fn it_is_for_submission_only() {
    let relay = server().with(|server| server.mode = Mode::Smtp);
    relay.hold(
        r"S: 220
        C: EHLO client.example.test
        S: 250-mx.example.test
        S: 250-PIPELINING
        S: 250-SIZE 52428800
        S: 250-8BITMIME
        S: 250-ENHANCEDSTATUSCODES
        S: 250-DELIVERBY
        S: 250 AUTH PLAIN
        C: MAIL FROM:<a@client.example.test> HOLDFOR=60
        S: 555 5.5.4 ...",
    );
}

/// FR-01, RFC 4865 §4.2(4)
#[test]
fn a_hold_up_to_what_is_offered_is_taken() {
    for hold in [
        "HOLDFOR=1",
        "holdfor=3600",
        "HOLDUNTIL=2030-12-31T23:59:59Z",
        "holduntil=2001-01-01t00:00:00z",
        "HOLDUNTIL=2031-01-01T00:59:59+01:00",
    ] {
        mail(hold, "250 2.1.0");
    }
}

/// FR-02, RFC 4865 §4.2(7), (8), (10), (11)
#[test]
fn a_hold_beyond_it_or_malformed_is_refused() {
    for hold in [
        "HOLDFOR=3601",
        "HOLDFOR=0",
        "HOLDFOR=060",
        "HOLDFOR=abc",
        "HOLDFOR=-1",
        "HOLDFOR=99999999999999999999",
        "HOLDFOR=",
        "HOLDFOR",
        "HOLDUNTIL=tomorrow",
        "HOLDUNTIL=2031-01-01T00:00:00Z",
        "HOLDUNTIL=2030-12-31T23:59:59.5Z",
        "HOLDUNTIL=2030-02-30T00:00:00Z",
        "HOLDUNTIL=",
        "HOLDUNTIL",
    ] {
        mail(hold, "501 5.5.4");
    }
}

/// FR-02, RFC 4865 §4.2(9)
#[test]
fn there_is_one_hold() {
    mail("HOLDFOR=60 HOLDUNTIL=2030-01-01T00:00:00Z", "501 5.5.4");
    mail("HOLDUNTIL=2030-01-01T00:00:00Z HOLDFOR=60", "501 5.5.4");
    mail("HOLDFOR=60 HOLDFOR=60", "501 5.5.4");
}

/// RFC 4865 §5.2.2
#[test]
fn a_message_is_not_held_beyond_the_time_to_deliver_it_by() {
    mail("HOLDFOR=61 BY=60;R", "501 5.5.4");
    mail("BY=-60;N HOLDFOR=1", "501 5.5.4");
    mail("BY=60;R HOLDFOR=60", "250 2.1.0");
}

#[test]
fn the_event_has_the_hold() {
    let server = server().with(|server| {
        server.desk = |_, event| {
            if let Event::Mail { mail, .. } = &event {
                let moment = DateTime::parse("2030-01-01T00:00:00Z").unwrap();
                assert_eq!(mail.hold, Some(Hold::Until(moment)));
                assert_eq!(moment.as_unix(), 1_893_456_000);
            }
            Some(event)
        };
    });
    server.greeted().hold(&format!(
        "{SIGN_IN}\nC: MAIL FROM:<> HOLDUNTIL=2030-01-01T00:00:00Z\nS: 250 2.1.0 ..."
    ));
}
