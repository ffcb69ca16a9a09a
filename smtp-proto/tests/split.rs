//! However the input is cut, the machine does the same: random sessions, whole, octet by octet and
//! in random pieces, with recipients decided one by one and together.

use fuzz_properties::split;
use proptest::prelude::*;

/// Words that sessions are made of; most of them lead further in.
const WORDS: &[&str] = &[
    "EHLO client.example\r\n",
    "LHLO client.example\r\n",
    "HELO xclient\r\n",
    "MAIL FROM:<a@b.example>\r\n",
    "MAIL FROM:<> SIZE=10 BODY=8BITMIME SMTPUTF8\r\n",
    "MAIL FROM:<a@b.example> SIZE=99999999999\r\n",
    "RCPT TO:<a@b.example>\r\n",
    "RCPT TO:<x@b.example>\r\nRCPT TO:<b@b.example>\r\nRCPT TO:<c@b.example>\r\n",
    "RCPT TO:<>\r\n",
    "RCPT TO:<\"q\\\"\"@[192.0.2.1]> NOTIFY=NEVER\r\n",
    "DATA\r\n",
    "Subject: x\r\n\r\ntext\r\n",
    ".\r\n",
    "\r\n.\r\n",
    "..\r\n.x\r\n",
    "\n.\n",
    "\r.\r",
    "BDAT 5\r\nabcde",
    "BDAT 7 LAST\r\nxyz\r\n.\r",
    "BDAT 0 LAST\r\n",
    "BDAT x\r\n",
    "BDAT 99999999999999999999\r\n",
    "RSET\r\n",
    "NOOP\r\n",
    "NO\nOP\r\n",
    "VRFY xa\r\nEXPN b\r\nHELP\r\n",
    "AUTH PLAIN AGEAYg==\r\n",
    "AUTH LOGIN\r\n",
    "eGF=\r\n",
    "YWJj\r\n",
    "*\r\n",
    "\r\n",
    "\0\r\n",
    "GET / HTTP/1.1\r\n",
    "QUIT\r\n",
];

fn session() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        24 => prop::sample::select(WORDS).prop_map(|word| word.as_bytes().to_vec()),
        1 => (0..3_000usize).prop_map(|n| vec![b'x'; n]),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    let start = prop_oneof![Just(""), Just("EHLO c.example\r\nMAIL FROM:<a@b.example>\r\n")];
    (any::<[u8; 2]>(), start, prop::collection::vec(word, 0..24)).prop_map(
        |(flags, start, words)| {
            let mut data = flags.to_vec();
            // In LMTP mode the greeting is another.
            let start =
                if flags[0] & 1 == 1 { start.replace("EHLO", "LHLO") } else { start.into() };
            data.extend_from_slice(start.as_bytes());
            data.extend(words.concat());
            data
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

    /// PIPE-06
    #[test]
    fn the_same_octets_give_the_same_events_and_replies_however_they_are_cut(data in session()) {
        split(&data);
    }
}
