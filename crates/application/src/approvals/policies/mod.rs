//! Policies: who has to agree to deployments, and what else has to hold.

mod delete;
mod read;
mod set;

pub use delete::{DeletePolicy, delete_policy};
pub use read::{ListPolicies, Listed, get_policy, list_policies};
pub use set::{SetPolicy, set_policy};

pub use crate::scope::NamedScope;

use serde_json::{Value, json};
use slipway_approvals::{Policy, Scope};
use slipway_kernel::{ProjectId, Slug, revision::EtagMismatch};

use crate::{CommandError, Context, error::meets_command_errors};

/// Why a command about a policy was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// There is no such environment.
    #[error("there is no environment `{slug}` in this project")]
    EnvironmentNotFound {
        /// The slug given.
        slug: Slug,
    },
    /// There is no such policy.
    #[error("there is no policy about {scope}")]
    NotFound {
        /// What it would be about.
        scope: NamedScope,
    },
    /// Nobody could meet some of the rules.
    #[error(
        "nobody could meet the rules {}: there are fewer people who count for them than they need, each person counted once",
        names(rules)
    )]
    Unsatisfiable {
        /// The rules.
        rules: Vec<Slug>,
    },
    /// The policy has been changed since the caller read it.
    #[error(transparent)]
    Etag(#[from] EtagMismatch),
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(PolicyError);

fn names(rules: &[Slug]) -> String {
    let names: Vec<_> = rules.iter().map(|rule| format!("`{rule}`")).collect();
    names.join(", ")
}

/// What a policy is about, looked up.
async fn scope_of(
    context: &Context,
    project: ProjectId,
    named: &NamedScope,
) -> Result<Scope, PolicyError> {
    match named {
        NamedScope::Project => Ok(Scope::Project),
        NamedScope::Tier(tier) => Ok(Scope::Tier(*tier)),
        NamedScope::Environment(slug) => {
            let found = context.reader().environment(project, slug).await?;
            let slug = slug.clone();
            let environment = found.ok_or(PolicyError::EnvironmentNotFound { slug })?;
            Ok(Scope::Environment(environment.id))
        }
    }
}

/// A policy as the audit trail shows it.
fn described(policy: &Policy) -> Value {
    json!({ "scope": policy.scope, "terms": policy.terms })
}
