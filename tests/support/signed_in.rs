//! A service with users.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::sign_in::name::UserName;
use jobindsats_bridge::sign_in::reader::Tables;
use jobindsats_bridge::sign_in::secret::{KeyHash, PasswordHash, generate_key};
use jobindsats_bridge::sign_in::users_file::{self, Secret};
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

use crate::support::app::{Answer, App, AppOptions};

pub const PASSWORD: &str = "rød: grød æ";
pub const SCRAPE_PASSWORD: &str = "kun til Prometheus";

/// A service with users: `anne` with a password reads everything, `bo` with a key two tables, `ingen` with a key one that there is not.
pub struct SignedIn {
    pub app: App,
    pub key: String,
    pub other_key: String,
    pub folder: TempDir,
}

pub fn basic(name: &str, password: &[u8]) -> String {
    format!("Basic {}", STANDARD.encode([name.as_bytes(), b":", password].concat()))
}

fn add_key(path: &Path, name: &str, tables: &str) -> String {
    let (key, tables) = (generate_key().unwrap(), users_file::read_tables(tables).unwrap());
    users_file::add(path, UserName::new(name).unwrap(), &Secret::Key(KeyHash::of(&key)), &tables).unwrap();
    key.expose_secret().to_owned()
}

fn add_password(path: &Path, name: &str, password: &str) {
    let password: SecretString = password.to_owned().into();
    let secret = Secret::Password(PasswordHash::new(&password).unwrap());
    users_file::add(path, UserName::new(name).unwrap(), &secret, &Tables::All).unwrap();
}

impl SignedIn {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut AppOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (users, metrics) = (folder.path().join("users"), folder.path().join("metrics"));
        add_password(&users, "anne", PASSWORD);
        let key = add_key(&users, "bo", "y25i01,Y30R21");
        let other_key = add_key(&users, "ingen", "y99x99");
        std::fs::write(&metrics, format!("{SCRAPE_PASSWORD}\n")).unwrap();
        let mut options = AppOptions::default();
        options.settings = BridgeSettings {
            users_file: Some(users),
            metrics_password_file: Some(metrics),
            ..options.settings
        };
        change(&mut options);
        Self { app: App::with(options).await, key, other_key, folder }
    }

    pub fn users(&self) -> PathBuf {
        self.folder.path().join("users")
    }

    /// Asks as somebody who has the password.
    pub async fn anne(&self, path: &str) -> Answer {
        self.app.get_with(path, &[("Authorization", &basic("anne", PASSWORD.as_bytes()))]).await
    }

    /// Asks with a key as the password.
    pub async fn keyed(&self, key: &str, path: &str) -> Answer {
        self.app.get_with(path, &[("Authorization", &basic("", key.as_bytes()))]).await
    }
}
