//! The inner loop of the dot reader and the encoder: how far the octets are plain.

/// Octets looked at together. One flag is made of all of them, without a branch, which the compiler
/// turns into vector instructions; a block with a clear flag is passed whole.
const BLOCK: usize = 64;

/// Octets in a vector of the baseline instruction sets.
const LANES: usize = 16;

/// The first octet that stands out. It does by itself and the two behind it (`structure`), where
/// letters follow the last; or it is `refused`, which is asked of the least and the union of some
/// octets at once.
#[inline(always)]
pub(super) fn find(
    octets: &[u8],
    structure: impl Fn(u8, u8, u8) -> bool,
    refused: impl Fn(u8, u8) -> bool,
) -> Option<usize> {
    let stands_out = |a, b, c| structure(a, b, c) | refused(a, a);
    let mut at = 0;
    while let Some(blocks) = three(octets, at) {
        if any(blocks, &structure, &refused) {
            return position(blocks, stands_out).map(|k| at + k);
        }
        at += BLOCK;
    }
    let tail = &octets[at..];
    let mut padded = [b'x'; BLOCK + 2 * LANES];
    padded[..tail.len()].copy_from_slice(tail);
    for from in (0..tail.len()).step_by(LANES) {
        if let Some(k) = position(three::<LANES>(&padded, from)?, stands_out) {
            return Some(at + from + k);
        }
    }
    None
}

/// The octets from `at` on, and from one and two behind it. If the last are there so are the
/// others: where they are asked for first, the loop compares once.
#[inline(always)]
fn three<const N: usize>(octets: &[u8], at: usize) -> Option<[&[u8; N]; 3]> {
    let last = octets.get(at + 2..)?.first_chunk()?;
    Some([octets.get(at..)?.first_chunk()?, octets.get(at + 1..)?.first_chunk()?, last])
}

/// Whether an octet of the first block stands out.
#[inline(always)]
fn any(
    [a, b, c]: [&[u8; BLOCK]; 3],
    structure: impl Fn(u8, u8, u8) -> bool,
    refused: impl Fn(u8, u8) -> bool,
) -> bool {
    let mut flag = false;
    for lane in 0..LANES {
        let (mut least, mut union) = (u8::MAX, 0);
        for row in 0..BLOCK / LANES {
            let k = row * LANES + lane;
            flag |= structure(a[k], b[k], c[k]);
            least = least.min(a[k]);
            union |= a[k];
        }
        flag |= refused(least, union);
    }
    flag
}

/// Where the first octet of the first is that stands out.
#[inline(always)]
fn position<const N: usize>(
    [a, b, c]: [&[u8; N]; 3],
    stands_out: impl Fn(u8, u8, u8) -> bool,
) -> Option<usize> {
    let mut flags = [0; N];
    for k in 0..N {
        flags[k] = u8::from(stands_out(a[k], b[k], c[k]));
    }
    let (rows, _) = flags.as_chunks::<LANES>();
    let row = rows.iter().position(|row| u128::from_le_bytes(*row) != 0)?;
    Some(row * LANES + u128::from_le_bytes(rows[row]).trailing_zeros() as usize / 8)
}

/// Exactly where a CR or an LF is bare, one of "this is CR" and "the next is LF" holds alone.
#[inline(always)]
pub(super) fn bare(this: u8, next: u8) -> bool {
    (this == b'\r') ^ (next == b'\n')
}

/// An LF, and a dot behind it.
#[inline(always)]
pub(super) fn dot_line(this: u8, next: u8) -> bool {
    (this == b'\n') & (next == b'.')
}
