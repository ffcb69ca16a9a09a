//! What the faulty server cannot show, and why.

use crate::faulty::fault::Fault;

/// Cases that no fault fails.
pub(crate) const UNPROVEN: &[(&str, &str)] = &[];

/// Cases that do not concern the server as long as it has no fault.
pub(crate) const ONLY_FOR_A_FAULT: &[&str] = &[
    "CONN-09", "CONN-10", "VRFY-04", "VRFY-06", "DATA-18", "BMIME-04", "AUTH-15", "AUTH-20",
    "AUTH-22", "AUTH-24", "FR-03", "DBY-04",
];

/// Faults that no case sees.
pub(crate) const UNSEEN: &[(Fault, &str)] = &[
    (Fault::MailBeforeEhlo, "servers that take MAIL without EHLO are common; EHLO-17 passes both"),
    (Fault::NoRecipientLimit, "a limit that is not enforced harms nobody (RFC 9422 section 3)"),
    (Fault::MailMaxMore, "a limit that is not enforced harms nobody (RFC 9422 section 3)"),
    (Fault::LoopNever, "a loop needs a second server; DATA-16 judges that 60 hops are none"),
    (Fault::BdatErrorCloses, "hanging up is one way to be done with a chunk of unknown length"),
    (Fault::ManyChunksClose, "hanging up is one way to bound what chunks cost"),
    (
        Fault::BufferUnbounded,
        "what a server keeps shows in its memory, and this one has no process",
    ),
];

/// Faults that were added for a case that no other fault failed.
pub(crate) const MADE_FOR_A_CASE: &[Fault] = &[
    Fault::Greets554Closes,
    Fault::Greets521Serves,
    Fault::VrfyDenies,
    Fault::TlsRequiredNoAuth,
    Fault::HttpTransaction,
    Fault::OtherSenderCloses,
    Fault::HoldForStrangers,
    Fault::DeliverByLeast,
    Fault::ApostropheCloses,
    Fault::AuthExternalForAll,
    Fault::ScramPlusUnbound,
    Fault::CramInitial,
    Fault::KeywordParameters,
    Fault::AuthWithoutMechanism,
    Fault::EightBitCloses,
    Fault::DsnWithoutValue,
    Fault::SuccessDsnAlways,
    Fault::CrHidesEnd,
    Fault::EnhancedZeros,
    Fault::IdleTwoMinutes,
    Fault::StopsSilently,
    Fault::TrickleForEver,
    Fault::BrokenTlsCloses,
    Fault::BrokenTls220,
    Fault::RequireTlsDropped,
    Fault::RequireTlsBounceFull,
    Fault::NullMxTemporary,
    Fault::NullMxQueued,
    Fault::NullMxSenderPlain,
    Fault::ProxyOptional,
    Fault::ProxyAnyLength,
    Fault::ProxyAnySignature,
    Fault::ProxyLocalCloses,
    Fault::ResumedIsLogin,
    Fault::NoSecureRenegotiation,
    Fault::OldTls,
    Fault::XclientRefused,
    Fault::XclientLost,
    Fault::LogsOctets,
    Fault::ScramNoSignature,
    Fault::ScramOwnNonce,
    Fault::ScramSaltRandom,
    Fault::DeliversTwice,
    Fault::EhloSaysHello,
    Fault::EhloTwoSpaces,
    Fault::XclientOffered,
    Fault::RequireTlsParameter,
    Fault::FutureReleaseBare,
    Fault::StopsAndStays,
    Fault::Greets554Serves,
    Fault::Greets554NoQuit,
    Fault::Code560,
    Fault::TlsErrorCloses,
    Fault::ProxyLocalBlock,
    Fault::ProxyUnspecifiedHangs,
    Fault::LfDotLfRefuses,
];
