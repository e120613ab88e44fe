//! `/status`: what people are told of the service.

use jobindsats_bridge::simulator::Faults;

use crate::pages::{text, visit};
use crate::support::app::App;

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
