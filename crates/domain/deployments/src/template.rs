//! Templates: named, versioned lists of what is released together, with parameters.

mod expansion;
mod text;

pub use expansion::{Expanded, expand};
pub use text::{TemplateText, TemplateTextError};

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use slipway_kernel::{
    Key, Page, PageSize, PrincipalId, ProjectId, Revision, RiskLevel, Slug, StoreError, TemplateId,
    Timestamp, text::DisplayName,
};

/// The most items of a template.
pub const MAX_TEMPLATE_ITEMS: usize = 500;

/// What is released together, again and again: one version of it.
///
/// Changing a template makes a new version of it; older ones stay as they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its identifier, which all of its versions share.
    pub id: TemplateId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// Its name in every request; unique in its project, and never changed.
    pub slug: Slug,
    /// Which version this is, from 1.
    pub version: Revision,
    /// What people call it.
    pub display_name: DisplayName,
    /// The description of releases made from it; may have parameters.
    pub description: TemplateText<2_000>,
    /// What is released.
    pub items: TemplateItems,
    /// Who made this version.
    pub created_by: PrincipalId,
    /// When this version was made.
    pub created_at: Timestamp,
}

/// One application in a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateItem {
    /// The application.
    pub application: Key,
    /// Which version of it, with parameters; `None` where it is removed.
    pub version: Option<TemplateText<256>>,
    /// Why; may have parameters.
    pub message: TemplateText<2_000>,
    /// How risky that is, as the template says.
    pub declared: RiskLevel,
    /// Whether the version may be an older one than the current one.
    pub allow_older: bool,
}

/// The items of a template: 1 to [`MAX_TEMPLATE_ITEMS`], each application once, in the order given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<TemplateItem>", into = "Vec<TemplateItem>")]
pub struct TemplateItems(Vec<TemplateItem>);

/// Items that can't be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateItemsError {
    /// None, or too many.
    #[error("has {given} entries; 1 to {MAX_TEMPLATE_ITEMS} are allowed")]
    Count {
        /// How many were given.
        given: usize,
    },
    /// An application is named twice.
    #[error("names `{application}` twice; name each application once")]
    Repeated {
        /// The application.
        application: Key,
    },
}

impl TemplateItems {
    /// In the order given.
    pub fn as_slice(&self) -> &[TemplateItem] {
        &self.0
    }
}

impl TryFrom<Vec<TemplateItem>> for TemplateItems {
    type Error = TemplateItemsError;

    fn try_from(items: Vec<TemplateItem>) -> Result<Self, TemplateItemsError> {
        if items.is_empty() || items.len() > MAX_TEMPLATE_ITEMS {
            return Err(TemplateItemsError::Count { given: items.len() });
        }
        let mut seen = BTreeSet::new();
        match items.iter().find(|item| !seen.insert(&item.application)) {
            Some(repeated) => Err(TemplateItemsError::Repeated {
                application: repeated.application.clone(),
            }),
            None => Ok(Self(items)),
        }
    }
}

impl From<TemplateItems> for Vec<TemplateItem> {
    fn from(items: TemplateItems) -> Self {
        items.0
    }
}

impl TemplateItem {
    /// The names of its parameters.
    pub fn parameters(&self) -> BTreeSet<&str> {
        let mut names = self.message.parameters();
        let version = self.version.as_ref();
        names.extend(version.map(TemplateText::parameters).unwrap_or_default());
        names
    }
}

impl Template {
    /// The names of all parameters, in order.
    pub fn parameters(&self) -> BTreeSet<&str> {
        let mut names = self.description.parameters();
        let items = self.items.as_slice().iter();
        names.extend(items.flat_map(TemplateItem::parameters));
        names
    }
}

/// The version of a template that a release was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TemplateVersion {
    /// The template, which may be deleted by now.
    pub id: TemplateId,
    /// Which version of it.
    pub version: Revision,
}

/// Changes templates, inside a unit of work.
#[async_trait]
pub trait TemplateRepository: Send {
    /// Adds a template in its first version. An adapter MUST answer `false`, and change nothing, where the slug is taken.
    async fn insert(&mut self, template: &Template) -> Result<bool, StoreError>;

    /// The last version of the template with this slug, unless it was deleted. An adapter MUST hold the template until the
    /// unit of work ends.
    async fn find(
        &mut self,
        project: ProjectId,
        slug: &Slug,
    ) -> Result<Option<Template>, StoreError>;

    /// Adds the next version of a template. An adapter MUST answer [`StoreError::Conflict`] where another one is the next.
    async fn add_version(&mut self, template: &Template) -> Result<(), StoreError>;

    /// Deletes a template: its slug is free again. What its versions were stays in the database.
    async fn delete(&mut self, id: TemplateId, at: Timestamp) -> Result<(), StoreError>;
}

/// Reads templates. Each is one statement.
#[async_trait]
pub trait TemplateQueries: Send + Sync {
    /// A version of the template with this slug, the last one where none is named, unless the template was deleted.
    async fn template(
        &self,
        project: ProjectId,
        slug: &Slug,
        version: Option<Revision>,
    ) -> Result<Option<Template>, StoreError>;

    /// The last versions of a project's templates, by slug, without those that were deleted.
    async fn templates(
        &self,
        project: ProjectId,
        after: Option<&Slug>,
        size: PageSize,
    ) -> Result<Page<Template, Slug>, StoreError>;

    /// The slug of a template, also of one that was deleted.
    async fn template_slug(&self, id: TemplateId) -> Result<Option<Slug>, StoreError>;
}
