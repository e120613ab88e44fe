//! Batches as MIME messages: parts between boundary lines, each an HTTP request or answer of its own.

use std::fmt::Write as _;

use super::{BatchError, Part, PartHead};

/// The longest boundary that MIME allows.
const MAX_BOUNDARY: usize = 70;
/// The boundary of answers. No line of a JSON, XML or text body can begin with it.
const BOUNDARY: &str = "batch_answer_6e1d7c2a";

/// The boundary among the parameters of a content type.
pub(super) fn boundary<'a>(parameters: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut named = parameters.filter_map(|parameter| parameter.split_once('='));
    let (_, value) = named.find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let value = value.trim().trim_matches('"');
    let sound =
        (1..=MAX_BOUNDARY).contains(&value.len()) && value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    sound.then(|| value.to_owned())
}

pub(super) fn parse(boundary: &str, body: &[u8], limit: usize) -> Result<Vec<Part>, BatchError> {
    let mut parts = Vec::new();
    for content in split(boundary, body)? {
        if parts.len() == limit {
            return Err(BatchError::TooMany { limit });
        }
        let number = parts.len() + 1;
        let malformed = |expected| BatchError::Malformed { number, expected };
        let text = std::str::from_utf8(content).map_err(|_| malformed("text in UTF-8"))?;
        parts.push(part(text).map_err(malformed)?);
    }
    Ok(parts)
}

/// The contents between boundary lines, without the line break before a boundary, which belongs to the boundary.
fn split<'a>(boundary: &str, body: &'a [u8]) -> Result<Vec<&'a [u8]>, BatchError> {
    let (opening, closing) = (format!("--{boundary}"), format!("--{boundary}--"));
    let (mut contents, mut begin, mut at) = (Vec::new(), None, 0);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let end = at;
        at += line.len();
        let is_closing = line.trim_ascii_end() == closing.as_bytes();
        if !is_closing && line.trim_ascii_end() != opening.as_bytes() {
            continue;
        }
        if let Some(begin) = begin.replace(at) {
            let content = body.get(begin..end).unwrap_or_default();
            let content = content.strip_suffix(b"\n").unwrap_or(content);
            contents.push(content.strip_suffix(b"\r").unwrap_or(content));
        }
        if is_closing {
            return Ok(contents);
        }
    }
    Err(BatchError::Malformed { number: contents.len() + 1, expected: "the boundary that closes the batch" })
}

/// Parses one part; the error says what was expected.
fn part(text: &str) -> Result<Part, &'static str> {
    let (mime, message) = headers(text)?;
    let mut part = Part { headers: mime, ..Part::default() };
    let content_type = part.header("Content-Type").unwrap_or_default().to_ascii_lowercase();
    let id = part.header("Content-ID").map(str::to_owned);
    if content_type.starts_with("multipart/mixed") {
        return Ok(Part { id, is_change_set: true, headers: Vec::new(), ..part });
    }
    if !content_type.starts_with("application/http") {
        return Err("the header `Content-Type: application/http`");
    }
    let message = message.trim_start_matches(['\r', '\n']);
    let (line, rest) = message.split_once('\n').unwrap_or((message, ""));
    let (method, target, protocol) =
        request_line(line).ok_or("a request line such as `GET Datasets HTTP/1.1`")?;
    if !protocol.starts_with("HTTP/1.") {
        return Err("a request line that ends in `HTTP/1.1`");
    }
    let (headers, _) = headers(rest)?;
    if target.contains(' ') && !may_have_blanks(target, &headers) {
        return Err("an address without blanks");
    }
    part = Part { method: method.to_owned(), target: target.to_owned(), headers, ..Part::default() };
    // OData 4.0 allows `Content-ID` in the part's headers or in the request's.
    part.id = id.or_else(|| part.header("Content-ID").map(str::to_owned));
    Ok(part)
}

/// The method, the address and the protocol of a request line. Between the first word and the last, the address may have blanks.
fn request_line(line: &str) -> Option<(&str, &str, &str)> {
    let (method, rest) = line.trim().split_once(' ')?;
    let (target, protocol) = rest.trim().rsplit_once(' ')?;
    Some((method, target.trim(), protocol)).filter(|(_, target, _)| !target.is_empty())
}

/// Whether blanks in an address are just that: not where a second protocol, `Transfer-Encoding` or `Upgrade` makes it uncertain which
/// request was meant.
fn may_have_blanks(target: &str, headers: &Headers) -> bool {
    let doubtful = ["transfer-encoding", "upgrade"];
    let is_doubtful = |name: &str| doubtful.iter().any(|other| name.eq_ignore_ascii_case(other));
    !headers.iter().any(|(name, _)| is_doubtful(name))
        && !target.split(' ').any(|word| word.to_ascii_uppercase().starts_with("HTTP/"))
}

type Headers = Vec<(String, String)>;

/// Header lines up to an empty line, and what follows it.
fn headers(text: &str) -> Result<(Headers, &str), &'static str> {
    let (mut found, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        if line.trim_end().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or("header lines with a colon")?;
        found.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok((found, rest))
}

pub(super) fn content_type() -> String {
    format!("multipart/mixed;boundary={BOUNDARY}")
}

pub(super) fn head(answer: &PartHead) -> Vec<u8> {
    let mut head =
        format!("--{BOUNDARY}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n");
    if let Some(id) = &answer.id {
        let _ = write!(head, "Content-ID: {id}\r\n");
    }
    let _ = write!(head, "\r\nHTTP/1.1 {} {}\r\n", answer.status, answer.reason);
    for (name, value) in &answer.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if let Some(length) = answer.length {
        let _ = write!(head, "Content-Length: {length}\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

pub(super) fn end() -> Vec<u8> {
    format!("--{BOUNDARY}--\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "preamble\r\n--b 1\r\nContent-Type: application/http\r\nContent-ID: x\r\n\r\n\
        GET Datasets?$top=1 HTTP/1.1\r\nAccept: application/json\r\n\r\n\r\n--b 1\r\n\
        content-type: multipart/mixed;boundary=c\r\n\r\n--c\r\n\r\n--c--\r\n--b 1--\r\nepilogue";

    #[test]
    fn parts_are_found_between_boundaries() {
        for body in [TWO.to_owned(), TWO.replace("\r\n", "\n")] {
            let parts = parse("b 1", body.as_bytes(), 9).unwrap();
            assert_eq!(parts.len(), 2);
            assert_eq!(parts[0].id.as_deref(), Some("x"));
            assert_eq!((parts[0].method.as_str(), parts[0].target.as_str()), ("GET", "Datasets?$top=1"));
            assert_eq!(parts[0].header("accept"), Some("application/json"));
            assert!(parts[1].is_change_set);
        }
    }

    #[test]
    fn an_address_may_have_blanks() {
        let body =
            "--b\r\nContent-Type: application/http\r\n\r\nGET x?$filter=a eq 'b c'  HTTP/1.1\r\n\r\n--b--";
        assert_eq!(parse("b", body.as_bytes(), 9).unwrap()[0].target, "x?$filter=a eq 'b c'");
    }

    #[test]
    fn what_is_no_batch_is_refused_with_what_was_expected() {
        let mime = "Content-Type: application/http\r\n\r\n";
        for content in [
            "",
            "--b\r\n",
            "--b\r\nno colon\r\n--b--",
            "--b\r\nContent-Type: text/plain\r\n\r\nGET x HTTP/1.1\r\n--b--",
            &format!("--b\r\n{mime}GET x\r\n--b--"),
            &format!("--b\r\n{mime}GET x HTTP/1.1 HTTP/1.1\r\n--b--"),
            &format!("--b\r\n{mime}GET x y HTTP/1.1\r\nUpgrade: h2c\r\n--b--"),
            &format!("--b\r\n{mime}GET x y HTTP/1.1\r\ntransfer-encoding: chunked\r\n--b--"),
            &format!("--b\r\n{mime}GET x FTP/1.1\r\n--b--"),
            &format!("--b\r\n{mime}GET x HTTP/1.1\r\nno colon\r\n--b--"),
            &format!("--b\r\n{mime}\r\n--b--"),
        ] {
            assert!(parse("b", content.as_bytes(), 9).is_err(), "{content}");
        }
        assert!(parse("b", b"--b\r\n\xff\r\n--b--", 9).is_err());
        assert_eq!(parse("b 1", TWO.as_bytes(), 1), Err(BatchError::TooMany { limit: 1 }));
    }

    #[test]
    fn the_boundary_is_read_as_clients_write_it() {
        let read = |parameters: &str| boundary(parameters.split(';'));
        assert_eq!(read("charset=utf-8; Boundary=\"a b\""), Some("a b".to_owned()));
        assert_eq!(read("boundary=batch_1"), Some("batch_1".to_owned()));
        for refused in ["", "boundary", "boundary=", "boundary=\"\"", &format!("boundary={}", "a".repeat(71))]
        {
            assert_eq!(read(refused), None, "{refused}");
        }
    }
}
