//! References beside the environments' branches.

use gix::ObjectId;
use gix::lock::acquire::Fail;
use gix::refs::transaction::{Change, LogChange, PreviousValue, RefEdit, RefLog};
use gix::refs::{FullName, Target};
use slipway_snapshots::GitError;

use crate::error::{of_gix, unavailable};

/// What a reference points to; `None` where there is none, or it stands for another.
pub(crate) fn find(repository: &gix::Repository, name: &str) -> Result<Option<ObjectId>, GitError> {
    let found = repository.refs.try_find(&full(name)?);
    let found = found.map_err(|error| of_gix(&format!("can't read {name}"), &error))?;
    Ok(found.and_then(|reference| reference.target.try_into_id().ok()))
}

/// Points a reference there, whatever it points to.
pub(crate) fn set(repository: &gix::Repository, name: &str, to: ObjectId) -> Result<(), GitError> {
    let change = Change::Update {
        log: LogChange::default(),
        expected: PreviousValue::Any,
        new: Target::Object(to),
    };
    edit(repository, name, change)
}

/// Removes a reference; none is fine.
pub(crate) fn remove(repository: &gix::Repository, name: &str) -> Result<(), GitError> {
    let change = Change::Delete {
        expected: PreviousValue::Any,
        log: RefLog::AndReference,
    };
    edit(repository, name, change)
}

fn edit(repository: &gix::Repository, name: &str, change: Change) -> Result<(), GitError> {
    let edit = RefEdit {
        change,
        name: full(name)?,
        deref: false,
    };
    let now = Fail::Immediately;
    let transaction = repository.refs.transaction().prepare([edit], now, now);
    transaction
        .and_then(|prepared| prepared.commit(None))
        .map(drop)
        .map_err(|error| of_gix(&format!("can't change {name}"), &error))
}

fn full(name: &str) -> Result<FullName, GitError> {
    FullName::try_from(name.to_owned())
        .map_err(|error| unavailable(&format!("{name} is no reference"), &error))
}
