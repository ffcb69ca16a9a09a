//! How sessions end (RFC 5321 §3.8, §4.1.1.10).

use crate::session::Server;

/// SEQ-08, SEQ-09, §4.1.1.10
#[test]
fn quit_is_answered_with_221_at_any_time() {
    const QUIT: &str = "C: QUIT\nS: 221 2.0.0 ...\nS: <CLOSED>";
    Server::new().hold("S: 220\nC: QUIT\nS: 221\nS: <CLOSED>");
    Server::new().greeted().hold(QUIT);
    Server::new().in_transaction().hold(QUIT);
}

/// §4.1.1.10
#[test]
fn nothing_behind_quit_is_read() {
    let delivered = Server::new().greeted().hold(
        r"C+ QUIT
        C+ MAIL FROM:<a@client.example.test>
        C: NOOP
        S: 221
        S: <CLOSED>",
    );
    assert_eq!(delivered, []);
}

/// SEQ-10, §3.8: one wrong command is no reason to close
#[test]
fn a_session_survives_wrong_commands() {
    Server::new().greeted().hold(
        r"C: XYZZY
        S: 500 5.5.1 ...
        C: MAIL
        S: 501 5.5.4 ...
        C: DATA
        S: 503 5.5.1 ...
        C: NOOP
        S: 250 2.0.0 ...",
    );
}

/// §3.8, §4.1.1.5: a connection that breaks counts as RSET and QUIT
#[test]
fn a_client_that_leaves_without_quit_is_told_nothing() {
    const LEAVE: &str = "C: <EOF>\nS: <CLOSED>";
    Server::new().hold("S: 220\nC: <EOF>\nS: <CLOSED>");
    Server::new().greeted().hold(LEAVE);
    assert_eq!(Server::new().in_transaction().hold(LEAVE), []);
    assert_eq!(Server::new().in_data().hold(LEAVE), []);
}

/// §3.8: what was sent before the client closed its side is answered, half a line is not
#[test]
fn whole_commands_in_hand_run_after_the_client_has_closed_its_side() {
    let delivered = Server::new().in_data().hold(
        r"C+ text
        C+ .
        C+ NOOP
        C| QUI
        S: 250 2.0.0 ...
        S: 250 2.0.0 ...
        C: <EOF>
        S: <CLOSED>",
    );
    assert_eq!(delivered.len(), 1);
}
