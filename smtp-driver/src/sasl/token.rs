//! Bearer tokens: OAUTHBEARER (RFC 7628) and XOAUTH2, for servers.

use super::scram_server::name_from;
use smtp_proto::Secret;
use std::fmt::Write;

/// A bearer token that a client has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BearerToken {
    /// Whom the client wants to act as; empty for whom the token is for.
    pub authorization_id: String,
    /// The token.
    pub token: Secret<String>,
    /// The host that the client has connected to, as it says. Where you know how you are called, it
    /// must be that (RFC 7628 §3.2).
    pub host: Option<String>,
    /// The port, likewise.
    pub port: Option<u16>,
}

/// What a client is told when its token is not taken (RFC 7628 §3.2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenHelp {
    /// The scope that a token must have.
    pub scope: Option<String>,
    /// Where to learn how to get one: the `https` URL of the OpenID Provider Configuration.
    pub openid_configuration: Option<String>,
}

/// The two forms of the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    OauthBearer,
    Xoauth2,
}

impl Form {
    /// Reads the client's message; `None` if it is none.
    pub(super) fn read(self, message: &[u8]) -> Option<BearerToken> {
        let message = str::from_utf8(message).ok()?;
        let (authorization_id, pairs) = match self {
            Self::OauthBearer => after_header(message)?,
            Self::Xoauth2 => {
                let (user, pairs) = message.strip_prefix("user=")?.split_once(KVSEP)?;
                let is_name = !user.contains(char::is_control);
                (is_name.then(|| user.to_owned())?, pairs)
            }
        };
        let (mut token, mut host, mut port) = (None, None, None);
        let pairs = pairs.strip_suffix(KVSEP)?;
        if !pairs.ends_with(KVSEP) {
            return None;
        }
        for pair in pairs.split_terminator(KVSEP) {
            let (key, value) = pair.split_once('=')?;
            let is_key = !key.is_empty() && key.bytes().all(|octet| octet.is_ascii_alphabetic());
            if !is_key || !value.bytes().all(is_value) {
                return None;
            }
            // What is not known is passed over (§3.1).
            let twice = match key {
                "auth" => token.replace(bearer(value)?).is_some(),
                "host" => host.replace(value.to_owned()).is_some(),
                "port" => port.replace(value.parse().ok()?).is_some(),
                _ => false,
            };
            if twice {
                return None;
            }
        }
        let token = Secret::new(token?.to_owned());
        Some(BearerToken { authorization_id, token, host, port })
    }

    /// The challenge that tells why a token was not taken: JSON.
    pub(super) fn refusal(self, help: &TokenHelp) -> String {
        let mut members = match self {
            Self::OauthBearer => vec![("status", "invalid_token")],
            Self::Xoauth2 => vec![("status", "401"), ("schemes", "bearer")],
        };
        members.extend(help.scope.as_deref().map(|scope| ("scope", scope)));
        if self == Self::OauthBearer {
            let url = help.openid_configuration.as_deref();
            members.extend(url.map(|url| ("openid-configuration", url)));
        }
        let members: Vec<_> = members
            .into_iter()
            .map(|(name, value)| format!("\"{name}\":{}", quoted(value)))
            .collect();
        format!("{{{}}}", members.join(","))
    }
}

/// §3.1: `kvsep = %x01`.
const KVSEP: char = '\x01';

/// §3.1: `client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep`; whom to act as, and the pairs.
///
/// RFC 5801 §4: `gs2-header = [gs2-nonstd-flag ","] gs2-cb-flag "," [gs2-authzid] ","`. There is
/// nothing to bind to here, and no other flag is known.
fn after_header(message: &str) -> Option<(String, &str)> {
    let (flag, rest) = message.split_once(',')?;
    let (acting_as, rest) = rest.split_once(',')?;
    let pairs = rest.strip_prefix(KVSEP).filter(|_| matches!(flag, "n" | "y"))?;
    let authorization_id = match acting_as {
        "" => String::new(),
        name => name_from(name.strip_prefix("a=")?)?,
    };
    Some((authorization_id, pairs))
}

/// §3.1: `value = *(VCHAR / SP / HTAB / CR / LF)`.
fn is_value(octet: u8) -> bool {
    octet.is_ascii_graphic() || matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// RFC 6750 §2.1: `credentials = "Bearer" 1*SP b64token`; the scheme is compared without case.
fn bearer(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    let is_token = !token.is_empty() && token.bytes().all(|octet| octet.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("Bearer") && is_token).then_some(token)
}

/// A string of JSON (RFC 8259 §7).
fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for letter in text.chars() {
        // Writing to a string never fails.
        let _ = match letter {
            '"' | '\\' => write!(json, "\\{letter}"),
            letter if letter < ' ' => write!(json, "\\u{:04x}", u32::from(letter)),
            letter => write!(json, "{letter}"),
        };
    }
    json + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: Form, message: &str) -> Option<(String, String, Option<String>, Option<u16>)> {
        let it = form.read(message.replace('^', "\x01").as_bytes())?;
        Some((it.authorization_id, it.token.into_inner(), it.host, it.port))
    }

    #[test]
    fn the_messages_of_rfc_7628_are_read() {
        // §4.1.
        let message = "n,a=user@example.com,^host=server.example.com^port=143^\
                       auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==^^";
        let token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==".to_owned();
        let host = Some("server.example.com".to_owned());
        let read = |message: &str| read(Form::OauthBearer, message);
        assert_eq!(read(message), Some(("user@example.com".into(), token, host, Some(143))));
        let short = Some((String::new(), "t".to_owned(), None, None));
        assert_eq!(read("y,,^auth=bearer  t^more=x y^^"), short);
        assert_eq!(read("n,a=a=3Db=2Cc,^auth=Bearer t^^").unwrap().0, "a=b,c");
    }

    #[test]
    fn xoauth2_says_the_same_in_its_own_way() {
        let message = "user=someuser@example.com^auth=Bearer ya29.vF9dft4^^";
        let (user, token, ..) = read(Form::Xoauth2, message).unwrap();
        assert_eq!((&*user, &*token), ("someuser@example.com", "ya29.vF9dft4"));
    }

    #[test]
    fn what_is_not_of_the_mechanism_is_nothing() {
        for wrong in [
            "",
            "^",
            "n,,",
            "n,,^",
            "n,,^^",
            "n,,^auth=Bearer t^",
            "n,,^auth=Bearer t",
            "n,,^auth=Bearer ^^",
            "n,,^auth=Bearer^^",
            "n,,^auth=Basic t^^",
            "n,,^auth=Bearer t u^^",
            "n,,^auth=Bearer \u{e9}^^",
            "n,,^auth=Bearer t^auth=Bearer u^^",
            "n,,^auth=Bearer t^port=x^^",
            "n,,^auth=Bearer t^=x^^",
            "n,,^auth=Bearer t^k^^",
            "n,,^host=h^^",
            "n,user,^auth=Bearer t^^",
            "n,a=,^auth=Bearer t^^",
            "p=tls-exporter,,^auth=Bearer t^^",
            "user=u^auth=Bearer t^^",
        ] {
            assert_eq!(read(Form::OauthBearer, wrong), None, "{wrong}");
        }
        for wrong in ["", "user=u", "user=u^^", "user=u^auth=Bearer t^", "n,,^auth=Bearer t^^"] {
            assert_eq!(read(Form::Xoauth2, wrong), None, "{wrong}");
        }
        assert!(Form::OauthBearer.read(b"n,,\x01auth=Bearer \xff\x01\x01").is_none());
    }

    #[test]
    fn the_refusal_is_json() {
        let none = TokenHelp::default();
        assert_eq!(Form::OauthBearer.refusal(&none), r#"{"status":"invalid_token"}"#);
        let help = TokenHelp {
            scope: Some("a\"b\\c\n".into()),
            openid_configuration: Some("https://id.example.test/openid".into()),
        };
        assert_eq!(
            Form::OauthBearer.refusal(&help),
            "{\"status\":\"invalid_token\",\"scope\":\"a\\\"b\\\\c\\u000a\",\
             \"openid-configuration\":\"https://id.example.test/openid\"}"
        );
        assert_eq!(
            Form::Xoauth2.refusal(&help),
            "{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"a\\\"b\\\\c\\u000a\"}"
        );
    }
}
