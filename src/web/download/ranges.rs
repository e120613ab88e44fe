//! What of a file a request asks for: conditions and ranges of bytes, as RFC 9110 has them (sections 13 and 14).
//!
//! One range is answered as such. Several, or one that cannot be understood, are answered with the whole file, as HTTP allows.

use std::ops;

use actix_web::http::header::{self, ByteRangeSpec, HeaderMap, Range};

use crate::odata::etag;
use crate::web::respond::joined;

/// What is to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    Whole,
    Part(ops::Range<u64>),
    /// The range begins behind the end.
    NotSatisfiable,
    /// The client has the file already.
    NotModified,
    /// The client wants another state of the file, or none.
    PreconditionFailed,
}

impl Wanted {
    /// What a GET wants of a file with that tag and so many bytes; a HEAD never wants a part.
    pub fn of(headers: &HeaderMap, is_get: bool, tag: &str, bytes: u64) -> Self {
        let value = |name| joined(headers, &name);
        if value(header::IF_MATCH).is_some_and(|wanted| !etag::matches_strongly(&wanted, tag)) {
            return Self::PreconditionFailed;
        }
        if value(header::IF_NONE_MATCH).is_some_and(|held| etag::matches(&held, tag)) {
            return Self::NotModified;
        }
        // A date is no state of the file either: none is ever sent.
        let is_replaced = value(header::IF_RANGE).is_some_and(|begun| begun.trim() != tag);
        match range(headers).filter(|_| is_get && !is_replaced) {
            Some(range) => {
                let part = range.to_satisfiable_range(bytes);
                part.map_or(Self::NotSatisfiable, |(first, last)| Self::Part(first..last + 1))
            }
            None => Self::Whole,
        }
    }
}

/// The range that a request asks for, if it asks for one that can be understood.
pub(super) fn range(headers: &HeaderMap) -> Option<ByteRangeSpec> {
    let text = joined(headers, &header::RANGE).filter(|text| !text.contains(','))?;
    if let Ok(Range::Bytes(ranges)) = text.parse() { ranges.into_iter().next() } else { None }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    const TAG: &str = "\"a\"";

    fn wanted(headers: &[(HeaderName, &str)]) -> Wanted {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        Wanted::of(&map, true, TAG, 1000)
    }

    #[test]
    fn one_range_is_cut_to_the_file() {
        for (range, part) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-", 0..1000),
            ("bytes=990-2000", 990..1000),
            ("bytes=999-18446744073709551615", 999..1000),
            ("bytes=-1", 999..1000),
            ("bytes=-5000", 0..1000),
            ("bytes=5-9", 5..10),
        ] {
            assert_eq!(wanted(&[(header::RANGE, range)]), Wanted::Part(part), "{range}");
        }
        for range in ["bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=18446744073709551615-"] {
            assert_eq!(wanted(&[(header::RANGE, range)]), Wanted::NotSatisfiable, "{range}");
        }
    }

    #[test]
    fn what_is_not_one_range_is_the_whole_file() {
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5",
            "bytes=9-5",
            "bytes=a-b",
            "Bytes = 5 - 9",
            "bytes=0-18446744073709551616",
            "lines=1-2",
            "bytes=0-1,5-9",
            "bytes=0-1,x",
        ] {
            assert_eq!(wanted(&[(header::RANGE, range)]), Wanted::Whole, "{range}");
        }
        assert_eq!(wanted(&[(header::RANGE, "bytes=0-1"), (header::RANGE, "bytes=5-9")]), Wanted::Whole);
        assert_eq!(wanted(&[]), Wanted::Whole);
    }

    #[test]
    fn a_range_of_a_replaced_file_is_the_whole_new_one() {
        let range = (header::RANGE, "bytes=0-1");
        for other in ["\"b\"", "W/\"a\"", "Tue, 01 Sep 2026 08:00:00 GMT", "", "*"] {
            assert_eq!(wanted(&[range.clone(), (header::IF_RANGE, other)]), Wanted::Whole, "{other}");
        }
        assert_eq!(wanted(&[range.clone(), (header::IF_RANGE, TAG)]), Wanted::Part(0..2));
        let mut head = HeaderMap::new();
        head.append(header::RANGE, HeaderValue::from_static("bytes=0-1"));
        assert_eq!(Wanted::of(&head, false, TAG, 1000), Wanted::Whole);
    }

    #[test]
    fn conditions_come_before_ranges() {
        let range = (header::RANGE, "bytes=0-1");
        assert_eq!(wanted(&[range.clone(), (header::IF_NONE_MATCH, "W/\"a\", \"c\"")]), Wanted::NotModified);
        assert_eq!(wanted(&[range.clone(), (header::IF_MATCH, "\"b\"")]), Wanted::PreconditionFailed);
        assert_eq!(wanted(&[range, (header::IF_MATCH, "\"b\", \"a\"")]), Wanted::Part(0..2));
    }
}
