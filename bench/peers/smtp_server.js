// nodemailer's smtp-server, discarding: `smtp_server.js PORT`.

const { SMTPServer } = require('smtp-server');

const server = new SMTPServer({
    name: 'mx.example',
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    onData(stream, session, done) {
        stream.on('end', () => done());
        stream.resume();
    },
});
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
