//! The pages, over HTTP as browsers ask for them.

mod builder;
mod find;
mod frame;
mod measurement;
mod news;
mod status;

use crate::support::app::{Answer, App};

/// What a browser accepts.
pub const BROWSER: (&str, &str) =
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8");

/// Asks as a browser of that language does.
pub async fn visit(app: &App, path: &str, language: &str) -> Answer {
    app.get_with(path, &[BROWSER, ("Accept-Language", language)]).await
}

/// The text of a page without its tags.
pub fn text(answer: &Answer) -> String {
    let html = answer.text();
    let body = html.split_once("<body>").map_or("", |(_, body)| body);
    let mut text = String::new();
    let mut is_tag = false;
    for letter in body.chars() {
        match letter {
            '<' => is_tag = true,
            '>' => {
                is_tag = false;
                text.push(' ');
            }
            letter if !is_tag => text.push(letter),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The addresses that a page leads to.
pub fn links(answer: &Answer) -> Vec<String> {
    let html = answer.text();
    html.split("href=\"")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('"')?.0.replace("&#38;", "&")))
        .collect()
}
