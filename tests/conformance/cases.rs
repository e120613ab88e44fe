//! Reads the files of cases.

use std::fmt;
use std::rc::Rc;

use serde_json::Value;

use super::model::Model;

const FILES: [(&str, &str); 3] = [
    ("core", include_str!("cases/odata-abnf-testcases.json")),
    ("aggregation", include_str!("cases/odata-aggregation-testcases.json")),
    ("temporal", include_str!("cases/odata-temporal-testcases.json")),
];

/// One text and the grammar rule that the whole of it must match, or must not.
pub struct Case {
    pub file: &'static str,
    pub number: u64,
    pub rule: String,
    pub scope: String,
    pub input: String,
    /// The model in which the names of its file stand.
    pub model: Rc<Model>,
    fails_at: Option<u64>,
}

impl Case {
    pub fn is_negative(&self) -> bool {
        self.fails_at.is_some()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_negative() { "wrong" } else { "right" };
        write!(f, "{} {} ({kind} {}) {:?}", self.file, self.number, self.rule, self.input)
    }
}

pub fn all() -> Vec<Case> {
    FILES.iter().flat_map(|(file, text)| read(file, text)).collect()
}

fn read(file: &'static str, text: &str) -> Vec<Case> {
    let document: Value = serde_json::from_str(text).expect("the file is JSON");
    let model = Rc::new(Model::new(&document["constraints"]));
    let cases = document["cases"].as_array().expect("the file has cases");
    cases
        .iter()
        .map(|case| Case {
            file,
            number: case["n"].as_u64().expect("a case has a number"),
            rule: case["rule"].as_str().expect("a case has a rule").to_owned(),
            scope: case["scope"].as_str().expect("a case has a scope").to_owned(),
            input: case["input"].as_str().expect("a case has a text").to_owned(),
            model: Rc::clone(&model),
            fails_at: case["failAt"].as_u64(),
        })
        .collect()
}
