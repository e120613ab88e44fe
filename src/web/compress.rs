//! gzip for bodies that are whole, and for those that are sent piece by piece: off the server's own threads, at a level that
//! costs little.

use std::io::{self, Write};
use std::mem;

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

/// gzip of a body that is not whole yet.
#[derive(Debug)]
pub struct GzipStream(GzEncoder<Vec<u8>>);

impl GzipStream {
    /// Before the first piece.
    #[must_use]
    pub fn new() -> Self {
        Self(GzEncoder::new(Vec::new(), Compression::fast()))
    }

    /// Takes a piece, and gives what is ready.
    ///
    /// # Errors
    /// When the encoder fails.
    pub fn piece(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        self.0.write_all(bytes)?;
        Ok(mem::take(self.0.get_mut()))
    }

    /// The end of the body.
    ///
    /// # Errors
    /// When the encoder fails.
    pub fn end(self) -> io::Result<Vec<u8>> {
        self.0.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::{GzipStream, accepts_gzip};

    #[test]
    fn pieces_are_one_body() {
        let pieces: Vec<String> = (0..1000).map(|number| format!("{number};").repeat(50)).collect();
        let mut stream = GzipStream::new();
        let mut bytes: Vec<u8> =
            pieces.iter().flat_map(|piece| stream.piece(piece.as_bytes()).unwrap()).collect();
        let early = bytes.len();
        bytes.extend(stream.end().unwrap());
        let mut text = String::new();
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(text, pieces.concat());
        assert!(early > 1000, "most leaves before the end: {early}");
    }

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
