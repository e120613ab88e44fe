//! What an address says of its visit: language, municipality and the options of its page, and how links keep them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::open::format::Format;
use crate::open::{CHOICE_OPTION, COLLECTION, MAX_CHOICES};
use crate::pages::error::PageError;
use crate::pages::language::Language;
use crate::pages::municipality::{self, Municipality};

/// The option with the language.
pub const LANGUAGE: &str = "sprog";
/// The option with the municipality that all pages are seen from.
pub const MUNICIPALITY: &str = "kommune";
/// How long a collection may be as links write it, and how long the other options that links of a page to itself repeat: pages have
/// hundreds of links. Pages keep no longer ones, and make none.
const LONGEST: usize = 8 * 1024;
/// What need not be encoded in the value of an option.
const VALUE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b',').remove(b'/');

/// The parts of a request that pages depend on.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub path: &'a str,
    pub query: &'a str,
    pub accept_language: Option<&'a str>,
    /// Scheme, host and path under which the service is reached, without a slash at the end.
    pub service: &'a str,
}

/// One visit of a page.
#[derive(Debug, Clone)]
pub struct Visit {
    pub language: Language,
    /// The absolute address of the service, without a slash at its end.
    pub service: String,
    /// Where links begin: from this page to the root, so that they hold behind every proxy.
    root: String,
    /// The path below the root.
    path: String,
    options: Vec<(String, String)>,
}

impl Visit {
    /// Reads an address. What is wrong in it is found by who needs it.
    #[must_use]
    pub fn new(target: &Target<'_>) -> Self {
        let mut options: Vec<(String, String)> =
            target.query.split('&').filter(|part| !part.is_empty()).map(option).collect();
        let named = options.iter().find(|(name, _)| name == LANGUAGE).map(|(_, value)| value.as_str());
        let language = Language::choose(named, target.accept_language);
        let collected = options.iter().filter(|(name, _)| name == CHOICE_OPTION);
        if !fits(collected.map(|(name, value)| (name.as_str(), value.as_str()))) {
            options.retain(|(name, _)| name != CHOICE_OPTION);
        }
        let path = target.path.trim_start_matches('/');
        let root = match path.matches('/').count() {
            0 => "./".to_owned(),
            depth => "../".repeat(depth),
        };
        Self { language, service: target.service.to_owned(), root, path: path.to_owned(), options }
    }

    /// The value of an option, if there is one.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        let found = self.options.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// All values of an option that may stand in the address several times.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self.options.iter().filter(move |(other, _)| other == name);
        values.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// The municipality that was chosen.
    pub(super) fn municipality(&self) -> Result<Option<&'static Municipality>, PageError> {
        let Some(named) = self.option(MUNICIPALITY) else { return Ok(None) };
        municipality::find(named).map(Some).map_err(|nearest| PageError::municipality(named, nearest))
    }

    /// The choices that were put into the collection.
    pub fn collected(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values(CHOICE_OPTION).map(|choice| (CHOICE_OPTION, choice))
    }

    /// The address of the collection as a file.
    #[must_use]
    pub fn collection(&self, format: Format) -> String {
        address(&self.file(&format!("open/{COLLECTION}.{}", format.ending())), self.collected())
    }

    /// A link to another page, with what every link keeps.
    #[must_use]
    pub fn link(&self, path: &str, options: &[(&str, &str)]) -> String {
        address(&format!("{}{path}", self.root), self.kept(options).into_iter())
    }

    /// The same without the collection, as an absolute address, for what is read outside of the page.
    #[must_use]
    pub fn absolute(&self, path: &str, options: &[(&str, &str)]) -> String {
        let options = self.kept(options).into_iter().filter(|(name, _)| *name != CHOICE_OPTION);
        address(&format!("{}/{path}", self.service), options)
    }

    /// Options of a link, and those that every link keeps: the municipality, the language and the collection.
    #[must_use]
    pub fn kept<'a>(&'a self, options: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let language = self.option(LANGUAGE).map(|_| (LANGUAGE, self.language.code()));
        let municipality = self.option(MUNICIPALITY).map(|named| (MUNICIPALITY, named));
        let kept = municipality.into_iter().chain(language).chain(self.collected());
        let kept = kept.filter(|(name, _)| options.iter().all(|(other, _)| other != name));
        options.iter().copied().chain(kept).collect()
    }

    /// A link to this page with other values of some options; an empty value takes an option away.
    #[must_use]
    pub fn here(&self, changes: &[(&str, &str)]) -> String {
        let is_changed = |name: &str| changes.iter().any(|(other, _)| *other == name);
        let own = self.options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut length = 0;
        let own = own.filter(|(name, _)| !is_changed(name)).take_while(|option| {
            if option.0 != CHOICE_OPTION {
                length += address("", [*option].into_iter()).len() + "amp;".len();
            }
            length <= LONGEST
        });
        address(&format!("{}{}", self.root, self.path), own.chain(changes.iter().copied()))
    }

    /// Where a form of this page leads: the page itself, without options.
    #[must_use]
    pub fn action(&self) -> String {
        format!("{}{}", self.root, self.path)
    }

    /// The address of something that is no page of a visit: a file, a service.
    #[must_use]
    pub fn file(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }

    /// The options that a form must repeat so that they are kept, without those that it has fields for.
    #[must_use]
    pub fn hidden(&self, fields: &[&str]) -> Vec<(&str, &str)> {
        let own = self.options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        own.filter(|(name, value)| !fields.contains(name) && !value.is_empty()).collect()
    }
}

/// Whether these choices are a collection that links can keep.
pub(super) fn fits<'a>(choices: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> bool {
    choices.clone().count() <= MAX_CHOICES && address("", choices).len() <= LONGEST
}

pub(super) fn address<'a>(path: &str, options: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut address = path.to_owned();
    let options = options.filter(|(_, value)| !value.is_empty());
    for (index, (name, value)) in options.enumerate() {
        address.push(if index == 0 { '?' } else { '&' });
        address.extend(utf8_percent_encode(name, VALUE));
        address.push('=');
        address.extend(utf8_percent_encode(value, VALUE));
    }
    address
}

/// One option of a query. Forms write blanks as `+`.
fn option(part: &str) -> (String, String) {
    let decoded = |text: &str| {
        let blanks = text.replace('+', " ");
        percent_decode_str(&blanks)
            .decode_utf8_lossy()
            .chars()
            .filter(|letter| !letter.is_control())
            .collect()
    };
    let (name, value) = part.split_once('=').unwrap_or((part, ""));
    (decoded(name), decoded(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(path: &str, query: &str) -> Visit {
        Visit::new(&Target { path, query, accept_language: None, service: "http://x" })
    }

    #[test]
    fn links_keep_the_municipality_and_the_language() {
        let visit = visit("/maaling/y07a02", "kommune=730&sprog=en&maal=Antal_personer");
        assert_eq!(visit.link("", &[]), "../?kommune=730&sprog=en");
        assert_eq!(
            visit.link("maaling/y01a02", &[("kommune", "751")]),
            "../maaling/y01a02?kommune=751&sprog=en"
        );
        assert_eq!(
            visit.here(&[("maal", "Antal & mere"), ("sprog", "")]),
            "../maaling/y07a02?kommune=730&maal=Antal%20%26%20mere"
        );
        assert_eq!(visit.hidden(&["kommune", "maal"]), [("sprog", "en")]);
    }

    #[test]
    fn links_to_pages_keep_the_whole_collection() {
        let visit = visit("/maaling/y07a02/byg", "valg=a%2Fb&kommune=730&valg=c&maal=x");
        assert_eq!(visit.link("nyt", &[]), "../../nyt?kommune=730&valg=a/b&valg=c");
        assert_eq!(visit.absolute("nyt", &[]), "http://x/nyt?kommune=730");
        assert_eq!(visit.collection(Format::Workbook), "../../open/samling.xlsx?valg=a/b&valg=c");
        assert_eq!(visit.here(&[("valg", "")]), "../../maaling/y07a02/byg?kommune=730&maal=x");
        let long = format!("valg={}&maal=x", "a".repeat(LONGEST - 10));
        let here = self::visit("/", &long).here(&[]);
        assert_eq!(here, format!("./?{long}"), "a collection takes no room from what the page shows");
        let too_long = format!("valg={}&maal=x", "a".repeat(LONGEST));
        assert_eq!(self::visit("/", &too_long).here(&[]), "./?maal=x");
    }

    #[test]
    fn addresses_are_read_however_they_are_written() {
        let visit = visit("/", "q=syge+dagpenge%20i%C3%A5&&x&kommune=%FF&q=2");
        assert_eq!(visit.option("q"), Some("syge dagpenge iå"));
        assert_eq!((visit.option("x"), visit.option("nothing")), (None, None));
        assert!(visit.municipality().is_err());
        assert_eq!(visit.link("", &[("kommune", "")]), "./");
        let twice = self::visit("/", "kommune=730&kommune=751&sprog=%F0%9F%90%A7");
        assert_eq!(twice.link("nyt", &[]), "./nyt?kommune=730&sprog=da");
    }
}
