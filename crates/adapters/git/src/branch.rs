//! An environment's branch: what it points to, and how it is moved.
//!
//! Git's own lock, the file `refs/heads/env/<slug>.lock`, keeps out whoever pushes. A process that is killed while it
//! holds that lock leaves it behind, and everybody waits for it in vain. So a process of ours first takes another lock,
//! one that ends with its holder (`slipway/env/<slug>`), and writes down there what it is about to put into Git's. Who
//! comes next, and finds that, knows a lock that was left behind from one that is held.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use gix::ObjectId;
use gix::actor::Signature;
use gix::lock::acquire::Fail;
use gix::refs::file::Transaction;
use gix::refs::transaction::{Change, LogChange, PreviousValue, RefEdit, RefLog};
use gix::refs::{FullName, Target};
use slipway_kernel::Slug;
use slipway_snapshots::GitError;

use crate::durable::{make_folder, sync, write};
use crate::error::{of_file, of_gix, unavailable};

/// How long a commit waits for the one before it. A commit of very many files takes seconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long it waits for somebody who pushes, who needs milliseconds.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(3);

/// What an environment's branch points to.
pub(crate) fn head(
    repository: &gix::Repository,
    environment: &Slug,
) -> Result<Option<ObjectId>, GitError> {
    let name = name(environment)?;
    let found = repository.refs.try_find(&name);
    let found = found.map_err(|error| of_gix(&format!("can't read {name}"), &error))?;
    match found.map(|reference| reference.target) {
        None => Ok(None),
        Some(Target::Object(id)) => Ok(Some(id)),
        Some(Target::Symbolic(other)) => Err(GitError::Refused {
            message: format!("{name} stands for {other}; make it a branch of its own"),
        }),
    }
}

/// Points `HEAD` to an environment's branch where it points to none that exists, so that a clone shows something. It
/// makes no commit any better: where it fails, the next one tries again.
pub(crate) fn point_head_at(repository: &gix::Repository, environment: &Slug) {
    let is_unborn = repository.head().is_ok_and(|head| head.is_unborn());
    if is_unborn {
        let head = repository.git_dir().join("HEAD");
        let moved = write(&head, &format!("ref: refs/heads/env/{environment}\n"));
        if let Err(error) = moved.and_then(|()| sync(repository.git_dir())) {
            tracing::warn!(%error, "HEAD points to no branch");
        }
    }
}

/// A branch that no other process of ours moves while this value lives.
pub(crate) struct Branch<'r> {
    repository: &'r gix::Repository,
    environment: &'r Slug,
    lock: File,
    lock_path: PathBuf,
}

impl<'r> Branch<'r> {
    /// Waits for whoever moves it now.
    pub(crate) fn lock(
        repository: &'r gix::Repository,
        environment: &'r Slug,
    ) -> Result<Self, GitError> {
        let folder = repository.git_dir().join("slipway/env");
        make_folder(&folder)?;
        let lock_path = folder.join(environment.as_str());
        let lock = wait_for_lock(&lock_path, PATIENCE)?;
        let mut branch = Self {
            repository,
            environment,
            lock,
            lock_path,
        };
        branch.clear_what_was_left_behind()?;
        Ok(branch)
    }

    /// Fails with [`GitError::Moved`] where the branch does not point to this.
    pub(crate) fn expect(&self, expected: Option<ObjectId>) -> Result<(), GitError> {
        let found = head(self.repository, self.environment)?;
        if found == expected {
            Ok(())
        } else {
            let found = found.map(crate::sha).transpose()?;
            Err(GitError::Moved { found })
        }
    }

    /// Moves the branch, durably, where it still points to the parent.
    pub(crate) fn move_to(
        &mut self,
        parent: Option<ObjectId>,
        commit: ObjectId,
        author: &Signature,
    ) -> Result<(), GitError> {
        let name = name(self.environment)?;
        let edit = RefEdit {
            change: Change::Update {
                log: LogChange {
                    mode: RefLog::AndReference,
                    force_create_reflog: false,
                    message: "commit by Slipway".into(),
                },
                expected: parent.map_or(PreviousValue::MustNotExist, |parent| {
                    PreviousValue::MustExistAndMatch(Target::Object(parent))
                }),
                new: Target::Object(commit),
            },
            name: name.clone(),
            deref: false,
        };
        let prepared = self.lock_gits(&edit, parent, commit)?;
        sync(&self.git_lock_path())?;
        let mut time = gix::date::parse::TimeBuf::default();
        prepared
            .commit(author.to_ref(&mut time))
            .map_err(|error| of_gix(&format!("can't move {name}"), &error))?;
        let heads = self.repository.git_dir().join("refs/heads");
        sync(&heads.join("env"))?;
        sync(&heads)?;
        // A note that stays is cleared by the next commit.
        drop(self.note(""));
        Ok(())
    }

    /// Takes Git's lock, after who holds it now, and finds the branch where it was expected.
    fn lock_gits(
        &mut self,
        edit: &RefEdit,
        parent: Option<ObjectId>,
        commit: ObjectId,
    ) -> Result<Transaction<'r, 'r>, GitError> {
        let began = Instant::now();
        loop {
            // Noted only while we take it: a lock that somebody else holds must not pass for ours.
            self.wait_for_others(began);
            self.note(&content(commit))?;
            let transaction = self.repository.refs.transaction();
            let now = Fail::Immediately;
            let error = match transaction.prepare([edit.clone()], now, now) {
                Ok(prepared) => return Ok(prepared),
                Err(error) => error,
            };
            self.note("")?;
            // Whoever came first, if that is what it was.
            self.expect(parent)?;
            if !is_held(&error) || began.elapsed() >= PATIENCE_WITH_OTHERS {
                return Err(of_gix(&format!("can't move {}", edit.name), &error));
            }
            thread::sleep(PAUSE);
        }
    }

    fn wait_for_others(&self, began: Instant) {
        while began.elapsed() < PATIENCE_WITH_OTHERS && self.git_lock_path().exists() {
            thread::sleep(PAUSE);
        }
    }

    fn git_lock_path(&self) -> PathBuf {
        let name = format!("refs/heads/env/{}.lock", self.environment);
        self.repository.git_dir().join(name)
    }

    /// A lock of Git's that holds what was noted, or nothing yet, is ours, and whoever held it is gone.
    fn clear_what_was_left_behind(&mut self) -> Result<(), GitError> {
        let mut noted = String::new();
        self.lock
            .read_to_string(&mut noted)
            .map_err(|error| of_file("read", &self.lock_path, &error))?;
        if noted.is_empty() {
            return Ok(());
        }
        let left = self.git_lock_path();
        if fs::read_to_string(&left).is_ok_and(|held| noted.starts_with(&held)) {
            fs::remove_file(&left).map_err(|error| of_file("remove", &left, &error))?;
        }
        self.note("")
    }

    fn note(&mut self, content: &str) -> Result<(), GitError> {
        let noted = self
            .lock
            .set_len(0)
            .and_then(|()| self.lock.rewind())
            .and_then(|()| self.lock.write_all(content.as_bytes()))
            .and_then(|()| match content {
                "" => Ok(()),
                _ => self.lock.sync_data(),
            });
        noted.map_err(|error| of_file("write", &self.lock_path, &error))
    }
}

/// A lock that ends with this process, if not before.
pub(crate) fn wait_for_lock(path: &Path, patience: Duration) -> Result<File, GitError> {
    let file = File::options()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(path)
        .map_err(|error| of_file("open", path, &error))?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(of_file("lock", path, &error)),
            Err(TryLockError::WouldBlock) if began.elapsed() < patience => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {
                return Err(GitError::Unavailable {
                    problem: format!(
                        "another process has held {} for {} s",
                        path.display(),
                        patience.as_secs()
                    ),
                });
            }
        }
    }
}

/// Whether it failed because somebody holds a lock of Git's.
fn is_held(error: &gix::Error) -> bool {
    error.iter_errors().any(|error| {
        error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::AlreadyExists)
    })
}

fn name(environment: &Slug) -> Result<FullName, GitError> {
    FullName::try_from(format!("refs/heads/env/{environment}"))
        .map_err(|error| unavailable("the environment's name is no branch", &error))
}

/// What a branch's file holds.
fn content(commit: ObjectId) -> String {
    format!("{commit}\n")
}
