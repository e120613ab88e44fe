//! What one request may compute: however long its texts grow and however expensive its conditions are, it ends with an error, and no
//! other request waits.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::support::app::{App, AppOptions};
use crate::support::patience::PATIENCE;

const ROOT: &str = "/odata/jobindsats/y25i01";

/// `concat(c0,c0) as c1`, and so on.
fn doubled(terms: usize, separator: &str) -> String {
    let term = |term: usize| match term {
        0 => "concat(Område,Område) as c0".to_owned(),
        _ => format!("concat(c{0},c{0}) as c{term}", term - 1),
    };
    (0..terms).map(term).collect::<Vec<_>>().join(separator)
}

/// `@a0=concat(@a1,@a1)`, and so on.
fn aliases(depth: usize) -> String {
    let alias = |depth: usize| format!("&@a{depth}=concat(@a{0},@a{0})", depth + 1);
    let doubled: String = (0..depth).map(alias).collect();
    format!("{doubled}&@a{depth}=concat(Område,Periode)")
}

#[actix_web::test]
async fn texts_that_grow_with_every_step_are_refused_before_anything_is_fetched() {
    let app = App::start().await;
    let steps = doubled(24, ")/compute(");
    let mixed = (1..20).map(|n| format!(")/compute(toupper(concat(d{0},tolower(d{0}))) as d{n}", n - 1));
    let mixed: String = mixed.collect();
    let cases = [
        format!("Hovedtal?$apply=compute({steps})"),
        format!("Hovedtal?$apply=filter(Periode ge '2020M01')/compute({steps})/filter(length(c23) gt 5)"),
        format!("Hovedtal?$apply=compute({steps})/groupby((c23))"),
        format!("Hovedtal?$apply=compute({steps})/topcount(5,length(c23))"),
        format!("Hovedtal?$apply=compute({steps})&$orderby=c23"),
        format!("Hovedtal?$apply=compute({steps})/aggregate(c23 with max as longest)"),
        format!("Hovedtal?$apply=compute(concat(Område,Periode) as d0{mixed})"),
        format!("Hovedtal?$compute={}&$select=Periode,c13", doubled(14, ",")),
        format!("Hovedtal?$compute={}&$filter=contains(c12,'x')", doubled(13, ",")),
        format!("Hovedtal?$compute={}&$orderby=c12", doubled(13, ",")),
        format!("Hovedtal?$filter=contains(@a0,'x'){}", aliases(13)),
        format!("Hovedtal?$filter=startswith(case(Periode gt '2':@a0,true:'x'),'x'){}", aliases(13)),
        format!("Hovedtal?$orderby=@a0{}", aliases(13)),
        format!("Hovedtal?$orderby=length(@a0) desc{}", aliases(13)),
        format!("Hovedtal?$apply=filter(contains(@a0,'x'))/groupby((Periode)){}", aliases(13)),
        format!("Hovedtal/$count?$filter=contains(@a0,'x'){}", aliases(13)),
    ];
    for case in cases {
        let answer = app.get(&format!("{ROOT}/{case}")).await;
        assert!(
            ["TooMuchWork", "ExpressionTooLarge"].contains(&answer.code().as_str()),
            "{}: {case}",
            answer.text()
        );
        assert_eq!((answer.status, app.data_requests()), (400, 0), "{case}");
    }
    let metrics = app.get("/metrics").await.text();
    assert!(!metrics.contains("jobindsats_bridge_answers_too_much_work_total 0"), "{metrics}");
}

#[actix_web::test]
async fn texts_that_are_long_from_the_start_are_refused_before_anything_is_fetched() {
    let app = App::start().await;
    let long = format!("'{}'", "x".repeat(30_000));
    let half = format!("'{}'", "x".repeat(9_000));
    let copies: Vec<String> = (0..15).map(|copy| format!("c0 as d{copy}")).collect();
    for case in [
        format!("Hovedtal?$compute={long} as c0"),
        format!("Hovedtal?$compute=@a as c0,@a as c1&@a={long}"),
        format!("Hovedtal?$compute=case(Periode gt '2':{long},true:'x') as c0"),
        format!("Hovedtal?$apply=compute({long} as c0)/groupby((c0,Periode))"),
        format!("Hovedtal?$apply=compute({half} as c0)/compute({})/aggregate($count as n)", copies.join(",")),
        format!("Hovedtal?$orderby=concat(Område,{long})&$top=1"),
        format!("Hovedtal?$filter=case(Antal_ledige_personer gt 1:@a,true:'x') ne Periode&$top=1&@a={long}"),
        format!("Data?$compute={long} as c0"),
    ] {
        let answer = app.get(&format!("{ROOT}/{case}")).await;
        let short = &case[..40];
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "TooMuchWork"),
            "{short}: {}",
            answer.text()
        );
        assert_eq!(app.data_requests(), 0, "{short}");
    }
}

#[actix_web::test]
async fn long_texts_of_expanded_rows_are_refused_before_they_are_copied() {
    let app = App::start().await;
    let long = "x".repeat(60_000);
    let case = format!(
        "{ROOT}/OmrådeCodes?$expand=Observations($filter=Periode ge '2026MM01' and Periode le '2026MM09' and Ydelsesgrupper eq 'T' and Køn eq 'T' and Alder eq 'T' and Herkomst eq 'T' and A_kasse eq 'T';$compute='{long}' as c)"
    );
    let answer = app.get(&case).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(["TooMuchWork", "BeyondBudget"].contains(&answer.code().as_str()), "{}", answer.text());
}

#[actix_web::test]
async fn texts_of_ordinary_length_are_written() {
    let app = App::start().await;
    for case in [
        "Hovedtal?$apply=compute(concat(Område,Periode) as a)/compute(concat(a,a) as b)&$top=1",
        "Hovedtal?$filter=contains(toupper(concat(Område,Periode)),'2026')&$orderby=concat(Periode,Område)&$top=1",
        "Hovedtal?$compute=concat(Område,Periode) as a,concat(a,a) as b&$top=1",
    ] {
        assert_eq!(app.get(&format!("{ROOT}/{case}")).await.status, 200, "{case}");
    }
}

/// A condition that takes seconds over all rows of a set, and is within every limit that is known before.
fn dear(pattern: bool) -> String {
    let of_pattern = ["matchesPattern(concat(Område,Periode),'(x+x+)+y|((a|b)*c){20}')"; 20].join(" or ");
    let of_terms = ["indexof(Område,Periode) gt 5"; 20].join(" or ");
    let uses = vec!["@a"; if pattern { 2 } else { 100 }].join(" or ");
    format!("{ROOT}/Hovedtal/$count?$filter={uses}&@a={}", if pattern { of_pattern } else { of_terms })
}

#[actix_web::test]
async fn a_request_ends_when_it_has_used_its_processor_time() {
    let processor_time = Duration::from_millis(300);
    let app = App::with(AppOptions { processor_time, ..AppOptions::default() }).await;
    for pattern in [false, true] {
        let dear = dear(pattern);
        let answer = tokio::time::timeout(PATIENCE, app.get(&dear)).await.expect("it ends");
        assert_eq!((answer.status, answer.code().as_str()), (400, "TooMuchWork"), "{}", answer.text());
    }
    let metrics = app.get("/metrics").await.text();
    assert!(metrics.contains("jobindsats_bridge_answers_too_much_work_total 2"), "{metrics}");
}

#[actix_web::test]
async fn all_parts_of_a_batch_share_one_processor_time() {
    let app =
        App::with(AppOptions { processor_time: Duration::from_millis(300), ..AppOptions::default() }).await;
    let part = |id: usize| serde_json::json!({ "id": id.to_string(), "method": "GET", "url": if id == 0 { dear(false) } else { format!("{ROOT}/Landet?$top=1&$filter=Periode gt '2'") } });
    let body = serde_json::json!({ "requests": [part(0), part(1)] }).to_string().into_bytes();
    let headers = [("Content-Type", "application/json"), ("Prefer", "continue-on-error")];
    let answer = app.post("/odata/$batch", &headers, body).await.json();
    assert_eq!(answer["responses"][0]["body"]["error"]["code"], "TooMuchWork", "{answer}");
    assert_eq!(answer["responses"].as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn nobody_waits_for_dear_requests() {
    let processor_time = Duration::from_secs(1);
    let app = App::with(AppOptions { processor_time, ..AppOptions::default() }).await;
    let small = format!("{ROOT}/Landet?$filter=Periode eq '2026M06'");
    assert_eq!(app.get(&small).await.status, 200);
    assert_eq!(app.get(&format!("{ROOT}/Hovedtal/$count")).await.status, 200);
    let dear = dear(false);
    let dear = join_all((0..6).map(|_| app.get(&dear)));
    let innocent = async {
        let (mut health, mut question) = (Vec::new(), Vec::new());
        for _ in 0..11 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            for (path, times) in [("/healthz", &mut health), (small.as_str(), &mut question)] {
                let started = Instant::now();
                assert_eq!(app.get(path).await.status, 200);
                times.push(started.elapsed());
            }
        }
        [health, question].map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2]
        })
    };
    let (answers, [health, question]) = futures_util::future::join(dear, innocent).await;
    assert!(
        answers.iter().all(|answer| answer.code() == "TooMuchWork"),
        "{:?}",
        answers.iter().map(|answer| answer.text()).collect::<Vec<_>>()
    );
    // Medians: a single answer may be late because of what else the machine does.
    assert!(health < Duration::from_millis(500), "{health:?}");
    assert!(question < Duration::from_secs(2), "{question:?}");
}
