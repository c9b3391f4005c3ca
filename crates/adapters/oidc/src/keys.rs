//! The keys of an issuer, remembered: asked for when a new name comes up and from time to time, by one at a time, and not
//! again within a pause, whatever comes. While the issuer is down, its last keys go on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jsonwebtoken::DecodingKey;
use tokio::time::Instant;

use crate::fetch::Source;
use crate::jwk::{self, Keys};
use crate::options::{Algorithm, Options, OptionsError};

/// How long keys go on while the issuer is down. A key that was taken back there must not stay good here for ever because
/// somebody keeps us from hearing of it.
const LONGEST: Duration = Duration::from_hours(24);

/// The keys of an issuer.
pub(crate) struct KeySet {
    issuer: String,
    source: Source,
    refresh_interval: Duration,
    refresh_pause: Duration,
    timeout: Duration,
    state: Mutex<State>,
    /// Held by who asks the issuer.
    asking: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct State {
    /// The last keys, and when they came.
    keys: Option<(Arc<Keys>, Instant)>,
    /// When the issuer was asked last, and whether it answered.
    asked: Option<(Instant, bool)>,
}

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// The issuer has none by this name for this algorithm.
    Unknown,
    /// The issuer can't be asked.
    Unavailable,
}

impl KeySet {
    pub(crate) fn new(options: &Options) -> Result<Self, OptionsError> {
        Ok(Self {
            issuer: options.issuer.to_string(),
            source: Source::new(options)?,
            refresh_interval: options.refresh_interval,
            refresh_pause: options.refresh_pause,
            timeout: options.timeout,
            state: Mutex::default(),
            asking: Arc::default(),
        })
    }

    /// The issuer's key by this name for this algorithm.
    pub(crate) async fn key(
        self: &Arc<Self>,
        name: &str,
        algorithm: Algorithm,
    ) -> Result<Arc<DecodingKey>, NoKey> {
        if let Some(key) = self.remembered(name, algorithm) {
            self.refresh_aside();
            return Ok(key);
        }
        self.ask().await;
        if let Some(key) = self.remembered(name, algorithm) {
            return Ok(key);
        }
        match self.state().asked {
            Some((_, true)) => Err(NoKey::Unknown),
            _ => Err(NoKey::Unavailable),
        }
    }

    fn remembered(&self, name: &str, algorithm: Algorithm) -> Option<Arc<DecodingKey>> {
        let state = self.state();
        let (keys, since) = state.keys.as_ref()?;
        if since.elapsed() > LONGEST {
            return None;
        }
        jwk::find(keys, name, algorithm)
    }

    /// Asks for the keys anew while they are used, where they are old.
    fn refresh_aside(self: &Arc<Self>) {
        let is_old = self
            .state()
            .keys
            .as_ref()
            .is_some_and(|(_, since)| since.elapsed() > self.refresh_interval);
        if is_old
            && self.may_ask()
            && let Ok(turn) = Arc::clone(&self.asking).try_lock_owned()
        {
            let keys = Arc::clone(self);
            tokio::spawn(async move { keys.fetch(turn).await });
        }
    }

    /// Whether the pause since the issuer was asked last is over.
    fn may_ask(&self) -> bool {
        let asked = self.state().asked;
        asked.is_none_or(|(at, _)| at.elapsed() >= self.refresh_pause)
    }

    /// Asks the issuer, or waits for who asks it now; not where it was asked just now. Who does not wait any longer leaves
    /// the question standing, so that many who hang up ask no more often than one who stays.
    async fn ask(self: &Arc<Self>) {
        let turn = Arc::clone(&self.asking).lock_owned().await;
        if self.may_ask() {
            let keys = Arc::clone(self);
            // It fails only where the process ends.
            drop(tokio::spawn(async move { keys.fetch(turn).await }).await);
        }
    }

    async fn fetch(&self, _turn: tokio::sync::OwnedMutexGuard<()>) {
        let answer = self.source.fetch(self.timeout).await;
        let keys = answer.and_then(|document| jwk::parse(&document));
        let now = Instant::now();
        let mut state = self.state();
        state.asked = Some((now, keys.is_ok()));
        match keys {
            Ok(keys) => state.keys = Some((Arc::new(keys), now)),
            Err(problem) => tracing::warn!(
                issuer = self.issuer,
                problem,
                "the keys of an issuer can't be had; those it had last, if any, go on for a day"
            ),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
