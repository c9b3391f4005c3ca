//! Releases: chosen versions for one environment, what stands against them, and how risky they are.

pub mod draft;
pub mod facts;
pub mod findings;
#[cfg(test)]
mod given;
mod requirement;
pub mod risk;

pub use draft::{Draft, DraftItem, Wanted};
pub use facts::{
    ApplicationFacts, CurrentVersion, Facts, MAX_LOOKED_THROUGH, Needed, VersionFacts,
    looked_through,
};
pub use findings::{Finding, Findings, MAX_FINDINGS, against_current, findings};
pub use requirement::is_met_by;
pub use risk::{Assessment, Circumstances, Factor, Movement, RiskFactor, assess, circumstances};
