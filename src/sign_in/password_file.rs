//! A file with a password on its only line.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use crate::sign_in::secret::{LONGEST, normalised};

/// The most bytes of such a file: the longest password with a byte-order mark before it, and the end of its line and some blanks behind.
const LONGEST_PASSWORD_FILE: usize = LONGEST + 16;

/// Why a file gives no password. What stands in it is not repeated.
#[derive(Debug, Error)]
pub enum PasswordFileError {
    #[error("the file that it names cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("the file holds no password; expected one line of at most {LONGEST} bytes")]
    NoPassword,
}

/// Reads a password as it is compared, without white space around it.
///
/// # Errors
/// When the file cannot be read, or holds anything but one line with a password.
pub(super) fn read(path: &Path) -> Result<SecretString, PasswordFileError> {
    // A pipe may never end, and a device never does.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file").into());
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST_PASSWORD_FILE as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LONGEST_PASSWORD_FILE {
        return Err(PasswordFileError::NoPassword);
    }
    let text: SecretString =
        String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))?.into();
    // Empty if it is too long.
    let password = normalised(text.expose_secret().trim_start_matches('\u{feff}').trim());
    let shown = password.expose_secret();
    if shown.is_empty() || shown.chars().any(char::is_control) {
        return Err(PasswordFileError::NoPassword);
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a file with these bytes.
    fn read_of(bytes: &[u8]) -> Result<String, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        read(file.path())
            .map(|password| password.expose_secret().to_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_password_is_read_as_editors_and_programs_write_it() {
        let longest = "x".repeat(LONGEST);
        for (text, password) in [
            ("kun til Prometheus", "kun til Prometheus"),
            ("kun til Prometheus\n", "kun til Prometheus"),
            (" \tkun til Prometheus \r\n\n", "kun til Prometheus"),
            ("\u{feff}kun til Prometheus\r\n", "kun til Prometheus"),
            ("bla\u{30a}b\u{e6}r\n", "bl\u{e5}b\u{e6}r"),
            (&longest, &longest),
            (&format!("\u{feff}{longest}\r\n"), &longest),
        ] {
            assert_eq!(read_of(text.as_bytes()).as_deref(), Ok(password), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_password_is_refused_and_never_read_as_an_empty_one() {
        for text in [
            String::new(),
            "\n".to_owned(),
            " \t\r\n \n".to_owned(),
            "\u{feff}\r\n".to_owned(),
            "to\nlinjer\n".to_owned(),
            "to\r\nlinjer".to_owned(),
            "hemmelig\0".to_owned(),
            "x".repeat(LONGEST + 1),
            "x".repeat(LONGEST_PASSWORD_FILE),
            "æ".repeat(LONGEST),
            format!("hemmelig{}", " ".repeat(LONGEST_PASSWORD_FILE)),
        ] {
            let told = read_of(text.as_bytes());
            let expected = "the file holds no password; expected one line of at most 1024 bytes";
            assert_eq!(told.unwrap_err(), expected, "{text:?}");
        }
        let latin_1 = read_of(b"bl\xe5b\xe6r\n").unwrap_err();
        assert_eq!(latin_1, "the file that it names cannot be read: it is not UTF-8");
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        for (path, why) in [
            (folder.path(), "it is no regular file"),
            (Path::new("/dev/zero"), "it is no regular file"),
            (&folder.path().join("none"), "No such file"),
        ] {
            let told = read(path).unwrap_err().to_string();
            assert!(
                told.starts_with("the file that it names cannot be read: ") && told.contains(why),
                "{told}"
            );
        }
    }
}
