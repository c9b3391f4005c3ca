//! One case, and how it is run.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::Duration;

use futures_util::FutureExt as _;
use slipway_tests::{Backend, World};

/// How long one case may take. The longest ones kill a server twenty times.
const LIMIT: Duration = Duration::from_mins(15);

/// A case's future.
pub(crate) type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One case: it runs on each database, and panics where the server does not do what it should.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// Its topic and its function.
    pub(crate) path: &'static str,
    /// Begins it.
    pub(crate) begin: fn(Backend) -> Running,
}

/// The cases of a topic: functions that take the [`Backend`].
macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        pub(crate) const CASES: &[crate::case::Case] = &[$(crate::case::Case {
            path: concat!(module_path!(), "::", stringify!($case)),
            begin: |backend| Box::pin($case(backend)),
        }),+];
    };
}
pub(crate) use cases;

impl Case {
    /// Its name without the name of the binary.
    pub(crate) fn name(&self) -> &'static str {
        self.path
            .split_once("::")
            .map_or(self.path, |(_, name)| name)
    }

    /// Runs it. Where it fails, the end of the shared server's log is told too.
    pub(crate) async fn run(&self, backend: Backend) -> Result<(), String> {
        let running = AssertUnwindSafe((self.begin)(backend)).catch_unwind();
        let failure = match tokio::time::timeout(LIMIT, running).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(panic)) => message(&*panic),
            Err(_) => format!("still running after {LIMIT:?}"),
        };
        let log = match World::started(backend).await {
            Some(world) => world.server.log_tail(),
            None => "none was started".to_owned(),
        };
        Err(format!("{failure}\n--- the shared server's log\n{log}"))
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_else(|| "panicked".to_owned())
}
