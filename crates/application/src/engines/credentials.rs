use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use slipway_audit::Resource;
use slipway_identity::Command;
use slipway_kernel::{Slug, digest_of};
use slipway_workflows::CredentialTarget;

use super::{EngineCommandError, find::found};
use crate::{Call, Context, change::Change};

/// The most credentials of an environment.
pub const MAX_CREDENTIALS: usize = 1_000;

/// The credentials of an environment, by type and name: each once, and at most [`MAX_CREDENTIALS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Credentials(Vec<CredentialTarget>);

/// What is wrong with a list of credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsFault {
    /// There are too many.
    #[error("has {count} mappings; at most {MAX_CREDENTIALS} are allowed")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// A type and name is there twice.
    #[error("has the type and name of mapping {first}; map each once")]
    Twice {
        /// Which one, from 0.
        mapping: usize,
        /// The one before it, from 0.
        first: usize,
    },
}

impl Credentials {
    /// These credentials, or all that is wrong with them.
    pub fn new(mut targets: Vec<CredentialTarget>) -> Result<Self, Vec<CredentialsFault>> {
        let count = targets.len();
        if count > MAX_CREDENTIALS {
            return Err(vec![CredentialsFault::TooMany { count }]);
        }
        let mut faults = Vec::new();
        let mut seen = BTreeMap::new();
        for (mapping, target) in targets.iter().enumerate() {
            let first = *seen.entry((&target.kind, &target.name)).or_insert(mapping);
            if first != mapping {
                faults.push(CredentialsFault::Twice { mapping, first });
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        targets.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
        Ok(Self(targets))
    }
}

/// The credentials that an environment is to have.
#[derive(Debug, Clone, Serialize)]
pub struct SetCredentialMapping {
    /// The project.
    pub project: Slug,
    /// The environment.
    pub environment: Slug,
    /// All of its credentials.
    pub credentials: Credentials,
}

/// Which credentials workflows get in an environment, by type and name.
pub async fn get_credential_mapping(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    environment: &Slug,
) -> Result<Vec<CredentialTarget>, EngineCommandError> {
    let command = Command::GetCredentialMapping;
    let environment = found(context, call, command, project, environment).await?;
    Ok(context.reader().credentials(environment.id).await?)
}

/// Sets which credentials workflows get in an environment, in place of all that was set before.
pub async fn set_credential_mapping(
    context: &Context,
    call: &Call<'_>,
    command: SetCredentialMapping,
) -> Result<Vec<CredentialTarget>, EngineCommandError> {
    let (mut change, project) = Change::in_any_project(
        context,
        call,
        Command::SetCredentialMapping,
        &command.project,
    )
    .await?;
    let slug = &command.environment;
    let environment = change.unit.environments().find(project, slug).await?;
    let environment = environment
        .ok_or_else(|| EngineCommandError::EnvironmentNotFound { slug: slug.clone() })?;
    if change.made_before(&command, slug.as_str()).await?.is_some() {
        drop(change);
        return Ok(context.reader().credentials(environment.id).await?);
    }
    change.require_open(&command.project).await?;
    if environment.archived_at.is_some() {
        return Err(EngineCommandError::EnvironmentArchived {
            slug: environment.slug,
        });
    }
    let Credentials(credentials) = command.credentials;
    change
        .unit
        .engines()
        .set_credentials(environment.id, &credentials)
        .await?;
    change
        .done(
            Resource::new("environment", &environment.slug),
            None,
            // All of them would not fit into an event.
            Some(json!({
                "credentials": credentials.len(),
                "digest": digest_of("slipway.credentials.v1", &credentials)?,
            })),
        )
        .await?;
    Ok(credentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(kind: &str, name: &str) -> CredentialTarget {
        CredentialTarget {
            kind: kind.to_owned(),
            name: name.to_owned(),
            target_id: "1".to_owned(),
            target_name: "there".to_owned(),
        }
    }

    #[test]
    fn each_is_mapped_once() {
        let good = vec![target("b", "x"), target("a", "y"), target("a", "x")];
        let Credentials(sorted) = Credentials::new(good).expect("good");
        assert_eq!(sorted[0], target("a", "x"));
        assert_eq!(sorted[2], target("b", "x"));

        let twice = vec![target("a", "x"), target("b", "x"), target("a", "x")];
        let fault = CredentialsFault::Twice {
            mapping: 2,
            first: 0,
        };
        assert_eq!(Credentials::new(twice), Err(vec![fault]));
    }

    #[test]
    fn their_number_has_a_limit() {
        let many = |count: usize| {
            let targets = (0..count).map(|number| target("a", &number.to_string()));
            Credentials::new(targets.collect())
        };
        assert!(many(MAX_CREDENTIALS).is_ok());
        assert!(many(MAX_CREDENTIALS + 1).is_err());
    }
}
