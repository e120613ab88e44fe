//! Batches as JSON objects.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{BatchError, Part, PartHead};

#[derive(Deserialize)]
struct Batch {
    requests: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    depends_on: Vec<String>,
    atomicity_group: Option<Value>,
    #[serde(rename = "if")]
    condition: Option<Value>,
}

pub(super) fn parse(body: &[u8], limit: usize) -> Result<Vec<Part>, BatchError> {
    let batch: Batch = serde_json::from_slice(body)
        .map_err(|_| BatchError::Malformed { number: 1, expected: "an object with an array `requests`" })?;
    if batch.requests.len() > limit {
        return Err(BatchError::TooMany { limit });
    }
    let numbered = batch.requests.into_iter().zip(1..);
    numbered.map(|(request, number)| part(request, number)).collect()
}

fn part(request: Value, number: usize) -> Result<Part, BatchError> {
    let expected = "an object with texts `id`, `method` and `url`";
    let request: Request =
        serde_json::from_value(request).map_err(|_| BatchError::Malformed { number, expected })?;
    let text = |(name, value)| match value {
        Value::String(text) => Ok((name, text)),
        _ => Err(BatchError::Malformed { number, expected: "headers whose values are texts" }),
    };
    Ok(Part {
        id: Some(request.id),
        method: request.method.to_ascii_uppercase(),
        target: request.url,
        headers: request.headers.into_iter().map(text).collect::<Result<_, _>>()?,
        depends_on: request.depends_on,
        is_change_set: request.atomicity_group.is_some(),
        is_conditional: request.condition.is_some(),
    })
}

/// Writes answers one after the other.
#[derive(Debug, Default)]
pub struct Writer {
    /// Answers so far.
    answers: usize,
    body: BodyForm,
    has_body: bool,
    /// Bytes that wait for more: base64 takes three at a time, and letters may have several.
    left: Vec<u8>,
}

/// How a body stands in the JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum BodyForm {
    /// As it is, without parsing it.
    #[default]
    Json,
    Text,
    Base64,
}

impl BodyForm {
    fn of(head: &PartHead) -> Self {
        let named = head.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        match named.map_or("", |(_, value)| value) {
            json if json.starts_with("application/json") => Self::Json,
            text if text.starts_with("text/") => Self::Text,
            _ => Self::Base64,
        }
    }
}

/// A text as it stands between the quotes of a JSON string.
fn escaped(text: &[u8]) -> Vec<u8> {
    let quoted = Value::String(String::from_utf8_lossy(text).into_owned()).to_string();
    quoted.as_bytes().get(1..quoted.len() - 1).unwrap_or_default().to_vec()
}

impl Writer {
    pub(super) fn head(&mut self, answer: &PartHead) -> Vec<u8> {
        let before: &[u8] = if self.answers == 0 { b"{\"responses\":[" } else { b"," };
        self.answers += 1;
        (self.body, self.has_body) = (BodyForm::of(answer), false);
        let headers: Map<String, Value> =
            answer.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        // The closing brace is left off, and the body follows.
        let mut head = json!({"id": answer.id, "status": answer.status, "headers": headers}).to_string();
        head.pop();
        [before, head.as_bytes()].concat()
    }

    pub(super) fn piece(&mut self, piece: Vec<u8>) -> Vec<u8> {
        if piece.is_empty() {
            return piece;
        }
        let mut out = Vec::with_capacity(piece.len());
        if !self.has_body {
            out.extend_from_slice(b",\"body\":");
            out.extend_from_slice(if self.body == BodyForm::Json { b"" } else { b"\"" });
        }
        self.has_body = true;
        match self.body {
            BodyForm::Json => out.extend(piece),
            BodyForm::Text => {
                self.left.extend(piece);
                let whole =
                    std::str::from_utf8(&self.left).map_or_else(|error| error.valid_up_to(), str::len);
                out.extend(escaped(&self.left[..whole]));
                self.left.drain(..whole);
            }
            BodyForm::Base64 => {
                self.left.extend(piece);
                let whole = self.left.len() - self.left.len() % 3;
                out.extend_from_slice(URL_SAFE.encode(&self.left[..whole]).as_bytes());
                self.left.drain(..whole);
            }
        }
        out
    }

    pub(super) fn part_end(&mut self) -> Vec<u8> {
        let left = std::mem::take(&mut self.left);
        let mut out = match self.body {
            BodyForm::Text => escaped(&left),
            BodyForm::Json | BodyForm::Base64 => URL_SAFE.encode(left).into_bytes(),
        };
        out.extend_from_slice(if self.has_body && self.body != BodyForm::Json { b"\"}" } else { b"}" });
        out
    }

    pub(super) fn end(&mut self) -> Vec<u8> {
        if self.answers == 0 { b"{\"responses\":[]}".to_vec() } else { b"]}".to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_in_order() {
        let body = json!({"requests": [
            {"id": "1", "method": "get", "url": "Datasets", "headers": {"accept": "application/json"}},
            {"id": "2", "method": "GET", "url": "Catalogs", "dependsOn": ["1"], "atomicityGroup": "g"},
        ]});
        let parts = parse(body.to_string().as_bytes(), 2).unwrap();
        assert_eq!((parts[0].method.as_str(), parts[0].target.as_str()), ("GET", "Datasets"));
        assert_eq!(parts[0].header("Accept"), Some("application/json"));
        assert_eq!(parts[1].depends_on, ["1"]);
        assert_eq!((parts[0].is_change_set, parts[1].is_change_set), (false, true));
        assert_eq!(parse(body.to_string().as_bytes(), 1), Err(BatchError::TooMany { limit: 1 }));
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        for body in [
            "",
            "[]",
            "{}",
            "{\"requests\":1}",
            "{\"requests\":[1]}",
            "{\"requests\":[{\"id\":\"1\",\"method\":\"GET\"}]}",
            "{\"requests\":[{\"id\":1,\"method\":\"GET\",\"url\":\"x\"}]}",
            "{\"requests\":[{\"id\":\"1\",\"method\":\"GET\",\"url\":\"x\",\"headers\":{\"a\":1}}]}",
        ] {
            assert!(parse(body.as_bytes(), 9).is_err(), "{body}");
        }
    }

    #[test]
    fn bodies_are_written_as_their_type_requires() {
        let mut writer = Writer::default();
        let mut written = Vec::new();
        for (content_type, status, pieces) in [
            ("application/json;odata.metadata=minimal", 200, vec!["{\"x\":", "{}}"]),
            ("text/plain", 200, vec!["\"1\"", "æ\"", "2\""]),
            ("application/xml", 200, vec!["<", "a>?<", "/a>", ""]),
            ("", 204, vec![]),
        ] {
            let headers = vec![("content-type".to_owned(), content_type.to_owned())];
            let headers = if status == 204 { Vec::new() } else { headers };
            let head = PartHead { id: Some("a".to_owned()), status, reason: "OK", headers, length: None };
            written.extend(writer.head(&head));
            pieces.iter().for_each(|piece| written.extend(writer.piece(piece.as_bytes().to_vec())));
            written.extend(writer.part_end());
        }
        written.extend(writer.end());
        let written: Value = serde_json::from_slice(&written).unwrap();
        let bodies: Vec<&Value> = (0..4).map(|at| &written["responses"][at]["body"]).collect();
        assert_eq!(bodies, [&json!({"x": {}}), &json!("\"1\"æ\"2\""), &json!("PGE-PzwvYT4="), &Value::Null]);
        assert_eq!(written["responses"][3], json!({"id": "a", "status": 204, "headers": {}}));
        assert_eq!(Writer::default().end(), b"{\"responses\":[]}");
    }
}
