//! What each mechanism says, and what it makes of what a server says.

use smtp_driver::{
    sasl::{ClientExchange, Login, SaslError},
    tls::ChannelBinding,
};
use smtp_proto::wire::Mechanism;

pub(crate) fn mechanism(name: &str) -> Mechanism<'_> {
    Mechanism::parse(name).unwrap()
}

pub(crate) fn begin(login: &Login, name: &str) -> ClientExchange {
    ClientExchange::new(login, &mechanism(name), &[], None).unwrap()
}

fn initial(login: &Login, name: &str) -> String {
    let initial = begin(login, name).initial().unwrap().unwrap();
    String::from_utf8(initial.into_inner()).unwrap()
}

fn answer(exchange: &mut ClientExchange, challenge: &str) -> String {
    let answer = exchange.respond(challenge.as_bytes()).unwrap();
    String::from_utf8(answer.into_inner()).unwrap()
}

#[test]
fn the_best_of_what_is_offered_is_chosen() {
    let choose = |login: &Login, offered: &str| {
        let offered: Vec<_> = offered.split_whitespace().map(mechanism).collect();
        login.choose(&offered, None).map(|chosen| chosen.as_str().to_owned())
    };
    let password = Login::password("user", "secret");
    let all = "LOGIN OAUTHBEARER PLAIN CRAM-MD5 XOAUTH2 scram-sha-256 EXTERNAL SCRAM-SHA-256-PLUS";
    assert_eq!(choose(&password, all).as_deref(), Some("scram-sha-256"));
    assert_eq!(choose(&password, "LOGIN PLAIN").as_deref(), Some("PLAIN"));
    assert_eq!(choose(&password, "XOAUTH2 LOGIN").as_deref(), Some("LOGIN"));
    assert_eq!(choose(&password, "CRAM-MD5 XOAUTH2 EXTERNAL"), None);
    assert_eq!(choose(&password, ""), None);
    assert_eq!(choose(&password.clone().acting_as("boss"), "LOGIN"), None);
    let token = Login::token("user", "token");
    assert_eq!(choose(&token, all).as_deref(), Some("OAUTHBEARER"));
    assert_eq!(choose(&token, "XOAUTH2 PLAIN").as_deref(), Some("XOAUTH2"));
    assert_eq!(choose(&Login::external(), all).as_deref(), Some("EXTERNAL"));
    assert_eq!(choose(&Login::external(), "PLAIN"), None);
}

#[test]
fn what_can_be_bound_to_the_connection_is_chosen_where_there_is_something_to_bind_to() {
    let offered = ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"].map(mechanism);
    let password = Login::password("user", "secret");
    let channel = ChannelBinding::from([7; 32]);
    let bound = password.choose(&offered, Some(&channel)).unwrap();
    assert_eq!(bound.as_str(), "SCRAM-SHA-256-PLUS");
    assert_eq!(password.choose(&offered, None).unwrap().as_str(), "SCRAM-SHA-256");
    let unbound = ClientExchange::new(&password, &bound, &offered, None);
    assert!(matches!(unbound, Err(SaslError::Mechanism)));
}

#[test]
fn a_login_is_only_used_with_its_own_mechanisms() {
    for (login, name) in [
        (Login::password("user", "secret"), "XOAUTH2"),
        (Login::password("user", "secret").acting_as("boss"), "LOGIN"),
        (Login::token("user", "token"), "PLAIN"),
        (Login::token("user", "token"), "LOGIN"),
        (Login::external(), "PLAIN"),
        (Login::password("user", "secret"), "CRAM-MD5"),
    ] {
        let refused = ClientExchange::new(&login, &mechanism(name), &[], None);
        assert!(matches!(refused, Err(SaslError::Mechanism)), "{name}");
    }
}

#[test]
fn only_some_mechanisms_show_the_secret() {
    let (password, token) = (Login::password("user", "secret"), Login::token("user", "token"));
    for (login, name, shows) in [
        (&password, "PLAIN", true),
        (&password, "LOGIN", true),
        (&password, "SCRAM-SHA-256", false),
        (&token, "OAUTHBEARER", true),
        (&token, "XOAUTH2", true),
        (&Login::external(), "EXTERNAL", false),
    ] {
        assert_eq!(begin(login, name).shows_secret(), shows, "{name}");
    }
}

#[test]
fn plain_says_all_at_once() {
    let login = Login::password("user", "pass wörd");
    assert_eq!(initial(&login, "PLAIN"), "\0user\0pass wörd");
    assert_eq!(initial(&login.acting_as("boss"), "plain"), "boss\0user\0pass wörd");
}

#[test]
fn what_is_not_said_with_the_command_answers_the_first_challenge() {
    let mut exchange = begin(&Login::password("user", "secret"), "PLAIN");
    assert_eq!(answer(&mut exchange, ""), "\0user\0secret");
    assert!(exchange.initial().unwrap().is_none());
    assert!(matches!(exchange.respond(b""), Err(SaslError::Unasked)));
}

/// C-54
#[test]
fn login_answers_two_prompts_in_any_words() {
    let mut exchange = begin(&Login::password("user", "secret"), "LOGIN");
    assert!(exchange.initial().unwrap().is_none());
    assert_eq!(answer(&mut exchange, "User Name\0"), "user");
    assert_eq!(answer(&mut exchange, ""), "secret");
    assert!(matches!(exchange.respond(b"More:"), Err(SaslError::Unasked)));
}

#[test]
fn external_says_only_whom_to_act_as() {
    assert_eq!(initial(&Login::external(), "EXTERNAL"), "");
    assert_eq!(initial(&Login::external().acting_as("boss"), "EXTERNAL"), "boss");
}

#[test]
fn a_token_is_carried_as_each_mechanism_has_it() {
    let login = Login::token("user@example.test", "vF9dft4qmTc2");
    // RFC 7628 §4.1, without host and port.
    let said = "n,a=user@example.test,\u{1}auth=Bearer vF9dft4qmTc2\u{1}\u{1}";
    assert_eq!(initial(&login, "OAUTHBEARER"), said);
    let said = "user=user@example.test\u{1}auth=Bearer vF9dft4qmTc2\u{1}\u{1}";
    assert_eq!(initial(&login, "XOAUTH2"), said);
    let odd = Login::token("a=b,c", "token");
    assert!(initial(&odd, "OAUTHBEARER").starts_with("n,a=a=3Db=2Cc,\u{1}"));
}

#[test]
fn the_error_of_a_token_is_answered_so_that_the_refusal_can_follow() {
    for error in ["{\"status\":\"invalid_token\"}", "", "no JSON", "{\"unknown\":[1]}"] {
        // RFC 7628 §3.2.3.
        let mut exchange = begin(&Login::token("user", "old"), "OAUTHBEARER");
        exchange.initial().unwrap();
        assert_eq!(answer(&mut exchange, error), "\u{1}");
        assert!(matches!(exchange.respond(b""), Err(SaslError::Unasked)));
        let mut exchange = begin(&Login::token("user", "old"), "XOAUTH2");
        exchange.initial().unwrap();
        assert_eq!(answer(&mut exchange, error), "");
        assert!(matches!(exchange.respond(b""), Err(SaslError::Unasked)));
    }
}

#[test]
fn what_would_be_read_as_something_else_is_not_sent() {
    for (login, name) in [
        (Login::password("us\0er", "secret"), "PLAIN"),
        (Login::password("user", "sec\0ret"), "PLAIN"),
        (Login::password("user", "").acting_as("boss"), "PLAIN"),
        (Login::password("", "secret"), "PLAIN"),
        (Login::password("user", "secret").acting_as("b\0ss"), "PLAIN"),
        (Login::password("us\u{7}er", "secret"), "SCRAM-SHA-256"),
        (Login::token("user\u{1}host=x", "token"), "XOAUTH2"),
        (Login::token("user", "token\u{1}host=x"), "XOAUTH2"),
        (Login::token("user", "token\u{1}host=x"), "OAUTHBEARER"),
        (Login::token("user\u{1}host=x", "token"), "OAUTHBEARER"),
    ] {
        let refused = ClientExchange::new(&login, &mechanism(name), &[], None);
        let refused = refused.and_then(|mut exchange| exchange.initial());
        assert!(matches!(refused, Err(SaslError::Unsendable)), "{name} {refused:?}");
    }
}

#[test]
fn debug_shows_no_secret() {
    for login in [Login::password("user", "hunter2"), Login::token("user", "hunter2")] {
        let mut shown = format!("{login:?}");
        for name in ["PLAIN", "LOGIN", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2"] {
            if let Ok(mut exchange) = ClientExchange::new(&login, &mechanism(name), &[], None) {
                shown += &format!("{:?} {exchange:?}", exchange.initial());
            }
        }
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains("104, 117, 110"), "{shown}");
    }
}
