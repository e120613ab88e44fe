//! Danish texts, held to the glossary `docs/vejledning/ordliste.md`: none has a word of its last column, nor a mistake that was once
//! made. Read are the texts in the source, in the dashboards and guides, and what the service answers.

mod sources;

use regex::Regex;

use self::sources::Text;
use crate::support::app::{App, AppOptions};
use crate::support::zip_part;

const GLOSSARY: &str = "docs/vejledning/ordliste.md";

/// Names of OData and of sets, which are written like forbidden words, and what columns of Power BI are.
const EXCEPTIONS: [&str; 6] = [
    "TimeDimension",
    "GeoDimension",
    "ellers Dimension",
    "Observations",
    "Dimensions",
    "Kolonnerne med tal er skjult",
];

/// Mistakes that were once made, as regular expressions.
const MISTAKES: [&str; 12] = [
    r"fordelt på [A-ZÆØÅ][a-zæøå-]",
    r"Hovedtal for ",
    r"kan ikke skrabes",
    r"[Dd]er er ikke noget på den adresse",
    r"\b(set|sås|blev set) ændret\b",
    r"\bblev set her\b",
    r"[^.]\.\.(\s|$)",
    r"\b([Ee]t|dette|ethvert|hvert|samme|flere) valg(et)?\b",
    r"\btjenesten\b.*\bdriver\b",
    r"\bhar ikke .*, men det gør\b",
    r"%: .*flere steder",
    r"\(uger\)\. .*flere steder",
];

/// What may not be said, with the reason.
struct Forbidden(Vec<(Regex, String)>);

impl Forbidden {
    fn read() -> Self {
        let words = words().into_iter().map(|(word, instead)| {
            let pattern = Regex::new(&format!(r"(?i)\b{}", regex::escape(&word))).unwrap();
            (pattern, format!("'{word}'; the glossary's word is '{instead}'"))
        });
        let mistakes = MISTAKES.iter().map(|mistake| (Regex::new(mistake).unwrap(), format!("/{mistake}/")));
        Self(words.chain(mistakes).collect())
    }

    /// The same where a table is always a measurement or a set; other texts speak of tables of Excel and of what they show.
    fn without_tables(mut self) -> Self {
        let why = "'tabel'; it is a 'måling' or a 'sæt'".to_owned();
        self.0.push((Regex::new(r"(?i)\btabel").unwrap(), why));
        self
    }

    /// What is wrong with a text.
    fn found(&self, text: &str) -> Vec<&str> {
        let text = EXCEPTIONS.iter().fold(text.to_owned(), |text, name| text.replace(name, ""));
        let mut found: Vec<&str> = self
            .0
            .iter()
            .filter(|(pattern, _)| pattern.is_match(&text))
            .map(|(_, why)| why.as_str())
            .collect();
        if repeats_parentheses(&text) {
            found.push("the same parentheses twice");
        }
        found
    }

    fn check(&self, texts: impl IntoIterator<Item = Text>) {
        let wrong: Vec<String> = texts
            .into_iter()
            .flat_map(|Text { place, text }| {
                let found = self.found(&text).into_iter().map(str::to_owned).collect::<Vec<_>>();
                found.into_iter().map(move |why| format!("{place}: {why}\n    {text}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// `(uger) (uger)`
fn repeats_parentheses(text: &str) -> bool {
    let inner = |part: &str| part.split_once(')').map(|(inner, rest)| (inner.to_owned(), rest.to_owned()));
    let parts: Vec<_> = text.split('(').skip(1).filter_map(inner).collect();
    parts.windows(2).any(|pair| pair[0].0 == pair[1].0 && pair[0].1.trim().is_empty())
}

/// The words of the glossary's last column, each with the word that stands there instead.
fn words() -> Vec<(String, String)> {
    let text = sources::read(GLOSSARY);
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Ord |"));
    let words = rows.flat_map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{row}");
        let (word, others) = (cells[0].to_owned(), cells[3].to_owned());
        let others: Vec<String> =
            others.split(", ").filter(|other| !other.is_empty()).map(str::to_owned).collect();
        others.into_iter().map(move |other| (other, word.clone())).collect::<Vec<_>>()
    });
    words.collect()
}

#[test]
fn the_test_finds_what_it_looks_for() {
    let forbidden = Forbidden::read();
    for wrong in [
        "Sygedagpenge fordelt på Køn",
        "Gnsn. varighed (uger) (uger)",
        "Opdelingens navn",
        "afgræns på en dimension",
        "Tallene kan være skjult.",
        "Databrud: Ny opgørelse..",
        "den kan ikke rumme et valg",
        "Målingen har ikke mål=x, men det gør 'y'",
        "{{ $labels.job }} kan ikke skrabes",
    ] {
        assert!(!forbidden.found(wrong).is_empty(), "{wrong}");
    }
    for right in
        ["fordelt på køn", "Slags: GeoDimension for områder, ellers Dimension.", "Antal (a) og (b)", "RAR"]
    {
        assert_eq!(forbidden.found(right), Vec::<&str>::new(), "{right}");
    }
    assert!(words().len() > 20, "{:?}", words());
}

#[test]
fn the_words_of_the_glossary_are_in_order_and_each_stands_once() {
    let text = sources::read(GLOSSARY);
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Ord |"));
    let mut words: Vec<&str> =
        rows.filter_map(|row| row.trim_matches('|').split('|').next()).map(str::trim).collect();
    let count = words.len();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), count);
    let others: Vec<String> = self::words().into_iter().map(|(other, _)| other).collect();
    let both: Vec<_> = words.iter().filter(|word| others.contains(&(**word).to_owned())).collect();
    assert!(both.is_empty(), "used and not used: {both:?}");
}

#[test]
fn no_text_of_the_program_uses_another_word() {
    let forbidden = Forbidden::read().without_tables();
    let texts = sources::rust_texts().chain(sources::template_texts()).chain(sources::connector_texts());
    let texts: Vec<Text> = texts.collect();
    assert!(texts.len() > 400, "{} texts were found", texts.len());
    forbidden.check(texts);
}

#[test]
fn no_dashboard_alert_guide_or_table_of_metadata_uses_another_word() {
    let forbidden = Forbidden::read();
    forbidden.check(sources::lines_of(&["grafana", "metadata/indicators.json", "metadata/tables.json"]));
    forbidden.check(sources::guide_lines(GLOSSARY));
}

/// Measurements whose measures are persons, weeks, shares and kroner, with breaks, pinned dimensions and several levels.
const TABLES: [&str; 9] =
    ["y07a07", "y25i01", "y60a02", "y01b01", "y30r21", "y25i05", "y01h01", "y01g01", "y25i14"];

#[actix_web::test]
async fn no_answer_uses_another_word() {
    let app = App::with(AppOptions { sync: true, ..AppOptions::default() }).await;
    let forbidden = Forbidden::read().without_tables();
    let services = TABLES.map(|table| format!("/odata/jobindsats/{table}/"));
    let lists = ["Dimensions", "MeasureCodes", "OmrådeCodes?$top=3", "Properties"];
    for service in services.iter().map(String::as_str).chain(["/odata/"]) {
        for document in [service.to_owned(), format!("{service}$metadata?$format=json")] {
            forbidden.check(json_texts(&document, &app.get(&document).await.json()));
        }
        for list in lists.iter().filter(|_| service != "/odata/") {
            let path = format!("{service}{list}");
            forbidden.check(json_texts(&path, &app.get(&path).await.json()));
        }
    }
    for list in ["Datasets", "Catalogs", "Subjects", "StatusCodes", "Perioder?$top=3"] {
        let path = format!("/odata/{list}");
        forbidden.check(json_texts(&path, &app.get(&path).await.json()));
    }
}

#[actix_web::test]
async fn no_page_or_file_uses_another_word() {
    let app = App::with(AppOptions { sync: true, ..AppOptions::default() }).await;
    let forbidden = Forbidden::read();
    for path in [
        "/",
        "/?q=ledige&kommune=730",
        "/?q=xyzzy",
        "/nyt",
        "/status",
        "/maaling/y07a07?kommune=730",
        "/maaling/y25i01",
        "/maaling/y60a02/byg",
        "/maaling/y01h01",
        "/maaling/y25i01?maal=x",
        "/findes-ikke",
    ] {
        let page = app.get_with(path, &[("Accept", "text/html"), ("Accept-Language", "da")]).await;
        forbidden.check(sources::html_texts(path, &page.text()));
    }
    let model = app.get("/open/y07a07/Hovedtal.tmdl").await;
    assert_eq!(model.status, 200);
    forbidden.check(sources::each_line("Hovedtal.tmdl", &model.text()));
    let workbook = app.get("/open/y60a02/Landet.xlsx?$filter=Periode eq '2026M06'").await;
    let texts = String::from_utf8(zip_part(&workbook.body, "xl/sharedStrings.xml")).unwrap();
    assert!(texts.contains("Må ikke lægges sammen"), "{texts}");
    forbidden.check(sources::html_texts("the workbook", &texts));
}

/// All texts of a JSON document.
fn json_texts(place: &str, value: &serde_json::Value) -> Vec<Text> {
    match value {
        // A value of `Kind`, as Statistics Netherlands has it.
        serde_json::Value::String(text) if text == "Dimension" => Vec::new(),
        serde_json::Value::String(text) => vec![Text { place: place.to_owned(), text: text.clone() }],
        serde_json::Value::Array(values) => {
            values.iter().flat_map(|value| json_texts(place, value)).collect()
        }
        serde_json::Value::Object(values) => {
            values.values().flat_map(|value| json_texts(place, value)).collect()
        }
        _ => Vec::new(),
    }
}

#[actix_web::test]
async fn why_figures_may_not_be_summed_is_said_in_words_that_fit_them() {
    let app = App::start().await;
    for (table, column, said, not_said) in [
        ("y07a02", "Antal personer", "samme person", "andelen"),
        ("y07a02", "i pct. af arbejdsstyrken", "andelen for det hele", "samme person"),
        ("y07a07", "Gnsn. varighed", "gennemsnittet for det hele", "samme person"),
        ("y01g01", "udgift", "små tal er diskretioneret", "samme person"),
    ] {
        let rows = app.get(&format!("/odata/jobindsats/{table}/MeasureCodes")).await.rows();
        let texts: Vec<&str> = rows.iter().filter_map(|row| row["Description"].as_str()).collect();
        let mut of_kind =
            texts.iter().filter(|text| text.to_lowercase().contains(&column.to_lowercase())).peekable();
        assert!(of_kind.peek().is_some(), "{table}: {texts:?}");
        for text in of_kind {
            assert!(text.contains(said) && !text.contains(not_said), "{table}: {text}");
        }
    }
    let summed = "/odata/jobindsats/y07a07/Hovedtal?$apply=aggregate(";
    let columns = app.get("/odata/jobindsats/y07a07/Hovedtal?$top=1").await.rows();
    let (column, _) =
        columns[0].as_object().unwrap().iter().find(|(name, _)| name.contains("varighed")).unwrap();
    let refused = app.get(&format!("{summed}{column} with sum as Sum)")).await.json();
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("gennemsnittet for det hele") && !message.contains("person"), "{message}");
}
