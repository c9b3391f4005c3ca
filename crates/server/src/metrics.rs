//! What the process counts, in Prometheus' form.

use std::fmt;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

/// The bounds of the duration histogram's buckets, in seconds: fine where calls to an embedded database lie.
const DURATION_BUCKETS: [f64; 14] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];

/// The process's metrics. Made once, shared by `Arc`; a part with metrics of its own adds them by
/// [`Metrics::register`].
pub struct Metrics {
    registry: Mutex<Registry>,
    handled: Family<HandledLabels, Counter>,
    duration: Family<MethodLabels, Histogram, fn() -> Histogram>,
    /// Calls that have begun and whose answer hasn't ended.
    pub in_flight: Gauge,
    /// Calls refused at once because too many were in flight.
    pub shed: Counter,
    /// Calls refused because nobody known made them.
    pub unauthenticated: Counter,
    /// Handlers that panicked.
    pub panics: Counter,
    /// Open connections.
    pub connections: Gauge,
    /// Connections closed at once because too many were open.
    pub connections_refused: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandledLabels {
    method: Arc<str>,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    method: Arc<str>,
}

impl Metrics {
    /// All metrics, at zero.
    pub fn new() -> Self {
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("slipway")),
            handled: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            in_flight: Gauge::default(),
            shed: Counter::default(),
            unauthenticated: Counter::default(),
            panics: Counter::default(),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
        };
        let m = &metrics;
        m.register(
            "rpc_handled",
            "Calls answered, by method and gRPC code",
            m.handled.clone(),
        );
        m.register(
            "rpc_duration_seconds",
            "From a call's first byte to its answer's last",
            m.duration.clone(),
        );
        m.register(
            "rpc_in_flight",
            "Calls that have begun and whose answer hasn't ended",
            m.in_flight.clone(),
        );
        m.register(
            "rpc_shed",
            "Calls refused because too many were in flight",
            m.shed.clone(),
        );
        m.register(
            "rpc_unauthenticated",
            "Calls refused because nobody known made them",
            m.unauthenticated.clone(),
        );
        m.register("rpc_panics", "Handlers that panicked", m.panics.clone());
        m.register("connections", "Open connections", m.connections.clone());
        m.register(
            "connections_refused",
            "Connections closed at once because too many were open",
            m.connections_refused.clone(),
        );
        metrics
    }

    /// Adds a metric under `slipway_{name}`; a counter's name gets `_total` in the text. `help` is one line without its
    /// full stop.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.registry().register(name, help, metric);
    }

    /// Counts an answered call. `method` is the full method's name, from a bounded set.
    pub fn handled(&self, method: &Arc<str>, code: &'static str, duration: Duration) {
        let method = Arc::clone(method);
        self.duration
            .get_or_create(&MethodLabels {
                method: Arc::clone(&method),
            })
            .observe(duration.as_secs_f64());
        self.handled
            .get_or_create(&HandledLabels { method, code })
            .inc();
    }

    /// All metrics as `OpenMetrics` text.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry())?;
        Ok(text)
    }

    fn registry(&self) -> std::sync::MutexGuard<'_, Registry> {
        // A panic while encoding leaves the registry as it was.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Counts one up while it lives.
#[derive(Debug)]
pub struct Counted(Gauge<i64, AtomicI64>);

impl Counted {
    /// Counts up now, and down when dropped.
    pub fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_method_and_code() {
        let metrics = Metrics::new();
        let method = Arc::from("/a.B/C");
        metrics.handled(&method, "OK", Duration::from_millis(2));
        metrics.handled(&method, "OK", Duration::from_millis(2));
        metrics.handled(&method, "NOT_FOUND", Duration::from_millis(2));
        let counted = Counted::new(&metrics.in_flight);

        let text = metrics.encode().unwrap();
        assert!(
            text.contains(r#"slipway_rpc_handled_total{method="/a.B/C",code="OK"} 2"#),
            "{text}"
        );
        assert!(
            text.contains(r#"slipway_rpc_handled_total{method="/a.B/C",code="NOT_FOUND"} 1"#),
            "{text}"
        );
        assert!(
            text.contains(r#"slipway_rpc_duration_seconds_count{method="/a.B/C"} 3"#),
            "{text}"
        );
        assert!(text.contains("slipway_rpc_in_flight 1"), "{text}");

        drop(counted);
        assert!(
            metrics
                .encode()
                .unwrap()
                .contains("slipway_rpc_in_flight 0")
        );
    }
}
