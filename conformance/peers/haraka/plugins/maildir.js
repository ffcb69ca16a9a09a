// Some mailboxes, in mail/ beside the folder of the configuration.
const fs = require("fs");
const path = require("path");

const USERS = ["user1", "user2", "user.three", "postmaster"];
const DOMAIN = "example.test";

function mailbox(address) {
  // RFC 5321 §4.1.2: "user1" in quotes is user1.
  const name = address.user.toLowerCase().replace(/^"(.*)"$/, "$1");
  const host = address.host?.toLowerCase();
  // RFC 5321 §4.5.1: the postmaster needs no domain.
  const ours = host === DOMAIN || (!host && name === "postmaster");
  return ours && USERS.includes(name) ? name : null;
}

// It would be that of the machine, which reports would show.
exports.hook_lookup_rdns = function (next) {
  next(OK, "tester.client.example");
};

exports.hook_rcpt = function (next, connection, [address]) {
  if (mailbox(address)) return next(OK);
  if (address.host?.toLowerCase() === DOMAIN) return next(DENY, "no such user");
  // Who has signed in may write to everybody.
  next(connection.relaying ? OK : DENY, "relay not permitted");
};

exports.hook_queue = function (next, connection) {
  const { mail_from, message_stream, rcpt_to, uuid } = connection.transaction;
  const names = [...new Set(rcpt_to.map(mailbox).filter(Boolean))];
  message_stream.get_data((message) => {
    for (const name of names) {
      const place = path.join(process.env.HARAKA, "mail", name);
      fs.mkdirSync(path.join(place, "new"), { recursive: true });
      fs.mkdirSync(path.join(place, "tmp"), { recursive: true });
      const file = path.join(place, "tmp", uuid);
      // RFC 5321 §4.4: whoever makes the final delivery adds it.
      fs.writeFileSync(file, `Return-Path: ${mail_from.format()}\r\n`);
      fs.appendFileSync(file, message);
      fs.renameSync(file, path.join(place, "new", uuid));
    }
    next(OK);
  });
};
