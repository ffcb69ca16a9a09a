-- Version 1. Times are microseconds since 1970. An address is as in RFC 5321, without brackets;
-- '' is the null sender, and 'postmaster' without a domain the recipient of that name.

CREATE TABLE message (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    sender TEXT NOT NULL,
    ret TEXT,
    envid TEXT,
    body_type TEXT NOT NULL,
    smtputf8 INTEGER NOT NULL,
    login TEXT,
    received INTEGER NOT NULL,
    size INTEGER NOT NULL,
    crc32c INTEGER NOT NULL,
    in_file INTEGER NOT NULL,   -- 1: the octets are in the file of that id, 0: in `body`
    unfinished INTEGER NOT NULL -- recipients that are waiting or held
) STRICT;

-- Apart from `message`, so that a list does not walk over octets.
CREATE TABLE body (
    message INTEGER PRIMARY KEY,
    octets BLOB NOT NULL
) STRICT;

CREATE TABLE recipient (
    message INTEGER NOT NULL,
    place INTEGER NOT NULL,
    address TEXT NOT NULL,
    notify TEXT,
    orcpt TEXT,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next INTEGER NOT NULL,
    last_at INTEGER,
    last_host TEXT,
    last_reply TEXT,
    last_dialogue TEXT,
    delay_told INTEGER NOT NULL,
    PRIMARY KEY (message, place)
) STRICT, WITHOUT ROWID;

CREATE INDEX recipient_waiting ON recipient (next, message) WHERE state = 'waiting';
CREATE INDEX recipient_held ON recipient (message) WHERE state = 'held';
