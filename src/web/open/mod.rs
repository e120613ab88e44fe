//! `/open/…`: files that open chosen rows where people work: workbooks, connection files, Power BI projects, Power Query text.
//!
//! A choice is a set with OData's query options, as `/export/` has them. A collection, `/open/samling.xlsx?valg=…&valg=…`, has
//! several; each `valg` is `{table}/{set}?{options}`, percent-encoded as a whole.

mod choice;
mod rows;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use self::choice::{Chosen, Opener};
use crate::answer::error::BridgeError;
use crate::answer::retry_when_moved;
use crate::feed::Set;
use crate::odata::version::Version;
use crate::open::format::Format;
use crate::open::power_query::{Query, Typing};
use crate::open::project::{Project, RefreshPolicy};
use crate::open::{CHOICE_OPTION, COLLECTION, MAX_CHOICES, OpenError, connection, connector};
use crate::web::credentials::without_credentials;
use crate::web::links;
use crate::web::respond;
use crate::web::state::AppState;
use crate::web::{client, download};

/// The query option that asks for an incremental refresh.
const INCREMENTAL_OPTION: &str = "trinvis";
/// Ten years are kept; two years are read again, for figures are revised.
const INCREMENTAL: RefreshPolicy = RefreshPolicy { years: 10, months: 24 };

/// Answers any request below `/open/`.
pub async fn answer(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let state = client::state(&request, &state);
    let file = retry_when_moved(|| file(&request, &state)).await;
    match file {
        Ok(file) => HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, file.format.content_type()))
            .insert_header(respond::attachment(&file.name))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .body(file.bytes),
        Err(error) => respond::refuse(Version::V4, &error),
    }
}

/// A file that is made as a whole.
struct OpenFile {
    format: Format,
    name: String,
    bytes: Vec<u8>,
}

async fn file(request: &HttpRequest, state: &AppState) -> Result<OpenFile, BridgeError> {
    let nothing = || BridgeError::UnknownPath(request.path().to_owned());
    let path = request.uri().path().trim_start_matches('/').split_once('/').map_or("", |(_, path)| path);
    let options = request.uri().query().unwrap_or_default();
    let root = links::base(request, state.public_url.as_deref());
    if path == connector::FILE_NAME {
        let bytes = connector::mez(&format!("{root}/odata/"))?;
        return Ok(OpenFile { format: Format::Connector, name: connector::FILE_NAME.to_owned(), bytes });
    }
    let opener = Opener { state, root: &root, work: state.workers.work() };
    let (stem, format) = Format::split(path).ok_or_else(nothing)?;
    let chosen = match stem.split_once('/') {
        Some((table, set)) => vec![opener.choose(table, set, options).await?],
        None if stem == COLLECTION && format.holds_several() => opener.collection(options).await?,
        None => return Err(nothing()),
    };
    let prefix = state.feeds.origin().file_prefix();
    let name = match chosen.as_slice() {
        [one] => download::file_name(prefix, &one.choice.table, &one.choice.set, format.ending()),
        _ => format!("{prefix}{COLLECTION}.{}", format.ending()),
    };
    let bytes = opener.bytes(format, chosen, options).await?;
    Ok(OpenFile { format, name, bytes })
}

impl Opener<'_> {
    /// All choices of a collection.
    async fn collection(&self, options: &str) -> Result<Vec<Chosen>, BridgeError> {
        let mut chosen = Vec::new();
        for text in choice::values(options, CHOICE_OPTION)? {
            if chosen.len() == MAX_CHOICES {
                return Err(OpenError::TooManyChoices { most: MAX_CHOICES }.into());
            }
            let (path, options) = text.split_once('?').unwrap_or((&text, ""));
            let (table, set) = path.trim_matches('/').split_once('/').ok_or(OpenError::NoChoice)?;
            chosen.push(self.choose(table, set, &without_credentials(options)).await?);
        }
        if chosen.is_empty() { Err(OpenError::NoChoice.into()) } else { Ok(chosen) }
    }

    async fn bytes(
        &self,
        format: Format,
        chosen: Vec<Chosen>,
        options: &str,
    ) -> Result<Vec<u8>, BridgeError> {
        let first = chosen.first().map(|chosen| &chosen.choice).ok_or(OpenError::NoChoice)?;
        Ok(match format {
            Format::Workbook => return self.workbook(chosen).await,
            Format::ExcelConnection => connection::odc(first).into_bytes(),
            Format::PowerBiConnection => connection::pbids(&first.service).into_bytes(),
            Format::PowerQuery => Query::of(first, Typing::Declared).to_string().into_bytes(),
            Format::PowerBiProject => self.project(chosen, options)?.zip()?,
            Format::ModelScript => self.project(chosen, options)?.script().into_bytes(),
            Format::Connector => return Err(BridgeError::UnknownPath(connector::FILE_NAME.to_owned())),
        })
    }

    fn project(&self, chosen: Vec<Chosen>, options: &str) -> Result<Project, BridgeError> {
        let is_incremental = choice::values(options, INCREMENTAL_OPTION)?.iter().any(|value| value == "ja");
        let catalogue = self.state.feeds.catalogue_at("")?;
        let columns = |name: &str| {
            let set = catalogue.set_index(name).and_then(|index| catalogue.sets.get(index));
            set.map(all_columns).unwrap_or_default()
        };
        let (name, title) = match chosen.as_slice() {
            [one] => (project_name(&one.choice.table, &one.choice.set), one.choice.title.clone()),
            _ => ("Jobindsats".to_owned(), "Jobindsats".to_owned()),
        };
        Ok(Project {
            name,
            title,
            catalogue: format!("{}/odata/", self.root),
            areas: columns("Områder"),
            periods: columns("Perioder"),
            tables: chosen.into_iter().map(Chosen::into_table).collect::<Result<_, _>>()?,
            refresh: is_incremental.then_some(INCREMENTAL),
        })
    }
}

fn all_columns(set: &Set) -> Vec<crate::export::FileColumn> {
    set.columns.iter().map(|column| crate::export::FileColumn::new(&column.name, column.primitive)).collect()
}

/// A name for folders: plain letters, at most 30, because Windows bounds the length of paths.
fn project_name(table: &str, set: &str) -> String {
    let file = download::file_name("", table, set, "");
    file.trim_end_matches('.').chars().take(30).collect()
}
