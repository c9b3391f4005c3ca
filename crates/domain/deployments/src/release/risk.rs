//! How risky a release is: what was declared, raised and never lowered by what is known.

mod look;
mod plan;
#[cfg(test)]
mod tests;

pub use look::circumstances;
pub use plan::of_plan;

use serde::{Deserialize, Serialize};
use slipway_kernel::{ApplicationKind, RiskLevel, Tier, words};

/// From how many items on a release is a large change.
pub const LARGE: usize = 10;
/// From how many items on a release is a very large change.
pub const VERY_LARGE: usize = 50;

/// What raises the risk of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Factor {
    /// The environment is a production environment.
    ProductionTier,
    /// The application is of a kind of which a small change has wide effects: a model.
    Kind,
    /// The major version changes.
    MajorVersion,
    /// The version is older than the current one.
    Downgrade,
    /// Nothing of the application is left.
    Removal,
    /// The release has many items.
    LargeChange,
    /// No person is known to have made the version.
    NoAuthor,
    /// Nothing of the application is in the environment yet.
    FirstDeployment,
    /// Two or more others make it a high risk by themselves.
    SeveralHigh,
}

words! {
    Factor, "risk factor":
    ProductionTier = "PRODUCTION_TIER",
    Kind = "KIND",
    MajorVersion = "MAJOR_VERSION",
    Downgrade = "DOWNGRADE",
    Removal = "REMOVAL",
    LargeChange = "LARGE_CHANGE",
    NoAuthor = "NO_AUTHOR",
    FirstDeployment = "FIRST_DEPLOYMENT",
    SeveralHigh = "SEVERAL_HIGH",
}

/// A factor, and the level below which the risk is not because of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskFactor {
    /// What raises the risk.
    pub factor: Factor,
    /// The level that it makes at least.
    pub at_least: RiskLevel,
    /// What it is about, for people.
    pub message: String,
}

/// How risky an item is, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// As whoever asked said.
    pub declared: RiskLevel,
    /// As it counts: never below what was declared.
    pub level: RiskLevel,
    /// What was found, also where it raises nothing.
    pub factors: Vec<RiskFactor>,
}

/// What the risk of an item goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// How much depends on the environment.
    pub tier: Tier,
    /// What kind of thing the application is.
    pub kind: ApplicationKind,
    /// The major version before and after, where it changes.
    pub major: Option<(u64, u64)>,
    /// Where the application goes from what is current.
    pub movement: Movement,
    /// How many items the release has.
    pub items: usize,
    /// Whether a person is known to have made the version.
    pub author: bool,
}

/// Where an application goes from what is current of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Movement {
    /// To a newer version, or nowhere.
    Forward,
    /// To an older version.
    Back,
    /// Into an environment in which there is nothing of it yet.
    In,
    /// Out of the environment.
    Out,
}

/// How risky an item is under these circumstances.
///
/// Each factor makes the risk at least some level: in production a higher one. Where two or more of them make it high by
/// themselves, it is critical.
pub fn assess(declared: RiskLevel, given: Circumstances) -> Assessment {
    let mut factors = single(given);
    let high = |factor: &&RiskFactor| factor.at_least >= RiskLevel::High;
    let count = factors.iter().filter(high).count();
    if count >= 2 {
        factors.push(RiskFactor {
            factor: Factor::SeveralHigh,
            at_least: RiskLevel::Critical,
            message: format!("{count} factors make it a high risk each"),
        });
    }
    let floors = factors.iter().map(|factor| factor.at_least);
    Assessment {
        declared,
        level: floors.max().map_or(declared, |floor| floor.max(declared)),
        factors,
    }
}

/// The factors that stand by themselves.
fn single(given: Circumstances) -> Vec<RiskFactor> {
    let production = given.tier == Tier::Production;
    let (medium, high) = (RiskLevel::Medium, RiskLevel::High);
    let by_tier = if production { high } else { medium };
    let mut factors = Vec::new();
    let mut add = |holds: bool, factor, at_least, message: String| {
        if holds {
            factors.push(RiskFactor {
                factor,
                at_least,
                message,
            });
        }
    };
    add(
        production,
        Factor::ProductionTier,
        medium,
        "the environment is for production".to_owned(),
    );
    add(
        given.kind == ApplicationKind::AiModel,
        Factor::Kind,
        medium,
        "another model changes whatever uses it".to_owned(),
    );
    if let Some((before, after)) = given.major {
        let message = format!("the major version changes from {before} to {after}");
        add(true, Factor::MajorVersion, by_tier, message);
    }
    add(
        given.movement == Movement::Back,
        Factor::Downgrade,
        by_tier,
        "the version is older than the current one".to_owned(),
    );
    add(
        given.movement == Movement::Out,
        Factor::Removal,
        by_tier,
        "nothing of it is left in the environment".to_owned(),
    );
    add(
        given.items >= LARGE,
        Factor::LargeChange,
        if given.items >= VERY_LARGE {
            high
        } else {
            medium
        },
        format!("the release has {} items", given.items),
    );
    add(
        !given.author,
        Factor::NoAuthor,
        by_tier,
        "no person is known to have made the version".to_owned(),
    );
    add(
        given.movement == Movement::In,
        Factor::FirstDeployment,
        medium,
        "nothing of it is in the environment yet".to_owned(),
    );
    factors
}
