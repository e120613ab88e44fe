//! Rewrites the head of a request, before the HTTP library parses it, so that an address is understood as it was typed:
//!
//! - Letters and quotes in it are percent-encoded, and so are blanks where it is unmistakable where the address begins and ends. Beside
//!   `Transfer-Encoding` or `Upgrade` no blank is accepted: a proxy in front could have read another request there.
//! - A wish for another protocol is left out. The server offers none, and the HTTP library would wait for its bytes without end.
//!
//! A line that is not understood stays as it is; the HTTP library refuses it.

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

/// Characters that RFC 3986 does not allow in an address.
pub(super) const NOT_IN_ADDRESSES: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// A number sign that was typed begins a fragment, as it does everywhere.
const NOT_IN_TARGETS: &AsciiSet = &NOT_IN_ADDRESSES.remove(b'#');

/// How the body behind a head ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyEnd {
    /// After so many bytes.
    Length(u64),
    /// After the last chunk.
    Chunked,
    /// The headers contradict each other, so the HTTP library refuses them.
    Unknown,
}

/// What the headers say of the connection and the body.
#[derive(Debug, Default)]
struct Fields<'a> {
    lengths: Vec<&'a str>,
    codings: Vec<&'a str>,
    upgrades: bool,
}

/// A head, with its empty line at the end, as the HTTP library is to read it, and how the body behind it ends.
pub(super) fn rewritten(head: &[u8]) -> (Vec<u8>, BodyEnd) {
    let begin = head.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(head.len());
    let (empty_lines, head) = head.split_at(begin);
    let mut lines = head.split_inclusive(|byte| *byte == b'\n');
    let Some(request_line) = lines.next() else { return (empty_lines.to_vec(), BodyEnd::Length(0)) };
    let lines: Vec<&[u8]> = lines.collect();
    let fields = Fields::read(&lines);
    let mut out = empty_lines.to_vec();
    let may_have_blanks = fields.codings.is_empty() && !fields.upgrades;
    out.extend(encoded(request_line, may_have_blanks).unwrap_or_else(|| request_line.to_vec()));
    for line in lines {
        write_header(line, &mut out);
    }
    (out, fields.body_end())
}

impl<'a> Fields<'a> {
    fn read(lines: &[&'a [u8]]) -> Self {
        let mut fields = Self::default();
        for (name, value) in lines.iter().filter_map(|line| header(line)) {
            if name.eq_ignore_ascii_case("content-length") {
                fields.lengths.push(value);
            } else if name.trim().eq_ignore_ascii_case("transfer-encoding") {
                fields.codings.push(value);
            } else if name.trim().eq_ignore_ascii_case("upgrade") {
                fields.upgrades = true;
            }
        }
        fields
    }

    fn body_end(&self) -> BodyEnd {
        match (self.lengths.as_slice(), self.codings.as_slice()) {
            ([], []) => BodyEnd::Length(0),
            ([length], []) => length.parse().map_or(BodyEnd::Unknown, BodyEnd::Length),
            ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => BodyEnd::Chunked,
            _ => BodyEnd::Unknown,
        }
    }
}

/// The name and the trimmed value of a header line.
fn header(line: &[u8]) -> Option<(&str, &str)> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    Some((name, value.trim()))
}

/// Writes a header line; without what asks for another protocol.
fn write_header(line: &[u8], out: &mut Vec<u8>) {
    let named = |wanted: &str| header(line).filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
    if named("upgrade").is_some() {
        return;
    }
    let is_upgrade = |option: &&str| option.trim().eq_ignore_ascii_case("upgrade");
    match named("connection").filter(|(_, value)| value.split(',').any(|option| is_upgrade(&option))) {
        Some((name, value)) => {
            let kept: Vec<&str> = value.split(',').filter(|option| !is_upgrade(option)).collect();
            if !kept.is_empty() {
                out.extend(format!("{name}: {}\r\n", kept.join(",").trim()).into_bytes());
            }
        }
        None => out.extend_from_slice(line),
    }
}

/// A request line with its address percent-encoded; `None` if it is not clear where the address begins and ends.
fn encoded(line: &[u8], may_have_blanks: bool) -> Option<Vec<u8>> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let content = line.trim_ascii_end();
    let (method, rest) = content.split_at_checked(content.iter().position(is_blank)?)?;
    let (target, version) = rest.split_at_checked(rest.iter().rposition(is_blank)? + 1)?;
    let target = target.trim_ascii();
    let is_method = !method.is_empty() && method.iter().all(u8::is_ascii_alphabetic);
    let is_version = matches!(version, b"HTTP/1.0" | b"HTTP/1.1");
    // Other control characters, a carriage return above all, could end the line for a proxy in front.
    let is_sound = target.iter().all(|byte| is_blank(byte) || !byte.is_ascii_control());
    if !(is_method && is_version && is_sound) {
        return None;
    }
    if target.iter().any(is_blank) && !(may_have_blanks && is_unmistakable(target)) {
        return None;
    }
    let ending = line.get(content.len()..).unwrap_or_default();
    let ending = if ending.ends_with(b"\r\n") { "\r\n" } else { "\n" };
    let target = percent_encode(target, NOT_IN_TARGETS).to_string();
    Some([method, b" ", target.as_bytes(), b" ", version, ending.as_bytes()].concat())
}

/// Whether an address with blanks is one address and not, for example, the line of another request behind it.
fn is_unmistakable(target: &[u8]) -> bool {
    let mut words = target.split(|byte| matches!(byte, b' ' | b'\t'));
    let begins =
        target.starts_with(b"/") || target.starts_with(b"http://") || target.starts_with(b"https://");
    begins && !words.any(|word| word.len() >= 5 && word.to_ascii_uppercase().starts_with(b"HTTP/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> (String, BodyEnd) {
        let (bytes, end) = rewritten(head.as_bytes());
        (String::from_utf8(bytes).unwrap(), end)
    }

    #[test]
    fn blanks_are_encoded_where_the_address_is_unmistakable() {
        for (line, expected) in [
            ("GET /a?b=c eq 'd e' HTTP/1.1", Some("GET /a?b=c%20eq%20'd%20e' HTTP/1.1")),
            ("GET  /a\tb  HTTP/1.0  ", Some("GET /a%09b HTTP/1.0")),
            ("POST /å/$query HTTP/1.1", Some("POST /%C3%A5/$query HTTP/1.1")),
            ("GET http://x.example/a b HTTP/1.1", Some("GET http://x.example/a%20b HTTP/1.1")),
            ("GET /a#b HTTP/1.1", Some("GET /a#b HTTP/1.1")),
            ("GET /a HTTP/1.1 HTTP/1.1", None),
            ("GET /a http/1.0 b HTTP/1.1", None),
            ("GET a b HTTP/1.1", None),
            ("GET /a b", None),
            ("GET /a b HTTP/2", None),
            ("GET /a\rb HTTP/1.1", None),
            ("GET /a\0b HTTP/1.1", None),
            ("GET /a\x0bb HTTP/1.1", None),
            (" /a b HTTP/1.1", None),
            ("G:T /a b HTTP/1.1", None),
            ("GET", None),
        ] {
            let expected = expected.unwrap_or(line);
            assert_eq!(read(&format!("{line}\r\n\r\n")).0, format!("{expected}\r\n\r\n"));
        }
    }

    #[test]
    fn no_blank_is_accepted_where_a_proxy_could_have_read_another_request() {
        let line = "GET /a b HTTP/1.1\r\n";
        for header in ["Transfer-Encoding: chunked", "transfer-encoding: x", "Transfer-Encoding : chunked"] {
            let head = format!("{line}{header}\r\n\r\n");
            assert_eq!(read(&head).0, head);
        }
        assert_eq!(read(&format!("{line}UPGRADE: h2c\r\n\r\n")).0, format!("{line}\r\n"));
        let with_length = format!("{line}Content-Length: 3\r\n\r\n");
        assert_eq!(read(&with_length), (with_length.replace("a b", "a%20b"), BodyEnd::Length(3)));
    }

    #[test]
    fn another_protocol_is_not_asked_for() {
        let sent = "GET /ø HTTP/1.1\r\nupGrade: websocket\r\nX-Upgrade: a\r\nUpgrade-Insecure-Requests: 1\r\n\
            Connection: keep-alive, Upgrade\r\nConnection: upgrade\r\nConnection: close\r\n\r\n";
        let expected = "GET /%C3%B8 HTTP/1.1\r\nX-Upgrade: a\r\nUpgrade-Insecure-Requests: 1\r\n\
            Connection: keep-alive\r\nConnection: close\r\n\r\n";
        assert_eq!(read(sent), (expected.to_owned(), BodyEnd::Length(0)));
    }

    #[test]
    fn the_end_of_a_body_is_known_only_where_the_headers_agree() {
        let end = |headers: &str| read(&format!("POST / HTTP/1.1\r\n{headers}\r\n\r\n")).1;
        for (headers, expected) in [
            ("Host: x", BodyEnd::Length(0)),
            ("content-LENGTH:  9 ", BodyEnd::Length(9)),
            ("Content-Length: -1", BodyEnd::Unknown),
            ("Content-Length: 1\r\nContent-Length: 1", BodyEnd::Unknown),
            ("Transfer-Encoding: Chunked", BodyEnd::Chunked),
            ("Transfer-Encoding: gzip, chunked", BodyEnd::Unknown),
            ("Transfer-Encoding: chunked\r\nContent-Length: 1", BodyEnd::Unknown),
        ] {
            assert_eq!(end(headers), expected, "{headers}");
        }
    }
}
