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
    /// Those that links of the page to itself repeat.
    repeated: Vec<(String, String)>,
    /// Whether the address had a collection that is too long for links.
    pub(super) has_lost_collection: bool,
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
        let has_lost_collection = !fits(collected.map(|(name, value)| (name.as_str(), value.as_str())));
        if has_lost_collection {
            options.retain(|(name, _)| name != CHOICE_OPTION);
        }
        let path = target.path.trim_start_matches('/');
        let root = match path.matches('/').count() {
            0 => "./".to_owned(),
            depth => "../".repeat(depth),
        };
        let (service, path) = (target.service.to_owned(), path.to_owned());
        let repeated = repeated(&options);
        Self { language, service, root, path, options, repeated, has_lost_collection }
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
        let own = self.repeated.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let own = own.filter(|(name, _)| !is_changed(name));
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
    choices.clone().count() <= MAX_CHOICES && choices.map(written_length).sum::<usize>() <= LONGEST
}

/// The options for which links have room. The collection takes none of it from the others.
fn repeated(options: &[(String, String)]) -> Vec<(String, String)> {
    let mut room = LONGEST;
    let has_room = |(name, value): &&(String, String)| {
        let needed = if name == CHOICE_OPTION { 0 } else { written_length((name.as_str(), value.as_str())) };
        let left = room.checked_sub(needed);
        room = left.unwrap_or(room);
        left.is_some() && !value.is_empty()
    };
    options.iter().filter(has_room).cloned().collect()
}

/// How long an option is in a link of a page, with what stands before it; none without a value.
fn written_length((name, value): (&str, &str)) -> usize {
    let encoded = |text| utf8_percent_encode(text, VALUE).map(str::len).sum::<usize>();
    match value {
        "" => 0,
        _ => "&amp;".len() + encoded(name) + "=".len() + encoded(value),
    }
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
        let long = format!("valg={}&maal=x", "a".repeat(LONGEST - "&amp;valg=".len()));
        let here = self::visit("/", &long).here(&[]);
        assert_eq!(here, format!("./?{long}"), "a collection takes no room from what the page shows");
        let too_long = self::visit("/", &long.replace("valg=", "valg=a"));
        assert!(too_long.has_lost_collection && !visit.has_lost_collection);
        assert_eq!(too_long.here(&[]), "./?maal=x");
    }

    #[test]
    fn an_option_is_as_long_as_it_is_written() {
        for option in [("valg", "a"), ("Køn_id", "y25i01/Landet?$top=1&x=å"), ("x", "")] {
            let (alone, both) = (address("", [option].into_iter()), address("?a=b", [option].into_iter()));
            assert_eq!(both.len() - "?a=b".len(), alone.len());
            let amp = if alone.is_empty() { 0 } else { "amp;".len() };
            assert_eq!(written_length(option), alone.len() + amp, "{option:?}");
        }
    }

    #[test]
    fn a_link_leaves_out_what_is_too_long_and_nothing_else() {
        let long = format!("maal=x&y={}&kommune=730", "a".repeat(LONGEST));
        assert_eq!(visit("/", &long).here(&[]), "./?maal=x&kommune=730");
        let many = visit("/", &"omraade=730&".repeat(1000)).here(&[]);
        assert_eq!(many.matches("730").count(), LONGEST / "&amp;omraade=730".len());
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
