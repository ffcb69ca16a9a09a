//! The commands one by one, and what of their grammar is forgiven (RFC 5321 §4.1.1).

use crate::session::Server;

/// SYN-01, §2.4, §4.1.1
#[test]
fn a_whole_session_in_lower_case_works() {
    let delivered = Server::new().hold(
        r"S: 220
        C: helo client.example.test
        S: 250
        C: mail from:<a@client.example.test>
        S: 250
        C: rcpt to:<user1@example.test>
        S: 250
        C: data
        S: 354
        C+ text
        C: .
        S: 250
        C: rset
        S: 250
        C: vrfy user1
        S: 252
        C: help
        S: 214
        C: noop
        S: 250
        C: quit
        S: 221
        S: <CLOSED>",
    );
    assert_eq!(delivered.len(), 1);
}

/// SYN-23, §2.4: the local part keeps its case, the domain has none
#[test]
fn addresses_keep_the_case_they_were_written_in() {
    let delivered = Server::new().greeted().hold(
        r"C: MAIL FROM:<A.b@Client.Example.TEST>
        S: 250
        C: RCPT TO:<USER1@EXAMPLE.TEST>
        S: 250
        C: DATA
        S: 354
        C: .
        S: 250",
    );
    assert_eq!(delivered[0].from, "<A.b@Client.Example.TEST>");
    assert_eq!(delivered[0].recipients, ["<USER1@EXAMPLE.TEST>"]);
}

/// SYN-02, §4.1.1: trailing white space SHOULD be tolerated
#[test]
fn white_space_at_the_end_of_a_line_is_forgiven() {
    Server::new().greeted().hold(
        r"C| NOOP \x20\t\r\n
        S: 250
        C| MAIL FROM:<a@client.example.test> \r\n
        S: 250
        C| RCPT TO:<user1@example.test>\x20\x20\r\n
        S: 250
        C| DATA \r\n
        S: 354
        C: .
        S: 250
        C| RSET \r\n
        S: 250
        C| QUIT \r\n
        S: 221
        S: <CLOSED>",
    );
}

/// SYN-03, MISC-04, §4.2.4
#[test]
fn an_unknown_verb_is_answered_500() {
    Server::new().greeted().hold(
        r"C: XYZZY
        S: 500 5.5.1 ...
        C: XYZZY with arguments
        S: 500 5.5.1 ...
        C: XFORWARD NAME=client.example
        S: 500 5.5.1 ...",
    );
}

/// MISC-03, SYN-27, §4.1.1
#[test]
fn a_verb_followed_by_garbage_is_another_verb() {
    Server::new().greeted().hold(
        r"C: NOOPX
        S: 500
        C: MAILFROM:<a@client.example.test>
        S: 500
        C| EHLO\tclient.example.test\r\n
        S: 500
        C: RSETRSET
        S: 500
        C: DATA.
        S: 500
        C: STARTING
        S: 500
        C: XCLIENTS
        S: 500
        C|  NOOP\r\n
        S: 500
        C: RCPT TO:<user1@example.test>
        S: 503",
    );
}

/// MISC-01, MISC-02, §4.1.5, appendix F
#[test]
fn obsolete_commands_are_not_executed() {
    for command in ["TURN", "SEND FROM:<a@b.test>", "SOML FROM:<a@b.test>", "SAML FROM:<a@b.test>"]
    {
        Server::new().greeted().hold(&format!(
            r"C: {command}
            S: 500
            C: RCPT TO:<user1@example.test>
            S: 503",
        ));
    }
}

/// SYN-04, §4.1.1.2
#[test]
fn mail_needs_from_and_a_path() {
    for args in
        ["", "FROM", "FROM:", "a@client.example.test", "TO:<a@client.example.test>", "FROM:<"]
    {
        Server::new().greeted().hold(&format!(
            r"C: MAIL {args}
            S: 501 5...
            C: RCPT TO:<user1@example.test>
            S: 503 5.5.1 ...",
        ));
    }
}

/// §4.1.1.3
#[test]
fn rcpt_needs_to_and_a_path() {
    for args in ["", "TO", "TO:", "user1@example.test", "FROM:<user1@example.test>", "TO:<user1"] {
        Server::new().greeted().hold(&format!(
            r"C: MAIL FROM:<>
            S: 250
            C: RCPT {args}
            S: 501 5...
            C: DATA
            S: 503 5.5.1 ...",
        ));
    }
}

/// SYN-05, §4.1.1.2: deviation, for many clients write it
#[test]
fn a_space_before_the_path_is_forgiven() {
    Server::new().greeted().hold(
        r"C: MAIL FROM: <a@client.example.test>
        S: 250
        C: RCPT TO: <user1@example.test>
        S: 250",
    );
}

/// SYN-06, §4.1.1.2
#[test]
fn a_path_needs_its_brackets() {
    Server::new().greeted().hold(
        r"C: MAIL FROM:a@client.example.test
        S: 501 5.1.7 ...
        C: MAIL FROM:<>
        S: 250
        C: RCPT TO:user1@example.test
        S: 501 5.1.3 ...",
    );
}

/// SYN-24, §4.1.1.2
#[test]
fn a_parameter_needs_a_space_before_it() {
    Server::new().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test>SIZE=10
        S: 501 5.5.4 ...
        C: MAIL FROM:<a@client.example.test>x
        S: 501 5.5.4 ...
        C: RCPT TO:<user1@example.test>
        S: 503",
    );
}

/// SYN-09, SYN-10, §4.1.1.11
#[test]
fn an_unknown_parameter_is_answered_555() {
    Server::new().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test> FOO=bar
        S: 555 5.5.4 ...
        C: MAIL FROM:<a@client.example.test> FOO
        S: 555 5.5.4 ...
        C: RCPT TO:<user1@example.test>
        S: 503 5.5.1 ...
        C: MAIL FROM:<a@client.example.test>
        S: 250
        C: RCPT TO:<user1@example.test> FOO=bar
        S: 555 5.5.4 ...
        C: DATA
        S: 503 5.5.1 ...",
    );
}

/// §4.1.1.11: parameters of MAIL are none of RCPT, and the other way round
#[test]
fn parameters_belong_to_their_command() {
    Server::new().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test> NOTIFY=NEVER
        S: 555 5.5.4 ...
        C: MAIL FROM:<a@client.example.test>
        S: 250
        C: RCPT TO:<user1@example.test> SIZE=10
        S: 555 5.5.4 ...",
    );
}

/// §4.1.1.1, §4.1.1.11: a client that said HELO was offered nothing
#[test]
fn after_helo_every_parameter_is_unknown() {
    for parameter in ["SIZE=10", "BODY=8BITMIME", "SMTPUTF8", "RET=FULL", "AUTH=<>"] {
        Server::new().hold(&format!(
            r"S: 220
            C: HELO client.example.test
            S: 250
            C: MAIL FROM:<a@client.example.test> {parameter}
            S: 555
            C: MAIL FROM:<a@client.example.test>
            S: 250",
        ));
    }
}

/// §4.1.2, esmtp-param
#[test]
fn a_malformed_parameter_is_answered_501() {
    for parameter in ["=", "SIZE==1", "SIZE=1=2", "-SIZE=1", "SI_ZE=1", "SIZE="] {
        Server::new().greeted().hold(&format!(
            r"C: MAIL FROM:<a@client.example.test> {parameter}
            S: 501 5.5.4 ...
            C: MAIL FROM:<a@client.example.test>
            S: 250",
        ));
    }
}

/// SYN-21, §4.1.1.4, §4.1.1.5, §4.1.1.10, §4.3.2
#[test]
fn data_rset_and_quit_take_no_argument() {
    Server::new().in_transaction().hold(
        r"C: RSET foo
        S: 501 5.5.4 ...
        C: QUIT foo
        S: 501 5.5.4 ...
        C: DATA foo
        S: 501 5.5.4 ...
        C: DATA
        S: 354",
    );
}

/// SYN-22, §4.1.1.9
#[test]
fn noop_ignores_its_argument() {
    Server::new().greeted().hold(
        r"C: NOOP anything at all
        S: 250 2.0.0 ...
        C| NOOP \xff\x01\r\n
        S: 250 2.0.0 ...",
    );
}

/// HELP-01, HELP-02, §4.1.1.8
#[test]
fn help_helps_with_anything() {
    Server::new().greeted().hold(
        r"C: HELP
        S: 214 2.0.0 ...
        C: HELP MAIL
        S: 214 2.0.0 ...",
    );
}

/// SEQ-06, §4.1.1.5
#[test]
fn rset_forgets_the_transaction() {
    Server::new().in_transaction().hold(
        r"C: RSET
        S: 250 2.0.0 ...
        C: RCPT TO:<user1@example.test>
        S: 503 5.5.1 ...
        C: DATA
        S: 503 5.5.1 ...
        C: MAIL FROM:<b@client.example.test>
        S: 250 2.1.0 ...",
    );
}

/// SEQ-07, §4.1.1.5
#[test]
fn rset_is_legal_at_any_time() {
    Server::new().hold(
        r"S: 220
        C: RSET
        S: 250
        C: RSET
        S: 250
        C: EHLO client.example.test
        S: 250
        C: RSET
        S: 250
        C: RSET
        S: 250
        C: NOOP
        S: 250",
    );
}

/// §4.1.1.5: RSET does not undo the greeting
#[test]
fn after_rset_no_new_greeting_is_needed() {
    Server::new().in_transaction().hold(
        r"C: RSET
        S: 250
        C: MAIL FROM:<a@client.example.test> SIZE=10
        S: 250",
    );
}
