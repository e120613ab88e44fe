//! The upstream's addresses over HTTP, and the control path that only the simulator has.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Bytes, Data, Json, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::answer;
use super::control::{Control, SetEdition};
use super::dialect::{self, Dialect, Variant};
use super::faults::{Endpoint, Fault};
use super::request::{Format, Parameters, Refusal, Selection};
use super::state::{Publish, Received, State};
use super::{SimulatorError, render};

const FORBIDDEN: &str = "You do not have permission to view this directory or page.";
const HTML: &str =
    "<!DOCTYPE html><html><head><title>Jobindsats</title></head><body><h1>Velkommen</h1></body></html>";

/// How often a waiting answer looks whether it still has to.
const LOOK: Duration = Duration::from_millis(20);

/// Registers all addresses.
pub fn configure(state: &Arc<State>) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let state = Data::from(Arc::clone(state));
    move |config| {
        config
            .app_data(state)
            .app_data(web::JsonConfig::default().content_type_required(false))
            .route("/v3/subjects", web::get().to(subjects))
            .route("/v3/tables", web::get().to(tables))
            .route("/v3/table/{table}", web::get().to(table))
            .route("/v3/data/{table}", web::get().to(data))
            .service(
                web::resource("/control/faults")
                    .route(web::get().to(faults))
                    .route(web::post().to(set_faults))
                    .route(web::delete().to(reset_faults)),
            )
            .service(
                web::resource("/control/requests")
                    .route(web::get().to(requests))
                    .route(web::delete().to(clear_requests)),
            )
            .route("/control/made-up", web::get().to(made_up))
            .route("/control/publish", web::post().to(publish))
            .route("/control/edition", web::post().to(set_edition))
            .default_service(web::to(not_found));
    }
}

/// The answer to a call, before a fault changes its body.
struct Answer {
    content_type: &'static str,
    body: String,
}

impl Answer {
    fn json(value: &Value) -> Self {
        Self { content_type: "application/json", body: value.to_string() }
    }
}

impl From<SimulatorError> for Refusal {
    fn from(error: SimulatorError) -> Self {
        Self::new(500, error.to_string())
    }
}

async fn subjects(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let answer = |parameters: Parameters, _: Option<Fault>| {
        parameters.format(false)?;
        Ok(Answer::json(&render::subjects(state.databank.metadata)))
    };
    let received = receive(&request, &state, Endpoint::Subjects, None);
    respond(&request, &state, Endpoint::Subjects, received.fault, answer).await
}

async fn tables(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let answer = |parameters: Parameters, _: Option<Fault>| {
        parameters.format(false)?;
        let wanted: Option<Vec<_>> = parameters.get("subject_id").map(|ids| ids.split(',').collect());
        let count = state.databank.metadata.tables.len();
        let views = (0..count).map(|table| state.view(table)).collect::<Result<Vec<_>, _>>()?;
        let stands = |table: usize| (views[table], state.dates(table));
        Ok(Answer::json(&render::tables(state.databank.metadata, wanted.as_deref(), stands)))
    };
    let received = receive(&request, &state, Endpoint::Tables, None);
    let response = respond(&request, &state, Endpoint::Tables, received.fault, answer).await;
    // Other faults refuse the call, or spoil only figures.
    let is_spoilt = matches!(received.fault, Some(Fault::Drop | Fault::Html | Fault::Truncate));
    if response.status().is_success() && !is_spoilt {
        state.listed();
    }
    response
}

async fn table(request: HttpRequest, path: Path<String>, state: Data<State>) -> HttpResponse {
    let answer = |parameters: Parameters, _: Option<Fault>| {
        parameters.format(false)?;
        let view = state.view(find(&state, &path)?)?;
        Ok(Answer::json(&render::table(&view, state.dialect())))
    };
    let received = receive(&request, &state, Endpoint::Table, Some(&path));
    respond(&request, &state, Endpoint::Table, received.fault, answer).await
}

async fn data(request: HttpRequest, path: Path<String>, state: Data<State>) -> HttpResponse {
    let answer = |parameters: Parameters, fault: Option<Fault>| read_data(&state, &path, &parameters, fault);
    let received = receive(&request, &state, Endpoint::Data, Some(&path));
    let response = respond(&request, &state, Endpoint::Data, received.fault, answer).await;
    state.answered(&path, received, response.status().as_u16());
    response
}

fn receive(request: &HttpRequest, state: &State, endpoint: Endpoint, table: Option<&str>) -> Received {
    state.receive(endpoint, table, target(request))
}

/// Path and query as sent.
fn target(request: &HttpRequest) -> &str {
    request.uri().path_and_query().map_or("", |target| target.as_str())
}

fn find(state: &State, id: &str) -> Result<usize, Refusal> {
    state.databank.metadata.table(id).ok_or_else(|| Refusal::new(404, format!("Unknown table: {id}")))
}

fn read_data(
    state: &State,
    id: &str,
    parameters: &Parameters,
    fault: Option<Fault>,
) -> Result<Answer, Refusal> {
    let format = parameters.format(true)?;
    let view = state.view(find(state, id)?)?;
    let dialect = state.dialect();
    let selection = Selection::read(parameters, &view, state.is_updating(id), dialect)?;
    let rows = answer::rows(&view, &selection, state.cell_limit(), dialect)?;
    let mut columns = render::columns(view.table, &selection, dialect);
    if fault == Some(Fault::WrongColumns) {
        columns.rotate_right(1);
    }
    let (table, selection, columns, rows) = (view.table, &selection, columns.as_slice(), rows.as_slice());
    let answer = render::Answer { table, selection, columns, rows, dialect };
    Ok(match format {
        Format::Json => Answer { content_type: "application/json", body: answer.json() },
        Format::Csv => Answer { content_type: "text/csv; charset=utf-8", body: answer.csv() },
    })
}

/// Everything that happens to every call that was received: faults, closed hour, token.
async fn respond(
    request: &HttpRequest,
    state: &State,
    endpoint: Endpoint,
    fault: Option<Fault>,
    answer: impl FnOnce(Parameters, Option<Fault>) -> Result<Answer, Refusal>,
) -> HttpResponse {
    let dialect = state.dialect();
    let _answering = state.answering();
    wait(state).await;
    if state.is_closed() {
        return HttpResponse::ServiceUnavailable()
            .content_type("text/plain; charset=utf-8")
            .body("Lukket 22-23.");
    }
    if let Some(response) = instead(fault).await {
        return response;
    }
    let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if fault == Some(Fault::Unauthorized) || !state.admits(authorization) {
        return refuse(&Refusal::new(401, "Unauthorized"), dialect);
    }
    if endpoint == Endpoint::Data
        && dialect.has(Variant::LongAddressesRefused)
        && target(request).len() > dialect::LONGEST_ADDRESS
    {
        return refuse(&Refusal::new(422, "Invalid request"), dialect);
    }
    match Parameters::parse(request.query_string()).and_then(|parameters| answer(parameters, fault)) {
        Ok(answer) => {
            let body = spoil(answer.body, fault);
            let is_marked = dialect.has(Variant::ByteOrderMark) && answer.content_type == "application/json";
            let body = if is_marked { format!("\u{feff}{body}") } else { body };
            HttpResponse::Ok().content_type(answer.content_type).body(body)
        }
        Err(refusal) => refuse(&refusal, dialect),
    }
}

/// Waits as long as answers are to wait, and no longer when that is changed meanwhile.
async fn wait(state: &State) {
    let began = Instant::now();
    while let Some(left) = Duration::from_millis(state.delay_ms()).checked_sub(began.elapsed()) {
        tokio::time::sleep(left.min(LOOK)).await;
    }
}

/// The answers that come from a fault alone.
async fn instead(fault: Option<Fault>) -> Option<HttpResponse> {
    Some(match fault? {
        Fault::Hang => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            HttpResponse::GatewayTimeout().finish()
        }
        Fault::Drop => {
            // A length is promised and the stream fails before the first byte, so the connection breaks.
            let broken = futures_util::stream::once(async { Err::<Bytes, _>(io::Error::other("dropped")) });
            HttpResponse::Ok().content_type("application/json").no_chunking(1000).streaming(broken)
        }
        Fault::Forbidden => {
            HttpResponse::Forbidden().content_type("text/plain; charset=utf-8").body(FORBIDDEN)
        }
        Fault::ServerError => {
            HttpResponse::InternalServerError().content_type("text/plain").body("Internal Server Error")
        }
        Fault::RateLimited { retry_after } => {
            let mut response = HttpResponse::TooManyRequests();
            if let Some(seconds) = retry_after {
                response.insert_header((header::RETRY_AFTER, seconds));
            }
            response.content_type("text/plain").body("Too Many Requests")
        }
        Fault::Html => HttpResponse::Ok().content_type("text/html; charset=utf-8").body(HTML),
        Fault::Unauthorized
        | Fault::Truncate
        | Fault::WrongColumns
        | Fault::WrongTypes
        | Fault::UnknownLabel
        | Fault::UnknownRows => return None,
    })
}

/// What a fault leaves of a body.
fn spoil(body: String, fault: Option<Fault>) -> String {
    match fault {
        Some(Fault::Truncate) => {
            let half = (0..=body.len() / 2).rev().find(|end| body.is_char_boundary(*end)).unwrap_or(0);
            body[..half].to_owned()
        }
        Some(Fault::WrongTypes) => respell(&body, |cell| match cell {
            Value::Number(number) => *cell = json!([number.to_string()]),
            Value::Null => *cell = json!({}),
            _ => {}
        }),
        Some(Fault::UnknownLabel) => {
            let mut left = 1;
            respell(&body, |cell| {
                if left > 0
                    && cell.as_str().is_some_and(|text| !text.starts_with(|c: char| c.is_ascii_digit()))
                {
                    left -= 1;
                    *cell = json!("Nyoprettet kategori");
                }
            })
        }
        Some(Fault::UnknownRows) => with_unknown_rows(&body),
        _ => body,
    }
}

/// A JSON answer with every seventh row once more for each of its labels, under another one, and once under others in all columns.
/// A column of one label keeps it: nothing else can come of a question for one member.
fn with_unknown_rows(body: &str) -> String {
    let Ok(mut answer) = serde_json::from_str::<Value>(body) else {
        return body.to_owned();
    };
    let Some(rows) = answer.get_mut("rows").and_then(Value::as_array_mut) else { return body.to_owned() };
    let several = |at: &usize| rows.iter().any(|row| row[*at] != rows[0][*at]);
    let is_label = |at: &usize| rows.first().is_some_and(|row| row[*at].is_string());
    let labels: Vec<usize> = (1..).take_while(is_label).filter(several).collect();
    for row in rows.clone().iter().step_by(7).filter_map(Value::as_array) {
        let renamed = |columns: &[usize]| {
            let cell = |(at, cell): (usize, &Value)| match cell.as_str().filter(|_| columns.contains(&at)) {
                Some(label) => json!(format!("{label} (ny)")),
                None => cell.clone(),
            };
            row.iter().enumerate().map(cell).collect::<Value>()
        };
        rows.extend(labels.iter().map(|&at| renamed(&[at])));
        rows.extend((labels.len() > 1).then(|| renamed(&labels)));
    }
    answer.to_string()
}

/// A JSON answer with its cells changed; other bodies stay as they are.
fn respell(body: &str, mut change: impl FnMut(&mut Value)) -> String {
    let Ok(mut answer) = serde_json::from_str::<Value>(body) else {
        return body.to_owned();
    };
    let rows = answer.get_mut("rows").and_then(Value::as_array_mut).into_iter().flatten();
    rows.filter_map(Value::as_array_mut).flatten().for_each(&mut change);
    answer.to_string()
}

fn refuse(refusal: &Refusal, dialect: &Dialect) -> HttpResponse {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let cause = &refusal.cause;
    if cause.starts_with('<') {
        return HttpResponse::build(status).content_type("text/html; charset=utf-8").body(cause.clone());
    }
    if dialect.has(Variant::ErrorsInText) {
        return HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(cause.clone());
    }
    let request_id = uuid::Uuid::new_v4().to_string();
    let error = json!({ "code": refusal.status, "cause": cause, "request_id": request_id });
    let mark = if dialect.has(Variant::ByteOrderMark) { "\u{feff}" } else { "" };
    HttpResponse::build(status).content_type("application/json").body(format!("{mark}{error}"))
}

async fn not_found(request: HttpRequest) -> HttpResponse {
    let known = ["/v3/subjects", "/v3/tables", "/v3/table/", "/v3/data/"];
    let is_known = known.iter().any(|path| request.path().starts_with(path));
    let wrong_method = is_known && request.method() != actix_web::http::Method::GET;
    let refusal =
        if wrong_method { Refusal::new(405, "Method Not Allowed") } else { Refusal::new(404, "Not Found") };
    refuse(&refusal, &Dialect::default())
}

async fn faults(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(state.faults())
}

async fn set_faults(state: Data<State>, changes: Json<Value>) -> HttpResponse {
    match state.faults().changed_by(&changes) {
        Ok(faults) => {
            state.set_faults(faults.clone());
            HttpResponse::Ok().json(faults)
        }
        Err(error) => refuse(&Refusal::new(400, error.to_string()), &Dialect::default()),
    }
}

async fn reset_faults(state: Data<State>) -> HttpResponse {
    Control::new(state.into_inner()).reset_faults();
    HttpResponse::NoContent().finish()
}

async fn requests(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(state.log())
}

async fn clear_requests(state: Data<State>) -> HttpResponse {
    state.clear_log();
    HttpResponse::NoContent().finish()
}

async fn made_up(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(state.databank.made_up())
}

async fn publish(state: Data<State>, wanted: Json<Publish>) -> HttpResponse {
    match state.publish(&wanted) {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(unknown) => refuse(&Refusal::new(404, unknown.to_string()), &Dialect::default()),
    }
}

async fn set_edition(state: Data<State>, wanted: Json<SetEdition>) -> HttpResponse {
    match state.set_edition(wanted.table.as_deref(), wanted.edition) {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(unknown) => refuse(&Refusal::new(404, unknown.to_string()), &Dialect::default()),
    }
}
