//! The inner loop of the dot reader and the encoder: how far the octets are plain.

/// Why a run of plain octets ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The octets end, or only a CR is left whose LF may follow.
    End,
    /// A line begins with a dot.
    Dot,
    /// A bare CR or LF is next.
    Bare,
}

/// Octets looked at together. One flag is made of all of them, without a branch, which the compiler
/// turns into vector instructions; a block with a clear flag is passed whole.
const BLOCK: usize = 64;

/// The length of the longest plain prefix, and what follows it. A plain prefix has no bare CR or LF
/// (unless `keep_bare`), does not end in a CR that may belong to a CRLF, and has no line that begins
/// with a dot but perhaps its first.
pub(super) fn scan(octets: &[u8], keep_bare: bool) -> (usize, Stop) {
    let Some(&last) = octets.last() else { return (0, Stop::End) };
    // The octet before was not a CR, or it would have been kept for this call.
    if octets[0] == b'\n' && !keep_bare {
        return (0, Stop::Bare);
    }
    let next = |from| match keep_bare {
        true => next_pair(octets, from, dot_line),
        false => next_pair(octets, from, |this, next| bare(this, next) | dot_line(this, next)),
    };
    let mut at = 0;
    while let Some(i) = next(at) {
        match (octets[i], octets[i + 1]) {
            (b'\n', b'.') if i > 0 && octets[i - 1] == b'\r' => return (i + 1, Stop::Dot),
            (b'\r', b'\n') | (b'\n', b'.') => at = i + 1,
            (b'\r', _) => return (i, Stop::Bare),
            (_, _) => return (i + 1, Stop::Bare),
        }
    }
    if last == b'\r' { (octets.len() - 1, Stop::End) } else { (octets.len(), Stop::End) }
}

/// The first `i >= from` at which `octets[i]` and `octets[i + 1]` stand out.
#[inline(always)]
pub(super) fn next_pair(
    octets: &[u8],
    from: usize,
    stands_out: impl Fn(u8, u8) -> bool,
) -> Option<usize> {
    let mut i = from;
    while let (Some(a), Some(b)) = (block(octets, i), block(octets, i + 1)) {
        let mut flag = false;
        for k in 0..BLOCK {
            flag |= stands_out(a[k], b[k]);
        }
        if flag {
            break;
        }
        i += BLOCK;
    }
    octets.get(i..)?.windows(2).position(|pair| stands_out(pair[0], pair[1])).map(|k| i + k)
}

/// Exactly where a CR or an LF is bare, one of "this is CR" and "the next is LF" holds alone.
#[inline(always)]
pub(super) fn bare(this: u8, next: u8) -> bool {
    (this == b'\r') ^ (next == b'\n')
}

#[inline(always)]
pub(super) fn dot_line(this: u8, next: u8) -> bool {
    (this == b'\n') & (next == b'.')
}

#[inline(always)]
fn block(octets: &[u8], at: usize) -> Option<&[u8; BLOCK]> {
    octets.get(at..)?.first_chunk()
}
