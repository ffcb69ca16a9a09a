//! Paths, mailboxes, and what they are made of.

use crate::reference::address as reference;
use smtp_proto::wire::{
    AddressLiteral, Domain, ForwardPath, HelloName, Host, LocalPart, Mailbox, ReversePath,
};

/// Each type for an address or a part of one takes just the texts that the grammar of RFC 5321
/// §4.1.2 and §4.1.3, with RFC 6531 §3.3, lets it take, as a reference without a parser reads it;
/// writes itself back so that parsing again gives the same value; is the same when it is owned; and
/// says ASCII of itself if that is what it is. A path loses its source route, and nothing else of it
/// is lost; a local part without its quotes is what the reference makes of it.
///
/// `data` is one text in UTF-8.
///
/// # Panics
/// If it is not so.
pub fn path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    parts(text);
    paths(text);
}

fn parts(text: &str) {
    let local = LocalPart::parse(text);
    assert_eq!(local.is_ok(), reference::is_local_part(text), "as a local part");
    if let Ok(local) = local {
        assert_eq!(local.to_string(), text);
        assert_eq!(&local.clone().into_static(), &local);
        let said = reference::unquote(text).unwrap_or_else(|| text.to_owned());
        assert_eq!(local.unquoted(), said);
    }
    let domain = Domain::parse(text);
    assert_eq!(domain.is_ok(), reference::is_domain(text), "as a domain");
    if let Ok(domain) = domain {
        assert_eq!(domain.to_string(), text);
        assert_eq!(domain.is_ascii(), text.is_ascii());
        assert_eq!(&domain.clone().into_static(), &domain);
    }
    let literal = AddressLiteral::parse(text);
    assert_eq!(literal.is_ok(), reference::is_literal(text), "as an address literal");
    if let Ok(literal) = literal {
        let written = literal.to_string();
        assert_eq!(AddressLiteral::parse(&written).as_ref(), Ok(&literal));
        assert_eq!(&literal.clone().into_static(), &literal);
    }
    let host = Host::parse(text);
    assert_eq!(host.is_ok(), reference::is_host(text), "as a host");
    if let Ok(host) = host {
        assert_eq!(Host::parse(&host.to_string()).as_ref(), Ok(&host));
        assert_eq!(&host.clone().into_static(), &host);
    }
    let hello = HelloName::parse(text);
    // An underscore is what a host name has no room for; nothing else is different.
    let plain = text.replace('_', "x");
    let is_name = reference::is_literal(text) || reference::is_domain(&plain);
    assert_eq!(hello.is_ok(), is_name, "as the name of a greeting");
    if let Ok(hello) = hello {
        assert_eq!(HelloName::parse(&hello.to_string()).as_ref(), Ok(&hello));
        assert_eq!(&hello.clone().into_static(), &hello);
    }
    let mailbox = Mailbox::parse(text);
    assert_eq!(mailbox.is_ok(), reference::is_mailbox(text), "as a mailbox");
    if let Ok(mailbox) = mailbox {
        assert_eq!(Mailbox::parse(&mailbox.to_string()).as_ref(), Ok(&mailbox));
        assert_eq!(&mailbox.clone().into_static(), &mailbox);
        assert_eq!(mailbox.is_ascii(), text.is_ascii());
    }
}

fn paths(text: &str) {
    let reverse = ReversePath::parse(text).ok();
    let expected = reference::path(text, "<>");
    assert_eq!(reverse.as_ref().map(|(_, rest)| *rest), expected.map(|(_, rest)| rest));
    if let (Some((path, _)), Some((inside, _))) = (reverse, expected) {
        assert_eq!(path.mailbox(), Mailbox::parse(inside).ok().as_ref());
        assert_eq!(ReversePath::parse(&path.to_string()), Ok((path.clone(), "")));
        assert_eq!(path.is_ascii(), inside.is_ascii());
        assert_eq!(&path.clone().into_static(), &path);
    }
    let forward = ForwardPath::parse(text).ok();
    let expected = reference::path(text, "<Postmaster>");
    assert_eq!(forward.as_ref().map(|(_, rest)| *rest), expected.map(|(_, rest)| rest));
    if let (Some((path, _)), Some((inside, _))) = (forward, expected) {
        assert_eq!(path.mailbox(), Mailbox::parse(inside).ok().as_ref());
        assert_eq!(ForwardPath::parse(&path.to_string()), Ok((path.clone(), "")));
        assert_eq!(path.is_ascii(), inside.is_ascii());
        assert_eq!(&path.clone().into_static(), &path);
    }
}
