//! Makes HTTP responses from answers: the headers of every OData answer, and conditional requests. Independent of the answers' content.

use std::mem;

use actix_web::body::BodyStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use crate::answer::error::BridgeError;
use crate::answer::stages::Stages;
use crate::error::{DescribeError, ErrorDescription};
use crate::observe::request;
use crate::odata::etag;
use crate::odata::payload::{ErrorBody, ErrorDetail, write_error};
use crate::odata::version::Version;
use crate::settings::redact::redact;
use crate::web::body::{BegunBody, Body, Pieces, digest};
use crate::web::compress::Coding;

/// The value of `Vary`: the headers that an answer depends on.
const VARY: &str = "Accept, Accept-Encoding, OData-MaxVersion, Prefer";

/// How long the parts of an answer took that ended before its first byte.
pub const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The methods of addresses that are read.
pub const ALLOW: &str = "GET, HEAD, OPTIONS";
/// The methods of addresses whose request is in the body.
pub const ALLOW_POST: &str = "POST, OPTIONS";

/// A successful answer.
#[derive(Debug)]
pub struct Answered {
    pub content_type: String,
    pub body: Body,
    /// The text of the entity tag; `None` for a hash of the body.
    pub tag: Option<String>,
    /// Seconds since the oldest figure was fetched.
    pub age_seconds: Option<i64>,
    pub preference_applied: Option<String>,
}

impl Answered {
    /// An answer whose tag is a hash of the body.
    #[must_use]
    pub fn whole(content_type: String, body: Vec<u8>) -> Self {
        let body = Body::Whole(body);
        Self { content_type, body, tag: None, age_seconds: None, preference_applied: None }
    }
}

/// An answer with status and headers, before its body is compressed.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Body,
    /// What measures the writing of the body.
    stages: Option<Stages>,
}

impl Reply {
    fn new(status: StatusCode, version: Version, body: Body) -> Self {
        let mut reply = Self { status, headers: Vec::new(), body, stages: None };
        reply.header(HeaderName::from_static("odata-version"), version.header());
        reply.header(header::VARY, VARY);
        reply
    }

    /// Adds a header, unless its value is not allowed in headers.
    fn header(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
    }

    /// The answer, or 304 if the client has it already.
    #[must_use]
    pub fn of(version: Version, answer: Answered, if_none_match: Option<&str>) -> Self {
        if matches!(answer.body, Body::Empty) {
            return Self::new(StatusCode::NO_CONTENT, version, Body::Empty);
        }
        let tag = etag::weak(&match (answer.tag, &answer.body) {
            (Some(tag), _) => tag,
            (None, Body::Whole(body)) => digest(body),
            (None, Body::Kept(document)) => document.tag.clone(),
            (None, Body::Empty | Body::Pieces(_) | Body::Stream(_)) => String::new(),
        });
        let is_held = if_none_match.is_some_and(|held| etag::matches(held, &tag));
        let mut reply = match is_held {
            true => Self::new(StatusCode::NOT_MODIFIED, version, Body::Empty),
            false => Self::new(StatusCode::OK, version, answer.body),
        };
        reply.header(header::ETAG, &tag);
        reply.header(header::CACHE_CONTROL, "no-cache");
        if let Some(age) = answer.age_seconds {
            reply.header(header::AGE, &age.max(0).to_string());
        }
        if let Some(applied) = answer.preference_applied {
            reply.header(HeaderName::from_static("preference-applied"), &applied);
        }
        if !is_held {
            reply.header(header::CONTENT_TYPE, &answer.content_type);
        }
        reply
    }

    /// The reply with how long it took to come to it. Its writing is measured too.
    #[must_use]
    pub fn timed(mut self, stages: Stages) -> Self {
        self.header(SERVER_TIMING, &stages.server_timing());
        Self { stages: Some(stages), ..self }
    }

    /// An error in OData's form.
    #[must_use]
    pub fn refusal(version: Version, error: &BridgeError) -> Self {
        let ErrorDescription { status, code, danish, target, retry_after_seconds, allow } = error.describe();
        let (target, detail) = (target.as_deref(), redact(&error.to_string()).into_owned());
        let request_id = request::id().to_string();
        if status >= 500 {
            tracing::warn!(code, detail, request_id, "request failed");
        } else {
            tracing::debug!(code, detail, request_id, "request refused");
        }
        let details = [ErrorDetail { code, message: &detail, target }];
        let mut body = Vec::new();
        write_error(
            &mut body,
            &ErrorBody { code, message: &danish, target, details: &details, request_id: Some(&request_id) },
        );
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut reply = Self::new(status, version, Body::Whole(body));
        reply.header(header::CONTENT_TYPE, "application/json");
        if let Some(seconds) = retry_after_seconds {
            reply.header(header::RETRY_AFTER, &seconds.to_string());
        }
        if let Some(methods) = allow {
            reply.header(header::ALLOW, methods);
        }
        reply
    }

    /// The answer to a batch. It has no entity tag, because it is not the state of a resource.
    #[must_use]
    pub fn unkept(version: Version, content_type: &str, applied: Option<&str>, body: Body) -> Self {
        let mut reply = Self::new(StatusCode::OK, version, body);
        reply.header(header::CONTENT_TYPE, content_type);
        reply.header(header::CACHE_CONTROL, "no-cache");
        if let Some(applied) = applied {
            reply.header(HeaderName::from_static("preference-applied"), applied);
        }
        reply
    }

    /// The answer to `OPTIONS`.
    #[must_use]
    pub fn options(version: Version, allow: &'static str) -> Self {
        let mut reply = Self::new(StatusCode::NO_CONTENT, version, Body::Empty);
        reply.header(header::ALLOW, allow);
        reply
    }

    /// Leads to another address.
    #[must_use]
    pub fn redirect(version: Version, location: &str) -> Self {
        let mut reply = Self::new(StatusCode::MOVED_PERMANENTLY, version, Body::Empty);
        reply.header(header::LOCATION, location);
        reply
    }

    /// Begins the body in that coding, on the thread that answers the request: a small answer takes no other.
    ///
    /// # Errors
    /// When the first piece cannot be written.
    pub fn begin(self, coding: Coding) -> Result<Begun, BridgeError> {
        let Self { status, headers, body, stages } = self;
        let (coding, body) = body.begin(coding, stages)?;
        Ok(Begun { status, headers, coding, body })
    }

    /// The pieces of the uncompressed body, and its length where it is known.
    #[must_use]
    pub fn into_pieces(self) -> (Box<dyn Pieces>, Option<usize>) {
        self.body.into_pieces()
    }

    /// The body of an error.
    fn into_bytes(self) -> Vec<u8> {
        if let Body::Whole(body) = self.body { body } else { Vec::new() }
    }
}

/// A reply whose body has begun: small ones are complete, of others the first piece is written and packed.
pub struct Begun {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    coding: Coding,
    body: BegunBody,
}

impl Begun {
    /// An error, also one in a body before any of it was sent.
    #[must_use]
    pub fn refusal(version: Version, error: &BridgeError) -> Self {
        let mut reply = Reply::refusal(version, error);
        let (status, headers) = (reply.status, mem::take(&mut reply.headers));
        let body = BegunBody::Whole(reply.into_bytes().into());
        Self { status, headers, coding: Coding::Identity, body }
    }

    /// A copy of a complete answer that was successful, without how long it took; `None` of others.
    #[must_use]
    pub fn copy(&self) -> Option<Self> {
        let BegunBody::Whole(body) = &self.body else { return None };
        let headers = self.headers.iter().filter(|(name, _)| *name != SERVER_TIMING).cloned();
        (self.status == StatusCode::OK).then(|| Self {
            status: self.status,
            headers: headers.collect(),
            coding: self.coding,
            body: BegunBody::Whole(body.clone()),
        })
    }

    /// Sends it.
    #[must_use]
    pub fn send(self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        for header in self.headers {
            response.append_header(header);
        }
        if let Some(name) = self.coding.header() {
            response.insert_header((header::CONTENT_ENCODING, name));
        }
        match self.body {
            BegunBody::Whole(body) if body.is_empty() => response.finish(),
            BegunBody::Whole(body) => response.body(body),
            BegunBody::Pieces(pieces) => response.body(BodyStream::new(pieces)),
        }
    }
}

/// The response for an error.
#[must_use]
pub fn refuse(version: Version, error: &BridgeError) -> HttpResponse {
    Begun::refusal(version, error).send()
}

/// An error as the bytes of a whole response, for a connection that is closed behind it.
#[must_use]
pub fn raw_refusal(error: &BridgeError) -> Vec<u8> {
    let mut reply = Reply::refusal(Version::V4, error);
    reply.header(header::CONNECTION, "close");
    let (status, headers) = (reply.status, mem::take(&mut reply.headers));
    let body = reply.into_bytes();
    let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len()).into_bytes();
    for (name, value) in headers {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body);
    bytes
}

/// The header of what is saved as a file of that name.
#[must_use]
pub fn attachment(name: &str) -> (HeaderName, String) {
    (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))
}

/// The coding that the client likes best.
#[must_use]
pub fn coding(request: &HttpRequest) -> Coding {
    Coding::choose(joined(request.headers(), &header::ACCEPT_ENCODING).as_deref())
}

/// A header's values, joined by commas if it occurs several times.
#[must_use]
pub fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<&str> =
        headers.get_all(name).filter_map(|value: &HeaderValue| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

#[cfg(test)]
mod tests {
    use actix_web::{App, HttpServer, web};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::web::body::PIECE_BYTES;

    /// Some sound pieces, then an error.
    struct Breaking(usize);

    impl Pieces for Breaking {
        fn next(&mut self) -> Result<Option<Vec<u8>>, BridgeError> {
            let left = self.0.checked_sub(1).ok_or(BridgeError::NoSuchRow)?;
            self.0 = left;
            Ok(Some(vec![b'x'; PIECE_BYTES]))
        }
    }

    async fn breaking(request: HttpRequest) -> HttpResponse {
        let sound = request.path().trim_start_matches('/').parse().unwrap();
        let body = Body::Pieces(Box::new(Breaking(sound)));
        let answer = Answered { body, ..Answered::whole("application/json".to_owned(), Vec::new()) };
        let begun = Reply::of(Version::V4, answer, None).begin(coding(&request));
        begun.unwrap_or_else(|error| Begun::refusal(Version::V4, &error)).send()
    }

    /// The whole answer as it came over the connection, until that was closed.
    async fn answer(path: &str, coding: &str) -> String {
        let server = HttpServer::new(|| App::new().default_service(web::to(breaking))).workers(1);
        let server = server.disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        let running = tokio::spawn(server);
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {coding}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        handle.stop(false).await;
        let _ = running.await;
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[actix_web::test]
    async fn an_error_behind_the_first_piece_breaks_the_chunks_off() {
        for coding in ["identity", "gzip", "br"] {
            let answer = answer("/3", coding).await;
            // Packed pieces may be so small that the connection breaks before the first of them has left.
            if coding == "identity" || !answer.is_empty() {
                assert!(answer.starts_with("HTTP/1.1 200 OK"), "{coding}");
                assert!(answer.contains("transfer-encoding: chunked"), "{coding}");
            }
            assert!(
                !answer.ends_with("\r\n0\r\n\r\n"),
                "{coding}: the body must not end as if it were complete"
            );
        }
    }

    #[actix_web::test]
    async fn an_error_before_the_first_piece_is_answered() {
        let answer = answer("/0", "gzip").await;
        assert!(answer.starts_with("HTTP/1.1 404 Not Found"), "{answer}");
        assert!(answer.ends_with("\"}}}"), "{answer}");
    }
}
