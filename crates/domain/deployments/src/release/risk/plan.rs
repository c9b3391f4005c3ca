//! How risky it is to write workflows, as far as the plan says.

use slipway_kernel::{ApplicationKind, RiskLevel, Tier};

use super::{Circumstances, Movement, assess};
use crate::{Change, Item};

/// How risky it is to do that in an environment of this tier: as the riskiest of the items. What has none yet, because it is
/// planned only when it is carried out, may take anything away.
pub fn of_plan(tier: Tier, items: &[Item]) -> RiskLevel {
    let movements = items.iter().filter_map(|item| match item.change {
        Change::Created => Some(Movement::In),
        Change::Updated => Some(Movement::Forward),
        Change::Deleted => Some(Movement::Out),
        Change::Unchanged | Change::Skipped => None,
    });
    let mut movements: Vec<_> = movements.collect();
    if items.is_empty() {
        movements.push(Movement::Out);
    }
    let circumstances = |movement| Circumstances {
        tier,
        kind: ApplicationKind::Workflow,
        major: None,
        movement,
        items: movements.len(),
        author: true,
    };
    let levels = movements.iter().map(|movement| {
        let given = circumstances(*movement);
        assess(RiskLevel::Low, given).level
    });
    levels.max().unwrap_or(RiskLevel::Low)
}
