//! ESMTP parameters (RFC 5321 §4.1.2).

use super::{
    Malformed, Parsed,
    class::{KEYWORD, NO_MATCH, VALUE, run},
    ends_word, skip_spaces,
};
use nom::{Parser, combinator::all_consuming};

/// One parameter. The keyword is compared without case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Param<'b> {
    pub(crate) keyword: &'b str,
    pub(crate) value: Option<&'b str>,
}

/// Those of a line, one after the other; ends after the first that is malformed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Params<'b>(&'b str);

impl<'b> Params<'b> {
    /// The parameters in `rest`: what follows a path.
    pub(crate) fn new(rest: &'b str) -> Self {
        Self(rest)
    }
}

/// RFC 5321 §4.1.2: `Mail-parameters = esmtp-param *(SP esmtp-param)`, and Rcpt-parameters alike.
///
/// Deviation: several spaces between two, and spaces behind the last, are taken for one and none;
/// clients send them, and they cannot mean anything else.
impl<'b> Iterator for Params<'b> {
    type Item = Result<Param<'b>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = skip_spaces(self.0);
        if rest.is_empty() {
            return None;
        }
        match esmtp_param(rest) {
            Ok((rest, param)) if ends_word(rest) => {
                self.0 = rest;
                Some(Ok(param))
            }
            _ => {
                self.0 = "";
                Some(Err(Malformed::of("parameter")))
            }
        }
    }
}

/// RFC 5321 §4.1.2: `esmtp-param = esmtp-keyword ["=" esmtp-value]`.
fn esmtp_param(input: &str) -> Parsed<'_, Param<'_>> {
    let (rest, keyword) = esmtp_keyword(input)?;
    let Some(value) = rest.strip_prefix('=') else {
        return Ok((rest, Param { keyword, value: None }));
    };
    let (rest, value) = esmtp_value(value)?;
    Ok((rest, Param { keyword, value: Some(value) }))
}

/// Whether two keywords are the same, which their case is no part of (RFC 5321 §4.1.1.1).
///
/// Letters, digits and hyphens differ in more than the bit that tells the cases of letters apart.
pub(crate) fn is_same_keyword(one: &str, other: &str) -> bool {
    let octets = || one.bytes().zip(other.bytes());
    one.len() == other.len() && octets().all(|(a, b)| (a ^ b) & !0x20 == 0)
}

/// Whether `text` is a keyword of a parameter, which is one of the EHLO answer, too (RFC 5321
/// §4.1.1.1).
pub(crate) fn is_esmtp_keyword(text: &str) -> bool {
    all_consuming(esmtp_keyword).parse(text).is_ok()
}

/// RFC 5321 §4.1.2: `esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")`.
fn esmtp_keyword(input: &str) -> Parsed<'_, &str> {
    if input.starts_with('-') {
        return Err(NO_MATCH);
    }
    run(KEYWORD).parse(input)
}

/// RFC 5321 §4.1.2: `esmtp-value = 1*(%d33-60 / %d62-126)`; RFC 6531 §3.3: `/ UTF8-non-ascii`.
fn esmtp_value(input: &str) -> Parsed<'_, &str> {
    run(VALUE).parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn all(rest: &str) -> Result<Vec<(&str, Option<&str>)>, Malformed> {
        Params::new(rest).map(|p| p.map(|p| (p.keyword, p.value))).collect()
    }

    #[test]
    fn parameters_come_one_by_one() {
        assert_eq!(all("").unwrap(), []);
        assert_eq!(all("   ").unwrap(), []);
        assert_eq!(all(" SIZE=10").unwrap(), [("SIZE", Some("10"))]);
        assert_eq!(
            all(" SIZE=10  smtputf8 AUTH=<> X-1=<;,:é> ").unwrap(),
            [
                ("SIZE", Some("10")),
                ("smtputf8", None),
                ("AUTH", Some("<>")),
                ("X-1", Some("<;,:é>"))
            ]
        );
    }

    #[test]
    fn a_malformed_parameter_ends_the_list() {
        for rest in [" =", " A=", " A==b", " A=b=c", " -A=b", " A\tB", " A=\x01", " é=1", " A_B=1"]
        {
            let mut params = Params::new(rest);
            assert!(params.next().unwrap().is_err(), "{rest:?}");
            assert!(params.next().is_none());
        }
        assert!(all(" A=1 B= C=3").is_err());
    }
}
