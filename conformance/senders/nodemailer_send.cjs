#!/usr/bin/env node
// Sends one message with nodemailer: exit status 0 if it was sent to all, 75 if it may be tried
// again, 69 if not.
"use strict";

const fs = require("node:fs");
const { parseArgs } = require("node:util");
const nodemailer = require("nodemailer");

const [SENT, PERMANENT, TEMPORARY] = [0, 69, 75];

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    helo: { type: "string" },
    timeout: { type: "string", default: "30" },
    // Require STARTTLS, and trust this certificate only.
    ca: { type: "string" },
    user: { type: "string" },
    password: { type: "string" },
  },
});
const [host, port, message, from, ...to] = positionals;
const timeout = Number(options.timeout) * 1000;

const transport = nodemailer.createTransport({
  host,
  port: Number(port),
  name: options.helo,
  connectionTimeout: timeout,
  greetingTimeout: timeout,
  socketTimeout: timeout,
  ...(options.ca
    ? { requireTLS: true, tls: { ca: fs.readFileSync(options.ca) } }
    : { ignoreTLS: true }),
  ...(options.user && { auth: { user: options.user, pass: options.password } }),
});

// 5yz, and what the library itself refuses to send, will never do.
function status(error) {
  const code = error.responseCode;
  if (code) return code >= 500 && code < 600 ? PERMANENT : TEMPORARY;
  return ["EENVELOPE", "EAUTH", "EMESSAGE"].includes(error.code) ? PERMANENT : TEMPORARY;
}

transport
  .sendMail({ envelope: { from, to }, raw: fs.readFileSync(message) })
  .then(({ rejected, rejectedErrors }) => {
    if (!rejected.length) return SENT;
    console.error(`refused: ${rejected.join(" ")}`);
    return Math.max(...rejectedErrors.map(status));
  })
  .catch((error) => {
    console.error(`${error.code}: ${error.message}`);
    return status(error);
  })
  .then((code) => {
    process.exitCode = code;
  });
