//! Entities: header fields and a body, which may consist of entities (RFC 2045 §2.4, RFC 2046 §5).

use super::Obstacle;
use memchr::memmem;
use std::{iter, ops::Range};

/// A message or a part of one.
pub(super) struct Entity<'m> {
    header: &'m str,
    /// The header, and the empty line behind it.
    pub(super) head: &'m [u8],
    pub(super) body: &'m [u8],
}

/// A header field (RFC 5322 §2.2).
pub(super) struct Field<'m> {
    name: &'m str,
    value: &'m str,
    /// All of it, with its line ends.
    pub(super) octets: &'m [u8],
}

impl<'m> Field<'m> {
    /// ```abnf
    /// field := field-name *WSP ":" value
    /// ```
    fn parse(field: &'m str) -> Option<Self> {
        let (name, value) = field.split_once(':')?;
        let name = name.trim_end_matches([' ', '\t']);
        let is_name = !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic());
        is_name.then_some(Self { name, value, octets: field.as_bytes() })
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    pub(super) fn is_mime(&self) -> bool {
        self.name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-"))
    }
}

impl<'m> Entity<'m> {
    /// Finds the fields, and the body behind the first empty line.
    pub(super) fn parse(octets: &'m [u8]) -> Result<Self, Obstacle> {
        let (header, body) = match memmem::find(octets, b"\r\n\r\n") {
            _ if octets.starts_with(b"\r\n") => (&octets[..0], &octets[2..]),
            Some(end) => (&octets[..end + 2], &octets[end + 4..]),
            None => (octets, &octets[octets.len()..]),
        };
        let header = str::from_utf8(header).map_err(|_| Obstacle::Header)?;
        if !header.is_ascii() {
            return Err(Obstacle::Header);
        }
        let head = &octets[..octets.len() - body.len()];
        let entity = Self { header, head, body };
        match entity.lines().all(|line| Field::parse(line).is_some()) {
            true => Ok(entity),
            false => Err(Obstacle::Malformed),
        }
    }

    /// The header, cut where fields begin.
    fn lines(&self) -> impl Iterator<Item = &'m str> + use<'m> {
        let mut rest = self.header;
        iter::from_fn(move || {
            let (line, behind) = rest.split_at(field_end(rest));
            rest = behind;
            Some(line).filter(|line| !line.is_empty())
        })
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = Field<'m>> + use<'m> {
        self.lines().filter_map(Field::parse)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.fields().any(|field| field.is(name))
    }

    /// The value of the field that may be there once.
    fn value(&self, name: &str) -> Result<Option<String>, Obstacle> {
        let mut fields = self.fields().filter(|field| field.is(name));
        match (fields.next(), fields.next()) {
            (None, _) => Ok(None),
            (Some(field), None) => without_comments(field.value).map(Some),
            // Which one counts?
            (Some(_), Some(_)) => Err(Obstacle::Malformed),
        }
    }

    /// Whether the body is there as it is, rather than encoded.
    pub(super) fn is_identity(&self) -> Result<bool, Obstacle> {
        let encoding = self.value("Content-Transfer-Encoding")?;
        Ok(encoding.is_none_or(|it| {
            ["7bit", "8bit", "binary"].iter().any(|name| it.trim().eq_ignore_ascii_case(name))
        }))
    }

    pub(super) fn content_type(&self) -> Result<Option<ContentType>, Obstacle> {
        self.value("Content-Type")?.map(|value| ContentType::parse(&value)).transpose()
    }
}

/// Where a field ends: behind the first line end that no space or tab follows.
fn field_end(header: &str) -> usize {
    let mut ends = header.match_indices("\r\n").map(|(at, _)| at + 2);
    ends.find(|&end| !header[end..].starts_with([' ', '\t'])).unwrap_or(header.len())
}

/// A value without its comments and line ends (RFC 5322 §3.2.2).
fn without_comments(value: &str) -> Result<String, Obstacle> {
    let (mut depth, mut quoted) = (0_u32, false);
    let mut kept = String::new();
    let mut octets = value.chars();
    while let Some(octet) = octets.next() {
        match octet {
            '\r' | '\n' => {}
            // To some a control character is a space, to others it is not.
            octet if octet.is_ascii_control() && octet != '\t' => return Err(Obstacle::Malformed),
            '\\' if quoted || depth > 0 => {
                let pair = octets.next().ok_or(Obstacle::Malformed)?;
                if depth == 0 {
                    kept.extend([octet, pair]);
                }
            }
            '(' if !quoted => depth += 1,
            ')' if depth > 0 => {
                depth -= 1;
                kept.push(' ');
            }
            _ if depth > 0 => {}
            octet => {
                quoted ^= octet == '"';
                kept.push(octet);
            }
        }
    }
    if quoted || depth > 0 { Err(Obstacle::Malformed) } else { Ok(kept) }
}

/// A media type (RFC 2045 §5.1); its names in lower case.
pub(super) struct ContentType {
    pub(super) kind: String,
    pub(super) subtype: String,
    /// What is behind the subtype.
    parameters: String,
}

impl ContentType {
    /// ```abnf
    /// content := "Content-Type" ":" type "/" subtype *(";" parameter)
    /// ```
    fn parse(value: &str) -> Result<Self, Obstacle> {
        let end = value.find(';').unwrap_or(value.len());
        let (media, parameters) = value.split_at(end);
        let (kind, subtype) = media.split_once('/').ok_or(Obstacle::Malformed)?;
        let name = |it: &str| Some(it.trim().to_ascii_lowercase()).filter(|it| is_token(it));
        match (name(kind), name(subtype)) {
            (Some(kind), Some(subtype)) => {
                Ok(Self { kind, subtype, parameters: parameters.to_owned() })
            }
            _ => Err(Obstacle::Malformed),
        }
    }

    /// The boundary of a multipart (RFC 2046 §5.1.1): 1 to 70 octets.
    ///
    /// ```abnf
    /// parameter := attribute "=" value
    /// value     := token / quoted-string
    /// ```
    /// Without quotes a value goes on to the next space or semicolon: `/`, `=` and the like are
    /// common there. A boundary in pieces (RFC 2231 §3) is refused, since not everybody joins them.
    pub(super) fn boundary(&self) -> Result<String, Obstacle> {
        let mut boundary = None;
        let mut rest = self.parameters.trim_ascii();
        while let Some(parameter) = rest.strip_prefix(';') {
            let parameter = parameter.trim_ascii_start();
            if parameter.is_empty() || parameter.starts_with(';') {
                rest = parameter;
                continue;
            }
            let (name, value) = parameter.split_once('=').ok_or(Obstacle::Malformed)?;
            let name = name.trim_ascii_end().to_ascii_lowercase();
            let (value, behind) = parameter_value(value.trim_ascii_start())?;
            rest = behind.trim_ascii_start();
            if !is_token(&name) || name.starts_with("boundary*") {
                return Err(Obstacle::Malformed);
            }
            if name == "boundary" && boundary.replace(value).is_some() {
                return Err(Obstacle::Malformed);
            }
        }
        let is_boundary = |it: &String| {
            let printable = it.bytes().all(|octet| matches!(octet, b' '..=b'~'));
            printable && matches!(it.len(), 1..=70) && !it.ends_with(' ')
        };
        boundary.filter(is_boundary).filter(|_| rest.is_empty()).ok_or(Obstacle::Malformed)
    }
}

/// A value, and what is behind it.
fn parameter_value(value: &str) -> Result<(String, &str), Obstacle> {
    let Some(quoted) = value.strip_prefix('"') else {
        let end = value.find([';', ' ', '\t', '"']).unwrap_or(value.len());
        return Ok((value[..end].to_owned(), &value[end..]));
    };
    let mut inner = String::new();
    let mut octets = quoted.char_indices();
    while let Some((at, octet)) = octets.next() {
        match octet {
            '"' => return Ok((inner, &quoted[at + 1..])),
            '\\' => inner.extend(octets.next().map(|(_, pair)| pair)),
            octet => inner.push(octet),
        }
    }
    Err(Obstacle::Malformed)
}

fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|it| it.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&it))
}

/// Shows the parts of a multipart, and where they are (RFC 2046 §5.1.1). What is in none of them
/// are the delimiters, with the line ends in front of them, and what is before the first and behind
/// the last.
///
/// # Errors
/// Those of `show`; [`Obstacle::Boundary`] if another reader may find other parts: a line that
/// starts as a delimiter goes on as none, the last one is missing, or another follows it.
pub(super) fn each_part(
    body: &[u8],
    boundary: &str,
    show: &mut dyn FnMut(Range<usize>) -> Result<(), Obstacle>,
) -> Result<(), Obstacle> {
    let dashes = format!("--{boundary}");
    // Where the part that is open starts.
    let mut start = None;
    let mut is_closed = false;
    for at in memmem::find_iter(body, &dashes) {
        if at > 0 && !body[..at].ends_with(b"\r\n") {
            continue;
        }
        let rest = &body[at + dashes.len()..];
        let end = memmem::find(rest, b"\r\n").unwrap_or(rest.len());
        let closes = match rest[..end].trim_ascii_end() {
            b"" => false,
            b"--" => true,
            _ => return Err(Obstacle::Boundary),
        };
        if is_closed {
            return Err(Obstacle::Boundary);
        }
        is_closed = closes;
        let next = (at + dashes.len() + end + 2).min(body.len());
        match start.replace(next) {
            // Right behind the delimiter before, whose line end it shares: a part of nothing.
            Some(start) => show(start..(at - 2).max(start))?,
            None if closes => return Err(Obstacle::Boundary),
            None => {}
        }
    }
    if is_closed { Ok(()) } else { Err(Obstacle::Boundary) }
}
