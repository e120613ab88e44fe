//! gzip for bodies that are whole: done once, off the server's own threads, at a level that costs little.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Bodies below this are sent as they are.
const WORTH_BYTES: usize = 1024;

/// Whether the client takes gzip.
#[must_use]
pub fn accepts_gzip(accept_encoding: Option<&str>) -> bool {
    let Some(header) = accept_encoding else { return false };
    header.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        let refused =
            parts.filter_map(|part| part.strip_prefix("q=")).any(|q| q.trim().parse() == Ok(0.0_f32));
        named && !refused
    })
}

/// The body as gzip, if that is worth it.
#[must_use]
pub fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    if body.len() < WORTH_BYTES {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::accepts_gzip;

    #[test]
    fn only_who_takes_gzip_gets_it() {
        for (header, accepted) in
            [("gzip, deflate", true), ("br;q=1, gzip;q=0", false), ("*", true), ("identity", false)]
        {
            assert_eq!(accepts_gzip(Some(header)), accepted, "{header}");
        }
        assert!(!accepts_gzip(None));
    }
}
