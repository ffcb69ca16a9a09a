//! Our client and our server joined: the property of `fuzz_properties::pair` over every combination
//! of extensions, and over any input.

use fuzz_properties::pair;
use proptest::prelude::*;

/// What a message may be made of, some of which may not be sent.
const MESSAGES: [&[u8]; 8] = [
    b"",
    b".",
    b"Subject: x\r\n\r\n.\r\n..\r\nlast",
    b"a\nb\r.\r\n",
    b"ends in CR\r",
    b"\xc3\xbc\r\n",
    b"nul\0\r\n",
    b"\r\n.\r\n\r\nMAIL FROM:<>\r\n",
];

#[test]
fn a_message_arrives_octet_for_octet_whatever_the_two_agree_on() {
    let mut seed = 1u8;
    for offer in 0..=u8::MAX {
        // PIPELINING, BDAT and the parameters: used, or not, where they are offered.
        for used in (0..8).map(|bits: u8| bits & 3 | (bits & 4) << 2) {
            for message in MESSAGES {
                seed = seed.wrapping_mul(29).wrapping_add(17);
                // What the extensions do not decide is drawn; now nobody is refused, now some are.
                let ask = used | seed & 0b1110_1100;
                let recipients = if seed & 2 == 0 { 0 } else { seed };
                pair(&[&[offer, ask, seed, recipients], message].concat());
            }
        }
    }
}

proptest! {
    #[test]
    fn a_message_of_any_octets_arrives_or_both_know_that_it_did_not(
        head in any::<[u8; 4]>(),
        message in proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), Just(b'x'), any::<u8>()],
            0..600,
        ),
    ) {
        pair(&[&head[..], &message].concat());
    }
}
