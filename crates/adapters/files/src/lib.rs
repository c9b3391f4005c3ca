//! An object store in a directory: the embedded default.
//!
//! The object with the digest `abcd…` is the file `sha256/ab/abcd…`. It is written under another name first and renamed
//! once it is durable, so that a file under its own name is always whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use slipway_kernel::Sha256;
use slipway_kernel::object::{ObjectError, ObjectStore};
use tempfile::NamedTempFile;

/// Keeps objects in a directory, which it makes when the first one comes.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The store in this directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, digest: Sha256) -> PathBuf {
        let name = digest.to_string();
        self.root.join("sha256").join(&name[..2]).join(name)
    }
}

#[async_trait]
impl ObjectStore for Directory {
    async fn put(&self, bytes: Bytes) -> Result<Sha256, ObjectError> {
        let digest = Sha256::of_bytes(&bytes);
        let path = self.path(digest);
        blocking(move || keep(&path, &bytes)).await?;
        Ok(digest)
    }

    async fn get(&self, digest: Sha256) -> Result<Option<Bytes>, ObjectError> {
        let path = self.path(digest);
        let read = blocking(move || match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        });
        let Some(bytes) = read.await? else {
            return Ok(None);
        };
        let found = Sha256::of_bytes(&bytes);
        if found == digest {
            Ok(Some(bytes.into()))
        } else {
            Err(ObjectError::Corrupt { digest, found })
        }
    }
}

/// Writes the file unless it is there. Both it and its name are durable afterwards.
fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The name is durable once its folder is; a folder just made, once the one above is.
    for folder in folder.ancestors().take(3) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ObjectError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| ObjectError::Unavailable(error.into())),
        Err(error) => Err(ObjectError::Unavailable(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_put_comes_back_and_may_be_put_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Directory::new(folder.path().join("new"));
        let content = Bytes::from_static(b"You are a helpful assistant.");
        let digest = store.put(content.clone()).await.expect("kept");
        assert_eq!(
            store.put(content.clone()).await.expect("kept again"),
            digest
        );
        assert_eq!(store.get(digest).await.expect("read"), Some(content));
        assert_eq!(
            store.get(Sha256::of_bytes(b"other")).await.expect("read"),
            None
        );
    }

    #[tokio::test]
    async fn nothing_but_the_right_bytes_is_handed_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Directory::new(folder.path());
        let digest = store.put(Bytes::from_static(b"whole")).await.expect("kept");
        fs::write(store.path(digest), b"who").expect("damaged");
        assert!(matches!(
            store.get(digest).await,
            Err(ObjectError::Corrupt { .. })
        ));
    }

    #[tokio::test]
    async fn a_folder_that_can_not_be_written_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, b"").expect("written");
        let refused = Directory::new(file).put(Bytes::from_static(b"x")).await;
        assert!(matches!(refused, Err(ObjectError::Unavailable(_))));
    }
}
