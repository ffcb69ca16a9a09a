//! Replays the committed corpora.

use std::{fs, path::Path};

/// Fewer inputs than this and a corpus was lost.
const LEAST: usize = 200;

fn replay(target: &str, property: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    paths.sort();
    assert!(paths.len() >= LEAST, "{target}: {} inputs", paths.len());
    for path in paths {
        // Shown only if the test fails; the last line names the input.
        eprintln!("{}", path.display());
        property(&fs::read(&path).expect("a readable file"));
    }
}

#[test]
fn every_command_line_of_the_corpus_is_one_command() {
    replay("command", fuzz_properties::command);
}

#[test]
fn every_session_of_the_corpus_keeps_the_contract() {
    replay("server_session", fuzz_properties::server_session);
}

#[test]
fn every_message_of_the_corpus_is_read_as_the_oracle_reads_it() {
    replay("dot_oracle", fuzz_properties::dot_oracle);
}

#[test]
fn no_session_of_the_corpus_depends_on_how_it_was_cut() {
    replay("split", fuzz_properties::split);
}

#[test]
fn every_reply_of_the_corpus_is_read_as_the_reference_reads_it() {
    replay("reply", fuzz_properties::reply);
}

#[test]
fn every_message_of_the_corpus_leaves_as_the_reference_sends_it() {
    replay("encode", fuzz_properties::encode);
}

#[test]
fn every_session_of_a_client_in_the_corpus_keeps_the_contract() {
    replay("client_session", fuzz_properties::client_session);
}

#[test]
fn every_pair_of_the_corpus_agrees_on_what_was_delivered() {
    replay("pair", fuzz_properties::pair);
}

#[test]
fn every_address_of_the_corpus_is_read_as_the_reference_reads_it() {
    replay("path", fuzz_properties::path);
}

#[test]
fn every_parameter_for_notices_in_the_corpus_is_read_as_the_reference_reads_it() {
    replay("dsn", fuzz_properties::dsn);
}

#[test]
fn every_header_of_a_proxy_in_the_corpus_is_read_as_the_reference_reads_it() {
    replay("proxy", fuzz_properties::proxy);
}

#[test]
fn every_authentication_of_the_corpus_goes_as_the_reference_says() {
    replay("sasl", fuzz_properties::sasl);
}

#[test]
fn every_chunk_of_the_corpus_is_read_as_the_reference_reads_it() {
    replay("bdat", fuzz_properties::bdat);
}

#[test]
fn every_decision_of_the_corpus_is_heard_once_and_in_order() {
    replay("decisions", fuzz_properties::decisions);
}
