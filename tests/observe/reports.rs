//! The report of a failed call has what the agency needs: the time, the call, its request_id, and how to repeat it.

use jobindsats_bridge::simulator::Faults;

use crate::support::app::App;

const PATH: &str = "/odata/jobindsats/y25i01/Landet?$filter=Periode eq '2026M06'";

#[actix_web::test]
async fn a_failed_call_is_on_the_status_page_ready_to_mail_and_without_the_key() {
    let app = App::start().await;
    assert!(app.get("/status").await.text().contains("Ingen siden start"));
    app.upstream().set_faults(Faults { unauthorized: 1, ..Faults::default() });
    assert_eq!(app.get(PATH).await.status, 502);
    let page = app.get("/status").await.text();
    for part in [
        "Emne: vedr. fejl på api.jobindsats.dk",
        "mailto:jobindsats@star.dk?subject=vedr%2E%20fejl",
        "15-09-2026 kl. 09:00:00",
        "curl -i -H",
        "/v3/data/y25i01?",
        "401, the key was refused",
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    let report = &app.service.state.reports.newest_first()[0];
    let request_id = report.request_id.clone().unwrap();
    assert_eq!(uuid::Uuid::parse_str(&request_id).unwrap().to_string(), request_id);
    assert!(page.contains(&request_id));
    assert!(!page.contains("noegle"), "the key is shown");
}

#[actix_web::test]
async fn answers_that_do_not_fit_are_reported_like_failures() {
    let app = App::start().await;
    let faults = [
        Faults { html: 1, ..Faults::default() },
        Faults { wrong_columns: 1, ..Faults::default() },
        Faults { wrong_types: 1, ..Faults::default() },
    ];
    for (number, faults) in faults.into_iter().enumerate() {
        app.upstream().set_faults(faults);
        assert_eq!(app.get(PATH).await.status, 502);
        let reports = app.service.state.reports.newest_first();
        assert_eq!(reports.len(), number + 1, "{reports:?}");
        assert!(reports[0].address.contains("/v3/data/y25i01?"), "{reports:?}");
    }
}
