//! Writes `docs/plans.md` with `UPDATE_DOCS=1`, and checks that it is up to date: the upstream requests of each kind of query,
//! compared with the fewest that its rows need.

use std::fmt::Write as _;

use crate::support::app::App;

/// A kind of query. `figures` is the number of measures that its rows need, `labels` the number of columns that identify a row: the
/// period, the area, and dimensions that are not at their total. `seen` is the query without the filter on figures, order or count
/// that chooses the shown rows: all its rows have to be read.
struct Kind {
    what: &'static str,
    query: &'static str,
    seen: Option<&'static str>,
    labels: u64,
    figures: u64,
}

fn kind(what: &'static str, query: &'static str, labels: u64, figures: u64) -> Kind {
    Kind { what, query, seen: None, labels, figures }
}

fn seen(what: &'static str, query: &'static str, seen: &'static str, labels: u64, figures: u64) -> Kind {
    Kind { what, query, seen: Some(seen), labels, figures }
}

const JUNE: &str = "y25i01/Hovedtal?$filter=Periode eq '2026M06'";

fn kinds() -> Vec<Kind> {
    vec![
        kind(
            "one period, one place",
            "y25i01/Hovedtal?$filter=Periode eq '2026M06' and Område eq 'Aarhus'",
            2,
            4,
        ),
        kind("a single row by its key", "y25i01/Hovedtal(Periode='2026M06',Område_id='T')", 2, 4),
        kind("one period, all places", JUNE, 2, 4),
        kind(
            "one measure of four",
            "y25i01/Hovedtal?$filter=Periode eq '2026M06'&$select=Område,Antal_ledige_personer",
            2,
            1,
        ),
        kind("no measure at all", "y25i01/Hovedtal?$filter=Periode eq '2026M06'&$select=Område", 2, 1),
        kind("a list of periods", "y25i01/Landet?$filter=Periode in ('2026M06','2026M05','2025M06')", 2, 4),
        kind("a comparison of periods", "y25i01/Landet?$filter=Periode ge '2026M01'", 2, 4),
        kind("the start of a period's id", "y25i01/Landet?$filter=startswith(Periode,'2025')", 2, 4),
        kind(
            "dates of first and last day",
            "y25i01/Landet?$filter=Fra ge 2025-01-01 and Til le 2025-06-30",
            2,
            4,
        ),
        kind("parts of a date", "y25i01/Landet?$filter=month(Fra) eq 1", 2, 4),
        kind(
            "not one period",
            "y25i01/Landet?$filter=startswith(Periode,'2026') and not (Periode eq '2026M03')",
            2,
            4,
        ),
        kind(
            "places by the start of their name",
            "y25i01/Hovedtal?$filter=Periode eq '2026M06' and startswith(Område,'A')",
            2,
            4,
        ),
        kind(
            "places by official code",
            "y25i01/Hovedtal?$filter=Periode eq '2026M06' and Områdekode in ('101','751')",
            2,
            4,
        ),
        kind(
            "a level of places",
            "y25i01/Hovedtal?$filter=Periode eq '2026M06' and Områdeniveau eq 'Kommune'",
            2,
            4,
        ),
        kind(
            "all but a level",
            "y25i01/Hovedtal?$filter=Periode eq '2026M06' and Områdeniveau ne 'Kommune'",
            2,
            4,
        ),
        kind(
            "regions and municipalities in one hierarchy",
            "y28a15/Hovedtal?$filter=Periode eq '2025Y01' and (Områdeniveau eq 'Region' or Områdeniveau eq 'Kommune')",
            2,
            2,
        ),
        kind(
            "one period and two places by `or`",
            "y25i01/Hovedtal?$filter=(Periode eq '2026M06' and Område eq 'Aarhus') or (Periode eq '2026M06' and Område eq 'Odense')",
            2,
            4,
        ),
        kind(
            "two combinations of period and place by `or`",
            "y25i01/Hovedtal?$filter=(Periode eq '2026M06' and Område eq 'Aarhus') or (Periode eq '2026M05' and Område eq 'Odense')",
            2,
            4,
        ),
        seen(
            "a filter on figures",
            "y25i01/Hovedtal?$filter=Periode eq '2026M06' and Antal_ledige_personer gt 5000",
            JUNE,
            2,
            4,
        ),
        seen(
            "an order by figures",
            "y25i01/Hovedtal?$filter=Periode eq '2026M06'&$orderby=Antal_ledige_personer desc&$top=5",
            JUNE,
            2,
            4,
        ),
        seen("a count", "y25i01/Hovedtal/$count?$filter=Periode eq '2026M06'", JUNE, 2, 1),
        kind("a condition that no row meets", "y25i01/Hovedtal?$filter=Periode eq '1999M01'", 2, 4),
        kind(
            "a cube with one member",
            "y01dia02/Fordelt_på_A_kasse?$filter=Periode eq '2026M05' and Område_id eq 'T'",
            3,
            4,
        ),
        kind("a whole table's history of the country", "y25i01/Landet", 2, 4),
        kind(
            "the long form, one measure",
            "y25i01/Observations?$filter=Område eq 'T' and Periode eq '2026MM06' and Measure eq 'measi01_1'",
            2,
            1,
        ),
    ]
}

async fn line(empty: &App, app: &App, kind: &Kind) -> String {
    let joiner = if kind.query.contains('?') { '&' } else { '?' };
    let path = format!("/odata/jobindsats/{}", kind.query);
    let plan = empty.get(&format!("{path}{joiner}explain=plan")).await;
    assert_eq!(plan.status, 200, "{}: {}", kind.what, plan.text());
    let plan = plan.json();
    let number = |name: &str| plan[name].as_u64().unwrap();
    let (requests, cells) = (number("requests"), number("cells"));
    let rows = match kind.seen {
        Some(seen) => app.all_rows(&format!("/odata/jobindsats/{seen}")).await.len(),
        None if kind.query.contains('(') && !kind.query.contains('?') => 1,
        None => app.all_rows(&path).await.len(),
    } as u64;
    let (least_requests, least_cells) = (rows.min(1), rows * (kind.labels + kind.figures));
    assert!(cells >= least_cells, "{}: {cells} cells cannot hold {rows} rows", kind.what);
    format!(
        "| {} | `{}` | {requests} | {least_requests} | {cells} | {least_cells} |",
        kind.what,
        kind.query.replace('|', "\\|")
    )
}

#[actix_web::test]
async fn the_page_of_plans_says_what_is_planned() {
    // Of the first nothing but plans is asked, so that its store stays empty.
    let (empty, app) = (App::start().await, App::start().await);
    let kinds = kinds();
    assert!(kinds.len() >= 20);
    let mut page = "# What queries cost the upstream\n\n\
        For each kind of query: the upstream requests and cells that the bridge plans with an empty store, and the least that its \
        rows need, which is one request for exactly their cells. Cells are counted with all columns, labels included. Where the plan \
        has more, the upstream cannot be asked for less (a request is a product of periods and members, with one measure or all), or \
        more costs little beside the call: few rows come with all measures, and several periods of few rows with their series. The plan \
        also counts combinations for which the table turns out to have no row.\n\n\
        `&explain=plan` shows the plan of any query. A test writes this page and checks it.\n\n\
        | query | below `/odata/jobindsats/` | requests | least | cells | least |\n|---|---|---:|---:|---:|---:|\n"
        .to_owned();
    for kind in &kinds {
        let _ = writeln!(page, "{}", line(&empty, &app, kind).await);
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/plans.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page, "UPDATE_DOCS=1 writes it anew");
}
