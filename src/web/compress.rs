//! Content codings: chooses one from `Accept-Encoding`, and compresses bodies as a whole or piece by piece.

use std::io::{self, Write};

use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Smaller bodies are not compressed.
const WORTH_BYTES: usize = 1024;
/// Brotli's level for streams: about as fast as gzip's default level, and it compresses better.
const BROTLI_STREAM: u32 = 4;
/// Brotli's level for bodies that are compressed once and sent many times.
const BROTLI_ONCE: u32 = 9;
/// The window of a stream, as a power of two: one of 22, as documents have, would take megabytes for each reader.
const BROTLI_STREAM_WINDOW: u32 = 18;
const BROTLI_WINDOW: u32 = 22;
const BUFFER_BYTES: usize = 4096;

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    Identity,
    Gzip,
    Brotli,
}

impl Coding {
    /// The coding with the highest quality value; of equal ones the one that compresses best.
    #[must_use]
    pub fn choose(accept_encoding: Option<&str>) -> Self {
        let Some(header) = accept_encoding else { return Self::Identity };
        let offered = [Self::Identity, Self::Gzip, Self::Brotli];
        let liked = offered.into_iter().filter_map(|coding| Some((coding.quality(header)?, coding)));
        liked
            .max_by_key(|(quality, coding)| (*quality, *coding as u8))
            .map_or(Self::Identity, |(_, coding)| coding)
    }

    /// The coding for a body of so many bytes.
    #[must_use]
    pub fn of_body(self, bytes: usize) -> Self {
        if bytes < WORTH_BYTES { Self::Identity } else { self }
    }

    /// Whether the client accepts gzip, for bodies that are cached in no other coding.
    #[must_use]
    pub fn accepts_gzip(accept_encoding: Option<&str>) -> bool {
        accept_encoding.is_some_and(|header| Self::Gzip.quality(header).is_some())
    }

    /// The value of `Content-Encoding`; `None` without compression.
    #[must_use]
    pub fn header(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
        }
    }

    /// The quality value in thousandths, if the client accepts the coding. Identity that is not named has the lowest quality, 0.
    fn quality(self, header: &str) -> Option<u16> {
        let name = self.header().unwrap_or("identity");
        let ranges = header.split(',').map(range);
        let named = ranges.clone().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let found =
            named.or_else(|| ranges.into_iter().find(|(known, _)| *known == "*" && self != Self::Identity));
        match found {
            Some((_, quality)) => Some(quality).filter(|quality| *quality > 0),
            None => (self == Self::Identity).then_some(0),
        }
    }
}

/// A coding and its quality value in thousandths; 0 if that is malformed.
fn range(text: &str) -> (&str, u16) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let quality =
        quality.map_or(Some(1.0), |text| text.trim().parse().ok()).filter(|q| (0.0..=1.0_f32).contains(q));
    // Between 0 and 1, so the cast only truncates decimals.
    (name, quality.map_or(0, |quality| (quality * 1000.0) as u16))
}

/// Compresses bytes piece by piece.
pub enum Packer {
    Identity(Vec<u8>),
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
}

impl Packer {
    /// A packer for a streamed body.
    #[must_use]
    pub fn streaming(coding: Coding) -> Self {
        Self::new(coding, BROTLI_STREAM, BROTLI_STREAM_WINDOW)
    }

    fn new(coding: Coding, brotli_level: u32, brotli_window: u32) -> Self {
        match coding {
            Coding::Identity => Self::Identity(Vec::new()),
            Coding::Gzip => Self::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::fast()))),
            Coding::Brotli => Self::Brotli(Box::new(CompressorWriter::new(
                Vec::new(),
                BUFFER_BYTES,
                brotli_level,
                brotli_window,
            ))),
        }
    }

    /// Takes a piece and returns the bytes that are ready to be sent.
    ///
    /// # Errors
    /// Never for bytes in memory; the encoders' interface returns a `Result`.
    pub fn pack(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Identity(ready) => ready.extend_from_slice(piece),
            Self::Gzip(encoder) => encoder.write_all(piece)?,
            Self::Brotli(encoder) => encoder.write_all(piece)?,
        }
        Ok(std::mem::take(match self {
            Self::Identity(ready) => ready,
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
        }))
    }

    /// The last bytes, after all pieces.
    ///
    /// # Errors
    /// Never for bytes in memory.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Identity(ready) => Ok(ready),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
        }
    }
}

/// A whole body in a coding, at a high level because it is cached and sent many times.
#[must_use]
pub fn packed_once(body: &[u8], coding: Coding) -> Vec<u8> {
    whole(Packer::new(coding, BROTLI_ONCE, BROTLI_WINDOW), body)
}

/// A whole body in a coding, at the level of streams because it is made anew each time.
#[must_use]
pub fn packed_each_time(body: &[u8], coding: Coding) -> Vec<u8> {
    whole(Packer::streaming(coding), body)
}

fn whole(mut packer: Packer, body: &[u8]) -> Vec<u8> {
    let mut packed = packer.pack(body).unwrap_or_default();
    packed.extend(packer.finish().unwrap_or_default());
    packed
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::{Coding, Packer};

    #[test]
    fn a_client_gets_the_coding_that_it_likes_best() {
        for (header, coding) in [
            ("gzip, deflate", Coding::Gzip),
            ("gzip, compress, deflate, br", Coding::Brotli),
            ("br;q=0.5, gzip", Coding::Gzip),
            ("br;q=1, gzip;q=0", Coding::Brotli),
            ("gzip;q=0, *", Coding::Brotli),
            ("*", Coding::Brotli),
            ("*;q=0", Coding::Identity),
            ("GZIP", Coding::Gzip),
            ("identity;q=1, gzip;q=0.5", Coding::Identity),
            ("gzip;q=nan, br;q=7", Coding::Identity),
            ("zstd, , ;q", Coding::Identity),
            ("", Coding::Identity),
        ] {
            assert_eq!(Coding::choose(Some(header)), coding, "{header}");
        }
        assert_eq!(Coding::choose(None), Coding::Identity);
    }

    #[test]
    fn what_was_packed_in_pieces_unpacks_whole() {
        let pieces: Vec<Vec<u8>> = (0..200).map(|at| format!("{at},").repeat(at).into_bytes()).collect();
        let whole = pieces.concat();
        for coding in [Coding::Identity, Coding::Gzip, Coding::Brotli] {
            let mut packer = Packer::streaming(coding);
            let mut packed: Vec<u8> = pieces.iter().flat_map(|piece| packer.pack(piece).unwrap()).collect();
            packed.extend(packer.finish().unwrap());
            let mut unpacked = Vec::new();
            let mut reader: Box<dyn Read> = match coding {
                Coding::Identity => Box::new(&*packed),
                Coding::Gzip => Box::new(GzDecoder::new(&*packed)),
                Coding::Brotli => Box::new(brotli::Decompressor::new(&*packed, 4096)),
            };
            reader.read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, whole, "{coding:?}");
        }
    }
}
