//! The upstream is asked for what is missing, and for little beside it.

use crate::support::app::App;

/// The newest data request, decoded.
fn last(app: &App) -> String {
    let log = app.upstream().requests();
    let target = &log.requests.back().unwrap().target;
    percent_encoding::percent_decode_str(target).decode_utf8().unwrap().into_owned()
}

#[actix_web::test]
async fn a_preview_of_the_largest_cube_is_one_request_and_the_second_time_none() {
    let app = App::start().await;
    app.service
        .state
        .catalogue
        .sync(jobindsats_bridge::refresh::sync::keeper::SyncScope::All, 2, |_| {})
        .await
        .unwrap();
    let catalogue = app.service.state.catalogue.current();
    let cells = |table: &jobindsats_bridge::catalogue::measurement::Measurement| {
        let members =
            table.dimensions.iter().map(|dimension| dimension.members.len() as u128).product::<u128>();
        members * table.periods.len() as u128 * table.measures.len() as u128
    };
    let largest = catalogue.measurements.values().max_by_key(|table| cells(table)).unwrap();
    assert!(cells(largest) > 50_000_000, "{} has {} cells", largest.id, cells(largest));
    let path = format!("/odata/jobindsats/{}/Data?$top=1000", largest.id);
    assert_eq!(app.get(&path).await.rows().len(), 1000);
    assert_eq!(app.data_requests(), 1);
    assert_eq!(app.get(&path).await.rows().len(), 1000);
    assert_eq!(app.data_requests(), 1);
}

#[actix_web::test]
async fn a_dimension_pinned_to_its_total_is_left_out_and_still_a_column() {
    let app = App::start().await;
    let path = "/odata/jobindsats/y01a02/Data?$filter=Periode eq '2026M05' and Område_id eq 'T'";
    let dimensions: Vec<String> = {
        let row = app.get(&format!("{path}&$top=1")).await.rows().remove(0);
        let names = row.as_object().unwrap().keys().filter_map(|name| name.strip_suffix("_id"));
        names.filter(|name| *name != "Område").map(str::to_owned).collect()
    };
    assert!(!dimensions.is_empty());
    let pins: String = dimensions.iter().map(|name| format!(" and {name}_id eq 'T'")).collect();
    let rows = app.get(&format!("{path}{pins}")).await.rows();
    assert_eq!(app.data_requests(), 1, "what is in store is not asked for");
    let app = App::start().await;
    assert_eq!(app.get(&format!("{path}{pins}")).await.rows(), rows);
    assert_eq!(rows.len(), 1);
    for name in &dimensions {
        assert_eq!(rows[0][format!("{name}_id")], "T");
        assert_eq!(rows[0][format!("{name}_niveau")], "I alt");
    }
    let request = last(&app);
    assert_eq!(request.matches("hierarchy.").count(), 1, "only the area is named: {request}");
    let overview =
        app.get("/odata/jobindsats/y01a02/Hovedtal?$filter=Periode eq '2026M05' and Område_id eq 'T'").await;
    let before = app.data_requests();
    assert_eq!(overview.rows().len(), 1);
    assert_eq!(app.data_requests(), before, "they are the cells of Hovedtal");
}

#[actix_web::test]
async fn pages_go_on_where_a_dimension_rests_at_its_total() {
    let app = App::start().await;
    let row = app.get("/odata/jobindsats/y01a02/Data?$top=1").await.rows().remove(0);
    let names: Vec<_> = row
        .as_object()
        .unwrap()
        .keys()
        .filter_map(|name| name.strip_suffix("_id"))
        .map(str::to_owned)
        .collect();
    let pin = format!("{}_id eq 'T'", names.iter().find(|name| *name != "Område").unwrap());
    let path =
        format!("/odata/jobindsats/y01a02/Data?$filter=Periode eq '2026M05' and Område_id eq 'T' and {pin}");
    let whole = app.get(&path).await.rows();
    let mut rows = Vec::new();
    let mut next = Some(path);
    while let Some(link) = next {
        let answer = app.get_with(&link, &[("Prefer", "odata.maxpagesize=2")]).await;
        rows.extend(answer.rows());
        next = answer.json()["@odata.nextLink"].as_str().map(str::to_owned);
    }
    assert_eq!(rows, whole);
}

#[actix_web::test]
async fn few_rows_are_asked_for_with_all_measures_and_many_with_one_by_name() {
    let app = App::start().await;
    let path =
        "/odata/jobindsats/y25i01/Kommuner?$select=Periode,Område_id,Antal_ledige_personer&$filter=Periode";
    app.get(&format!("{path} eq '2026M05'")).await.rows();
    assert!(last(&app).contains("mgroup.*=*"), "{}", last(&app));
    app.get(&format!("{path} lt '2026M01'")).await.rows();
    assert!(!last(&app).contains("mgroup.*"), "{}", last(&app));
    let asked = app.data_requests();
    app.get(
        &format!("{path} eq '2026M05'").replace("Antal_ledige_personer", "Antal_ledige_fuldtidspersoner"),
    )
    .await
    .rows();
    assert_eq!(app.data_requests(), asked, "its measures came together");
}

#[actix_web::test]
async fn top_reads_no_more_periods_than_its_rows_need() {
    let app = App::start().await;
    let path = "/odata/jobindsats/y25i01/Fordelt_på_A_kasse?$select=Periode,Område,A_kasse";
    let first = app.get(&format!("{path}&$top=3")).await.rows();
    assert!(last(&app).contains("period.M=2026M07&"), "{}", last(&app));
    let in_period = app.get(&format!("{path}&$filter=Periode eq '2026M07'")).await.rows().len();
    assert_eq!(app.data_requests(), 1, "the period is whole");
    // A period has up to 2,200 rows of 100 areas and 22 unemployment insurance funds.
    let beyond = app.get(&format!("{path}&$skip=2200&$top=2")).await.rows();
    assert!(in_period <= 2_200 && beyond.iter().all(|row| row["Periode"] == "2026M06"), "{beyond:?}");
    assert!(last(&app).contains("period.M=2026M06&"), "{}", last(&app));
    assert_eq!((app.data_requests(), first.len()), (2, 3));
}

#[actix_web::test]
async fn observations_of_some_measures_are_answered_whole() {
    let app = App::start().await;
    let row = app.get("/odata/jobindsats/y25i01/Data?$top=1").await.rows().remove(0);
    let names = row.as_object().unwrap().keys().filter_map(|name| name.strip_suffix("_id"));
    let pins: String = names.map(|name| format!(" and {name} eq 'T'")).collect();
    let path = &format!("/odata/jobindsats/y25i01/Observations?$filter=Periode eq '2026MM05'{pins}");
    app.upstream().clear_requests();
    let all = app.get(path).await.rows();
    assert_eq!(all.len(), 4);
    let measures: Vec<_> = all.iter().map(|row| row["Measure"].as_str().unwrap()).collect();
    let two = format!("{path} and (Measure eq '{}' or Measure eq '{}')", measures[0], measures[2]);
    assert_eq!(app.get(&two).await.rows(), [all[0].clone(), all[2].clone()]);
    let none = format!("{path} and Measure eq 'findes ikke'");
    assert_eq!(app.get(&none).await.rows(), [] as [serde_json::Value; 0]);
    let one = format!("{path} and Measure eq '{}'", measures[1]);
    assert_eq!(app.get(&one).await.rows(), [all[1].clone()]);
    assert_eq!(app.data_requests(), 1, "what is in store answers the others");
}

#[actix_web::test]
async fn a_filter_that_nothing_can_meet_asks_nothing() {
    let app = App::start().await;
    for filter in [
        "Periode eq '1999M01'",
        "false",
        "1 eq 2",
        "Område eq 'Atlantis'",
        "Periode eq '2026M05' and not (Periode eq '2026M05')",
        "Fra gt 2030-01-01",
    ] {
        let rows = app.get(&format!("/odata/jobindsats/y25i01/Hovedtal?$filter={filter}")).await.rows();
        assert_eq!(rows, [] as [serde_json::Value; 0], "{filter}");
    }
    assert_eq!(app.data_requests(), 0);
}
