//! What is forwarded, and what the sender is told of it.

use crate::{
    far::Far,
    notices::notices,
    site::{Client, Site},
    world::{MESSAGE, World},
};

/// `a.example` with names that lead to `b.example`.
fn world() -> World {
    World::new(
        "[[domain]]
         name = 'alias.example'
         mailboxes = ['keep']
         catch_all = 'who@b.example'
         [domain.aliases]
         out = 'you@b.example'
         gone = 'nobody@b.example'
         keep = ['keep', 'you@b.example']
         list = ['nobody@b.example', 'you@b.example', 'keep']
         boss = 'me@a.example'",
    )
}

/// The same server, but that it relays for nobody.
fn closed(world: &World) -> Site {
    let config = world.a_config.replace("'127.0.0.0/8'", "");
    Site::with(&config.replace(&world.a.address.to_string(), "127.0.0.1:0"))
}

#[test]
fn a_forward_goes_out_with_the_senders_own_address() {
    let world = world();
    let far = world.far();
    let mut client = Client::greeted(world.a.address);
    client.submit("me@a.example", &["out@alias.example"], MESSAGE);
    client.submit("me@a.example", &["keep+tag@alias.example"], MESSAGE);
    world.a.delivered();
    let messages = far.mailbox("you");
    assert_eq!(messages.len(), 2);
    assert!(messages.iter().all(|it| it.starts_with(b"Return-Path: <me@a.example>\r\n")));
    assert_eq!(world.a.mailbox("keep").len(), 1);
    assert!(world.a.mailbox("me").is_empty());
}

#[test]
fn the_sender_of_what_cannot_be_forwarded_reads_the_address_that_was_written() {
    let world = world();
    let _far = world.far();
    let mut client = Client::greeted(world.a.address);
    for (to, original) in [
        ("Gone+x@alias.example", "rfc822;Gone+x@alias.example"),
        ("gone@alias.example ORCPT=rfc822;first@c.example", "rfc822;first@c.example"),
        ("list@alias.example", "rfc822;list@alias.example"),
        ("list@alias.example NOTIFY=SUCCESS,FAILURE", "rfc822;list@alias.example"),
        ("catch%all@alias.example", "rfc822;catch%all@alias.example"),
    ] {
        client.submit("me@a.example ENVID=tea", &[to], MESSAGE);
        let failed = notices(&world);
        let failed: Vec<_> =
            failed.iter().filter(|it| it.status[1]["Action"] == "failed").collect();
        assert_eq!(failed.len(), 1, "{to}");
        assert_eq!(failed[0].status[0]["Original-Envelope-Id"], "tea");
        assert_eq!(failed[0].status[1]["Original-Recipient"], original);
        let last = &failed[0].status[1]["Final-Recipient"];
        let tried = if to.starts_with("catch") { "who" } else { "nobody" };
        assert_eq!(*last, format!("rfc822;{tried}@b.example"));
        world.a.empty("me");
    }
    for to in ["gone@alias.example NOTIFY=NEVER", "list@alias.example NOTIFY=DELAY"] {
        client.submit("me@a.example", &[to], MESSAGE);
        assert!(world.a.mailbox("me").is_empty(), "{to}");
    }
}

#[test]
fn one_target_has_the_wish_for_a_notice_and_several_are_told_of_at_once() {
    let world = world();
    let far = world.far();
    let mut client = Client::greeted(world.a.address);
    // One: the next server tells.
    client.submit("me@a.example", &["out@alias.example NOTIFY=SUCCESS"], MESSAGE);
    world.a.delivered();
    far.delivered();
    let told = notices(&world);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].status[0]["Reporting-MTA"], "dns; mx.b.example");
    assert_eq!(told[0].status[1]["Action"], "delivered");
    assert_eq!(told[0].status[1]["Original-Recipient"], "rfc822;out@alias.example");
    world.a.empty("me");
    // Several: we tell that they are, and nobody of what becomes of each.
    client.submit("me@a.example", &["keep@alias.example NOTIFY=SUCCESS"], MESSAGE);
    world.a.delivered();
    far.delivered();
    let told = notices(&world);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].status[0]["Reporting-MTA"], "dns; mx.a.example");
    assert_eq!(told[0].status.len(), 2);
    assert_eq!(told[0].status[1]["Action"], "expanded");
    assert_eq!(told[0].status[1]["Status"], "2.0.0");
    assert_eq!(told[0].status[1]["Final-Recipient"], "rfc822;keep@alias.example");
    assert!(!told[0].status[1].contains_key("Original-Recipient"));
    assert!(told[0].text.contains("to whom this address leads"), "{}", told[0].text);
    assert_eq!((world.a.mailbox("keep").len(), far.mailbox("you").len()), (1, 2));
}

#[test]
fn that_an_address_leads_to_several_is_told_once_however_often_they_are_tried() {
    let world = world();
    let _far = Far::start(world.b, |verb, before| {
        (verb == "RCPT" && before < 2).then_some("450 4.2.0 later")
    });
    let mut client = Client::greeted(world.a.address);
    client.submit("me@a.example", &["list@alias.example NOTIFY=SUCCESS,FAILURE"], MESSAGE);
    world.a.delivered();
    let told = notices(&world);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].status[1]["Action"], "expanded");
}

#[test]
fn a_notice_for_an_alias_goes_where_that_leads() {
    let world = world();
    let far = world.far();
    let mut client = Client::greeted(world.a.address);
    client.submit("out@alias.example", &["nobody@b.example"], MESSAGE);
    client.submit("boss@alias.example", &["nobody@b.example"], MESSAGE);
    world.a.delivered();
    let message = far.mailbox("you").remove(0);
    assert!(message.starts_with(b"Return-Path: <>\r\n"));
    assert_eq!(notices(&world).len(), 1);
}

#[test]
fn a_stranger_reaches_those_whom_an_alias_names_and_nobody_else() {
    let world = world();
    let far = world.far();
    let site = closed(&world);
    let mut client = Client::greeted(site.address);
    client.ask("MAIL FROM:<x@client.example>", "250 ");
    for to in [
        "you@b.example",
        "you%b.example@c.example",
        "@alias.example:you@b.example",
        "you@[127.0.0.2]",
    ] {
        client.ask(&format!("RCPT TO:<{to}>"), "550 5.7.1 ");
    }
    client.ask("RSET", "250 ");
    for to in [
        "out+me@alias.example",
        "out+me%b.example@alias.example",
        "\"out+me@b.example\"@alias.example",
        "@b.example,@c.example:out@alias.example",
    ] {
        client.submit("x@client.example", &[to], MESSAGE);
    }
    site.delivered();
    assert_eq!((far.mailbox("you").len(), far.mailbox("me").len()), (4, 0));
}
