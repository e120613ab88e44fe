//! Danish texts in the source, in files that are shipped, and in pages.

use std::path::Path;
use std::sync::LazyLock;

use proc_macro2::{TokenStream, TokenTree};
use regex::Regex;

/// A text, and where it stands.
pub struct Text {
    pub place: String,
    pub text: String,
}

/// Words by which a text is known to be Danish, beside the letters æ, ø and å.
const DANISH: &str =
    r"(?i)[æøå]|\b(og|ikke|er|der|det|den|kan|til|som|fra|med|om|uden|skal|har|eller|kun|tal|alle|hos)\b";

/// Parts of the source whose texts are the upstream's, or are compared with what people type.
const NOT_OURS: [&str; 2] = ["src/simulator/", "src/search/"];

pub fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The paths of all files below a folder, or the path itself.
fn files(path: &str) -> Vec<String> {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if whole.is_file() {
        return vec![path.to_owned()];
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&whole).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        found.extend(files(&format!("{path}/{name}")));
    }
    found.sort();
    found
}

/// The Danish string literals of the source, without those of tests and doc comments.
pub fn rust_texts() -> impl Iterator<Item = Text> {
    let danish = Regex::new(DANISH).unwrap();
    let is_ours =
        |path: &String| path.ends_with(".rs") && !NOT_OURS.iter().any(|other| path.starts_with(other));
    files("src").into_iter().filter(is_ours).flat_map(move |path| {
        let mut literals = Vec::new();
        collect(read(&path).parse().unwrap(), &mut literals);
        literals.retain(|literal| danish.is_match(literal));
        literals.into_iter().map(move |text| Text { place: path.clone(), text })
    })
}

/// Adds the string literals; attributes, which doc comments are, and modules of tests are passed over.
fn collect(tokens: TokenStream, literals: &mut Vec<String>) {
    static CONTINUED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\\\n\s*").unwrap());
    static FILLED_IN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{\w*\}").unwrap());
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |token: Option<&TokenTree>, text: &str| token.is_some_and(|token| token.to_string() == text);
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => at += 1,
            TokenTree::Ident(word) if word == "mod" && is(tokens.get(at + 1), "tests") => at += 2,
            TokenTree::Group(group) => collect(group.stream(), literals),
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                if let Some(text) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
                    literals.push(FILLED_IN.replace_all(&CONTINUED.replace_all(text, ""), "…").into_owned());
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// The Danish texts of the templates: the first of each pair.
pub fn template_texts() -> impl Iterator<Item = Text> {
    let pair = Regex::new(r#"text\("([^"]*)""#).unwrap();
    files("src/pages/templates").into_iter().flat_map(move |path| {
        let texts: Vec<String> = pair.captures_iter(&read(&path)).map(|found| found[1].to_owned()).collect();
        assert!(path.ends_with(".html") || !texts.is_empty() || path.ends_with(".xml"), "{path}");
        texts.into_iter().map(move |text| Text { place: path.clone(), text })
    })
}

/// The texts of the connector.
pub fn connector_texts() -> impl Iterator<Item = Text> {
    let path = "src/open/connector.pq";
    let text = Regex::new("\"([^\"]*)\"").unwrap();
    let texts: Vec<String> = text.captures_iter(&read(path)).map(|found| found[1].to_owned()).collect();
    texts.into_iter().map(move |text| Text { place: path.to_owned(), text })
}

/// The lines of files that are Danish, names of metrics aside.
pub fn lines_of(paths: &[&str]) -> Vec<Text> {
    let danish = Regex::new(DANISH).unwrap();
    let paths = paths.iter().flat_map(|path| files(path)).filter(|path| !path.ends_with(".md"));
    let texts = paths.flat_map(|path| each_line(&path, &read(&path)));
    texts.filter(|text| danish.is_match(&text.text)).collect()
}

pub fn each_line(place: &str, text: &str) -> Vec<Text> {
    let lines = text.lines().zip(1..);
    lines.map(|(line, number)| Text { place: format!("{place}:{number}"), text: line.to_owned() }).collect()
}

/// The lines of the Danish guides without code; the glossary itself names what is not said.
pub fn guide_lines(glossary: &str) -> Vec<Text> {
    let code = Regex::new("`[^`]*`").unwrap();
    let guides =
        files("docs/vejledning").into_iter().filter(|path| path.ends_with(".md") && path != glossary);
    let mut texts = Vec::new();
    for path in guides {
        let mut is_code = false;
        for text in each_line(&path, &read(&path)) {
            is_code ^= text.text.trim_start().starts_with("```");
            if !is_code {
                texts.push(Text { text: code.replace_all(&text.text, "").into_owned(), ..text });
            }
        }
    }
    texts
}

/// What stands between the tags of a page.
pub fn html_texts(place: &str, page: &str) -> Vec<Text> {
    let code = Regex::new(r"(?s)<(script|style|code|pre)\b.*?</(script|style|code|pre)>").unwrap();
    let page = code.replace_all(page, "");
    let between = Regex::new(">([^<]+)<").unwrap();
    let texts =
        between.captures_iter(&page).map(|found| found[1].replace("&#x27;", "'").replace("&#39;", "'"));
    texts.map(|text| Text { place: place.to_owned(), text }).collect()
}
