//! The routes of the service. They are in one place, so that metrics can name each by its pattern. Each address says what it is for
//! when a request has another method, and is found with a slash at its end, too.

use actix_web::http::{Method, StatusCode, header};
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder};

use super::links;
use super::respond::{self, ALLOW, ALLOW_POST};
use super::state::AppState;
use super::{download, health, odata, open, pages, remote_read, scrape, status};
use crate::answer::error::{BridgeError, Usage};
use crate::odata::version::Version;

const LIVE: Usage = read_only("her spørges, om broen kører", "tells whether the process runs");
const READY: Usage = read_only("her spørges, om broen er klar", "tells whether the service is ready");
const METRICS: Usage = read_only("Prometheus henter tal om broen selv her", "Prometheus scrapes here");
const INDICATORS: Usage =
    read_only("Prometheus henter nøgletal her", "Prometheus scrapes the indicators here");
const FRONT: Usage = read_only("her står, hvad broen har", "lists what the service offers");
const STATUS: Usage = read_only("her står, hvordan broen har det", "shows the state of the service");
const MEASUREMENT: Usage = read_only("her vises en måling", "shows a measurement");
const BUILDER: Usage = read_only("her bygges et udtræk", "builds a query");
const NEWS: Usage = read_only("her står, hvad der er nyt", "tells what is new");
const ASSETS: Usage =
    read_only("siderne henter deres udseende her", "holds the styles and scripts of the pages");
const EXPORT: Usage = read_only("tal hentes her som en fil", "figures are downloaded here as a file");
const OPEN: Usage =
    read_only("udtræk hentes her til Excel og Power BI", "chosen rows are opened in Excel and Power BI");
const REMOTE_READS: Usage = Usage {
    allow: ALLOW_POST,
    danish: "Prometheus sender sine forespørgsler (remote_read) hertil",
    english: "Prometheus posts here",
};

/// The addresses that are open to others than users ([`sign_in`](super::sign_in)).
pub(super) const HEALTH: &str = "/healthz";
pub(super) const READINESS: &str = "/readyz";
pub(super) const SCRAPED: &str = "/metrics";
pub(super) const SCRAPED_INDICATORS: &str = "/metrics/indicators";
pub(super) const REMOTE_READ: &str = "/api/v1/read";
pub(super) const ASSETS_ROOT: &str = "/assets";

const fn read_only(danish: &'static str, english: &'static str) -> Usage {
    Usage { allow: ALLOW, danish, english }
}

/// Adds every route.
pub fn routes(config: &mut ServiceConfig) {
    read(config, HEALTH, &LIVE, health::live);
    read(config, READINESS, &READY, health::ready);
    read(config, SCRAPED, &METRICS, scrape::process);
    read(config, SCRAPED_INDICATORS, &INDICATORS, scrape::indicators);
    read(config, "/status", &STATUS, status::page);
    read(config, "/maaling/{table}", &MEASUREMENT, pages::measurement);
    read(config, "/maaling/{table}/byg", &BUILDER, pages::builder);
    read(config, "/nyt", &NEWS, pages::news);
    read(config, "/nyt.atom", &NEWS, pages::news_feed);
    read(config, "/nyt.ics", &NEWS, pages::news_calendar);
    read(config, "/nyt.csv", &NEWS, pages::news_table);
    let remote_read = web::resource(REMOTE_READ).route(web::post().to(remote_read::answer));
    config
        .service(web::resource(format!("{REMOTE_READ}/")).to(unslashed))
        .service(or_say(remote_read, &REMOTE_READS))
        .service(or_say(readable("/", pages::front), &FRONT))
        .service(web::resource("/odata").to(odata::answer))
        .service(web::resource("/odata/").to(odata::answer))
        .service(web::resource("/odata/{path:.*}").to(odata::answer))
        .service(or_say(readable("/export/{table}/{file:.*}", download::answer), &EXPORT))
        .service(or_say(readable("/open/{file:.*}", open::answer), &OPEN))
        .service(or_say(readable(&format!("{ASSETS_ROOT}/{{file}}"), pages::asset), &ASSETS))
        .default_service(web::to(pages::nothing));
}

/// An address that is read, and the same with a slash behind it.
fn read<F, Args>(config: &mut ServiceConfig, path: &str, usage: &'static Usage, handler: F)
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    config
        .service(or_say(readable(path, handler), usage))
        .service(web::resource(format!("{path}/")).to(unslashed));
}

fn readable<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path).route(web::get().to(handler.clone())).route(web::head().to(handler))
}

/// Answers other methods with what the address is for.
fn or_say(resource: Resource, usage: &'static Usage) -> Resource {
    let refuse = move |request: HttpRequest| async move {
        match request.method() {
            &Method::OPTIONS => {
                HttpResponse::NoContent().insert_header((header::ALLOW, usage.allow)).finish()
            }
            other => respond::refuse(Version::V4, &BridgeError::Method { method: other.to_string(), usage }),
        }
    };
    resource.default_service(web::to(refuse))
}

/// Leads to the address without the slash at its end: the links of a page are relative to that one. The method stays the same.
async fn unslashed(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let base = links::base(&request, state.public_url.as_deref());
    let mut location = format!("{base}{}", request.path().trim_end_matches('/'));
    if let Some(query) = request.uri().query() {
        location += "?";
        location += query;
    }
    HttpResponse::build(StatusCode::PERMANENT_REDIRECT).insert_header((header::LOCATION, location)).finish()
}
