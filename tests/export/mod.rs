//! Exported files over HTTP, compared with the OData answers to the same options.

mod files;

use std::io::Read as _;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use bytes::Bytes;
use chrono::{DateTime, NaiveDate, SecondsFormat};
use chrono_tz::Europe::Copenhagen;
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::simulator::{Faults, Publish};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::support::app::{Answer, App, AppOptions};

/// Queries whose answers fill several pages of an app with small ones, and some that fill none.
const QUERIES: [(&str, &str); 12] = [
    ("Hovedtal", "$filter=Periode ge '2026M05'"),
    ("Landet", ""),
    (
        "Kommuner",
        "$filter=startswith(Område,'A') and Periode gt '2026M01'&$orderby=Område desc,Antal_ledige_personer",
    ),
    ("Kommuner", "$select=Antal_ledige_personer,Område&$filter=Periode eq '2026M07'&$top=70&$skip=5"),
    ("Kommuner", "filter=Periode eq '2026M07'&orderby=Antal_ledige_personer desc&skip=20&top=50&count=true"),
    (
        "Observations",
        "$filter=Periode eq '2026MM07' and Område eq 'T' and A_kasse eq 'T' and Herkomst eq 'T'",
    ),
    ("OmrådeCodes", ""),
    ("Kommuner", "$apply=filter(Periode ge '2026M06')/groupby((Område,Periode))&$orderby=Område desc"),
    ("Kommuner", "$filter=Periode eq '1066M01'"),
    (
        "Kommuner",
        "$compute=Antal_ledige_personer divby 8 as Del,length(Område) as Bogstaver,Fra as Dag,Bogstaver gt 6 as Lang,null as Intet\
         &$filter=Periode eq '2026M07'&$orderby=Del desc&$top=50",
    ),
    (
        "Kommuner",
        "$compute=toupper(Område) as Navn,Antal_ledige_personer mul 2 as To&$select=To,Navn&$filter=Periode eq '2026M07'",
    ),
    (
        "Kommuner",
        "$apply=filter(Periode eq '2026M07')/compute(length(Område) add 1 as Næste)/topcount(60,Antal_ledige_personer)",
    ),
];

async fn app_with_small_pages() -> App {
    let settings = BridgeSettings {
        listen: "127.0.0.1:0".parse().unwrap(),
        page_rows: 37,
        cell_limit: 500,
        ..BridgeSettings::default()
    };
    App::with(AppOptions { settings, ..AppOptions::default() }).await
}

/// The rows of an OData answer, their cells in the order of the columns.
async fn odata(app: &App, set: &str, options: &str, columns: &[String]) -> Vec<Vec<Value>> {
    let rows = app.all_rows(&format!("/odata/jobindsats/y25i01/{set}?{options}")).await;
    let cells = |row: &Value| {
        let names = row.as_object().unwrap().keys().filter(|name| !name.contains('@'));
        assert_eq!(names.count(), columns.len(), "{columns:?}");
        columns.iter().map(|column| row[column].clone()).collect()
    };
    rows.iter().map(cells).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn records(answer: &Answer, delimiter: u8) -> (Vec<String>, Vec<Vec<String>>) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(answer.body.as_slice());
    let names = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let cells = |record: csv::StringRecord| record.iter().map(str::to_owned).collect();
    (names, reader.records().map(|record| cells(record.unwrap())).collect())
}

fn parquet_rows(answer: &Answer) -> (Vec<String>, Vec<Vec<Value>>) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let file = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(answer.body.clone())).unwrap();
    let names = file.schema().fields().iter().map(|field| field.name().clone()).collect();
    let batches = file.build().unwrap().map(|batch| batch.unwrap());
    let rows = |batch: RecordBatch| {
        let row = |row| batch.columns().iter().map(|column| cell(column, row)).collect();
        (0..batch.num_rows()).map(row).collect::<Vec<_>>()
    };
    (names, batches.flat_map(rows).collect())
}

fn cell(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Utf8 => json!(column.as_string::<i32>().value(row)),
        DataType::Boolean => json!(column.as_boolean().value(row)),
        DataType::Float64 => json!(column.as_primitive::<Float64Type>().value(row)),
        DataType::Int32 => json!(column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(row)),
        DataType::Date32 => {
            json!(NaiveDate::from_epoch_days(column.as_primitive::<Date32Type>().value(row)).unwrap())
        }
        DataType::Timestamp(_, Some(zone)) if zone.as_ref() == "Europe/Copenhagen" => {
            let instant = column.as_primitive::<TimestampMillisecondType>().value(row);
            let instant = DateTime::from_timestamp_millis(instant).unwrap().with_timezone(&Copenhagen);
            json!(instant.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        }
        other => panic!("a column of {other}"),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(written: &[T], rows: &[T], query: &str) {
    assert_eq!(written.len(), rows.len(), "{query}");
    for (number, (written, row)) in written.iter().zip(rows).enumerate() {
        assert_eq!(written, row, "row {number} of {query}");
    }
}

/// Numbers as doubles, whatever JSON made of them.
fn as_double(value: &Value) -> Value {
    value.as_f64().map_or_else(|| value.clone(), |number| json!(number))
}

#[actix_web::test]
async fn csv_has_the_rows_of_odata() {
    let app = app_with_small_pages().await;
    for (set, options) in QUERIES {
        let (columns, written) =
            records(&app.get(&format!("/export/y25i01/{set}.csv?{options}")).await, b',');
        let rows = odata(&app, set, options, &columns).await;
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(text).collect()).collect();
        same(&written, &rows, &format!("{set}?{options}"));
        assert!(columns.len() > 1);
    }
}

#[actix_web::test]
async fn parquet_says_where_its_figures_come_from_and_which_columns_are_never_empty() {
    let app = App::start().await;
    let answer = app.get("/export/y25i01/Landet.parquet?$top=1").await;
    let file = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(answer.body)).unwrap();
    let about = file.metadata().file_metadata().key_value_metadata().unwrap();
    let description = about.iter().find(|entry| entry.key == "description").unwrap().value.clone().unwrap();
    assert!(
        description.contains("Simulator af Jobindsats.dk") && description.contains("Prøvetal"),
        "{description}"
    );
    let is_nullable = |name: &str| file.schema().field_with_name(name).unwrap().is_nullable();
    assert!(["Periode", "Område", "Område_id"].into_iter().all(|name| !is_nullable(name)));
    assert!(["Fra", "Antal_ledige_personer", "Status"].into_iter().all(is_nullable));
}

#[actix_web::test]
async fn parquet_has_the_rows_of_odata() {
    let app = app_with_small_pages().await;
    for (set, options) in QUERIES {
        let (columns, written) =
            parquet_rows(&app.get(&format!("/export/Y25I01/{set}.parquet?{options}")).await);
        let rows = odata(&app, set, options, &columns).await;
        let doubles = |rows: Vec<Vec<Value>>| -> Vec<Vec<Value>> {
            rows.iter().map(|row| row.iter().map(as_double).collect()).collect()
        };
        same(&doubles(written), &doubles(rows), &format!("{set}?{options}"));
    }
}

#[actix_web::test]
async fn columns_come_in_the_order_of_the_set_or_as_selected() {
    let app = App::start().await;
    let (columns, _) = records(&app.get("/export/y25i01/Landet.csv?$top=1").await, b',');
    assert_eq!(columns[..5], ["Periode", "Periodetype", "Fra", "Til", "Område"]);
    let (columns, _) = records(&app.get("/export/y25i01/Landet.csv?$top=1&$select=Til,Periode").await, b',');
    assert_eq!(columns, ["Til", "Periode"]);
}

#[actix_web::test]
async fn danish_excel_gets_what_it_opens_by_a_double_click() {
    let app = App::start().await;
    let options = "$filter=Periode ge '2026M06'&$select=Område,Ledige_fuldtidspersoner_i_pct_af_arbejdsstyrken_16_66_år,Fra";
    let (_, plain) = records(&app.get(&format!("/export/y25i01/Hovedtal.csv?{options}")).await, b',');
    let mut answer = app.get(&format!("/export/y25i01/Hovedtal.csv?{options}&dialekt=dansk")).await;
    assert_eq!(answer.body[..3], *"\u{feff}".as_bytes());
    answer.body.drain(..3);
    let (_, danish) = records(&answer, b';');
    let danish_of = |row: &Vec<String>| vec![row[0].clone(), row[1].replace('.', ","), row[2].clone()];
    assert_eq!(danish, plain.iter().map(danish_of).collect::<Vec<_>>());
    assert!(danish.iter().any(|row| row[1].contains(',')));
}

#[actix_web::test]
async fn headers_make_a_browser_save_the_file_under_a_safe_name() {
    let app = App::start().await;
    let answer = app.get("/export/y25i01/Fordelt_p%C3%A5_K%C3%B8n.csv?$top=1").await;
    let answer =
        if answer.status == 200 { answer } else { app.get("/export/y25i01/Landet.csv?$top=1").await };
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert!(answer.header("content-disposition").starts_with("attachment; filename=\"simulator_y25i01_"));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("age"), "0");
    let answer = app.get("/export/y25i01/Landet.parquet?$top=1").await;
    assert_eq!(answer.header("content-type"), "application/vnd.apache.parquet");
    assert_eq!(
        answer.header("content-disposition"),
        "attachment; filename=\"simulator_y25i01_Landet.parquet\""
    );
    let head = app.send("HEAD", "/export/y25i01/Landet.csv", &[]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-disposition"), "attachment; filename=\"simulator_y25i01_Landet.csv\"");
}

#[actix_web::test]
async fn csv_that_is_sent_as_it_comes_is_zipped_for_those_who_take_it() {
    let settings = BridgeSettings { file_mb: 1, ..AppOptions::default().settings };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    let path = "/export/y25i01/Kommuner.csv?$filter=Periode ge '2015M01'";
    let plain = app.get(path).await.body;
    let client = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    let ask = |path: &str| {
        client.get(format!("{}{path}", app.service.url())).header("Accept-Encoding", "gzip").send()
    };
    let zipped = ask(path).await.unwrap();
    assert_eq!(zipped.headers()["content-encoding"], "gzip");
    let zipped = zipped.bytes().await.unwrap();
    assert!(zipped.len() * 2 < plain.len());
    let mut unzipped = Vec::new();
    flate2::read::GzDecoder::new(zipped.as_ref()).read_to_end(&mut unzipped).unwrap();
    assert_eq!(unzipped, plain);
    for path in ["/export/y25i01/Landet.parquet", "/export/y25i01/Landet.csv"] {
        assert_eq!(app.send("HEAD", path, &[]).await.status, 200);
        let made = ask(path).await.unwrap();
        assert!(!made.headers().contains_key("content-encoding"), "{path}: its length is that of its bytes");
    }
}

#[actix_web::test]
async fn what_can_be_refused_is_refused_before_the_first_byte() {
    let app = App::start().await;
    for (path, status, code) in [
        ("/export/y25i01/Nope.csv", 404, "UnknownSet"),
        ("/export/y99x99/Hovedtal.csv", 404, "UnknownTable"),
        ("/export/y25i01/Hovedtal.xlsx", 404, "NotFound"),
        ("/export/y25i01/Hovedtal", 404, "NotFound"),
        ("/export/y25i01", 404, "NotFound"),
        ("/export/y25i01/Hovedtal.csv?$filter=Nope eq 1", 400, "UnknownProperty"),
        ("/export/y25i01/Hovedtal.csv?$filter=(", 400, "SyntaxError"),
        ("/export/y25i01/Hovedtal.csv?dialekt=svensk", 400, "UnknownDialect"),
        ("/export/y25i01/Hovedtal.csv?$format=json", 400, "OptionNotApplicable"),
        ("/export/y25i01/Hovedtal.csv?$skiptoken=abc", 400, "OptionNotApplicable"),
        ("/export/y25i01/Hovedtal/$count.csv", 404, ""),
        ("/export/y25i01/Observations.csv?$expand=OmrådeCode", 501, "NotOffered"),
        ("/export/y25i01/Observations.csv?$select=Value,OmrådeCode/Title", 501, "NotOffered"),
        ("/export/y25i01/Hovedtal(Periode='2026M06',Område_id='T').csv", 404, "NotASet"),
    ] {
        let answer = app.get(path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.header("content-type").starts_with("application/json"), "{path}");
        assert!(code.is_empty() || answer.code() == code, "{path}: {}", answer.code());
    }
    let posted = app.send("POST", "/export/y25i01/Hovedtal.csv", &[]).await;
    assert_eq!((posted.status, posted.header("allow")), (405, "GET, HEAD, OPTIONS"));
    assert_eq!(app.data_requests(), 0);
}

#[actix_web::test]
async fn a_file_of_too_many_rows_is_refused_rather_than_cut() {
    let settings = BridgeSettings {
        listen: "127.0.0.1:0".parse().unwrap(),
        page_rows: 50,
        cell_limit: 300,
        max_rows: 200,
        ..BridgeSettings::default()
    };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    let refused = app.get("/export/y25i01/Kommuner.csv").await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "TooManyRows"));
    assert_eq!(app.data_requests(), 0);
    let (_, rows) = records(&app.get("/export/y25i01/Kommuner.csv?$top=200").await, b',');
    assert_eq!(rows.len(), 200);
}

/// Reads the first bytes of a file that comes slowly, lets something happen, and reads on.
async fn interrupted(happens: impl FnOnce(&App)) -> Result<Vec<u8>, reqwest::Error> {
    let app = app_with_small_pages().await;
    app.upstream().set_faults(Faults { delay_ms: 100, ..Faults::default() });
    let url = format!("{}/export/y25i01/Kommuner.csv?$filter=Periode ge '2025M01'", app.service.url());
    let client = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    let mut response = client.get(url).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let mut body = response.chunk().await.unwrap().unwrap().to_vec();
    happens(&app);
    while let Some(chunk) = response.chunk().await? {
        body.extend(chunk);
    }
    Ok(body)
}

#[actix_web::test]
async fn a_file_that_cannot_be_finished_is_broken_off() {
    let failed = interrupted(|app| {
        app.upstream().set_faults(Faults { server_error: 1000, ..Faults::default() });
    });
    assert!(failed.await.is_err());
    let whole = interrupted(|_| {}).await.unwrap();
    assert!(String::from_utf8(whole).unwrap().lines().count() > 1500);
}

#[actix_web::test]
async fn a_file_never_mixes_two_revisions() {
    let revised = interrupted(|app| {
        app.upstream().publish(&Publish { table: "y25i01".into(), ..Publish::default() }).unwrap();
        app.clock.advance(Duration::from_secs(20 * 60));
    });
    assert!(revised.await.is_err());
}
