//! All that waits for a dead destination is given up in the same moment.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod site;

use rustix::process::{Resource, getrlimit, setrlimit};
use site::Site;
use smtp_mta::{
    message_id::MessageIds,
    queue::{Envelope, NewMessage, NewRecipient, Options, SqliteQueue, Timestamp},
    spool::Spooled,
};
use smtp_proto::wire::{ForwardPath, ReversePath};
use std::{path::Path, time::Duration};

const MESSAGES: usize = 300;

/// Open files, fewer than there are messages.
const FILES: u64 = 200;

/// Long messages from `you@mx.example` that came six days ago.
async fn fill(folder: &Path) {
    let queue = SqliteQueue::open(folder.join("queue"), Options::default()).unwrap();
    let ids = MessageIds::new().unwrap();
    for _ in 0..MESSAGES {
        let id = ids.next();
        let octets = format!("Subject: x\r\n\r\n{}", "octets\r\n".repeat(10_000));
        let message = NewMessage {
            id,
            envelope: Envelope::new(ReversePath::parse("<you@mx.example>").unwrap().0),
            recipients: vec![NewRecipient::new(ForwardPath::parse("<a@far.example>").unwrap().0)],
            body: Spooled::Memory(octets.into(), folder.join(id.to_string())),
            received: Timestamp::now() - Duration::from_secs(6 * 24 * 60 * 60),
        };
        queue.enqueue(message).await.unwrap();
    }
    queue.close().await.unwrap();
}

#[test]
fn a_notice_for_each_of_many_messages_opens_few_files_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(fill(folder.path()));
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: Some(FILES), ..limit }).unwrap();
    // Nobody listens on port 1.
    let site = Site::in_folder(
        folder,
        "hostname = 'mx.example'
         [[listener]]
         address = '127.0.0.1:0'
         [[domain]]
         name = 'mx.example'
         mailboxes = ['you']
         [[route]]
         recipients = ['far.example']
         smarthost = { host = '127.0.0.1', port = 1, tls = 'off' }",
    );
    let notices = site.mailbox("you");
    assert_eq!(notices.len(), MESSAGES);
    let header = b"Its header is below";
    let has_header = |it: &&Vec<u8>| it.windows(header.len()).any(|window| window == header);
    assert_eq!(notices.iter().filter(has_header).count(), MESSAGES);
}
