//! What can keep the service from its work or a part of it, as it is told on `/readyz`, on `/status` and to the service manager. Which
//! reasons hold is found out by `web/readiness.rs`.
//!
//! Everybody may read this, so a reason is one of a fixed list, in words of this program's own.

use std::fmt::Write as _;

/// What keeps the service from its work or a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Stopping,
    CatalogueNotRead,
    KeyRefused,
    UpstreamAway,
    DiskNotWritable,
    NamesNotSaved,
    SettingsNotRead,
    PeersAway,
    TaskPanicked,
}

/// How a reason is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// It never changes, so that programs can rely on it.
    pub code: &'static str,
    /// Whether the service is not ready because of it; otherwise it only lacks something.
    pub prevents: bool,
    pub danish: &'static str,
    pub english: &'static str,
}

impl Reason {
    /// Every reason, those that keep the service from all its work first.
    pub const ALL: [Self; 9] = [
        Self::Stopping,
        Self::CatalogueNotRead,
        Self::KeyRefused,
        Self::UpstreamAway,
        Self::DiskNotWritable,
        Self::NamesNotSaved,
        Self::SettingsNotRead,
        Self::PeersAway,
        Self::TaskPanicked,
    ];

    /// How it is told.
    #[must_use]
    pub fn told(self) -> Told {
        let (prevents, code, danish, english) = match self {
            Self::Stopping => (true, "Stopping", "Broen er ved at stoppe.", "The service is stopping."),
            Self::CatalogueNotRead => (
                true,
                "CatalogueNotRead",
                "Listen over målinger er ikke læst hos Jobindsats endnu.",
                "The list of tables has not been read from the upstream yet.",
            ),
            Self::KeyRefused => (
                false,
                "KeyRefused",
                "Jobindsats afviser nøglen; bed om en gyldig, og læg den i filen i JOBINDSATS_API_KEY_FILE.",
                "The upstream refuses the key; ask for a valid one, and put it into the file of JOBINDSATS_API_KEY_FILE.",
            ),
            Self::UpstreamAway => (
                false,
                "UpstreamAway",
                "Jobindsats kan ikke spørges netop nu; gemte tal kan læses, og andre hentes, når der er svar igen.",
                "The upstream cannot be asked at present; stored figures can be read, and others once it answers again.",
            ),
            Self::DiskNotWritable => (
                false,
                "DiskNotWritable",
                "Der kan ikke skrives i BRIDGE_DATA_DIR; det, der hentes nu, er væk efter en genstart.",
                "Nothing can be written to BRIDGE_DATA_DIR; what is fetched now is gone after a restart.",
            ),
            Self::NamesNotSaved => (
                false,
                "NamesNotSaved",
                "Nye navne på sæt og kolonner kan ikke gemmes; efter en genstart kan de være nogle andre.",
                "New names of sets and columns cannot be saved; after a restart they may be others.",
            ),
            Self::SettingsNotRead => (
                false,
                "SettingsNotRead",
                "En fil, der blev læst igen, kan ikke bruges; det, der gjaldt før, gælder stadig, og broens log siger hvorfor.",
                "A file that was read again cannot be used; what it said before still holds, and the log says why.",
            ),
            Self::PeersAway => (
                false,
                "PeersAway",
                "De andre broer kan ikke nås gennem BRIDGE_REDIS_URL; denne går videre alene med sin del af grænserne.",
                "The other bridges cannot be reached through BRIDGE_REDIS_URL; this one goes on alone, with its part of the limits.",
            ),
            Self::TaskPanicked => (
                false,
                "TaskPanicked",
                "En fejl i broen har afbrudt arbejde i baggrunden, som er begyndt forfra; sig det til dem, der udvikler den.",
                "A defect of the program ended work in the background, which was started again; please report it.",
            ),
        };
        Told { code, prevents, danish, english }
    }
}

/// Whether the service can do its work, whatever else it lacks.
#[must_use]
pub fn is_ready(reasons: &[Reason]) -> bool {
    !reasons.iter().any(|reason| reason.told().prevents)
}

/// The same as one line for people.
#[must_use]
pub fn summary(reasons: &[Reason]) -> String {
    let mut line = if is_ready(reasons) { "Ready." } else { "Not ready." }.to_owned();
    for reason in reasons {
        let _ = write!(line, " {}", reason.told().english);
    }
    line
}
