//! If a table is stored, no query of it sends a request.

use fastrand::Rng;
use jobindsats_bridge::feed::RowSource;
use jobindsats_bridge::feed::column::Fact;

use super::queries::query;
use crate::support::app::App;

/// Quarters and years of two measures by area, and months with parts.
const TABLES: [&str; 2] = ["y10g01", "y25i04"];

#[actix_web::test]
async fn a_stored_table_answers_whatever_the_measures_the_order_and_the_cut() {
    let app = App::start().await;
    let mut rng = Rng::with_seed(12);
    for table in TABLES {
        let feed = app.service.state.feeds.table(table).await.unwrap();
        let sets: Vec<_> = feed.sets.iter().filter(|set| matches!(set.rows, RowSource::Cells(_))).collect();
        let cube = sets.iter().find(|set| set.name == "Data").unwrap();
        let figures = cube.columns.iter().filter(|column| matches!(column.fact, Fact::Measure(_)));
        for figure in figures {
            // With an order by a figure every row of the table is read.
            let path = format!("/odata/jobindsats/{table}/Data?$orderby={}&$top=1", figure.name);
            assert_eq!(app.get(&path).await.status, 200, "{path}");
        }
        let asked = app.data_requests();
        for _ in 0..60 {
            let set = *rng.choice(&sets).unwrap();
            let RowSource::Cells(source) = &set.rows else { unreachable!() };
            let query = query(&mut rng, table, set, source);
            assert_eq!(app.get(&query.path).await.status, 200, "{}", query.path);
            assert_eq!(app.data_requests(), asked, "{}", query.path);
        }
    }
}
