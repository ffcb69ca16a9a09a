//! What the client does wrong, one thing at a time.

/// The faults: each is named, said in a sentence, and seen by one row.
macro_rules! faults {
    ($($(#[doc = $text:literal])* $name:ident => $id:literal,)*) => {
        /// What a client does wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Fault { $($(#[doc = $text])* $name,)* }

        impl Fault {
            /// All of them, with the row that sees each.
            pub(crate) const ALL: &[(Self, &str)] = &[$((Self::$name, $id),)*];

            /// What the client does, in a sentence.
            pub(crate) fn sentence(self) -> &'static str {
                match self { $(Self::$name => concat!($($text),*).trim_ascii(),)* }
            }
        }
    };
}

faults! {
    /// Dots in front of lines are doubled only where nothing follows them.
    LeavesDots => "C-01",
    /// EHLO is all it knows.
    KnowsEhloOnly => "C-02",
    /// After HELO it says SIZE=.
    ParametersAfterHelo => "C-03",
    /// A greeting with 421 is for ever.
    GivesUpOn421Greeting => "C-04",
    /// A greeting with 5yz is not looked at.
    IgnoresRefusalInGreeting => "C-05",
    /// A greeting is over with its first line.
    ReadsOneLineOfGreeting => "C-06",
    /// A code without text is no reply.
    NeedsText => "C-07",
    /// Codes that stand in no list are failures.
    KnowsListedCodesOnly => "C-08",
    /// Commands are grouped though PIPELINING is not offered.
    PipelinesUnasked => "C-09",
    /// A DATA that is refused is not looked at.
    IgnoresRefusalOfData => "C-10",
    /// A recipient that is refused is not spoken of.
    KeepsRefusalsToItself => "C-11",
    /// With no recipient left and DATA granted the message is sent.
    SendsToNobody => "C-12",
    /// 4yz at the end is as good as 250.
    TakesLaterForSent => "C-13",
    /// 5yz at the end is a reason to send again.
    SendsAgainWhatWasRefused => "C-14",
    /// The server's SIZE is not looked at.
    IgnoresSizeLimit => "C-15",
    /// SIZE= is never said.
    KeepsSizeToItself => "C-16",
    /// It leaves without QUIT.
    LeavesWithoutQuit => "C-17",
    /// A connection that breaks inside a message is as good as 250.
    TakesCutForSent => "C-18",
    /// A connection that breaks behind a message is as good as 250.
    TakesSilenceForSent => "C-19",
    /// Where STARTTLS is not offered it goes on in clear.
    GoesOnWithoutTls => "C-20",
    /// Where STARTTLS is refused it goes on in clear.
    GoesOnWithRefusedTls => "C-21",
    /// What was read behind the 220 is the first to be read inside TLS.
    KeepsBufferOverTls => "C-22",
    /// Inside TLS it does not say EHLO.
    NoEhloInsideTls => "C-23",
    /// What was offered outside TLS holds inside.
    KeepsOffersOverTls => "C-24",
    /// LF ends a reply.
    TakesLf => "C-25",
    /// The first line of a reply counts.
    BelievesFirstLine => "C-26",
    /// All lines of a reply are kept.
    KeepsAllLines => "C-27",
    /// All octets of a line are kept.
    KeepsLongLines => "C-28",
    /// 421 to RCPT is for ever.
    GivesUpOn421Recipient => "C-29",
    /// 354 to MAIL is a success.
    Takes354ForMail => "C-30",
    /// 250 to DATA is a 354.
    Takes250ForData => "C-31",
    /// A greeting is not waited for long.
    TalksBeforeGreeting => "C-32",
    /// The answer to the end is waited for, for ever.
    WaitsForEver => "C-33",
    /// A host that refuses connections is the last.
    OneHostOnRefusal => "C-34",
    /// A host that greets with 421 is the last.
    OneHostOn421 => "C-35",
    /// What one host refuses the next is asked for.
    AsksAround => "C-36",
    /// Hosts of one preference are tried in one order.
    NeverShuffles => "C-37",
    /// If no mail exchanger can be reached, the domain's address is tried.
    TriesAddressLast => "C-38",
    /// Without MX there is nowhere to go.
    NeedsMx => "C-39",
    /// A domain that does not exist is tried again later.
    WaitsForNames => "C-40",
    /// A null MX is as good as none.
    IgnoresNullMx => "C-41",
    /// Its own name is a mail exchanger as others are.
    SendsToItself => "C-42",
    /// 4yz to MAIL is a reason to try again at once.
    TriesAgainAtOnce => "C-43",
    /// Too many recipients are a failure for all.
    AllOrNothing => "C-44",
    /// LIMITS is not looked at.
    IgnoresLimits => "C-45",
    /// 8-bit content is sent to any server.
    SendsEightBits => "C-46",
    /// Addresses outside ASCII are said to any server.
    SaysUtf8 => "C-47",
    /// Chunks follow one that was refused.
    ChunksOn => "C-48",
    /// Chunks hold what the file holds.
    ChunksRaw => "C-49",
    /// What was read with a reply is forgotten with it.
    ForgetsReadReplies => "C-50",
    /// Line ends are left as they are, and dots are doubled behind LF only.
    LeavesLineEnds => "C-51",
    /// Addresses may hold anything.
    ChecksNothing => "C-52",
    /// Passwords are said in clear.
    SaysPasswordInClear => "C-53",
    /// 454 to AUTH is for ever.
    GivesUpOn454 => "C-54",
    /// The server's signature is not looked at.
    TrustsAnyServer => "C-55",
    /// A TLSA record is not looked for.
    LooksForNoTlsa => "C-56",
    /// Where a TLSA record stands and STARTTLS does not, it goes on in clear.
    DaneGoesOnInClear => "C-56",
    /// A TLSA record that cannot be had is as good as none.
    TakesBogusForNone => "C-56",
    /// That TLS is required all the way is said to nobody.
    KeepsRequirementToItself => "C-58",
    /// What must go through TLS all the way is sent to who does not promise it.
    TrustsNextHop => "C-58",
    /// A source route is a part of an address.
    KeepsRoutes => "C-59",
    /// Nobody is postmaster.
    NoNullReversePath => "C-60",
}
