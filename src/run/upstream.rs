//! Which upstream a command calls: the databank with a key, or a simulator without.

use std::error::Error;

use crate::feed::origin::Origin;
use crate::service::UpstreamChoice;
use crate::settings::key::ApiKey;
use crate::settings::{Settings, UpstreamSettings};
use crate::simulator::{self, Simulator, SimulatorOptions};
use crate::upstream::retry::Retry;

const SIMULATOR: &str = "simulator";
/// The key that is sent to the built-in simulator, which accepts any key.
const SIMULATOR_KEY: &str = "simulator";
const SIMULATED: &str =
    "Tallene kommer fra en simulator: offentliggjorte tal, hvor de kendes, ellers opdigtede.";

/// The upstream from the settings. Without a key: the simulator at the given address, or one started here on a free loopback port.
pub(super) async fn choose_upstream(
    settings: &Settings,
    running: Option<String>,
) -> Result<(UpstreamChoice, Option<Simulator>), Box<dyn Error>> {
    match (&settings.upstream, running) {
        (UpstreamSettings::Api { .. }, Some(_)) => {
            Err("--simulator is given, and a key is set; keep one".into())
        }
        (UpstreamSettings::Api { url, key, key_file }, None) => {
            let folder = origin_name(url);
            let origin = Origin { name: folder.clone(), is_simulator: false, description: None };
            let (url, key, key_file) = (url.clone(), Some(key.clone()), key_file.clone());
            let retry = Retry::default();
            Ok((UpstreamChoice { origin, folder, url, key, key_file, closed_hour: true, retry }, None))
        }
        (UpstreamSettings::Simulator, Some(url)) => Ok((simulated(url), None)),
        (UpstreamSettings::Simulator, None) => {
            let options = SimulatorOptions {
                closed_hour: false,
                follows_clock: true,
                workers: 2,
                ..SimulatorOptions::default()
            };
            let simulator = simulator::start(options).await?;
            tracing::warn!("no key is set: the built-in simulator answers");
            Ok((simulated(simulator.url()), Some(simulator)))
        }
    }
}

fn simulated(url: String) -> UpstreamChoice {
    let origin =
        Origin { name: SIMULATOR.to_owned(), is_simulator: true, description: Some(SIMULATED.to_owned()) };
    let folder = format!("{SIMULATOR}-{}", simulator::edition());
    let (key, retry) = (Some(ApiKey::well_known(SIMULATOR_KEY)), Retry::default());
    UpstreamChoice { origin, folder, url, key, key_file: None, closed_hour: false, retry }
}

/// `https://api.jobindsats.dk/v3` → `api.jobindsats.dk_v3`: a folder of its own for each upstream.
fn origin_name(url: &str) -> String {
    let bare = url.split_once("://").map_or(url, |(_, rest)| rest);
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || letter == '.' || letter == '-' { letter } else { '_' }
    };
    bare.trim_matches('/').chars().map(plain).collect()
}
