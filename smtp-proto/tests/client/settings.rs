//! What a configuration says of itself.

use smtp_proto::{
    Start,
    body::LineEndings,
    client::{ClientConfig, ClientConnection, Limits, Mode, Timeouts},
};
use std::time::Duration;

#[test]
fn a_configuration_tells_what_it_was_built_with() {
    let mut timeouts = Timeouts::default();
    timeouts.rcpt = Duration::from_secs(7);
    let mut limits = Limits::default();
    (limits.reply, limits.send_buffer, limits.unanswered) = (1_000, 2_000, 3);
    let config = ClientConfig::builder()
        .mode(Mode::Lmtp)
        .line_endings(LineEndings::Normalise)
        .timeouts(timeouts)
        .limits(limits)
        .build();
    let machine = ClientConnection::new(config, Start::Plain);
    let config = machine.config();
    assert_eq!(config.mode(), Mode::Lmtp);
    assert_eq!(config.line_endings(), LineEndings::Normalise);
    assert_eq!((config.timeouts(), config.limits()), (&timeouts, &limits));
}

/// RFC 5321 §4.5.3.1.5: a reply line may have 512 octets
#[test]
fn limits_that_would_stop_everything_are_raised() {
    let mut limits = Limits::default();
    (limits.reply, limits.send_buffer, limits.unanswered) = (0, 0, 0);
    let config = ClientConfig::builder().limits(limits).build();
    (limits.reply, limits.send_buffer, limits.unanswered) = (512, 1_024, 1);
    assert_eq!(config.limits(), &limits);
}
