//! What was learnt about the upstream from its answers, beyond its metadata: labels of totals, refused forms, labels that no
//! metadata lists. Saved in a file for each origin. Also what a probe found, read from the probe's file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::catalogue::id::{HierarchyId, MeasurementId};
use crate::disk;
use crate::fetch::join::RootLabels;
use crate::observe::news::{Announcements, Facts, Informed, Topic};
use crate::store::writer::DiskWriter;
use crate::upstream::dialect::{DIALECT_FILE, Dialect, DialectError};
use crate::upstream::forms::{Form, KnownForms};

/// One of the things that were learnt.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Lesson {
    Root { table: String, hierarchy: String },
    Refused(Form),
    UnknownLabel { table: String, label: String },
}

impl Lessons {
    fn facts(&self) -> Facts {
        let fact =
            |lesson: Lesson, value: &str| Some((serde_json::to_string(&lesson).ok()?, value.to_owned()));
        let roots = self.roots.iter().flat_map(|(table, labels)| {
            labels.iter().filter_map(move |(hierarchy, label)| {
                fact(Lesson::Root { table: table.clone(), hierarchy: hierarchy.clone() }, label)
            })
        });
        let refused = self.refused.iter().filter_map(|form| fact(Lesson::Refused(*form), ""));
        let labels = self.unknown_labels.iter().flat_map(|(table, labels)| {
            labels.iter().filter_map(move |label| {
                fact(Lesson::UnknownLabel { table: table.clone(), label: label.clone() }, "")
            })
        });
        roots.chain(refused).chain(labels).collect()
    }

    fn add(&mut self, lesson: Lesson, value: String) {
        match lesson {
            Lesson::Root { table, hierarchy } => {
                drop(self.roots.entry(table).or_default().insert(hierarchy, value))
            }
            Lesson::Refused(form) => drop(self.refused.insert(form)),
            Lesson::UnknownLabel { table, label } => {
                self.unknown_labels.entry(table).or_default().insert(label);
            }
        }
    }
}

impl Informed for Learnt {
    fn facts(&self) -> Facts {
        self.lessons().facts()
    }

    fn adopt(&self, facts: Facts) {
        self.keep(|lessons| {
            for (lesson, value) in facts {
                if let Ok(lesson) = serde_json::from_str(&lesson) {
                    lessons.add(lesson, value);
                }
            }
        });
    }
}

/// The file in the origin's folder.
pub const FILE: &str = "learnt.json";
/// The version of the file's format; a file of another version is not read.
pub const VERSION: u32 = 1;

/// What was learnt. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Learnt(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    writer: DiskWriter,
    lessons: Mutex<Lessons>,
    announcements: Announcements,
    /// What a probe found, written by another process.
    dialect: Mutex<Dialect>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Lessons {
    /// By table and hierarchy the label that the total bears in answers, where no level lists it.
    #[serde(default)]
    roots: BTreeMap<String, BTreeMap<String, String>>,
    /// Forms of selections that were refused.
    #[serde(default)]
    refused: BTreeSet<Form>,
    /// By table the labels of answers that the table's metadata did not list.
    #[serde(default, alias = "unlisted")]
    unknown_labels: BTreeMap<String, BTreeSet<String>>,
}

impl Learnt {
    /// What the files in the origin's folder hold; nothing, where there is none that can be used.
    #[must_use]
    pub fn open(folder: PathBuf, writer: DiskWriter, announcements: Announcements) -> Self {
        let lessons = disk::read_or_set_aside(&folder.join(FILE), VERSION).unwrap_or_default();
        let (lessons, dialect) = (Mutex::new(lessons), Mutex::default());
        let learnt = Self(Arc::new(Inner { folder, writer, lessons, announcements, dialect }));
        if let Err(error) = learnt.read_dialect() {
            tracing::error!(file = DIALECT_FILE, %error, "what a probe found cannot be used");
        }
        learnt
    }

    /// Reads what a probe found.
    ///
    /// # Errors
    /// When a file is there that cannot be used; it changes nothing.
    pub fn read_dialect(&self) -> Result<(), DialectError> {
        let dialect = Dialect::read(&self.0.folder)?;
        *self.0.dialect.lock().unwrap_or_else(PoisonError::into_inner) = dialect;
        Ok(())
    }

    /// Cells that one request may ask for at that limit of the settings. A service reads it at its start: plans that are under way
    /// were made for the earlier limit.
    #[must_use]
    pub fn cell_limit(&self, set: u64) -> u64 {
        let dialect = self.0.dialect.lock().unwrap_or_else(PoisonError::into_inner);
        dialect.cell_limit.map_or(set, |limit| limit.min(set))
    }

    /// The labels of a table's totals.
    #[must_use]
    pub fn roots(&self, table: &MeasurementId) -> RootLabels {
        let lessons = self.lessons();
        let of_table = lessons.roots.get(table.as_str()).into_iter().flatten();
        of_table.map(|(hierarchy, label)| (HierarchyId::from(hierarchy.as_str()), label.clone())).collect()
    }

    /// Notes the labels of totals.
    pub fn add_roots(&self, table: &MeasurementId, roots: &[(HierarchyId, String)]) {
        if roots.is_empty() {
            return;
        }
        self.change(|lessons| {
            let of_table = lessons.roots.entry(table.to_string()).or_default();
            of_table.extend(roots.iter().map(|(hierarchy, label)| (hierarchy.to_string(), label.clone())));
        });
    }

    /// What is known of forms of selections.
    #[must_use]
    pub fn forms(&self) -> KnownForms {
        let dialect = self.0.dialect.lock().unwrap_or_else(PoisonError::into_inner);
        dialect.forms.without(&self.lessons().refused)
    }

    /// Notes forms that were refused while others were answered.
    pub fn add_refused(&self, forms: &BTreeSet<Form>) {
        self.change(|lessons| lessons.refused.extend(forms));
    }

    /// Whether an answer had that unknown label.
    #[must_use]
    pub fn has_unknown_label(&self, table: &MeasurementId, label: &str) -> bool {
        self.lessons().unknown_labels.get(table.as_str()).is_some_and(|labels| labels.contains(label))
    }

    /// Notes labels that a table's metadata does not list.
    pub fn add_unknown_labels(&self, table: &MeasurementId, labels: impl IntoIterator<Item = String>) {
        self.change(|lessons| {
            let of_table = lessons.unknown_labels.entry(table.to_string()).or_default();
            of_table.extend(labels);
        });
    }

    /// Changes what is known, and tells others of what is new.
    fn change(&self, change: impl FnOnce(&mut Lessons)) {
        let (before, after) = self.keep(change);
        self.0.announcements.tell(Topic::Learnt, || {
            let before: BTreeSet<_> = before.facts().into_iter().collect();
            after.facts().into_iter().filter(|fact| !before.contains(fact)).collect()
        });
    }

    /// Changes what is known, and has it written down if it is other than before. Returns what was known before and after.
    fn keep(&self, change: impl FnOnce(&mut Lessons)) -> (Lessons, Lessons) {
        let mut lessons = self.lessons();
        let before = lessons.clone();
        change(&mut lessons);
        let after = lessons.clone();
        if before != after {
            self.write(after.clone());
        }
        (before, after)
    }

    fn write(&self, lessons: Lessons) {
        let inner = Arc::clone(&self.0);
        self.0.writer.submit(move || {
            if let Err(error) = disk::keep(&inner.folder.join(FILE), VERSION, &lessons) {
                tracing::warn!(file = FILE, %error, "what answers taught cannot be kept");
            }
        });
    }

    fn lessons(&self) -> MutexGuard<'_, Lessons> {
        self.0.lessons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
