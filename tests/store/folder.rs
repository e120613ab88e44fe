//! The store's files: restarts, budgets, damaged and foreign files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow_schema::DataType;
use jobindsats_bridge::catalogue::id::{MeasureId, MeasurementId};
use jobindsats_bridge::observe::store_observer::StoreObserver;
use jobindsats_bridge::store::CellStore;
use jobindsats_bridge::store::block::{Revision, SharedBlock};
use jobindsats_bridge::store::key::CellKey;
use jobindsats_bridge::store::tiered::TieredStore;
use jobindsats_bridge::store::writer::DiskWriter;

use super::blocks::{block, key, revision, table};
use crate::support::patience::within;

const MEGABYTE: usize = 1024 * 1024;

#[derive(Debug, Default)]
struct Counts {
    evicted: AtomicUsize,
    damaged: AtomicUsize,
}

impl StoreObserver for Counts {
    fn store_request(&self, _: bool) {}
    fn stale_served(&self) {}
    fn evicted(&self, blocks: usize) {
        self.evicted.fetch_add(blocks, Ordering::Relaxed);
    }
    fn damaged_file(&self) {
        self.damaged.fetch_add(1, Ordering::Relaxed);
    }
    fn disk_writable(&self, _: bool) {}
    fn figures_revised(&self, _: usize) {}
}

fn open(folder: &Path, memory_bytes: usize) -> (TieredStore, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let writer = DiskWriter::start().unwrap();
    let disk_bytes = 4 * memory_bytes as u64;
    (
        TieredStore::open(folder.to_owned(), "simulator", memory_bytes, disk_bytes, writer, counts.clone()),
        counts,
    )
}

/// The one block that holds all of a key.
async fn find(store: &TieredStore, revision: Revision, key: &CellKey) -> Option<SharedBlock> {
    let found = store.find(&table(), revision, key, None).await;
    assert!(!found.is_complete || found.blocks.len() == 1, "{} blocks", found.blocks.len());
    found.is_complete.then(|| found.blocks[0].1.clone())
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let tables = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = tables.flat_map(|table| fs::read_dir(table.path()).into_iter().flatten().flatten());
    let mut files: Vec<PathBuf> = files.map(|file| file.path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == ending));
    files.sort();
    files
}

#[tokio::test]
async fn a_block_comes_back_after_a_restart_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let stored = block("2026M01", &["T", "1", "2.4"], revision(7), 0);
    let (store, _) = open(folder.path(), MEGABYTE);
    store.insert(&table(), key("2026M01", &["T", "1", "2.4"]), stored.clone());
    store.flush().await;
    let (store, _) = open(folder.path(), MEGABYTE);
    assert_eq!(store.revisions(&table()).await, [revision(7)]);
    assert_eq!((store.size().blocks, store.size().disk_blocks), (0, 1), "only listed at the start");
    let found = find(&store, revision(7), &key("2026M01", &["1"])).await.unwrap();
    assert_eq!(*found, stored);
    assert_eq!(store.size().blocks, 1);
    assert!(find(&store, revision(8), &key("2026M01", &["1"])).await.is_none());
    assert!(find(&store, revision(7), &key("2026M01", &["3"])).await.is_none());
}

#[tokio::test]
async fn what_a_newer_block_covers_and_what_a_third_revision_replaces_leaves_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path(), MEGABYTE);
    store.insert(&table(), key("2026M01", &["1"]), block("2026M01", &["1"], revision(0), 0));
    store.insert(&table(), key("2026M01", &["1", "2"]), block("2026M01", &["1", "2"], revision(0), 1));
    store.flush().await;
    assert_eq!(files(folder.path(), "cells").len(), 1);
    for counter in [1, 2] {
        let newer = block("2026M02", &["1"], revision(counter), i64::from(counter) + 1);
        store.insert(&table(), key("2026M02", &["1"]), newer);
    }
    store.flush().await;
    assert_eq!(store.revisions(&table()).await, [revision(2), revision(1)]);
    assert_eq!(files(folder.path(), "cells").len(), 2);
}

#[tokio::test]
async fn no_spoilt_file_is_taken_for_figures() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path(), MEGABYTE);
    store.insert(&table(), key("2026M01", &["T", "1"]), block("2026M01", &["T", "1"], revision(0), 0));
    store.flush().await;
    let path = files(folder.path(), "cells").remove(0);
    let whole = fs::read(&path).unwrap();
    let mut spoilt: Vec<Vec<u8>> =
        (0..whole.len()).step_by(97).map(|length| whole[..length].to_vec()).collect();
    let flips = (0..whole.len()).step_by(13).chain(0..24);
    spoilt.extend(flips.map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        bytes
    }));
    spoilt.push([whole.as_slice(), b"x"].concat());
    for bytes in spoilt {
        fs::write(&path, &bytes).unwrap();
        let (store, counts) = open(folder.path(), MEGABYTE);
        assert!(find(&store, revision(0), &key("2026M01", &["T"])).await.is_none());
        assert_eq!(counts.damaged.load(Ordering::Relaxed), 1);
        assert!(!path.exists());
        assert_eq!(files(folder.path(), "damaged").len(), 1);
        assert_eq!(store.size().disk_blocks, 0, "what was set aside is as if it had never been stored");
    }
    fs::write(&path, &whole).unwrap();
    let (store, counts) = open(folder.path(), MEGABYTE);
    assert!(find(&store, revision(0), &key("2026M01", &["T"])).await.is_some());
    assert_eq!(counts.damaged.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn files_of_another_table_another_origin_or_another_program_are_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path(), MEGABYTE);
    store.insert(&table(), key("2026M01", &["1"]), block("2026M01", &["1"], revision(0), 0));
    store.flush().await;
    let path = files(folder.path(), "cells").remove(0);
    let other = folder.path().join("y01a02");
    fs::create_dir(&other).unwrap();
    fs::copy(&path, other.join("moved.cells")).unwrap();
    fs::write(other.join("notes.txt"), "mine").unwrap();
    fs::write(other.join("half.cells.new"), "what a crash left").unwrap();
    let (store, counts) = open(folder.path(), MEGABYTE);
    assert_eq!(store.revisions(&MeasurementId::from("y01a02")).await, []);
    assert_eq!(counts.damaged.load(Ordering::Relaxed), 2);
    assert_eq!(files(folder.path(), "damaged").len(), 2);
    assert_eq!(files(folder.path(), "new").len(), 0);
    let counts = Arc::new(Counts::default());
    let writer = DiskWriter::start().unwrap();
    let real = TieredStore::open(
        folder.path().to_owned(),
        "api.jobindsats.dk_v3",
        MEGABYTE,
        MEGABYTE as u64,
        writer,
        counts,
    );
    assert_eq!(real.revisions(&table()).await, [], "nothing of one origin answers for another");
}

#[tokio::test]
async fn a_disk_that_refuses_costs_nothing_but_the_next_start() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("cells");
    fs::write(&folder, "a file in the folder's place").unwrap();
    let (store, _) = open(&folder, MEGABYTE);
    assert!(store.problem().is_some(), "known from the start");
    store.insert(&table(), key("2026M01", &["1"]), block("2026M01", &["1"], revision(0), 0));
    store.flush().await;
    assert!(find(&store, revision(0), &key("2026M01", &["1"])).await.is_some());
    assert!(store.problem().is_some());
    fs::remove_file(&folder).unwrap();
    store.insert(&table(), key("2026M02", &["1"]), block("2026M02", &["1"], revision(0), 1));
    store.flush().await;
    assert_eq!(store.problem(), None, "the disk is tried again with every block");
    assert_eq!(store.size().disk_blocks, 1);
}

#[tokio::test]
async fn memory_and_disk_stay_within_their_budgets() {
    let folder = tempfile::tempdir().unwrap();
    let members: Vec<String> = (0..500).map(|id| id.to_string()).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let one = block("2026M01", &members, revision(0), 0).size_bytes();
    let (store, counts) = open(folder.path(), 3 * one);
    for number in 0..60 {
        let period = format!("2026M{number:02}");
        store.insert(&table(), key(&period, &members), block(&period, &members, revision(0), number));
        store.flush().await;
        assert!(store.size().bytes <= 3 * one, "{:?}", store.size());
        assert!(store.size().disk_bytes <= 12 * one as u64, "{:?}", store.size());
    }
    let on_disk: u64 =
        files(folder.path(), "cells").iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert_eq!(on_disk, store.size().disk_bytes);
    assert!(counts.evicted.load(Ordering::Relaxed) > 50);
    assert!(find(&store, revision(0), &key("2026M59", &["7"])).await.is_some());
    assert!(find(&store, revision(0), &key("2026M00", &["7"])).await.is_none());
    let kept = store.size().disk_blocks;
    assert!(kept > store.size().blocks, "disk holds more than memory: {:?}", store.size());
    let oldest = 60 - kept;
    let period = format!("2026M{oldest:02}");
    assert!(find(&store, revision(0), &key(&period, &["7"])).await.is_some(), "read back from disk");
}

#[tokio::test]
async fn a_thousand_files_are_listed_in_a_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path(), MEGABYTE);
    let places: Vec<String> = (0..100).map(|id| format!("2.{id}")).collect();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    store.insert(&table(), key("2026M01", &places), block("2026M01", &places, revision(0), 0));
    store.flush().await;
    let path = files(folder.path(), "cells").remove(0);
    for number in 0..1000 {
        fs::copy(&path, path.with_file_name(format!("{number}.cells"))).unwrap();
    }
    let (store, _) = within(Duration::from_secs(5), || open(folder.path(), MEGABYTE));
    assert_eq!(store.size().disk_blocks, 1, "one of many with the same cells");
    assert_eq!(store.size().blocks, 0);
}

/// A copy of the folder that a program of that form wrote.
fn of_form(form: u32) -> tempfile::TempDir {
    let written = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/store/forms/{form}"));
    let folder = tempfile::tempdir().unwrap();
    for file in files(&written, "cells") {
        let table = folder.path().join(file.parent().unwrap().file_name().unwrap());
        fs::create_dir_all(&table).unwrap();
        fs::copy(&file, table.join(file.file_name().unwrap())).unwrap();
    }
    folder
}

/// The form that is written now. `UPDATE_FORMS=1` writes a folder of it, from that of the first form.
const NEWEST_FORM: u32 = 2;

async fn write_newest_form() {
    let first = of_form(1);
    let (old, _) = open(first.path(), MEGABYTE);
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/store/forms/{NEWEST_FORM}"));
    let (new, _) = open(&folder, MEGABYTE);
    let all = CellKey { measures: ["m", "m1"].map(MeasureId::from).into(), ..key("2026M01", &["T", "1"]) };
    for (key, block) in old.overlapping(&table(), &all).await {
        new.insert(&table(), (*key).clone(), (*block).clone());
    }
    new.flush().await;
}

#[tokio::test]
async fn files_of_every_form_are_read() {
    if std::env::var_os("UPDATE_FORMS").is_some() {
        write_newest_form().await;
    }
    for form in 1..=NEWEST_FORM {
        let folder = of_form(form);
        let (store, counts) = open(folder.path(), MEGABYTE);
        assert_eq!(store.revisions(&table()).await, [revision(37_800), revision(0)], "form {form}");
        let found = find(&store, revision(0), &key("2026M01", &["1"])).await.unwrap();
        assert_eq!(*found, block("2026M01", &["T", "1"], revision(0), 0), "form {form}");
        let measures = ["m1", "m2"].map(MeasureId::from);
        let wide = CellKey { measures: measures.clone().into(), ..key("2026M02", &["1", "2"]) };
        let found = find(&store, revision(37_800), &wide).await.unwrap();
        assert_eq!(found.row_count(), 6, "rows under a label without a member among them");
        assert!(found.holds_unknown(), "form {form}");
        let figures = measures.map(|measure| found.figures(&measure).unwrap().iter().collect::<Vec<_>>());
        let one = 1_000_000_000_000_000_000_i128;
        assert_eq!(
            figures,
            [
                vec![Some(12 * one), None, Some(3 * one), Some(-4 * one), Some(0), Some(one / 2)],
                vec![
                    Some(one / 1000),
                    Some(99_999_999_999_999_999 * one),
                    None,
                    Some(1),
                    Some(7 * one / 100),
                    None
                ],
            ],
            "form {form}"
        );
        let types: Vec<_> =
            found.cells.schema().fields()[3..].iter().map(|field| field.data_type().clone()).collect();
        assert_eq!(types, [DataType::Decimal64(18, 1), DataType::Decimal128(38, 18)], "form {form}");
        assert_eq!(counts.damaged.load(Ordering::Relaxed), 0, "form {form}");
    }
}

#[test]
fn a_name_from_outside_leads_to_no_other_folder() {
    for name in ["../../evil", "..", ".", "/etc/passwd", "a/b", "a\\b", "nul\0", ""] {
        let plain = jobindsats_bridge::disk::plain_name(name);
        assert!(
            plain.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '%'),
            "{name}: {plain}"
        );
    }
}
