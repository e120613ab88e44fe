//! One table, one period type, one hierarchy of each dimension, an area and a format in every request.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::support::app::App;

const QUERIES: [&str; 6] = [
    "y25i01/Data?$filter=Periode ge '2026M05'",
    "y25i14/Observations?$top=5",
    "y01dia02/Data?$filter=Periode eq '2026M05' and Område_id eq 'T'",
    "y30r21/Data?$top=3",
    "y24j/Hovedtal?$top=3",
    "y28a15/Hovedtal?$filter=Periode eq '2026M06'",
];

fn parameters(target: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let query = target.split_once('?').unwrap().1;
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

#[actix_web::test]
async fn every_request_names_its_period_type_an_area_and_its_format() {
    let app = App::start().await;
    for query in QUERIES {
        let answer = app.get(&format!("/odata/jobindsats/{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    }
    let log = app.upstream().requests();
    assert!(log.data >= QUERIES.len() as u64);
    for request in &log.requests {
        let parameters = parameters(&request.target);
        let count = |prefix: &str| parameters.keys().filter(|key| key.starts_with(prefix)).count();
        assert_eq!((count("period."), count("mgroup."), count("format")), (1, 1, 1), "{}", request.target);
        let areas = ["_nykom", "_region", "_hele_landet", "_reko"];
        let named = areas.iter().filter(|id| parameters.contains_key(&format!("hierarchy.{id}"))).count();
        assert_eq!(named, 1, "{}", request.target);
        assert_eq!(parameters["format"], "json");
    }
}

#[actix_web::test]
async fn indicators_of_the_country_alone_name_the_area_too() {
    let app = App::start().await;
    let state = &app.service.state;
    let ids: Vec<_> = state
        .indicators
        .published()
        .snapshot
        .indicators
        .iter()
        .map(|it| it.definition.id.to_string())
        .collect();
    for id in ids {
        assert!(state.indicators.refresh(&id).await, "{id}");
    }
    for request in &app.upstream().requests().requests {
        let areas = ["_nykom", "_region", "_hele_landet", "_reko"];
        let named = areas.iter().any(|id| request.target.contains(&format!("hierarchy.{id}=")));
        assert!(named, "{}", request.target);
    }
}
