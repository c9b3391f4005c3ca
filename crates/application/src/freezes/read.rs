use serde::Serialize;
use slipway_approvals::{
    FreezeFilter, FreezePlace, FreezeWindow,
    freeze::{Outlook, outlook},
};
use slipway_identity::Command;
use slipway_kernel::{Page, PageSize, Slug};

use super::FreezeError;
use crate::{Call, Context};

/// The freeze window with this slug.
pub async fn get_freeze_window(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    slug: &Slug,
) -> Result<FreezeWindow, FreezeError> {
    let project = context
        .authorise_in(call, Command::GetFreezeWindow, project)
        .await?;
    let window = context.reader().freeze_window(project, slug).await?;
    window.ok_or_else(|| FreezeError::NotFound { slug: slug.clone() })
}

/// Which freeze windows a caller wants.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ListFreezeWindows {
    /// Those that cover this environment; `None` for all.
    pub environment: Option<Slug>,
    /// Also those that are deleted.
    pub include_deleted: bool,
}

/// The freeze windows that a filter selects, by slug; of one slug by id.
pub async fn list_freeze_windows(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    wanted: ListFreezeWindows,
    after: Option<&FreezePlace>,
    size: PageSize,
) -> Result<Page<FreezeWindow, FreezePlace>, FreezeError> {
    let project = context
        .authorise_in(call, Command::ListFreezeWindows, project)
        .await?;
    let reader = context.reader();
    let environment = match wanted.environment {
        Some(slug) => match reader.environment(project, &slug).await? {
            Some(environment) => Some(environment.id),
            None => return Err(FreezeError::EnvironmentNotFound { slug }),
        },
        None => None,
    };
    let filter = FreezeFilter {
        environment,
        include_deleted: wanted.include_deleted,
    };
    Ok(reader.freeze_windows(project, &filter, after, size).await?)
}

/// What a window does from now on.
pub fn foresee(context: &Context, window: &FreezeWindow) -> Outlook {
    outlook(window, context.clock.now())
}
