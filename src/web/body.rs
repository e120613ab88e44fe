//! The bodies of answers: made as a whole, kept, or written piece by piece while they are sent; and their content coding.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use actix_web::web;
use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use sha2::{Digest, Sha256};

use crate::answer::error::BridgeError;
use crate::answer::stages::{Stage, Stages};
use crate::budget::work::blocking;
use crate::fetch::error::FetchError;
use crate::observe::request::inherited_now;
use crate::odata::etag;
use crate::web::compress::{self, Coding, Packer};

/// The approximate size of the pieces of a streamed body; a smaller body is sent as a whole.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// No body: a null value, or an error without text.
    Empty,
    Whole(Vec<u8>),
    /// A cached document.
    Kept(Arc<Document>),
    /// Written while it is sent.
    Pieces(Box<dyn Pieces>),
    /// Written while it is sent, by tasks that wait for others.
    Stream(PieceStream),
}

impl Body {
    /// Begins the body in that coding, and says in which it is: a small one is not compressed.
    ///
    /// # Errors
    /// When the first piece cannot be written.
    pub(super) fn begin(
        self,
        coding: Coding,
        stages: Option<Stages>,
    ) -> Result<(Coding, BegunBody), BridgeError> {
        let pieces: Box<dyn Pieces> = match self {
            Self::Empty => Box::new(Once(None)),
            Self::Kept(document) => {
                let coding = coding.of_body(document.plain.len());
                return Ok((coding, BegunBody::Whole(document.coded(coding))));
            }
            Self::Stream(PieceStream(pieces)) => {
                return Ok((coding, BegunBody::Pieces(compressed(pieces, coding).boxed())));
            }
            Self::Whole(body) => Box::new(Once(Some(body))),
            Self::Pieces(pieces) => pieces,
        };
        let measured = stages.clone();
        let (coding, begun, rest) = timed(measured.as_ref(), || first(pieces, coding, stages))?;
        let body = match rest {
            Some(rest) => BegunBody::Pieces(continued(begun, rest).boxed()),
            None => BegunBody::Whole(begun),
        };
        Ok((coding, body))
    }

    /// The pieces of the uncompressed body, and its length where it is known.
    pub(super) fn into_pieces(self) -> (Box<dyn Pieces>, Option<usize>) {
        match self {
            Self::Empty => (Box::new(Once(None)), Some(0)),
            Self::Whole(body) => {
                let length = body.len();
                (Box::new(Once(Some(body))), Some(length))
            }
            Self::Kept(document) => {
                let length = document.plain.len();
                (Box::new(Sliced(document.plain.clone())), Some(length))
            }
            Self::Pieces(pieces) => (pieces, None),
            // The answer to a batch is no part of one.
            Self::Stream(_) => (Box::new(Once(None)), None),
        }
    }
}

/// A body that has begun.
pub(super) enum BegunBody {
    Whole(Bytes),
    Pieces(BoxStream<'static, Result<Bytes, BridgeError>>),
}

/// The pieces of a body as a stream.
pub struct PieceStream(pub BoxStream<'static, Result<Vec<u8>, BridgeError>>);

impl fmt::Debug for PieceStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PieceStream")
    }
}

/// A body that is written piece by piece.
pub trait Pieces: Send {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// When the rest cannot be written. The transfer is then aborted, so that the client notices.
    fn next(&mut self) -> Result<Option<Vec<u8>>, BridgeError>;
}

impl fmt::Debug for dyn Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pieces")
    }
}

/// A cached body with its compressed forms.
#[derive(Debug)]
pub struct Document {
    pub(super) tag: String,
    plain: Bytes,
    gzip: OnceLock<Bytes>,
    brotli: OnceLock<Bytes>,
}

impl Document {
    /// A document with that body.
    #[must_use]
    pub fn new(body: Vec<u8>) -> Self {
        Self { tag: digest(&body), plain: body.into(), gzip: OnceLock::new(), brotli: OnceLock::new() }
    }

    /// The body in a coding, compressed when it is first requested.
    fn coded(&self, coding: Coding) -> Bytes {
        let kept = match coding {
            Coding::Identity => return self.plain.clone(),
            Coding::Gzip => &self.gzip,
            Coding::Brotli => &self.brotli,
        };
        kept.get_or_init(|| blocking(|| compress::packed_once(&self.plain, coding).into())).clone()
    }
}

/// A body of one piece.
struct Once(Option<Vec<u8>>);

impl Pieces for Once {
    fn next(&mut self) -> Result<Option<Vec<u8>>, BridgeError> {
        Ok(self.0.take())
    }
}

/// A body that is kept, piece by piece.
struct Sliced(Bytes);

impl Pieces for Sliced {
    fn next(&mut self) -> Result<Option<Vec<u8>>, BridgeError> {
        let size = self.0.len().min(PIECE_BYTES);
        Ok((size > 0).then(|| self.0.split_to(size).to_vec()))
    }
}

/// Pieces that are compressed one after the other.
struct Packing {
    pieces: Box<dyn Pieces>,
    packer: Packer,
    stages: Option<Stages>,
}

/// Writes a part of a body, measured if there is something to measure it with.
fn timed<T>(stages: Option<&Stages>, write: impl FnOnce() -> T) -> T {
    match stages {
        Some(stages) => stages.time(Stage::Write, write),
        None => write(),
    }
}

/// The first piece of a body, its coding, and the rest if there is more. A small body is not compressed.
fn first(
    mut pieces: Box<dyn Pieces>,
    coding: Coding,
    stages: Option<Stages>,
) -> Result<(Coding, Bytes, Option<Packing>), BridgeError> {
    let mut begun = Vec::new();
    let mut more = true;
    while more && begun.len() < PIECE_BYTES {
        match pieces.next()? {
            Some(piece) if begun.is_empty() => begun = piece,
            Some(piece) => begun.extend(piece),
            None => more = false,
        }
    }
    let coding = if more { coding } else { coding.of_body(begun.len()) };
    let mut packing = Packing { pieces, packer: Packer::streaming(coding), stages };
    let mut packed = packing.packer.pack(&begun).map_err(interrupted)?;
    if more {
        return Ok((coding, packed.into(), Some(packing)));
    }
    packed.extend(packing.packer.finish().map_err(interrupted)?);
    Ok((coding, packed.into(), None))
}

/// A body as a stream, in no coding of HTTP.
pub fn streamed(pieces: Box<dyn Pieces>) -> impl Stream<Item = Result<Bytes, BridgeError>> {
    let packer = Packer::streaming(Coding::Identity);
    continued(Bytes::new(), Packing { pieces, packer, stages: None })
}

/// The stream of the rest of a body. After an error it ends without the last chunk.
fn continued(begun: Bytes, rest: Packing) -> impl Stream<Item = Result<Bytes, BridgeError>> {
    let rest = stream::try_unfold(Some(rest), |packing| async move {
        let Some(mut packing) = packing else { return Ok(None) };
        let measured = packing.stages.clone();
        let write = move || {
            let mut packed = Vec::new();
            while packed.len() < PIECE_BYTES {
                let Some(piece) = packing.pieces.next()? else {
                    packed.extend(packing.packer.finish().map_err(interrupted)?);
                    return Ok(Some((Bytes::from(packed), None)));
                };
                packed.extend(packing.packer.pack(&piece).map_err(interrupted)?);
            }
            Ok(Some((Bytes::from(packed), Some(packing))))
        };
        let written = off_thread(move || timed(measured.as_ref(), write)).await;
        written.inspect_err(|error| tracing::error!(%error, "an answer was cut off"))
    });
    // Empty pieces are skipped, because an empty chunk would end the body.
    stream::once(async move { Ok(begun) })
        .chain(rest)
        .filter(|piece| std::future::ready(!matches!(piece, Ok(bytes) if bytes.is_empty())))
}

/// A stream of pieces in a coding. After an error it ends without the last chunk.
fn compressed(
    pieces: BoxStream<'static, Result<Vec<u8>, BridgeError>>,
    coding: Coding,
) -> impl Stream<Item = Result<Bytes, BridgeError>> {
    let packed = stream::try_unfold(Some((pieces, Packer::streaming(coding))), |state| async move {
        let Some((mut pieces, mut packer)) = state else { return Ok(None) };
        let Some(piece) = pieces.next().await.transpose()? else {
            return Ok(Some((packer.finish().map_err(interrupted)?.into(), None)));
        };
        let packed = move || Ok((packer.pack(&piece).map_err(interrupted)?, packer));
        let (packed, packer) = off_thread(packed).await?;
        Ok(Some((Bytes::from(packed), Some((pieces, packer)))))
    });
    packed
        .inspect_err(|error: &BridgeError| tracing::error!(%error, "an answer was cut off"))
        .filter(|piece| std::future::ready(!matches!(piece, Ok(bytes) if bytes.is_empty())))
}

/// Runs work that computes beside the server's threads.
///
/// # Errors
/// The errors of the work; `FetchError::Interrupted` when the server is stopping.
pub async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BridgeError> + Send + 'static,
) -> Result<T, BridgeError> {
    web::block(inherited_now(work)).await.map_err(|_| FetchError::Interrupted)?
}

fn interrupted(_: io::Error) -> BridgeError {
    FetchError::Interrupted.into()
}

/// The opaque text of a body's tag.
#[must_use]
pub fn digest(body: &[u8]) -> String {
    etag::of_hash(Sha256::new_with_prefix(body))
}
