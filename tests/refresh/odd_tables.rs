//! Tables with odd metadata: each affects only itself. The catalogue's metadata stays valid, and every other table is read as before.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use jobindsats_bridge::refresh::sync::keeper::SyncScope;
use serde_json::{Value, json};

use crate::support::canned::Canned;
use crate::support::canned_app::CannedApp;

fn table(id: &str) -> Value {
    json!({
        "table_id": id, "table_name": format!("Tabel {id}"),
        "mgroups": [
            {"mgroup_id": "g1", "mgroup_name": "Antal", "measures": [{"measure_id": "m1", "measure_name": "Antal personer"}]},
            {"mgroup_id": "g2", "mgroup_name": "Andel", "measures": [{"measure_id": "m2", "measure_name": "Andel i pct."}]}],
        "periods": [{"periodtype_id": "M", "values": [{"period_id": "2026M07"}, {"period_id": "2026M06"}]}],
        "dimensions": [
            {"dimension_id": "_omrade", "dimension_name": "Område", "hierarchies": [
                {"hierarchy_id": "_nykom", "hierarchy_name": "Kommune", "levels": [
                    {"level_id": "kommune", "level_name": "Kommune", "values": [{"value_id": "/1/", "value_name": "Aarhus"}]}]}]},
            {"dimension_id": "_kon", "dimension_name": "Køn", "hierarchies": [
                {"hierarchy_id": "_kon", "hierarchy_name": "Køn", "levels": [
                    {"level_id": "kon", "level_name": "Køn", "values": [
                        {"value_id": "/1/", "value_name": "Kvinder"}, {"value_id": "/2/", "value_name": "Mænd"}]}]}]}]
    })
}

fn tables(ids: &[&str]) -> Canned {
    updated(ids, "2026-08-14")
}

fn updated(ids: &[&str], day: &str) -> Canned {
    let tables: Vec<_> =
        ids.iter().map(|id| json!({"table_id": id, "table_name": id, "update_latest": day})).collect();
    let group = json!({"table_group_name": "Antal", "tables": tables});
    Canned::ok(json!([{"subject_name": "A-dagpenge", "table_groups": [group]}]))
}

/// What may be odd about a table, and what becomes of it: `true` if it can be read all the same.
fn oddities() -> Vec<(&'static str, Value, bool)> {
    let mut oddities = Vec::new();
    let mut odd = |name, is_readable, change: &dyn Fn(&mut Value)| {
        let mut table = table("y2");
        change(&mut table);
        oddities.push((name, table, is_readable));
    };
    let push = |list: &mut Value, item: Value| list.as_array_mut().unwrap().push(item);
    let repeat = |list: &mut Value, at: usize| {
        let item = list[at].clone();
        list.as_array_mut().unwrap().push(item);
    };
    odd("a measure in two groups", true, &|it| {
        push(
            &mut it["mgroups"][1]["measures"],
            json!({"measure_id": "m1", "measure_name": "Antal personer"}),
        );
    });
    odd("a measure twice in a group", true, &|it| repeat(&mut it["mgroups"][0]["measures"], 0));
    odd("a measure group twice", true, &|it| repeat(&mut it["mgroups"], 0));
    odd("two measures of one name", true, &|it| {
        it["mgroups"][1]["measures"][0]["measure_name"] = "Antal personer".into();
    });
    odd("a dimension twice", true, &|it| repeat(&mut it["dimensions"], 1));
    odd("the area twice", true, &|it| repeat(&mut it["dimensions"], 0));
    odd("two dimensions of one name", true, &|it| {
        let mut other = it["dimensions"][1].clone();
        other["dimension_id"] = "_alder".into();
        other["hierarchies"][0]["hierarchy_id"] = "_alder".into();
        push(&mut it["dimensions"], other);
    });
    odd("a hierarchy twice", true, &|it| repeat(&mut it["dimensions"][1]["hierarchies"], 0));
    odd("a hierarchy in two dimensions", true, &|it| {
        let mut other = it["dimensions"][1].clone();
        other["dimension_id"] = "_alder".into();
        push(&mut it["dimensions"], other);
    });
    odd("a level twice", true, &|it| repeat(&mut it["dimensions"][1]["hierarchies"][0]["levels"], 0));
    odd("a member twice", true, &|it| {
        repeat(&mut it["dimensions"][1]["hierarchies"][0]["levels"][0]["values"], 0);
    });
    odd("members whose ids come out the same", true, &|it| {
        let values = &mut it["dimensions"][1]["hierarchies"][0]["levels"][0]["values"];
        for path in ["/1/2/", "/1.2/", "/T/", "//", "/?x/"] {
            push(values, json!({"value_id": path, "value_name": path}));
        }
    });
    odd("a period twice", true, &|it| repeat(&mut it["periods"][0]["values"], 0));
    odd("a period type twice", true, &|it| repeat(&mut it["periods"], 0));
    odd("a period in two types", true, &|it| {
        push(
            &mut it["periods"],
            json!({"periodtype_id": "X", "values": [{"period_id": "2026M07"}, {"period_id": "x1"}]}),
        );
    });
    odd("names that are columns already", true, &|it| {
        it["mgroups"][0]["measures"][0]["measure_name"] = "Periode".into();
        it["dimensions"][1]["dimension_name"] = "Område".into();
    });
    odd("characters that XML cannot hold", true, &|it| {
        it["table_name"] = "A\u{1}<&>\u{fffe}".into();
        it["dimensions"][1]["dimension_name"] = "\u{0}".into();
    });
    odd("a thousand measures", true, &|it| {
        let measure =
            |at: usize| json!({"measure_id": format!("x{at}"), "measure_name": "Antal ".repeat(40)});
        it["mgroups"][1]["measures"] = (0..1000).map(measure).collect();
    });
    odd("no measures", false, &|it| it["mgroups"] = json!([]));
    odd("groups without measures", false, &|it| it["mgroups"] = json!([{"mgroup_id": "g", "measures": []}]));
    odd("no periods", false, &|it| it["periods"] = json!([]));
    odd("no dimensions", true, &|it| it["dimensions"] = json!([]));
    odd("dimensions without hierarchies", true, &|it| {
        it["dimensions"][0]["hierarchies"] = json!([]);
        it["dimensions"][1]["hierarchies"] = json!([]);
    });
    odd("levels without members", true, &|it| {
        it["dimensions"][1]["hierarchies"][0]["levels"][0]["values"] = json!([]);
    });
    odd("another table", false, &|it| it["table_id"] = "y3".into());
    odd("a member without an id", false, &|it| {
        push(&mut it["dimensions"][1]["hierarchies"][0]["levels"][0]["values"], json!({"value_name": "x"}));
    });
    odd("a list in place of a table", false, &|it| *it = json!([[], []]));
    odd("a text in place of a table", false, &|it| *it = json!("y2"));
    oddities
}

const HEALTHY: &str = "/odata/jobindsats/y1/Landet?$filter=Periode eq '2026M07'";

async fn app(odd: Value) -> CannedApp {
    let figures = json!({"columns": ["Periode", "Område", "Antal personer", "Andel i pct."], "rows": [["2026M07", "Hele landet", 17, 1.5]]});
    CannedApp::start(vec![
        ("/subjects".to_owned(), Canned::ok(json!([]))),
        ("/tables".to_owned(), tables(&["y1", "y2", "Y2"])),
        ("/table/y1".to_owned(), Canned::ok(table("y1"))),
        ("/table/y2".to_owned(), Canned::ok(odd)),
        ("/data/y1".to_owned(), Canned::ok(figures)),
    ])
    .await
}

/// Names of a service's sets, as its metadata declares them; every name in it is declared once.
async fn sets(app: &CannedApp, service: &str, name: &str) -> Vec<String> {
    let answer = app.get(&format!("{service}$metadata?$format=json")).await;
    assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    assert_eq!(app.get(&format!("{service}$metadata")).await.status, 200, "{name}");
    let document = answer.json();
    let schema = document.as_object().unwrap().values().find(|value| value["Container"].is_object()).unwrap();
    schema["Container"]
        .as_object()
        .unwrap()
        .keys()
        .filter(|key| !key.starts_with(['@', '$']))
        .cloned()
        .collect()
}

async fn costs_only_itself(name: &str, odd: Value, is_readable: bool) {
    let app = app(odd).await;
    let names = sets(&app, "/odata/", name).await;
    assert!(names.iter().any(|set| set.starts_with("Y1_")), "{name}: {names:?}");
    assert_eq!(names.iter().any(|set| set.starts_with("Y2_")), is_readable, "{name}: {names:?}");
    assert_eq!(app.get(HEALTHY).await.rows().len(), 1, "{name}");
    assert_eq!(app.upstream.count_of("/data/y1"), 1, "{name}");
    assert_eq!(app.get("/odata/Datasets").await.rows().len(), 2, "{name}: one table has one id");
    let page = app.page("/maaling/y2?fordeling=K%C3%B8n&kommune=751").await;
    assert!(matches!(page.status, 200 | 400 | 502 | 503), "{name}: {} {}", page.status, page.text());
    let own = app.get("/odata/jobindsats/y2/").await;
    let status = app.get("/status").await.text();
    if is_readable {
        assert_eq!(own.status, 200, "{name}: {}", own.text());
        assert!(!status.contains("Udeladte"), "{name}: {status}");
        for set in sets(&app, "/odata/jobindsats/y2/", name).await {
            if set.ends_with("Codes") || set.ends_with("Groups") {
                keys_differ(&app, &set, name).await;
            }
        }
    } else {
        assert_eq!((own.status, own.code().as_str()), (502, "UnusableTable"), "{name}: {}", own.text());
        assert!(
            status.contains("Udeladte målinger") && status.contains("<th scope=\"row\">y2</th>"),
            "{name}: {status}"
        );
    }
}

/// No two rows of a code list have the same key.
async fn keys_differ(app: &CannedApp, set: &str, name: &str) {
    let rows = app.get(&format!("/odata/jobindsats/y2/{set}")).await.rows();
    let key = |row: &Value| row.get("Identifier").unwrap_or(&row["Id"]).to_string();
    let mut keys: Vec<String> = rows.iter().map(key).collect();
    keys.sort();
    let count = keys.len();
    keys.dedup();
    assert_eq!(keys.len(), count, "{name}: {set}: {keys:?}");
}

#[actix_web::test]
async fn one_odd_table_never_breaks_another() {
    let mut failed = Vec::new();
    for (name, odd, is_readable) in oddities() {
        let outcome = AssertUnwindSafe(costs_only_itself(name, odd, is_readable)).catch_unwind().await;
        failed.extend(outcome.is_err().then_some(name));
    }
    assert!(failed.is_empty(), "{failed:?}");
}

/// An address that somebody saved: its column was there, and is no longer.
#[actix_web::test]
async fn a_choice_of_a_column_that_was_lost_is_refused_in_words() {
    let app = app(table("y2")).await;
    let lost = "Andel_i_pct";
    let options = format!("$filter=Periode eq '2026M07'&$select=Periode,{lost}");
    let set = format!("y2/Landet.x?{options}");
    let [workbook, csv] = [("open", ".xlsx"), ("export", ".csv")]
        .map(|(folder, ending)| format!("/{folder}/{}", set.replace(".x", ending)));
    let queries = format!("/open/{}", set.replace(".x", ".m"));
    let choice = options.replace(' ', "%20").replace('&', "%26");
    let collection = format!("/open/samling.tmdl?valg=y2%2FLandet%3F{choice}");
    let [page, builder] = ["", "/byg"].map(|builder| format!("/maaling/y2{builder}?maal={lost}"));
    let served = app.get(&queries).await;
    assert!(served.status == 200 && served.text().contains(lost), "{}", served.text());
    assert_eq!(app.get(&collection).await.status, 200);

    let mut without = table("y2");
    without["mgroups"].as_array_mut().unwrap().pop();
    app.upstream.instead([
        ("/subjects", Canned::ok(json!([]))),
        ("/tables", updated(&["y2"], "2026-09-01")),
        ("/table/y2", Canned::ok(without)),
    ]);
    app.service.state.catalogue.sync(SyncScope::All, 1, |_| {}).await.unwrap();
    for address in [&workbook, &csv, &queries, &collection] {
        let refused = app.get(address).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "UnknownProperty"), "{address}");
        let sentence = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(sentence.contains(lost), "{address}: {sentence}");
    }
    for address in [page, builder] {
        let refused = app.page(&address).await;
        assert_eq!(refused.status, 400, "{address}: {}", refused.text());
        assert!(refused.text().contains(&format!("Valget maal={lost} findes ikke")), "{}", refused.text());
    }
    assert_eq!(app.upstream.count_of("/data/y2"), 0);
}
