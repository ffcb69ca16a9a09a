//! What a peer did wrong, for logs, metrics and bans. The machine has already queued its reply.

/// A rule that the peer broke. Nothing of what it sent is kept here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Violation {
    /// It spoke before the greeting (RFC 5321 §3.1).
    EarlyTalker,
    /// A command line over its limit (§4.5.3.1.4). The rest of the line was swallowed.
    LineTooLong,
    /// A bare CR, a bare LF or a NUL in a command line (§2.3.8, §4.1.2).
    BadLine,
    /// A verb the server does not know (§4.2.4).
    UnknownCommand,
    /// A command whose argument does not parse, with the part that was wrong.
    Syntax(SyntaxFault),
    /// A command at the wrong time (§4.1.4).
    Sequence,
    /// An address outside ASCII without SMTPUTF8 (RFC 6531 §3.4).
    NeedsSmtpUtf8,
    /// A message announced or found to be over the limit (RFC 1870 §6).
    MessageTooLarge,
    /// A text line over its limit (RFC 5321 §4.5.3.1.6).
    TextLineTooLong,
    /// A bare CR or LF in a message (§2.3.8).
    BareLineEnding,
    /// More recipients than the limit (§4.5.3.1.10).
    TooManyRecipients,
    /// More transactions than the limit.
    TooManyTransactions,
    /// Octets behind STARTTLS (RFC 3207 §4.2, §6).
    Residue,
    /// Octets behind a DATA that was refused (RFC 2920 §3.1).
    PastData,
    /// AUTH in clear text (RFC 4954 §4).
    AuthInClear,
    /// A response in an AUTH exchange that is not base64 or too long (RFC 4954 §4).
    BadAuthResponse,
    /// A request line of another protocol, such as HTTP.
    ForeignProtocol,
    /// It went on sending a refused message beyond the swallow limit.
    Flood,
}

/// The part of a command that does not parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SyntaxFault {
    /// An argument is missing, superfluous or malformed.
    Argument,
    /// The name after EHLO or HELO.
    HelloName,
    /// The reverse path of MAIL.
    ReversePath,
    /// The forward path of RCPT.
    ForwardPath,
    /// A parameter that was not advertised, or that nobody knows.
    UnknownParameter,
    /// A parameter given twice, or with a value that does not parse.
    BadParameter,
}
