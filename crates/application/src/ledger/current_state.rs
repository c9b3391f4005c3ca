use serde::{Deserialize, Serialize};
use slipway_identity::Command;
use slipway_kernel::{Key, Page, PageSize, Slug, Timestamp};
use slipway_ledger::{Cell, CellFilter, CellPlace};

use super::{LedgerError, Moment, moment::Seen, names::Names};
use crate::{Call, Context};

/// What is in one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellState {
    /// What is in it; `None` where nothing is.
    pub cell: Option<Cell>,
    /// The time whose state this is.
    pub as_of: Timestamp,
}

/// A page of filled cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellPage {
    /// The cells, by application key, then environment slug, both bytewise.
    pub page: Page<Cell, CellCursor>,
    /// The time whose state this is; the same on all pages.
    pub as_of: Timestamp,
}

/// Where a list of cells goes on, and which moment it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellCursor {
    seen: Seen,
    after: CellPlace,
}

/// What is deployed of one application in one environment, archived or not.
pub async fn get_current_state(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    application: &Key,
    environment: &Slug,
    moment: Moment,
) -> Result<CellState, LedgerError> {
    let project = context
        .authorise_in(call, Command::GetCurrentState, project)
        .await?;
    let now = context.clock.now();
    let seen = moment.at(now)?;
    let found = context
        .reader()
        .cell(project, application, environment, seen.as_of(now))
        .await?;
    if found.is_none() {
        let names = Names {
            application: Some(application),
            environment: Some(environment),
            ..Names::default()
        };
        names.must_exist(context, project).await?;
    }
    let seen = seen.not_before(found.iter().map(|cell| cell.deployed_at));
    Ok(CellState {
        cell: found,
        as_of: seen.at,
    })
}

/// The filled cells that a filter selects. Further pages show the moment of the first one, whatever `moment` says.
pub async fn list_current_state(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    filter: &CellFilter,
    moment: Moment,
    cursor: Option<&CellCursor>,
    size: PageSize,
) -> Result<CellPage, LedgerError> {
    let project = context
        .authorise_in(call, Command::ListCurrentState, project)
        .await?;
    let now = context.clock.now();
    let seen = cursor.map_or_else(|| moment.at(now), |cursor| Ok(cursor.seen))?;
    let after = cursor.map(|cursor| &cursor.after);
    let page = context
        .reader()
        .cells(project, filter, seen.as_of(now), after, size)
        .await?;
    if page.items.is_empty() && cursor.is_none() {
        let names = Names {
            application: filter.application.as_ref(),
            environment: filter.environment.as_ref(),
            ..Names::default()
        };
        names.must_exist(context, project).await?;
    }
    let seen = match cursor {
        None => seen.not_before(page.items.iter().map(|cell| cell.deployed_at)),
        Some(_) => seen,
    };
    Ok(CellPage {
        as_of: seen.at,
        page: Page {
            items: page.items,
            next: page.next.map(|after| CellCursor { seen, after }),
        },
    })
}
