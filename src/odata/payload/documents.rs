//! What contains no entities: the service document, the error body, and messages beside rows.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::control::write_context;
use super::{JsonContext, Message, scalar};
use crate::odata::edm::EntityContainer;

const PATH_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_');

/// The list of the container's sets and singletons.
pub fn write_service_document(out: &mut Vec<u8>, context: &JsonContext<'_>, container: &EntityContainer) {
    out.push(b'{');
    write_context(out, context);
    scalar::separate(out);
    out.extend_from_slice(b"\"value\":[");
    let sets = container.sets.iter();
    let sets = sets.map(|set| (set.name.as_str(), "EntitySet", set.title.as_deref()));
    let singletons = container.singletons.iter();
    let singletons = singletons.map(|one| (one.name.as_str(), "Singleton", one.title.as_deref()));
    for (index, (name, kind, title)) in sets.chain(singletons).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let url = utf8_percent_encode(name, PATH_SEGMENT).to_string();
        let members = [("name", Some(name)), ("kind", Some(kind)), ("url", Some(&*url)), ("title", title)];
        write_texts(out, &members);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
}

/// The content of an error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorBody<'a> {
    pub code: &'a str,
    /// One plain sentence in the user's language.
    pub message: &'a str,
    /// The part of the request at fault, such as `$filter`.
    pub target: Option<&'a str>,
    pub details: &'a [ErrorDetail<'a>],
    /// The id by which an operator finds the request in the log.
    pub request_id: Option<&'a str>,
}

/// One element of an error's `details`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorDetail<'a> {
    pub code: &'a str,
    pub message: &'a str,
    pub target: Option<&'a str>,
}

/// The body of an error answer, the same in every version.
pub fn write_error(out: &mut Vec<u8>, error: &ErrorBody<'_>) {
    out.extend_from_slice(b"{\"error\":");
    let members =
        |code, message, target| [("code", Some(code)), ("message", Some(message)), ("target", target)];
    write_texts(out, &members(error.code, error.message, error.target));
    out.extend_from_slice(b",\"details\":[");
    for (index, detail) in error.details.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_texts(out, &members(detail.code, detail.message, detail.target));
        out.push(b'}');
    }
    out.push(b']');
    if let Some(id) = error.request_id {
        out.extend_from_slice(b",\"innererror\":");
        write_texts(out, &[("requestId", Some(id))]);
        out.push(b'}');
    }
    out.extend_from_slice(b"}}");
}

/// The annotation with the messages of an answer; nothing if there are none.
pub(super) fn write_messages(out: &mut Vec<u8>, messages: &[Message]) {
    if messages.is_empty() {
        return;
    }
    scalar::separate(out);
    scalar::write_string(out, &format!("@{}", Message::TERM));
    out.extend_from_slice(b":[");
    for (index, message) in messages.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let members =
            |text| [("code", Some(message.code)), ("message", Some(text)), ("severity", Some("warning"))];
        write_texts(out, &members(message.text.as_str()));
        out.extend_from_slice(b",\"details\":[");
        write_texts(out, &members(message.detail.as_str()));
        out.extend_from_slice(b"}]}");
    }
    out.push(b']');
}

/// The start of an object of texts, without its closing brace.
fn write_texts(out: &mut Vec<u8>, members: &[(&str, Option<&str>)]) {
    out.push(b'{');
    for (name, value) in members {
        if let Some(value) = value {
            scalar::separate(out);
            scalar::write_string(out, name);
            out.push(b':');
            scalar::write_string(out, value);
        }
    }
}
