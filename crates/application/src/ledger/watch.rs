use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Bound,
    sync::Arc,
    time::Duration,
};

use slipway_identity::{Caller, Command};
use slipway_kernel::{PageSize, ProjectId, RecordId, Slug, StoreError};
use slipway_ledger::{Cell, CellFilter, CellNow, CellPlace};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, timeout_at},
};

use super::{LedgerError, feed::Told, names::Names};
use crate::{
    Call, Context,
    authentication::{AuthenticationError, authenticate_again},
};

/// How often it is checked that the watcher may still watch. With what is remembered of tokens, a revoked one ends its
/// watches within 5 s.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How many changed records are looked at in one statement.
const RECORDS_PER_READ: usize = 500;
/// How many newly filled cells are looked at one by one; for more it is cheaper to look at everything.
const MAX_NEW_CELLS: usize = 50;

/// Something that a watcher is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEvent {
    /// The cell holds this now.
    Filled(Box<Cell>),
    /// All cells that were filled at the start have been told.
    SnapshotComplete {
        /// How many there were.
        cells: u64,
    },
    /// The cell held something and is empty now.
    Emptied(CellPlace),
}

/// Why a watch ends.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The caller's token is good no longer.
    #[error(transparent)]
    Authentication(#[from] AuthenticationError),
    /// As any question about the ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<StoreError> for WatchError {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error.into())
    }
}

/// Follows the filled cells that a filter selects: first all of them, then every change.
///
/// It keeps which record each cell was last told to hold, so that nothing is told twice, and so that a watcher that was
/// too slow can be told the difference.
pub struct Watch {
    context: Arc<Context>,
    caller: Caller,
    correlation_id: String,
    slug: Slug,
    project: ProjectId,
    filter: CellFilter,
    feed: Receiver<Told>,
    stage: Stage,
    /// Whether the walk over all cells was completed once.
    complete: bool,
    /// What each cell was last told to hold.
    told: BTreeMap<CellPlace, RecordId>,
    /// What is to be told next.
    waiting: VecDeque<WatchEvent>,
    check_at: Instant,
}

/// What a watch does when nothing waits to be told.
enum Stage {
    /// Walks over all cells, behind this place.
    Walk(Option<CellPlace>),
    /// Looks at the cells of these records, then waits for more.
    Follow(Vec<RecordId>),
}

impl Watch {
    /// Begins to watch. Archived cells are left out, whatever the filter says.
    pub async fn start(
        context: &Arc<Context>,
        call: &Call<'_>,
        slug: &Slug,
        filter: CellFilter,
    ) -> Result<Self, LedgerError> {
        let project = context
            .authorise_in(call, Command::WatchCurrentState, slug)
            .await?;
        let names = Names {
            application: filter.application.as_ref(),
            environment: filter.environment.as_ref(),
            ..Names::default()
        };
        names.must_exist(context, project).await?;
        Ok(Self {
            // Before the first cell is read, so that no change falls between.
            feed: context.feed.join(context).await?,
            context: Arc::clone(context),
            caller: call.caller.clone(),
            correlation_id: call.correlation_id.to_owned(),
            slug: slug.clone(),
            project,
            filter: CellFilter {
                include_archived: false,
                ..filter
            },
            stage: Stage::Walk(None),
            complete: false,
            told: BTreeMap::new(),
            waiting: VecDeque::new(),
            check_at: Instant::now() + CHECK_INTERVAL,
        })
    }

    /// What comes next. It waits until there is something, for as long as the caller may watch.
    pub async fn next(&mut self) -> Result<WatchEvent, WatchError> {
        loop {
            if Instant::now() >= self.check_at {
                self.check().await?;
            }
            if let Some(event) = self.waiting.pop_front() {
                return Ok(event);
            }
            match &mut self.stage {
                Stage::Walk(after) => {
                    let after = after.take();
                    self.walk(after).await?;
                }
                Stage::Follow(changed) if changed.is_empty() => self.listen().await,
                Stage::Follow(changed) => {
                    let read = changed.len().min(RECORDS_PER_READ);
                    let records: Vec<_> = changed.drain(..read).collect();
                    self.look(&records).await?;
                }
            }
        }
    }

    /// Passes where the caller may watch still.
    async fn check(&mut self) -> Result<(), WatchError> {
        let caller = authenticate_again(&self.context, &self.caller.credential).await?;
        let call = Call {
            caller: &caller,
            correlation_id: &self.correlation_id,
            request_id: None,
        };
        self.context
            .authorise_in(&call, Command::WatchCurrentState, &self.slug)
            .await
            .map_err(LedgerError::from)?;
        self.check_at = Instant::now() + CHECK_INTERVAL;
        Ok(())
    }

    /// Reads a page of cells, and tells how it differs from what was told: the first time everything.
    async fn walk(&mut self, after: Option<CellPlace>) -> Result<(), WatchError> {
        let page = self
            .context
            .reader()
            .cells(
                self.project,
                &self.filter,
                None,
                after.as_ref(),
                PageSize::MAX,
            )
            .await?;
        let begin = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut emptied: BTreeSet<CellPlace> = self
            .told
            .range((begin, Bound::Unbounded))
            .map(|(place, _)| place)
            .take_while(|place| page.next.as_ref().is_none_or(|end| *place <= end))
            .cloned()
            .collect();
        for cell in page.items {
            emptied.remove(&cell.place());
            self.filled(cell);
        }
        for place in emptied {
            self.emptied(place);
        }
        if page.next.is_some() {
            self.stage = Stage::Walk(page.next);
            return Ok(());
        }
        self.stage = Stage::Follow(Vec::new());
        if !self.complete {
            self.complete = true;
            let cells = self.told.len() as u64;
            self.waiting
                .push_back(WatchEvent::SnapshotComplete { cells });
        }
        Ok(())
    }

    /// Waits for changes, until it is time to check again.
    async fn listen(&mut self) {
        match timeout_at(self.check_at, self.feed.recv()).await {
            Ok(Ok(Told::Records(records))) => {
                let ours = records.get(&self.project).cloned().unwrap_or_default();
                self.stage = Stage::Follow(ours);
            }
            Ok(Ok(Told::Much) | Err(RecvError::Lagged(_))) => self.stage = Stage::Walk(None),
            // The feed lives as long as the context, so that it is never closed.
            Ok(Err(RecvError::Closed)) | Err(_) => {}
        }
    }

    /// Looks at the cells of records that changed.
    async fn look(&mut self, records: &[RecordId]) -> Result<(), WatchError> {
        let reader = self.context.reader();
        let cells = reader.cells_of_records(self.project, records).await?;
        let mut new = Vec::new();
        for CellNow { place, cell } in cells {
            match cell {
                _ if !selects(&self.filter, &place) => {}
                Some(cell) if self.told.contains_key(&place) => self.filled(cell),
                Some(_) => new.push(place),
                None => self.emptied(place),
            }
        }
        if new.len() > MAX_NEW_CELLS {
            self.stage = Stage::Walk(None);
            return Ok(());
        }
        for place in new {
            // Asked for again, because what is archived is left out here.
            let filter = CellFilter {
                application: Some(place.application),
                environment: Some(place.environment),
                include_archived: false,
            };
            let reader = self.context.reader();
            let page = reader
                .cells(self.project, &filter, None, None, PageSize::DEFAULT)
                .await?;
            for cell in page.items {
                self.filled(cell);
            }
        }
        Ok(())
    }

    fn filled(&mut self, cell: Cell) {
        if self.told.insert(cell.place(), cell.record) != Some(cell.record) {
            self.waiting.push_back(WatchEvent::Filled(Box::new(cell)));
        }
    }

    fn emptied(&mut self, place: CellPlace) {
        if self.told.remove(&place).is_some() {
            self.waiting.push_back(WatchEvent::Emptied(place));
        }
    }
}

fn selects(filter: &CellFilter, place: &CellPlace) -> bool {
    filter
        .application
        .as_ref()
        .is_none_or(|application| *application == place.application)
        && filter
            .environment
            .as_ref()
            .is_none_or(|environment| *environment == place.environment)
}
