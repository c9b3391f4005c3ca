//! What commands that report deployments let the server create on the way.

use clap::{Args, ValueEnum};
use slipway_api::catalog::v1::{ApplicationKind, EnvironmentTier};
use slipway_api::ledger::v1::CreateMissing;

/// What may be created in the catalog, and as what.
#[derive(Debug, Clone, Args)]
pub(super) struct CreateMissingArgs {
    /// What to create in the catalog where it does not exist yet
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "WHAT",
        default_value = "applications,versions,environments"
    )]
    create_missing: Vec<Part>,

    /// Create nothing: what names something unknown is refused
    #[arg(long, conflicts_with = "create_missing")]
    no_create_missing: bool,

    /// The kind of the applications created
    #[arg(long, value_name = "KIND", default_value = "service", value_parser = KINDS)]
    application_kind: String,

    /// The tier of the environments created
    #[arg(long, value_name = "TIER", default_value = "development", value_parser = TIERS)]
    environment_tier: String,
}

/// A part of the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Applications,
    Versions,
    Environments,
}

const KINDS: [&str; 6] = [
    "service",
    "workflow",
    "function",
    "prompt",
    "prompt-asset",
    "ai-model",
];
const TIERS: [&str; 4] = ["development", "testing", "staging", "production"];

impl CreateMissingArgs {
    /// As requests bear it.
    pub(super) fn to_wire(&self) -> CreateMissing {
        let creates = |part| !self.no_create_missing && self.create_missing.contains(&part);
        CreateMissing {
            applications: creates(Part::Applications),
            versions: creates(Part::Versions),
            environments: creates(Part::Environments),
            application_kind: application_kind(&self.application_kind).into(),
            environment_tier: environment_tier(&self.environment_tier).into(),
        }
    }
}

fn application_kind(name: &str) -> ApplicationKind {
    ApplicationKind::from_str_name(&wire_name("APPLICATION_KIND_", name)).unwrap_or_default()
}

fn environment_tier(name: &str) -> EnvironmentTier {
    EnvironmentTier::from_str_name(&wire_name("ENVIRONMENT_TIER_", name)).unwrap_or_default()
}

fn wire_name(prefix: &str, name: &str) -> String {
    format!("{prefix}{}", name.replace('-', "_").to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_tier_offered_is_one_of_the_contract() {
        for kind in KINDS {
            assert_ne!(
                application_kind(kind),
                ApplicationKind::Unspecified,
                "{kind}"
            );
        }
        for tier in TIERS {
            assert_ne!(
                environment_tier(tier),
                EnvironmentTier::Unspecified,
                "{tier}"
            );
        }
    }
}
