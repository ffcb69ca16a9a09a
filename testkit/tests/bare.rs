//! The dialogues over the machine without a driver.

use testkit::{bare::Bare, dialogue::Dialogue, policy::Policy, suite};

#[test]
fn the_bare_machine_speaks_every_dialogue() {
    let policy = Policy::new();
    let transcripts = suite::run_over(|| Bare::new(suite::config(), policy.clone()));
    assert_eq!(transcripts.len(), suite::DIALOGUES.len());
    assert_eq!(policy.delivered(), suite::delivered());
}

#[test]
fn a_silent_client_is_told_421_after_five_minutes_of_virtual_time() {
    let mut bare = Bare::new(suite::config(), Policy::new());
    let dialogue: Dialogue = "S: 220
T: 299s
C: EHLO client.example.test
S: 250
T: 299s
C: NOOP
S: 250
T: 301s
S: 421 4.4.2 ...
S: <CLOSED>"
        .parse()
        .unwrap();
    dialogue.run_blocking(&mut bare).unwrap();
}

#[test]
fn the_bare_machine_speaks_lmtp() {
    let policy = Policy::new();
    let (dialogue, delivered) = suite::lmtp();
    dialogue.run_blocking(&mut Bare::new(suite::lmtp_config(), policy.clone())).unwrap();
    assert_eq!(policy.delivered(), delivered);
}
