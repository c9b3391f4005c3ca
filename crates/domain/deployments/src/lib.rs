//! Pipelines, plans and deployments: what may change, how it is carried out, and how it is undone.

pub mod check;
pub mod chosen;
pub mod deployment;
pub mod effect;
pub mod pipeline;
pub mod plan;
pub mod queries;
pub mod release;
pub mod released;
pub mod resolution;
pub mod state;
pub mod steps;
pub mod template;

pub use check::{CheckQueries, CheckReport, CheckRepository, CheckStatus};
pub use chosen::{Bound, BoundItem};
pub use deployment::{
    APPROVAL_NEEDED, Cancel, Change, Claim, Deployment, DeploymentKind, DeploymentName,
    DeploymentRepository, FROZEN, Item, ItemStatus, MAX_ITEMS, NewDeployment, Origin, PLAN_CHANGED,
    Problem,
};
pub use effect::{Probe, in_between, probe};
pub use pipeline::{
    Drift, Gates, MAX_STAGES, OnFailure, Pipeline, PipelineRepository, Publish, Secrets, Stage,
};
pub use plan::{Plan, Planned, PlannedItem, UnmappedCredential, plan};
pub use queries::{
    DeploymentFilter, DeploymentPulse, DeploymentQueries, DeploymentSummary, ItemCounts,
    LastSuccess, ListedDeployment, Transition,
};
pub use released::{Release, Released, VersionRef};
pub use resolution::{Resolution, Resolved, Unresolvable, Verdict, resolve};
pub use state::{IllegalTransition, State};
pub use steps::{Direction, Next, Ordered, Phase, Progress, Step, Work, next, steps_for};
pub use template::{
    Template, TemplateItem, TemplateItems, TemplateQueries, TemplateRepository, TemplateText,
    TemplateVersion, expand,
};
