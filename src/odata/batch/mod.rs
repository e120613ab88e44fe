//! Batches: many requests in one, as `multipart/mixed` and as JSON.
//!
//! Parses a batch and writes its answer in the same form. The caller answers the requests and decides which are allowed.

pub mod json;
mod multipart;

use std::fmt;

use crate::error::{DescribeError, ErrorDescription, excerpt};

/// How a batch is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    Multipart { boundary: String },
    Json,
}

/// One request of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// `Content-ID`, or `id` in JSON.
    pub id: Option<String>,
    pub method: String,
    /// An absolute address, an absolute path, or a path below the address of the batch.
    pub target: String,
    pub headers: Vec<(String, String)>,
    /// The requests that have to succeed first.
    pub depends_on: Vec<String>,
    /// Whether it is a change set, whose requests are executed together or not at all.
    pub is_change_set: bool,
    /// Whether it has a condition on earlier answers.
    pub is_conditional: bool,
}

impl Part {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// The answer to one request of a batch, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHead {
    pub id: Option<String>,
    pub status: u16,
    pub reason: &'static str,
    pub headers: Vec<(String, String)>,
    /// How many bytes the body has, where that is known before it is written.
    pub length: Option<usize>,
}

/// Why a batch cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    #[error(
        "the batch has the content type `{found}`; expected multipart/mixed with a boundary, or application/json"
    )]
    Form { found: String },
    #[error("part {number} of the batch is malformed: expected {expected}")]
    Malformed { number: usize, expected: &'static str },
    #[error("the batch has more than {limit} requests")]
    TooMany { limit: usize },
    #[error("request {number} of the batch has the id `{id}`; expected one that no request before it has")]
    DuplicateId { number: usize, id: String },
    #[error("request `{id}` of the batch depends on `{on}`; expected the id of a request before it")]
    Dependency { id: String, on: String },
}

impl DescribeError for BatchError {
    fn describe(&self) -> ErrorDescription {
        match self {
            Self::TooMany { limit } => ErrorDescription::new(
                413,
                "BatchTooLarge",
                format!("En $batch kan højst have {limit} forespørgsler; del den op."),
            )
            .on("$batch"),
            Self::Form { .. } => ErrorDescription::new(
                415,
                "UnknownBatchFormat",
                "En $batch skal sendes som multipart/mixed med boundary eller som application/json.",
            )
            .on("Content-Type"),
            Self::Malformed { .. } | Self::DuplicateId { .. } | Self::Dependency { .. } => {
                ErrorDescription::new(
                    400,
                    "MalformedBatch",
                    "Denne $batch kan ikke læses; se i detaljerne, hvilken del der er forkert.",
                )
                .on("$batch")
            }
        }
    }
}

impl Form {
    /// The form that a content type says.
    ///
    /// # Errors
    /// When it is not a content type of batches.
    pub fn of(content_type: &str) -> Result<Self, BatchError> {
        let refused = || BatchError::Form { found: excerpt(content_type) };
        let mut parts = content_type.split(';').map(str::trim);
        match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "application/json" => Ok(Self::Json),
            "multipart/mixed" => {
                multipart::boundary(parts).map(|boundary| Self::Multipart { boundary }).ok_or_else(refused)
            }
            _ => Err(refused()),
        }
    }
}

/// Parses a batch into its requests in order, at most `limit` of them.
///
/// # Errors
/// When the text is not a batch, or has too many requests.
pub fn parse(form: &Form, body: &[u8], limit: usize) -> Result<Vec<Part>, BatchError> {
    let parts = match form {
        Form::Multipart { boundary } => multipart::parse(boundary, body, limit)?,
        Form::Json => json::parse(body, limit)?,
    };
    check_references(&parts)?;
    Ok(parts)
}

/// Checks that ids are unique and that requests depend only on earlier ones, so that they can be answered in order.
fn check_references(parts: &[Part]) -> Result<(), BatchError> {
    let mut known: Vec<&str> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        if let Some(on) = part.depends_on.iter().find(|on| !known.contains(&on.as_str())) {
            let id = part.id.clone().unwrap_or_default();
            return Err(BatchError::Dependency { id, on: on.clone() });
        }
        if let Some(id) = &part.id {
            if known.contains(&id.as_str()) {
                return Err(BatchError::DuplicateId { number: index + 1, id: id.clone() });
            }
            known.push(id);
        }
    }
    Ok(())
}

/// Writes the answer to a batch piece by piece: the start, for each request its head, the pieces of its body and its end, and the end.
#[derive(Debug)]
pub enum Writer {
    Multipart,
    Json(json::Writer),
}

impl Writer {
    /// A writer of the same form as the batch.
    #[must_use]
    pub fn new(form: &Form) -> Self {
        match form {
            Form::Multipart { .. } => Self::Multipart,
            Form::Json => Self::Json(json::Writer::default()),
        }
    }

    /// The content type of the whole.
    #[must_use]
    pub fn content_type(&self) -> String {
        match self {
            Self::Multipart => multipart::content_type(),
            Self::Json(_) => "application/json".to_owned(),
        }
    }

    /// What stands before the body of an answer.
    #[must_use]
    pub fn head(&mut self, head: &PartHead) -> Vec<u8> {
        match self {
            Self::Multipart => multipart::head(head),
            Self::Json(writer) => writer.head(head),
        }
    }

    /// A piece of the body.
    #[must_use]
    pub fn piece(&mut self, piece: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Multipart => piece,
            Self::Json(writer) => writer.piece(piece),
        }
    }

    /// What stands behind the body of an answer.
    #[must_use]
    pub fn part_end(&mut self) -> Vec<u8> {
        match self {
            Self::Multipart => b"\r\n".to_vec(),
            Self::Json(writer) => writer.part_end(),
        }
    }

    /// What stands behind the last answer.
    #[must_use]
    pub fn end(&mut self) -> Vec<u8> {
        match self {
            Self::Multipart => multipart::end(),
            Self::Json(writer) => writer.end(),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Multipart { .. } => "multipart/mixed",
            Self::Json => "application/json",
        })
    }
}
