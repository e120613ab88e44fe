//! Batches as JSON objects.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{BatchError, Part, PartAnswer};

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

pub(super) fn write(answers: &[PartAnswer]) -> Vec<u8> {
    let mut out = b"{\"responses\":[".to_vec();
    for (index, answer) in answers.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let headers: Map<String, Value> =
            answer.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        // The closing brace is left off and the body appended as it is, without parsing it.
        let mut head = json!({"id": answer.id, "status": answer.status, "headers": headers}).to_string();
        head.pop();
        out.extend_from_slice(head.as_bytes());
        write_body(&mut out, answer);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    out
}

/// A JSON body is written as it is, text as a string, everything else as base64.
fn write_body(out: &mut Vec<u8>, answer: &PartAnswer) {
    if answer.body.is_empty() {
        return;
    }
    let is = |prefix: &str| {
        let named = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        named.is_some_and(|(_, value)| value.starts_with(prefix))
    };
    out.extend_from_slice(b",\"body\":");
    if is("application/json") {
        out.extend_from_slice(&answer.body);
        return;
    }
    let text = match std::str::from_utf8(&answer.body) {
        Ok(text) if is("text/") => text.to_owned(),
        _ => URL_SAFE.encode(&answer.body),
    };
    out.extend_from_slice(Value::String(text).to_string().as_bytes());
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
        let answer = |content_type: &str, body: &str| PartAnswer {
            id: Some("a".to_owned()),
            status: 200,
            reason: "OK",
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.as_bytes().to_vec(),
        };
        let answers = [
            answer("application/json;odata.metadata=minimal", "{\"x\":{}}"),
            answer("text/plain", "1\"2"),
            answer("application/xml", "<a>?</a>"),
            PartAnswer { status: 204, headers: Vec::new(), ..answer("", "") },
        ];
        let written: Value = serde_json::from_slice(&write(&answers)).unwrap();
        let bodies: Vec<&Value> = (0..4).map(|at| &written["responses"][at]["body"]).collect();
        assert_eq!(bodies, [&json!({"x": {}}), &json!("1\"2"), &json!("PGE-PzwvYT4="), &Value::Null]);
        assert_eq!(written["responses"][3], json!({"id": "a", "status": 204, "headers": {}}));
    }
}
