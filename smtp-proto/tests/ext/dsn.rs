//! DSN (RFC 3461): the parameters of MAIL and RCPT.

use crate::session::Server;
use smtp_proto::ext::Extensions;

#[track_caller]
fn mail(params: &str, reply: &str) {
    let mail = format!("C: MAIL FROM:<a@client.example.test> {params}\nS: {reply} ...");
    Server::new().greeted().hold(&mail);
}

#[track_caller]
fn rcpt(params: &str, reply: &str) {
    let rcpt = format!("C: RCPT TO:<user1@example.test> {params}\nS: {reply} ...");
    Server::new().in_transaction().hold(&rcpt);
}

/// DSN-01, DSN-13, RFC 3461 §4.3, §4.4
#[test]
fn ret_and_envid_are_taken() {
    mail("RET=HDRS ENVID=QQ314159", "250 2.1.0");
    mail("RET=FULL", "250 2.1.0");
    mail("ret=full envid=a+2Bb+3D", "250 2.1.0");
}

/// DSN-02, DSN-13, RFC 3461 §4.1
#[test]
fn notify_is_never_or_a_list() {
    rcpt("NOTIFY=NEVER", "250 2.1.5");
    rcpt("NOTIFY=SUCCESS,FAILURE,DELAY", "250 2.1.5");
    rcpt("notify=Failure", "250 2.1.5");
}

/// DSN-03, DSN-04, DSN-15, RFC 3461 §4.1
#[test]
fn a_malformed_notify_is_refused() {
    rcpt("NOTIFY=NEVER,SUCCESS", "501 5.5.4");
    rcpt("NOTIFY=SUCCESS,NEVER", "501 5.5.4");
    rcpt("NOTIFY=FOO", "501 5.5.4");
    rcpt("NOTIFY=", "501 5.5.4");
    rcpt("NOTIFY", "501 5.5.4");
    rcpt("NOTIFY=SUCCESS,,DELAY", "501 5.5.4");
    rcpt("NOTIFY=SUCCESS, DELAY", "501 5.5.4");
}

/// DSN-04, DSN-05, DSN-15, RFC 3461 §4.2, §4.3, §4.4
#[test]
fn a_malformed_ret_or_envid_is_refused() {
    mail("RET=SOME", "501 5.5.4");
    mail("RET", "501 5.5.4");
    mail("ENVID=", "501 5.5.4");
    mail("ENVID=a+ZZ", "501 5.5.4");
    mail("ENVID=a+2b", "501 5.5.4");
    mail("ENVID=a=b", "501 5.5.4");
    mail("ENVID=a b", "555 5.5.4");
}

/// DSN-06, RFC 3461 §4.5
#[test]
fn each_parameter_stands_once() {
    mail("RET=FULL RET=HDRS", "501 5.5.4");
    mail("ENVID=a ENVID=a", "501 5.5.4");
    rcpt("NOTIFY=NEVER NOTIFY=NEVER", "501 5.5.4");
    rcpt("ORCPT=rfc822;a ORCPT=rfc822;a", "501 5.5.4");
}

/// DSN-07, RFC 3461 §4.4
#[test]
fn an_envid_of_100_characters_is_taken_and_one_more_is_not() {
    mail(&format!("ENVID={}", "x".repeat(100)), "250 2.1.0");
    mail(&format!("ENVID={}", "x".repeat(101)), "501 5.5.4");
}

/// DSN-08, RFC 3461 §4.2
#[test]
fn orcpt_is_a_type_and_an_address_in_xtext() {
    rcpt("ORCPT=rfc822;user1@example.test", "250 2.1.5");
    rcpt("ORCPT=rfc822;a+2Bb@example.test NOTIFY=DELAY", "250 2.1.5");
    for value in ["rfc822", ";x", "rfc822;", "rfc822;a+2", "rfc822;a+zz", "rf c;x"] {
        rcpt(&format!("ORCPT={value}"), "501 5.5.4");
    }
}

/// DSN-14, RFC 3461 §4.2: 500 characters with the keyword
#[test]
fn an_orcpt_of_500_characters_is_taken_and_one_more_is_not() {
    let start = "ORCPT=rfc822;";
    rcpt(&format!("{start}{}", "x".repeat(500 - start.len())), "250 2.1.5");
    rcpt(&format!("{start}{}", "x".repeat(501 - start.len())), "501 5.5.4");
}

/// SEC-INJ-07, CVE-2020-28015, RFC 3461 §4
#[test]
fn no_parameter_decodes_to_a_line_break() {
    mail("ENVID=a+0D+0AX-Evil:+20y", "501 5.5.4");
    mail("AUTH=b+0Ac", "501 5.5.4");
    rcpt("ORCPT=rfc822;d+0D+0AX-Evil:+20z", "501 5.5.4");
    rcpt("ORCPT=rfc822;d+00", "501 5.5.4");
}

/// RFC 3461 §4: what was not offered is unknown
#[test]
fn parameters_that_were_not_offered_are_unknown() {
    let server = Server::new().with(|server| server.extensions = Extensions::new());
    server.greeted().hold(
        r"C: MAIL FROM:<a@client.example.test> RET=FULL
        S: 555 5.5.4 ...
        C: MAIL FROM:<a@client.example.test>
        S: 250
        C: RCPT TO:<user1@example.test> NOTIFY=NEVER
        S: 555 5.5.4 ...",
    );
}
