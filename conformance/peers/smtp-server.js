// A server of npm's smtp-server with some mailboxes.
//
// node smtp-server.js FOLDER MODULES: cert.pem and key.pem are in FOLDER, the package in MODULES. Prints
// where it listens, and ends when its standard input does.
const fs = require("fs");
const path = require("path");

const [folder, modules] = process.argv.slice(2);
const { SMTPServer } = require(path.join(modules, "smtp-server"));

const USERS = ["user1", "user2", "user.three", "postmaster"];
const DOMAIN = "example.test";
const SIZE_LIMIT = 1048576;
let number = 0;

function refused(responseCode, text) {
  return Object.assign(new Error(text), { responseCode });
}

function mailbox(address) {
  // RFC 5321 §4.1.2: "user1" in quotes is user1.
  const [, name, domain] = /^"?(.*?)"?(?:@([^@]*))?$/.exec(address.toLowerCase());
  // RFC 5321 §4.5.1: the postmaster needs no domain.
  const ours = domain === DOMAIN || (domain === undefined && name === "postmaster");
  return ours && USERS.includes(name) ? name : null;
}

function store(name, message) {
  const place = path.join(folder, "mail", name);
  fs.mkdirSync(path.join(place, "new"), { recursive: true });
  fs.mkdirSync(path.join(place, "tmp"), { recursive: true });
  const file = String(++number);
  fs.writeFileSync(path.join(place, "tmp", file), message);
  fs.renameSync(path.join(place, "tmp", file), path.join(place, "new", file));
}

function listen(kind, options) {
  const server = new SMTPServer({
    ...options,
    name: `mx.${DOMAIN}`,
    cert: fs.readFileSync(path.join(folder, "cert.pem")),
    key: fs.readFileSync(path.join(folder, "key.pem")),
    size: SIZE_LIMIT,
    authOptional: true,
    disableReverseLookup: true,
    onAuth({ username, password }, session, done) {
      const right = ["user1", "user2"].includes(username) && password === "secret1";
      done(right ? null : refused(535, "Authentication credentials invalid"), { user: username });
    },
    onRcptTo({ address }, session, done) {
      if (mailbox(address)) return done();
      const local = address.toLowerCase().endsWith(`@${DOMAIN}`);
      done(refused(550, local ? "no such user" : "relay not permitted"));
    },
    onData(stream, session, done) {
      const parts = [];
      stream.on("data", (part) => parts.push(part));
      stream.on("end", () => {
        if (stream.sizeExceeded) return done(refused(552, "message exceeds the limit"));
        for (const { address } of session.envelope.rcptTo) {
          store(mailbox(address), Buffer.concat(parts));
        }
        done(null, "stored");
      });
    },
  });
  server.on("error", (error) => console.log(error.message));
  server.listen(0, "127.0.0.1", () => {
    console.log(`listening on 127.0.0.1:${server.server.address().port} (${kind})`);
  });
}

listen("STARTTLS", {});
listen("TLS", { secure: true });
process.stdin.on("end", () => process.exit()).resume();
