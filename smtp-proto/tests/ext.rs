//! The service extensions, LMTP and submission as dialogues, one file for each.

mod session;

mod ext {
    mod auth;
    mod chunking;
    mod dsn;
    mod eightbitmime;
    mod enhanced;
    mod lmtp;
    mod pipelining;
    mod size;
    mod smtputf8;
    mod starttls;
}
