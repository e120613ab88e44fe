//! The simulator's HTTP interface, call by call.

use jobindsats_bridge::simulator::{Longer, SimulatorOptions, start};
use serde_json::json;

use super::Upstream;

#[tokio::test]
async fn published_figures_of_unemployment_come_back_exactly() {
    let upstream = Upstream::open().await;
    let reply = upstream.data("y25i01", "mgroup.*=*&period.M=2026M06&hierarchy._nykom=/").await;
    assert_eq!(
        reply.body,
        concat!(
            r#"{"columns":["Periode","Område","Antal ledige personer","Antal ledige fuldtidspersoner","#,
            r#""Ledige fuldtidspersoner i pct. af arbejdsstyrken 16-66 år","#,
            r#""Ledige fuldtidspersoner i pct. af befolkningen 16-66 år"],"#,
            r#""rows":[["2026M06","Hele landet",110854,89907,3.0,2.3]]}"#
        )
    );
    upstream.simulator.stop().await;
}

#[tokio::test]
async fn the_token_must_be_sent_as_bearer() {
    let upstream = Upstream::open().await;
    for authorization in [None, Some("some-token"), Some("Bearer "), Some("Basic some-token")] {
        let reply = upstream.get_as("/subjects?format=json", authorization).await;
        assert_eq!(reply.status, 401, "{authorization:?}");
        assert_eq!(reply.json()["code"], json!(401));
    }
    assert_eq!(upstream.get("/subjects?format=json").await.status, 200);
}

#[tokio::test]
async fn a_given_token_is_the_only_one_admitted() {
    let token = Some("right".to_owned());
    let upstream =
        Upstream::with(SimulatorOptions { token, closed_hour: false, ..SimulatorOptions::default() }).await;
    assert_eq!(upstream.get_as("/subjects?format=json", Some("Bearer wrong")).await.status, 401);
    assert_eq!(upstream.get_as("/subjects?format=json", Some("Bearer right")).await.status, 200);
}

#[tokio::test]
async fn every_table_is_listed_under_its_subject_and_can_be_read() {
    let upstream = Upstream::open().await;
    let subjects = upstream.get("/subjects?format=json").await.json();
    let count: usize =
        subjects.as_array().unwrap().iter().map(|group| group["subjects"].as_array().unwrap().len()).sum();
    assert_eq!(count, 24);
    let list = upstream.get("/tables?format=json").await.json();
    let mut tables = 0;
    for subject in list.as_array().unwrap() {
        for group in subject["table_groups"].as_array().unwrap() {
            for head in group["tables"].as_array().unwrap() {
                tables += 1;
                let id = head["table_id"].as_str().unwrap();
                assert!(head["periods"].is_object());
                let table = upstream.get(&format!("/table/{id}?format=json")).await.json();
                assert_eq!(table["table_name"], head["table_name"]);
                assert!(table["periods"].is_array());
                let newest = &table["periods"][0]["values"][0]["period_id"];
                assert_eq!(*newest, head["periods"]["periodtypes"][0]["period_last"], "{id}");
                let kind = table["periods"][0]["periodtype_id"].as_str().unwrap();
                let reply = upstream.data(id, &format!("mgroup.*=*&period.{kind}=latest:1")).await;
                assert_eq!(reply.status, 200, "{id}: {}", reply.body);
            }
        }
    }
    assert_eq!(tables, 103);
}

const COUNTRY: &str = "mgroup.*=*&hierarchy._nykom=/";

#[tokio::test]
async fn refusals_come_in_the_upstreams_order_and_words() {
    let upstream = Upstream::open().await;
    let kept = "mgroup.nix=*&period.M=latest:9999";
    for (selection, cause) in [
        (
            "mgroup.nix=*&period.Å=latest:9999&hierarchy._x=*&hierarchy._omrade=/",
            "Unknown hierarchies: ['_x', '_omrade']",
        ),
        ("mgroup.nix=*&period.Å=latest:9999", "Unknown period type: Å"),
        ("mgroup.*=*&period.A=latest:1", "Unknown period type: A"),
        ("mgroup.*=*&period.Q=latest:1", "Unknown period type: Q"),
        (kept, "Requested latest:9999 for type M, but only 223 periods are available."),
        ("mgroup.nix=*&period.M=latest:1", "Unknown measure groups: ['nix']"),
        ("mgroup.*=nix&period.M=latest:1", "Unknown measures: ['nix']"),
        ("mgroup.*=*&period.M=2026M06,2026M99", "Unknown periods: ['2026M99']"),
        ("mgroup.*=*&period.M=latest:0", "Unknown periods: ['latest:0']"),
        ("mgroup.*=*&period.M=latest:1&hierarchy._kon=/9/", "Unknown values for hierarchy _kon: ['/9/']"),
        ("mgroup.*=*&period.M=latest:1&hierarchy._kon=level:x", "Unknown levels: ['x']"),
        ("mgroup.*=*&period.M=latest:1&lang=da", "Unknown parameters: ['lang']"),
        ("mgroup.*=*", "Missing parameter: period"),
    ] {
        let reply = upstream.data("y25i01", selection).await;
        assert_eq!((reply.status, reply.cause().as_str()), (422, cause), "{selection}");
        assert_eq!(reply.json()["code"], json!(422));
        assert_eq!(reply.json()["request_id"].as_str().map(str::len), Some(36));
    }
}

#[tokio::test]
async fn a_dimension_takes_one_hierarchy() {
    let upstream = Upstream::open().await;
    let reply =
        upstream.data("y28a15", "mgroup.*=*&period.Y=latest:1&hierarchy._nykom=/&hierarchy._region=/").await;
    assert_eq!(reply.cause(), "More than one hierarchy of the same dimension: ['_nykom', '_region']");
}

#[tokio::test]
async fn the_format_must_be_stated_and_ids_are_lower_case() {
    let upstream = Upstream::open().await;
    assert_eq!(upstream.get("/subjects").await.status, 422);
    assert_eq!(upstream.get("/tables?format=csv").await.status, 422);
    assert_eq!(upstream.get(&format!("/data/y25i01?{COUNTRY}&period.M=latest:1")).await.status, 422);
    for path in ["/table/Y25I01?format=json", "/data/y99?format=json", "/table/y99?format=json", "/nothing"] {
        let reply = upstream.get(path).await;
        assert_eq!((reply.status, &reply.json()["code"]), (404, &json!(404)), "{path}");
    }
}

#[tokio::test]
async fn only_get_is_answered() {
    let upstream = Upstream::open().await;
    assert_eq!(upstream.control(reqwest::Method::POST, "/v3/subjects?format=json", "").await.status, 405);
}

#[tokio::test]
async fn an_encoded_request_is_the_same_as_a_plain_one() {
    let upstream = Upstream::open().await;
    let plain = upstream
        .data("y25i01", "mgroup.*=*&period.M=latest:2&hierarchy._nykom=/&hierarchy._ygrpi09=/2/,/3/")
        .await;
    let encoded = upstream
        .data(
            "y25i01",
            "hierarchy._ygrpi09=%2F2%2F%2C%2F3%2F&period.M=latest%3A2&mgroup.%2A=%2A&hierarchy._nykom=%2F",
        )
        .await;
    assert_eq!(plain.body, encoded.body);
    assert_eq!(plain.columns()[..3], ["Periode", "Område", "Ydelsesgrupper"]);
    assert_eq!(plain.rows().len(), 4);
}

#[tokio::test]
async fn a_dimension_that_is_not_named_has_no_column_and_columns_stand_as_in_the_table() {
    let upstream = Upstream::open().await;
    let reply = upstream.data("y25i01", "mgroup.measi01=*&period.M=latest:1").await;
    assert_eq!(reply.cause(), "Unknown measure groups: ['measi01']");
    let bare = upstream.data("y25i01", "mgroup.*=*&period.M=latest:1").await;
    assert_eq!(bare.columns()[..2], ["Periode", "Antal ledige personer"]);
    let named = upstream
        .data("y25i01", "hierarchy._akassebl=/&hierarchy._kon=*&hierarchy._nykom=/&period.M=latest:1")
        .await;
    assert_eq!(named.columns()[..4], ["Periode", "Område", "Køn", "A-kasse"]);
    let genders: Vec<_> = named.rows().iter().map(|row| row[2].clone()).collect();
    assert_eq!(genders, [json!("Køn i alt"), json!("Kvinder"), json!("Mænd")]);
}

#[tokio::test]
async fn measures_can_be_chosen_by_group_and_id() {
    let upstream = Upstream::open().await;
    let quarter = "period.Q=latest:1&hierarchy._nykom=/";
    let all = upstream.data("y01h01", &format!("mgroup.*=*&{quarter}")).await.columns();
    assert_eq!(all[3], "Antal sanktioner fordelt på type: Udelukkes fra dagpenge i en periode");
    let group = upstream.data("y01h01", &format!("mgroup.mgrph01_2=*&{quarter}")).await.columns();
    assert_eq!(group[2..], all[3..7]);
    let two = upstream
        .data("y01h01", &format!("mgroup.mgrph01_2=meash01_3,meash01_2&mgroup.mgrph01_1=*&{quarter}"))
        .await;
    assert_eq!(two.columns()[2..], all[2..5]);
}

#[tokio::test]
async fn a_level_comes_without_the_total_and_a_star_with_it() {
    let upstream = Upstream::open().await;
    let count = async |values: &str| {
        let selection = format!("mgroup.*=*&period.M=latest:1&hierarchy._nykom={values}");
        upstream.data("y25i01", &selection).await.rows().len()
    };
    assert_eq!(count("*").await, 100);
    assert_eq!(count("level:kommune").await, 99);
    assert_eq!(count("/").await, 1);
    assert_eq!(count("/1/,/98/,/1/").await, 2);
}

#[tokio::test]
async fn a_parent_and_its_only_child_of_the_same_name_have_equal_figures() {
    let upstream = Upstream::open().await;
    let reply = upstream
        .data("y01c01", "mgroup.*=*&period.M=2026M06&hierarchy._nykom=/&hierarchy._tilb_2ptv=*")
        .await;
    let of = |label: &str| {
        let rows = reply.rows().into_iter().filter(|row| row[2] == *label).collect::<Vec<_>>();
        assert_eq!(rows.len(), 2, "{label}");
        rows
    };
    for label in
        ["Privat virksomhedspraktik", "Øvrige vejlednings- og opkvalificeringsforløb", "Nytteindsats i alt"]
    {
        let rows = of(label);
        assert_eq!(rows[0], rows[1]);
        assert!(rows[0][3].is_number());
    }
}

#[tokio::test]
async fn empty_kinds_of_offers_have_no_row() {
    let upstream = Upstream::open().await;
    let offers = "mgroup.*=*&period.M=2025M05,2025M06&hierarchy._nykom=/&hierarchy._tilb_2ptv=*";
    let rows = upstream.data("y01c01", offers).await.rows();
    let state: Vec<_> = rows.iter().filter(|row| row[2] == "Nytteindsats, stat").collect();
    assert_eq!(
        state,
        [&vec![
            json!("2025M06"),
            json!("Hele landet"),
            json!("Nytteindsats, stat"),
            json!(null),
            json!(null),
            json!(0.0)
        ]]
    );
}

#[tokio::test]
async fn some_tables_deliver_dimension_by_dimension_with_odd_blocks_of_periods() {
    let upstream = Upstream::open().await;
    let rows = upstream
        .data("y25i06", "mgroup.*=*&period.M=latest:40&hierarchy._nykom=/&hierarchy._var13uger=*")
        .await
        .rows();
    let labels: Vec<_> = rows.iter().map(|row| row[2].as_str().unwrap()).collect();
    assert!(labels.is_sorted(), "members one after the other");
    let periods: Vec<_> = rows[..rows.len() / 2].iter().map(|row| row[0].as_str().unwrap()).collect();
    assert!(!periods.is_sorted() && !periods.is_sorted_by(|a, b| a >= b));
    let rows = upstream
        .data("y25i01", "mgroup.*=*&period.M=latest:3&hierarchy._nykom=/&hierarchy._kon=*")
        .await
        .rows();
    assert!(rows.is_sorted_by_key(|row| row[0].as_str().unwrap().to_owned()));
}

#[tokio::test]
async fn a_dimension_without_a_total_has_none_under_a_star_and_nothing_under_a_slash() {
    let upstream = Upstream::open().await;
    let month = "mgroup.*=*&period.M=2025M06&hierarchy._nykom=/";
    let parts = upstream.data("y25i06", &format!("{month}&hierarchy._var13uger=*")).await.rows();
    assert_eq!(parts.len(), 2);
    assert!(upstream.data("y25i06", &format!("{month}&hierarchy._var13uger=/")).await.rows().is_empty());
    let whole = upstream.data("y25i06", month).await.rows();
    assert_eq!(whole[0][2].as_i64(), Some(parts.iter().map(|row| row[3].as_i64().unwrap()).sum()));
}

#[tokio::test]
async fn tables_differ_in_their_area_hierarchies() {
    let upstream = Upstream::open().await;
    let refused = async |table: &str, hierarchy: &str| {
        let reply =
            upstream.data(table, &format!("mgroup.*=*&period.M=latest:1&hierarchy.{hierarchy}=*")).await;
        reply.status == 422 && reply.cause() == format!("Unknown hierarchies: ['{hierarchy}']")
    };
    assert!(refused("y25i14", "_nykom").await && refused("y25i14", "_hele_landet").await);
    assert!(refused("y25i03", "_nykom").await && refused("y25i01", "_region").await);
    let regions = upstream.data("y25i14", "mgroup.*=*&period.M=latest:1&hierarchy._region=*").await.rows();
    let names: Vec<_> = regions.iter().map(|row| row[1].as_str().unwrap()).collect();
    assert_eq!(names[..2], ["Hele landet", "Region Hovedstaden"]);
    assert_eq!((names.len(), names[6]), (7, "Uoplyst område"));
}

#[tokio::test]
async fn regions_over_municipalities_have_the_figures_of_both() {
    let upstream = Upstream::open().await;
    let of = async |hierarchy: &str| {
        let reply =
            upstream.data("y28a15", &format!("mgroup.*=*&period.Y=2025Y01&hierarchy.{hierarchy}=*")).await;
        reply.rows()
    };
    let both = of("_reko").await;
    assert_eq!(both.len(), 1 + 5 + 98 + 1);
    for row in of("_nykom").await.into_iter().chain(of("_region").await) {
        assert!(both.contains(&row), "{row:?}");
    }
}

#[tokio::test]
async fn months_may_have_gaps_and_a_rate_may_be_a_fraction() {
    let upstream = Upstream::open().await;
    let rows = upstream.data("y25i14", "mgroup.*=*&period.M=latest:30&hierarchy._region=/").await.rows();
    let periods: Vec<_> = rows.iter().map(|row| row[0].as_str().unwrap()).collect();
    assert_eq!((periods[0], periods[1], periods[29]), ("2019M03", "2019M06", "2026M06"));
    assert_eq!(rows[29][4], json!(0.22));
    let short = upstream.data("y25i14", "mgroup.*=*&period.M=latest:31&hierarchy._region=/").await;
    assert_eq!(short.cause(), "Requested latest:31 for type M, but only 30 periods are available.");
    assert_eq!(upstream.data("y25i14", "mgroup.*=*&period.M=2026M05").await.status, 422);
}

#[tokio::test]
async fn the_benchmark_table_calls_its_areas_in_english() {
    let upstream = Upstream::open().await;
    let reply = upstream.data("y30r21", "mgroup.*=*&period.QMAT=latest:2&hierarchy._nykom=*").await;
    assert_eq!(reply.columns()[..2], ["Periode", "Area"]);
    let rows = reply.rows();
    assert_eq!((rows[0][0].as_str(), rows[199][0].as_str()), (Some("2025QMAT02"), Some("2025QMAT04")));
    let mut ranks: Vec<_> = rows[..100].iter().filter_map(|row| row[8].as_i64()).collect();
    ranks.sort_unstable();
    assert_eq!(ranks, (1..=98).collect::<Vec<_>>());
    let differences = rows.iter().all(|row| match (row[2].as_i64(), row[3].as_i64()) {
        (Some(expected), Some(actual)) => row[4] == json!(actual - expected),
        _ => row[4].is_null(),
    });
    assert!(differences);
}

#[tokio::test]
async fn csv_has_a_mark_semicolons_decimal_commas_and_empty_fields() {
    let upstream = Upstream::open().await;
    let path = "/data/y01c01?mgroup.*=*&period.M=2025M06&hierarchy._nykom=/&hierarchy._tilb_2ptv=/,/4/1/1/&format=csv";
    let reply = upstream.get(path).await;
    assert_eq!(
        reply.body,
        concat!(
            "\u{feff}Periode;Område;Tilbud;Antal aktiverede;Antal fuldtidsaktiverede;Fuldtidsaktiverede i pct. af arbejdsstyrken\r\n",
            "2025M06;Hele landet;Tilbud i alt;21768;7694;0,3\r\n",
            "2025M06;Hele landet;Nytteindsats, stat;;;0,0\r\n"
        )
    );
    assert_eq!(reply.content_type, "text/csv; charset=utf-8");
}

#[tokio::test]
async fn a_request_for_too_many_cells_is_refused() {
    let options = SimulatorOptions { cell_limit: 800, closed_hour: false, ..SimulatorOptions::default() };
    let upstream = Upstream::with(options).await;
    // 100 areas, 2 periods, 4 measures: 800 cells; with two labels in each row 1200.
    let reply = upstream.data("y25i01", "mgroup.*=*&period.M=latest:2&hierarchy._nykom=*").await;
    assert_eq!(reply.rows().len(), 200);
    let reply = upstream.data("y25i01", "mgroup.*=*&period.M=latest:3&hierarchy._nykom=*").await;
    assert_eq!(
        (reply.status, reply.cause().as_str()),
        (422, "Requested 1200 cells, but at most 800 cells are allowed.")
    );
    upstream.control(reqwest::Method::POST, "/control/faults", r#"{"count_all_columns":true}"#).await;
    let reply = upstream.data("y25i01", "mgroup.*=*&period.M=latest:2&hierarchy._nykom=*").await;
    assert_eq!(reply.cause(), "Requested 1200 cells, but at most 800 cells are allowed.");
    upstream.control(reqwest::Method::POST, "/control/faults", r#"{"cell_limit":1200}"#).await;
    assert_eq!(upstream.data("y25i01", "mgroup.*=*&period.M=latest:2&hierarchy._nykom=*").await.status, 200);
}

#[tokio::test]
async fn a_request_for_more_cells_than_32_bits_hold_is_refused() {
    let upstream = Upstream::open().await;
    let dimensions = ["_nykom", "_kon", "_aldera", "_oprinda", "_akassedp", "_tilb_2ptv"]
        .map(|id| format!("&hierarchy.{id}=*"));
    let reply =
        upstream.data("y01c03", &format!("mgroup.*=*&period.M=latest:199{}", dimensions.concat())).await;
    assert_eq!(reply.cause(), "Requested 6619536000 cells, but at most 200000 cells are allowed.");
}

#[tokio::test]
async fn tables_can_be_narrowed_to_subjects() {
    let upstream = Upstream::open().await;
    let list = upstream.get("/tables?subject_id=1123,1530&format=json").await.json();
    let subjects: Vec<_> =
        list.as_array().unwrap().iter().map(|subject| subject["subject_name"].clone()).collect();
    assert_eq!(subjects, [json!("A-dagpenge"), json!("Sygedagpenge")]);
    assert_eq!(upstream.get("/tables?subject_id=x&format=json").await.json(), json!([]));
}

#[tokio::test]
async fn what_is_made_up_is_said() {
    let upstream = Upstream::open().await;
    let made_up = upstream.control(reqwest::Method::GET, "/control/made-up", "").await.json();
    assert_eq!(made_up["tables"].as_object().unwrap().len(), 103);
    assert!(
        made_up["dimensions"]["_ygrpa02"]
            .to_string()
            .contains("which of the ids in use belongs to which member")
    );
    let y25i02 = made_up["tables"]["y25i02"].to_string();
    assert!(y25i02.contains("\"measures\"") && y25i02.contains("\"period types\""), "{y25i02}");
}

#[actix_web::test]
async fn it_runs_inside_the_runtime_of_the_service_too() {
    let upstream = Upstream::open().await;
    assert_eq!(upstream.get("/subjects?format=json").await.status, 200);
    upstream.simulator.stop().await;
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let upstream = Upstream::open().await;
    let listen = upstream.simulator.address();
    let error = start(SimulatorOptions { listen, ..SimulatorOptions::default() }).await.unwrap_err();
    assert!(error.to_string().contains(&listen.to_string()), "{error}");
}

/// For loads: the figures of before, and more of them.
#[tokio::test]
async fn a_table_begins_earlier_where_that_is_asked_for() {
    let longer = vec!["y25i01=10".parse().unwrap()];
    let options = SimulatorOptions { longer, closed_hour: false, ..SimulatorOptions::default() };
    let (longer, plain) = (Upstream::with(options).await, Upstream::open().await);
    let months = async |upstream: &Upstream| -> Vec<String> {
        let table = upstream.get("/table/y25i01?format=json").await.json();
        let types = table["periods"].as_array().unwrap();
        let months =
            types.iter().find(|kind| kind["periodtype_id"] == "M").unwrap()["values"].as_array().unwrap();
        months.iter().map(|month| month["period_id"].as_str().unwrap().to_owned()).collect()
    };
    let (all, own) = (months(&longer).await, months(&plain).await);
    assert_eq!(all[..own.len()], own, "the newest first");
    assert_eq!(all.len(), own.len() + 120);
    let figures = async |upstream: &Upstream, month: &str| {
        upstream.data("y25i01", &format!("mgroup.*=*&period.M={month}&hierarchy._nykom=*")).await
    };
    for month in [&own[0], own.last().unwrap()] {
        assert_eq!(figures(&longer, month).await.body, figures(&plain, month).await.body, "{month}");
    }
    let oldest = all.last().unwrap();
    assert_eq!(figures(&plain, oldest).await.status, 422);
    let rows = figures(&longer, oldest).await.rows();
    assert!(rows.len() > 90 && rows.iter().any(|row| row[2].as_u64() > Some(0)), "{rows:?}");
    let unknown =
        SimulatorOptions { longer: vec!["y99z99=1".parse().unwrap()], ..SimulatorOptions::default() };
    assert!(start(unknown).await.unwrap_err().to_string().contains("y99z99"));
    for text in ["", "y25i01", "=1", "y25i01=", "y25i01=-1", "y25i01=x"] {
        assert!(text.parse::<Longer>().is_err(), "{text}");
    }
}
