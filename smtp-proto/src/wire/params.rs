//! ESMTP parameters (RFC 5321 §4.1.2).
use super::Malformed;

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Param<'b> { pub(crate) keyword: &'b str, pub(crate) value: Option<&'b str> }

/// Those of a line, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Params<'b>(&'b str);

impl<'b> Params<'b> { pub(crate) fn new(rest: &'b str) -> Self { Self(rest) } }

impl<'b> Iterator for Params<'b> {
    type Item = Result<Param<'b>, Malformed>;
    fn next(&mut self) -> Option<Self::Item> { let _ = self.0; todo!() }
}
