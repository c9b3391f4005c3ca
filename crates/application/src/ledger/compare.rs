use std::{cmp::Ordering, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use slipway_identity::Command;
use slipway_kernel::{
    Key, Page, PageSize, ProjectId, Slug, Timestamp,
    version_order::{Ordered, compare},
};
use slipway_ledger::{AsOf, Cell, CellFilter, CellPlace};

use super::{LedgerError, Moment, moment::Seen, names::Names};
use crate::{Call, Context};

/// How many pages of each environment one answer looks at before it ends early: equal environments of any size are
/// compared in bounded steps.
const MAX_STEPS: u32 = 10;

/// Two environments to compare.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The project.
    pub project: Slug,
    /// The environment on the left.
    pub left: Slug,
    /// The environment on the right, another one.
    pub right: Slug,
    /// The moment to compare.
    pub moment: Moment,
    /// Whether applications with the same version on both sides are wanted too.
    pub include_same: bool,
}

/// A page of differences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparisonPage {
    /// The differences, by application key, bytewise. A page may be short, or empty, and not the last.
    pub page: Page<Sides, ComparisonCursor>,
    /// The time whose state this is; the same on all pages.
    pub as_of: Timestamp,
}

/// Where a comparison goes on, and which moment it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparisonCursor {
    seen: Seen,
    after: Key,
}

/// What two environments have of one application: on at least one side something is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sides {
    /// Only the left environment has it.
    OnlyLeft(Box<Cell>),
    /// Only the right environment has it.
    OnlyRight(Box<Cell>),
    /// Both have it.
    Both {
        /// What is on the left.
        left: Box<Cell>,
        /// What is on the right.
        right: Box<Cell>,
        /// How the version on the left stands to the one on the right: equal is the same version.
        order: Ordering,
    },
}

impl Sides {
    /// One of the cells, for what both have in common.
    pub const fn any(&self) -> &Cell {
        match self {
            Self::OnlyLeft(cell) | Self::OnlyRight(cell) | Self::Both { left: cell, .. } => cell,
        }
    }

    fn of(left: Option<Cell>, right: Option<Cell>) -> Option<Self> {
        match (left, right) {
            (None, None) => None,
            (Some(left), None) => Some(Self::OnlyLeft(Box::new(left))),
            (None, Some(right)) => Some(Self::OnlyRight(Box::new(right))),
            (Some(left), Some(right)) => Some(Self::Both {
                order: if left.version_id == right.version_id {
                    Ordering::Equal
                } else {
                    compare(ordered(&left), ordered(&right))
                },
                left: Box::new(left),
                right: Box::new(right),
            }),
        }
    }

    const fn is_same(&self) -> bool {
        matches!(
            self,
            Self::Both {
                order: Ordering::Equal,
                ..
            }
        )
    }
}

const fn ordered(cell: &Cell) -> Ordered<'_> {
    Ordered {
        identifier: &cell.version,
        created_at: cell.version_created_at,
        id: cell.version_id,
    }
}

/// Compares what is deployed in two environments. Archived applications are left out, and nothing counts as deployed in
/// an archived environment. Further pages show the moment of the first one, whatever `moment` says.
pub async fn compare_environments(
    context: &Context,
    call: &Call<'_>,
    comparison: &Comparison,
    cursor: Option<&ComparisonCursor>,
    size: PageSize,
) -> Result<ComparisonPage, LedgerError> {
    let project = context
        .authorise_in(call, Command::CompareEnvironments, &comparison.project)
        .await?;
    let now = context.clock.now();
    let mut seen = cursor.map_or_else(|| comparison.moment.at(now), |cursor| Ok(cursor.seen))?;
    let as_of = seen.as_of(now);
    let mut after = cursor.map(|cursor| cursor.after.clone());
    let mut differences = Vec::new();
    let mut complete = false;
    for _ in 0..MAX_STEPS {
        let step = Step::read(context, project, comparison, as_of, after.as_ref()).await?;
        if cursor.is_none() {
            seen = seen.not_before(step.cells().map(|cell| cell.deployed_at));
        }
        complete = step.through.is_none();
        after.clone_from(&step.through);
        differences.extend(
            step.sides()
                .filter(|sides| comparison.include_same || !sides.is_same()),
        );
        if complete || differences.len() > size.get() as usize {
            break;
        }
    }
    let mut page = Page::from_rows(differences, size, |sides| sides.any().application.clone());
    if page.next.is_none() && !complete {
        page.next = after;
    }
    Ok(ComparisonPage {
        as_of: seen.at,
        page: Page {
            items: page.items,
            next: page.next.map(|after| ComparisonCursor { seen, after }),
        },
    })
}

/// A stretch of both environments: everything between two application keys.
struct Step {
    left: Vec<Cell>,
    right: Vec<Cell>,
    /// The last key of the stretch; `None` where it goes to the end.
    through: Option<Key>,
}

impl Step {
    async fn read(
        context: &Context,
        project: ProjectId,
        comparison: &Comparison,
        as_of: Option<AsOf>,
        after: Option<&Key>,
    ) -> Result<Self, LedgerError> {
        let (left, left_through) = side(context, project, &comparison.left, as_of, after).await?;
        let (right, right_through) =
            side(context, project, &comparison.right, as_of, after).await?;
        let through = match (left_through, right_through) {
            (Some(left), Some(right)) => Some(left.min(right)),
            (left, right) => left.or(right),
        };
        Ok(Self {
            left,
            right,
            through,
        })
    }

    fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.left.iter().chain(&self.right)
    }

    fn sides(self) -> impl Iterator<Item = Sides> {
        let within = |cell: &Cell| {
            self.through
                .as_ref()
                .is_none_or(|through| cell.application <= *through)
        };
        let mut pairs: BTreeMap<Key, (Option<Cell>, Option<Cell>)> = BTreeMap::new();
        for left in self.left.into_iter().filter(within) {
            let pair = pairs.entry(left.application.clone()).or_default();
            pair.0 = Some(left);
        }
        for right in self.right.into_iter().filter(within) {
            let pair = pairs.entry(right.application.clone()).or_default();
            pair.1 = Some(right);
        }
        pairs
            .into_values()
            .filter_map(|(left, right)| Sides::of(left, right))
    }
}

/// The cells of one environment behind an application key, and the last key where there are more.
async fn side(
    context: &Context,
    project: ProjectId,
    environment: &Slug,
    as_of: Option<AsOf>,
    after: Option<&Key>,
) -> Result<(Vec<Cell>, Option<Key>), LedgerError> {
    let filter = CellFilter {
        environment: Some(environment.clone()),
        ..CellFilter::default()
    };
    let place = after.map(|application| CellPlace {
        application: application.clone(),
        environment: environment.clone(),
    });
    let page = context
        .reader()
        .cells(project, &filter, as_of, place.as_ref(), PageSize::MAX)
        .await?;
    if page.items.is_empty() && after.is_none() {
        let names = Names {
            environment: Some(environment),
            ..Names::default()
        };
        names.must_exist(context, project).await?;
    }
    Ok((page.items, page.next.map(|place| place.application)))
}
