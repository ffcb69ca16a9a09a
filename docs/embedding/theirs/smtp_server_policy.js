const { SMTPServer } = require("smtp-server");

function no(code, text) {
  return Object.assign(new Error(text), { responseCode: code });
}

const server = new SMTPServer({
  authOptional: true,
  disabledCommands: ["STARTTLS"],
  onRcptTo(address, session, callback) {
    const [local, domain] = address.address.toLowerCase().split("@");
    if (domain !== "example.test") return callback(no(550, "5.7.1 Relaying denied"));
    if (!["ann", "bob", "postmaster"].includes(local)) {
      return callback(no(550, "5.1.1 No such user here"));
    }
    callback();
  },
  onData(stream, session, callback) {
    const pieces = [];
    stream.on("data", (piece) => pieces.push(piece));
    stream.on("end", () => {
      keep(Buffer.concat(pieces));
      callback();
    });
  },
});

function keep(message) {
  console.log(message.length, "octets");
}

server.listen(Number(process.argv[2]), "127.0.0.1");
