//! References to secrets. The configuration says where a secret lies, never what it is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

/// Where a secret lies: `env:NAME` (an environment variable) or `file:/path` (a file's content, without the line
/// breaks at its end). It is read when it is needed, so that a rotated secret is picked up, and its value never appears
/// in `Debug` or `Display`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum SecretReference {
    /// The environment variable of this name.
    Environment(String),
    /// The file at this path.
    File(PathBuf),
}

/// Why a reference can't be parsed or resolved. No variant carries a secret's value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The text is no reference. It isn't repeated here: somebody may have written the secret itself.
    #[error("a secret is given as a reference, `env:NAME` or `file:/path`, never as its value")]
    NotAReference,
    /// The environment variable is absent or not UTF-8.
    #[error(
        "the environment variable `{0}` is not set, or is not UTF-8; set it before starting the server"
    )]
    Variable(String),
    /// The file can't be read.
    #[error(
        "the file `{path}` that holds a secret can't be read; check that it exists and that this user may read it"
    )]
    File {
        /// The file's path.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The variable or file is there, and holds nothing.
    #[error("`{0}` holds nothing, where a secret is expected")]
    Empty(SecretReference),
}

impl SecretReference {
    /// Reads the secret. This does blocking I/O on a small file: call it at start, or off the runtime's threads.
    pub fn resolve(&self) -> Result<Secret, SecretError> {
        let value = match self {
            Self::Environment(name) => {
                std::env::var(name).map_err(|_| SecretError::Variable(name.clone()))?
            }
            Self::File(path) => {
                std::fs::read_to_string(path).map_err(|source| SecretError::File {
                    path: path.clone(),
                    source,
                })?
            }
        };
        let value = value.trim_end_matches(['\r', '\n']);
        if value.is_empty() {
            return Err(SecretError::Empty(self.clone()));
        }
        Ok(Secret(value.to_owned()))
    }
}

impl FromStr for SecretReference {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Environment(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            _ => Err(SecretError::NotAReference),
        }
    }
}

impl TryFrom<String> for SecretReference {
    type Error = SecretError;

    fn try_from(text: String) -> Result<Self, SecretError> {
        text.parse()
    }
}

impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl fmt::Debug for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A secret's value. `Debug` doesn't print it, and nothing but [`Secret::expose`] gives it away.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value that has to be treated as a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_without_its_last_line_break() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, "s3cret\r\n").unwrap();

        let reference: SecretReference = format!("file:{}", path.display()).parse().unwrap();
        let secret = reference.resolve().unwrap();

        assert_eq!(secret.expose(), "s3cret");
        assert_eq!(format!("{reference:?}"), format!("file:{}", path.display()));
        assert_eq!(format!("{secret:?}"), "[secret]");
    }

    #[test]
    fn an_empty_or_absent_secret_is_named_by_its_reference() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, "\n").unwrap();
        let empty = SecretReference::File(path).resolve().unwrap_err();
        assert!(empty.to_string().contains("holds nothing"), "{empty}");

        let absent = SecretReference::Environment("SLIPWAY_NO_SUCH_VARIABLE".into())
            .resolve()
            .unwrap_err();
        assert!(absent.to_string().contains("SLIPWAY_NO_SUCH_VARIABLE"));
    }

    #[test]
    fn a_literal_is_refused_without_being_repeated() {
        for text in ["hunter2", "env:", "file:", "https://x", ""] {
            let error = text.parse::<SecretReference>().unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
