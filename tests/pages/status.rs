//! `/status`: what people are told of the service.

use std::fs;
use std::time::Duration;

use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::simulator::{Endpoint, Faults};

use crate::pages::{text, visit};
use crate::support::app::{App, AppOptions, SMALL_INDICATOR, one_indicator};

const FIGURES: &str = "/odata/jobindsats/y07a02/Landet?$filter=Periode eq '2026M06'";

#[actix_web::test]
async fn it_says_in_both_languages_how_fresh_each_measurement_is() {
    let app = App::start().await;
    let before = app.data_requests();
    assert!(text(&visit(&app, "/status", "da").await).contains("Der er ikke hentet tal endnu"));
    assert_eq!(app.data_requests(), before, "it asks nothing");
    assert_eq!(app.get(FIGURES).await.status, 200);
    let danish = visit(&app, "/status", "da").await;
    for part in ["Broen er klar", "Jobindsats er åben", "15. september 2026 kl. 09.00", "juli 2026"] {
        assert!(text(&danish).contains(part), "{part}: {}", text(&danish));
    }
    assert!(danish.text().contains("href=\"./maaling/y07a02\""), "{}", danish.text());
    let english = text(&visit(&app, "/status?sprog=en", "da").await);
    for part in ["The bridge is ready", "Jobindsats is open", "15 September 2026 09:00", "July 2026"] {
        assert!(english.contains(part), "{part}: {english}");
    }
}

#[actix_web::test]
async fn it_says_until_when_the_upstream_is_closed() {
    let app = App::start().await;
    app.pass_until("2026-09-15T20:30:00Z").await;
    let danish = text(&visit(&app, "/status", "da").await);
    assert!(danish.contains("er lukket for kald til 15. september 2026 kl. 23.00"), "{danish}");
    app.pass_until("2026-09-15T21:00:00Z").await;
    assert!(text(&visit(&app, "/status", "da").await).contains("er åben"));
}

#[actix_web::test]
async fn a_failure_leads_to_its_report() {
    let app = App::start().await;
    app.upstream().set_faults(Faults { unauthorized: 1, ..Faults::default() });
    assert_eq!(app.get(FIGURES).await.status, 502);
    let page = visit(&app, "/status", "en").await;
    assert_eq!(page.status, 200);
    assert!(text(&page).contains("Last failure 15 September 2026 09:00"), "{}", text(&page));
    assert!(page.text().contains("<section aria-labelledby=\"fejl\">"));
    assert!(page.text().contains("lang=\"da\">Emne: vedr. fejl"), "the mail is Danish");
    assert!(!page.text().contains("style="), "nothing is styled inline");
    assert!(page.header("content-security-policy").contains("style-src 'self'"));
}

#[actix_web::test]
async fn an_indicator_says_when_it_was_fetched_and_what_failed() {
    let indicators = one_indicator();
    let options = AppOptions::default();
    let settings = BridgeSettings { indicators: Some(indicators.path().to_owned()), ..options.settings };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    let says = async |language: &str, expected: &str| {
        let page = visit(&app, "/status", language).await;
        assert!(page.text().contains(&format!("<th scope=\"row\">{SMALL_INDICATOR}</th>")));
        let expected = format!("{SMALL_INDICATOR} {expected}");
        assert!(text(&page).contains(&expected), "{expected}: {}", text(&page));
    };
    says("da", "aldrig ikke hentet endnu").await;
    says("en", "never not fetched yet").await;
    let refresh = || app.service.state.indicators.refresh(SMALL_INDICATOR);
    app.upstream().set_faults(Faults { server_error: 3, ..Faults::default() });
    assert!(!refresh().await);
    says("da", "aldrig Jobindsats har en fejl: ").await;
    says("en", "never Jobindsats has an error: ").await;
    app.clock.advance(Duration::from_secs(3600));
    assert!(refresh().await);
    says("da", "15. september 2026 kl. 10.00 i orden").await;
}

#[actix_web::test]
async fn a_bridge_without_a_list_and_without_a_disk_says_so() {
    let app = App::start().await;
    let app = app.stopped(|folder| {
        let origin = folder.join("simulator");
        for part in ["catalogue", "cells"] {
            fs::remove_dir_all(origin.join(part)).unwrap();
        }
        fs::write(origin.join("cells"), "a file in the folder's place").unwrap();
    });
    let app = app.await;
    let page = visit(&app, "/status", "da").await;
    assert_eq!(page.status, 200);
    for part in
        ["er ikke klar Listen over målinger er ikke læst hos Jobindsats endnu.", "kB; der kan ikke skrives: "]
    {
        assert!(text(&page).contains(part), "{part}: {}", text(&page));
    }
    app.upstream().set_faults(Faults { unauthorized: 2, endpoint: Endpoint::Any, ..Faults::default() });
    assert!(app.service.state.catalogue.refresh_list().await.is_err());
    let english = text(&visit(&app, "/status", "en").await);
    for part in ["is not ready ", "nothing can be written: ", "the key was refused"] {
        assert!(english.contains(part), "{part}: {english}");
    }
}

/// One reason for all is said once, at the top.
#[actix_web::test]
async fn indicators_that_nobody_can_fetch_do_not_repeat_why() {
    let app = App::start().await;
    let app = app.stopped(|folder| fs::remove_dir_all(folder.join("simulator/catalogue")).unwrap()).await;
    app.upstream().set_faults(Faults { unauthorized: 99, endpoint: Endpoint::Any, ..Faults::default() });
    assert!(app.service.state.catalogue.refresh_list().await.is_err());
    assert!(!app.service.state.indicators.refresh("ledige_personer").await);
    let page = text(&visit(&app, "/status", "da").await);
    assert!(page.contains("ledige_personer aldrig se øverst ledige_fuldtidspersoner"), "{page}");
}
