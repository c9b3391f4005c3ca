//! What a release is asked for by: items, or a template and values for its parameters.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use slipway_deployments::{
    Template, TemplateVersion, expand,
    release::{Draft, DraftItem, Facts, Finding, Findings, findings, findings::Reason},
};
use slipway_identity::Command;
use slipway_kernel::{ProjectId, Revision, Slug, text::Description};

use crate::{
    Context,
    templates::{TemplateError, a_version},
};

/// What a release is asked for by.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Its items, one by one.
    Items(Draft),
    /// What a template says.
    Template {
        /// The template.
        slug: Slug,
        /// Which version of it; `None` for the last one.
        version: Option<Revision>,
        /// The values of its parameters.
        parameters: BTreeMap<String, String>,
    },
}

/// What a release is made of.
pub(super) struct Drawn {
    /// What becomes current, as far as it can be told.
    pub(super) draft: Draft,
    /// Of each item its place in what it was asked for by.
    places: Vec<usize>,
    /// Whether there are more items, which can't be told.
    is_part: bool,
    /// What it is for.
    pub(super) description: Description,
    /// The template that it is made from.
    pub(super) template: Option<Template>,
    /// What stands against the values of parameters.
    unfit: Vec<Finding>,
}

impl Source {
    /// What asking for it is called.
    pub(super) const fn command(&self) -> Command {
        match self {
            Self::Items(_) => Command::CreateRelease,
            Self::Template { .. } => Command::CreateReleaseFromTemplate,
        }
    }

    /// What the release is made of. A description that was given takes the place of the template's.
    pub(super) async fn draw(
        &self,
        context: &Context,
        project: ProjectId,
        given: &Description,
    ) -> Result<Drawn, TemplateError> {
        match self {
            Self::Items(draft) => Ok(Drawn::of_items(draft.clone(), given.clone())),
            Self::Template {
                slug,
                version,
                parameters,
            } => {
                let template = a_version(context, project, slug, *version).await?;
                Ok(Drawn::of_template(template, parameters, given))
            }
        }
    }
}

impl Drawn {
    fn of_items(draft: Draft, description: Description) -> Self {
        Self {
            places: (0..draft.items.len()).collect(),
            is_part: false,
            description,
            template: None,
            unfit: Vec::new(),
            draft,
        }
    }

    fn of_template(
        template: Template,
        parameters: &BTreeMap<String, String>,
        given: &Description,
    ) -> Self {
        let expanded = expand(&template, parameters);
        let mut unfit = expanded.findings;
        let description = if given.is_empty() {
            let description = expanded.description;
            description.unwrap_or_else(|finding| {
                unfit.push(finding);
                Description::default()
            })
        } else {
            given.clone()
        };
        let (places, items): (Vec<usize>, Vec<DraftItem>) = expanded.items.into_iter().unzip();
        Self {
            is_part: items.len() < template.items.as_slice().len(),
            draft: Draft { items },
            places,
            description,
            template: Some(template),
            unfit,
        }
    }

    /// Which version of which template it is made from.
    pub(super) fn template_version(&self) -> Option<TemplateVersion> {
        self.template.as_ref().map(|template| TemplateVersion {
            id: template.id,
            version: template.version,
        })
    }

    /// All that stands against it, with the places of items in what it was asked for by.
    /// Of the items that are `written` into an engine the ledger alone does not say that nothing would change.
    pub(super) fn findings(
        &self,
        facts: &Facts,
        more: Vec<Finding>,
        written: &BTreeSet<usize>,
    ) -> Findings {
        let mut found = findings(&self.draft, facts);
        found.listed.retain(|finding| match finding.reason {
            Reason::NothingToDo => written.is_empty(),
            Reason::AlreadyCurrent => !finding.item.is_some_and(|at| written.contains(&at)),
            _ => true,
        });
        found = found.with(more);
        if self.is_part {
            found = found.of_a_part();
        }
        for finding in &mut found.listed {
            finding.item = finding.item.and_then(|at| self.places.get(at).copied());
        }
        found.with(self.unfit.iter().cloned())
    }
}
