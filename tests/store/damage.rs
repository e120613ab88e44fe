//! Every file of the data folder, damaged in several ways: the service starts, sets the file aside and answers as before.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::simulator::Publish;
use serde_json::Value;

use crate::support::app::{App, AppOptions, Background, SMALL_INDICATOR, one_indicator};

const PATH: &str = "/odata/jobindsats/y25i01/Landet?$filter=Periode ge '2026M01'";
/// If this file is damaged, the service does not start: assigned names never change, so only the operator may delete it.
const NAMES: &str = "names.json";

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    let mut files: Vec<PathBuf> = entries.flat_map(below).collect();
    files.sort();
    files
}

/// The last part of a path; the names of files of cells tell nothing.
fn kind(path: &Path) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    if name.ends_with(".cells") { "cells".to_owned() } else { name.to_owned() }
}

/// The files of a stopped service that has saved data of every kind.
async fn kept(app: App) -> (App, Vec<(PathBuf, Vec<u8>)>) {
    for _ in 0..2 {
        assert_eq!(app.get(PATH).await.status, 200);
    }
    let publish = Publish { table: "y25i01".to_owned(), revise_published: true, ..Publish::default() };
    app.upstream().publish(&publish).unwrap();
    app.clock.advance(Duration::from_secs(1800));
    assert_eq!(app.get(PATH).await.status, 200);
    assert!(app.service.state.indicators.refresh(SMALL_INDICATOR).await);
    app.service.state.indicators.save();
    let mut all = Vec::new();
    let app = app.stopped(|folder| {
        all = files(folder).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    });
    (app.await, all)
}

/// What a figure looks like, whatever is known of when it last changed.
async fn figures(app: &App) -> Vec<Value> {
    let mut rows = app.get(PATH).await.rows();
    rows.iter_mut().for_each(|row| {
        row.as_object_mut().unwrap().remove("Opdateret").unwrap();
    });
    rows
}

type Spoil = fn(&Path, &[u8]);

const SPOILS: [(&str, Spoil); 5] = [
    ("cut in half", |path, whole| fs::write(path, &whole[..whole.len() / 2]).unwrap()),
    ("emptied", |path, _| fs::write(path, "").unwrap()),
    ("one bit flipped", |path, whole| {
        let mut bytes = whole.to_vec();
        bytes[whole.len() * 3 / 4] ^= 1;
        fs::write(path, bytes).unwrap();
    }),
    ("another's", |path, _| fs::write(path, "{\"version\":1}\n[]").unwrap()),
    ("a folder", |path, _| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    }),
];

#[actix_web::test]
async fn whatever_happens_to_a_file_costs_no_answer() {
    let indicators = one_indicator();
    let settings =
        BridgeSettings { indicators: Some(indicators.path().to_owned()), ..AppOptions::default().settings };
    let background = Background::ReadAhead;
    let (mut app, all) =
        kept(App::with(AppOptions { settings, background, ..AppOptions::default() }).await).await;
    let kinds: BTreeSet<String> = all.iter().map(|(path, _)| kind(path)).collect();
    let expected = [
        "cells",
        "indicators.json",
        "lock",
        NAMES,
        "revisions.json",
        "subjects.json",
        "tables.json",
        "uses.json",
        "y25i01.json",
        "y25i03.json",
    ];
    assert_eq!(kinds, expected.map(str::to_owned).into(), "a new kind of file is to be tried as well");
    let expected = figures(&app).await;
    let spoilt = all.iter().filter(|(path, _)| !["lock", NAMES].contains(&kind(path).as_str()));
    for (path, whole) in spoilt {
        for (name, spoil) in SPOILS {
            app = app
                .stopped(|folder| {
                    fs::remove_dir_all(folder.join("simulator")).unwrap();
                    for (path, whole) in &all {
                        fs::create_dir_all(path.parent().unwrap()).unwrap();
                        fs::write(path, whole).unwrap();
                    }
                    spoil(path, whole);
                })
                .await;
            // As the background does at the start.
            app.service.state.catalogue.refresh_list().await.unwrap();
            assert_eq!(figures(&app).await, expected, "{}: {name}", path.display());
            let aside = PathBuf::from(format!("{}.damaged", path.display()));
            // Cells of a revision that is not requested may stay on disk.
            assert!(aside.exists() || kind(path) == "cells", "{}: {name}", path.display());
        }
    }
}
