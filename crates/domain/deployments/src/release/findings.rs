//! What stands against a draft, or should be known about it: everything at once.

mod catalog;
mod content;
mod dependencies;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use slipway_kernel::{Key, requirements::Severity, words};

use super::{Draft, DraftItem, Facts, VersionFacts, Wanted};

/// The most findings that are listed of one draft, errors before warnings.
pub const MAX_FINDINGS: usize = 1_000;

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// The project has no such application.
    ApplicationNotFound,
    /// The application gets no new deployments.
    ApplicationArchived,
    /// The application has no such version.
    VersionNotFound,
    /// The version must not be deployed any more.
    VersionDeprecated,
    /// The version needs an application of which nothing is, or stays, in the environment.
    DependencyMissing,
    /// The version needs another version of an application than is, or will be, in the environment.
    DependencyIncompatible,
    /// The prompt lacks languages that its project requires.
    LocaleMissing,
    /// The version is older than the current one, and the item does not say that it may be.
    VersionGoesBack,
    /// A rule of the project is broken.
    RuleViolated,
    /// The content holds what looks like a secret.
    SecretInContent,
    /// The content is text, and too large to be looked through.
    ContentNotLookedThrough,
    /// The application is there twice.
    DuplicateItem,
    /// Nothing in the environment would change.
    NothingToDo,
    /// The environment is as the item says already.
    AlreadyCurrent,
    /// Slipway keeps no content of the workflow's version, which is what would be written into the engine.
    NoContent,
    /// The content of the workflow's version is none.
    NotAWorkflow,
    /// A workflow uses a credential for which the environment has no mapping.
    CredentialUnmapped,
    /// A workflow refers to one that is not in the environment, and does not come.
    WorkflowUnmapped,
    /// The workflow is archived in the engine.
    TargetArchived,
    /// What stands in the engine can't be read.
    TargetUnreadable,
    /// A parameter of the template has no value.
    ParameterMissing,
    /// The template has no such parameter.
    ParameterUnknown,
    /// A text of the template becomes unfit by the values of its parameters.
    ParameterUnfit,
}

words! {
    Reason, "reason of a finding":
    ApplicationNotFound = "APPLICATION_NOT_FOUND",
    ApplicationArchived = "APPLICATION_ARCHIVED",
    VersionNotFound = "VERSION_NOT_FOUND",
    VersionDeprecated = "VERSION_DEPRECATED",
    DependencyMissing = "DEPENDENCY_MISSING",
    DependencyIncompatible = "DEPENDENCY_INCOMPATIBLE",
    LocaleMissing = "LOCALE_MISSING",
    VersionGoesBack = "VERSION_GOES_BACK",
    RuleViolated = "RULE_VIOLATED",
    SecretInContent = "SECRET_IN_CONTENT",
    ContentNotLookedThrough = "CONTENT_NOT_LOOKED_THROUGH",
    DuplicateItem = "DUPLICATE_ITEM",
    NothingToDo = "NOTHING_TO_DO",
    AlreadyCurrent = "ALREADY_CURRENT",
    NoContent = "NO_CONTENT",
    NotAWorkflow = "NOT_A_WORKFLOW",
    CredentialUnmapped = "CREDENTIAL_UNMAPPED",
    WorkflowUnmapped = "WORKFLOW_UNMAPPED",
    TargetArchived = "TARGET_ARCHIVED",
    TargetUnreadable = "TARGET_UNREADABLE",
    ParameterMissing = "PARAMETER_MISSING",
    ParameterUnknown = "PARAMETER_UNKNOWN",
    ParameterUnfit = "PARAMETER_UNFIT",
}

impl Reason {
    /// Whether it can be told of an item only where all the others are known.
    const fn rests_on_others(self) -> bool {
        matches!(
            self,
            Self::DependencyMissing
                | Self::DependencyIncompatible
                | Self::NothingToDo
                | Self::WorkflowUnmapped
        )
    }
}

/// Something that stands against a draft, or that people should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub reason: Reason,
    /// Whether it stands against the draft.
    pub severity: Severity,
    /// The item's place in the draft, from 0; `None` where it is about the draft as a whole.
    pub item: Option<usize>,
    /// Which value it is about, and what to do.
    pub message: String,
}

/// Everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// By item, those about the draft as a whole last; at most [`MAX_FINDINGS`].
    pub listed: Vec<Finding>,
    /// How many more there are.
    pub left_out: usize,
}

impl Findings {
    /// Whether something stands against the draft.
    pub fn refuse(&self) -> bool {
        self.errors().next().is_some()
    }

    /// These and more, errors before warnings where there are too many.
    #[must_use]
    pub fn with(mut self, more: impl IntoIterator<Item = Finding>) -> Self {
        self.listed.extend(more);
        self.listed.sort_by_key(|it| it.severity != Severity::Error);
        self.left_out += self.listed.len().saturating_sub(MAX_FINDINGS);
        self.listed.truncate(MAX_FINDINGS);
        self.listed.sort_by_key(|it| it.item.unwrap_or(usize::MAX));
        self
    }

    /// What is true of a draft of which some items are not known: less is found of those that are.
    #[must_use]
    pub fn of_a_part(mut self) -> Self {
        self.listed.retain(|it| !it.reason.rests_on_others());
        self
    }

    /// What stands against the draft.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.listed
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
    }
}

/// Everything that stands against a draft, or that should be known about it.
pub fn findings(draft: &Draft, facts: &Facts) -> Findings {
    let rules: Vec<_> = facts
        .requirements
        .rules
        .as_slice()
        .iter()
        .map(slipway_kernel::requirements::ValidationRule::ready)
        .collect();
    let mut found = Found::default();
    let firsts = firsts(draft);
    let mut changes = false;
    for (position, item) in draft.items.iter().enumerate() {
        let mut about = found.about(position);
        match firsts.get(&item.application) {
            Some((first, _)) if *first != position => {
                about.error(
                    Reason::DuplicateItem,
                    format!(
                        "the application `{}` is item {first} already: name each application once",
                        item.application
                    ),
                );
                continue;
            }
            _ => changes |= !is_current(item, facts),
        }
        let looked_at = Looked {
            item,
            facts,
            firsts: &firsts,
        };
        let chosen = catalog::look(&looked_at, &mut about);
        rules::look(&looked_at, chosen.as_ref(), &rules, &mut about);
        if let Some(chosen) = chosen {
            dependencies::look(&looked_at, &chosen, &mut about);
            content::look(&looked_at, &chosen, &mut about);
        }
    }
    if !changes {
        found.add(
            Severity::Error,
            Reason::NothingToDo,
            None,
            "the environment is as the release says already: there is nothing to do".to_owned(),
        );
    }
    found.listed()
}

/// What stands against a draft by what is current in the environment, and by nothing else: what was in order when the draft was
/// looked at may not be any more.
pub fn against_current(draft: &Draft, facts: &Facts) -> Findings {
    let mut found = Found::default();
    let firsts = firsts(draft);
    for (position, item) in draft.items.iter().enumerate() {
        let Some(identifier) = item.version() else {
            continue;
        };
        let Some(version) = facts.version(&item.application, identifier) else {
            continue;
        };
        let looked_at = Looked {
            item,
            facts,
            firsts: &firsts,
        };
        let chosen = Chosen {
            identifier,
            version,
        };
        let mut about = found.about(position);
        catalog::look_back(&looked_at, &chosen, &mut about);
        dependencies::look(&looked_at, &chosen, &mut about);
    }
    found.listed()
}

/// What a draft wants of each application, with the place of its first item, which is the one that counts.
type Firsts<'a> = BTreeMap<&'a Key, (usize, &'a Wanted)>;

fn firsts(draft: &Draft) -> Firsts<'_> {
    let mut firsts = Firsts::new();
    for (position, item) in draft.items.iter().enumerate() {
        firsts
            .entry(&item.application)
            .or_insert((position, &item.wanted));
    }
    firsts
}

/// One item, and all that there is to judge it by.
struct Looked<'a> {
    item: &'a DraftItem,
    facts: &'a Facts,
    firsts: &'a Firsts<'a>,
}

/// The version that an item wants, where there is one.
struct Chosen<'a> {
    identifier: &'a Key,
    version: &'a VersionFacts,
}

impl Looked<'_> {
    /// What the release says about an application; `None` where it does not touch it.
    fn wanted(&self, application: &Key) -> Option<&Wanted> {
        self.firsts.get(application).map(|(_, wanted)| *wanted)
    }
}

/// Whether the environment is as an item says already.
fn is_current(item: &DraftItem, facts: &Facts) -> bool {
    let current = facts.current.get(&item.application);
    match &item.wanted {
        Wanted::Version(wanted) => current.is_some_and(|current| &current.identifier == wanted),
        Wanted::Removal => current.is_none(),
    }
}

/// Findings while they are gathered: no more of either severity than can be listed.
#[derive(Default)]
struct Found {
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
    left_out: usize,
}

impl Found {
    fn add(&mut self, severity: Severity, reason: Reason, item: Option<usize>, message: String) {
        let list = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if list.len() < MAX_FINDINGS {
            list.push(Finding {
                reason,
                severity,
                item,
                message,
            });
        } else {
            self.left_out += 1;
        }
    }

    const fn about(&mut self, item: usize) -> About<'_> {
        About { found: self, item }
    }

    fn listed(self) -> Findings {
        let mut listed = self.errors;
        let left_out = (listed.len() + self.warnings.len()).saturating_sub(MAX_FINDINGS);
        listed.extend(self.warnings);
        listed.truncate(MAX_FINDINGS);
        listed.sort_by_key(|finding| finding.item.unwrap_or(usize::MAX));
        Findings {
            listed,
            left_out: self.left_out + left_out,
        }
    }
}

/// Findings about one item.
struct About<'a> {
    found: &'a mut Found,
    item: usize,
}

impl About<'_> {
    fn error(&mut self, reason: Reason, message: String) {
        self.add(Severity::Error, reason, message);
    }

    fn warning(&mut self, reason: Reason, message: String) {
        self.add(Severity::Warning, reason, message);
    }

    fn add(&mut self, severity: Severity, reason: Reason, message: String) {
        self.found.add(severity, reason, Some(self.item), message);
    }
}

/// Keys as people read them: `a`, `b` and 3 more.
fn told<'a>(keys: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 5;
    let keys: Vec<_> = keys.into_iter().collect();
    let shown: Vec<_> = keys
        .iter()
        .take(MOST)
        .map(|key| format!("`{key}`"))
        .collect();
    match keys.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
