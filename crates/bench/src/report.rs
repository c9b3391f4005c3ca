//! What a run found out: printed as it comes in, and written as `target/bench/NAME.json` at the end.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::Failure;
use crate::stats::{Spread, rounded};

/// Which side of its target a metric should be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    /// At or above it.
    Higher,
    /// At or below it.
    Lower,
}

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Metric {
    name: &'static str,
    ratio: f64,
    target: Option<f64>,
    better: Better,
    context: Map<String, Value>,
}

impl Metric {
    /// A ratio measured several times. Several figures of one name are told apart by `case`.
    pub(crate) fn new(
        name: &'static str,
        case: &str,
        ratios: &[f64],
        target: Option<f64>,
        better: Better,
    ) -> Self {
        let spread = Spread::of(ratios);
        let mut context = Map::new();
        context.insert("case".to_owned(), json!(case));
        context.insert("spread".to_owned(), spread.json());
        Self {
            name,
            ratio: rounded(spread.median),
            target,
            better,
            context,
        }
    }

    /// Adds something that helps to judge the ratio.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.context.insert(key.to_owned(), value.into());
        self
    }

    /// Adds everything an object holds.
    pub(crate) fn with_all(mut self, more: Value) -> Self {
        if let Value::Object(more) = more {
            self.context.extend(more);
        }
        self
    }

    fn verdict(&self) -> &'static str {
        match (self.target, self.better) {
            (None, _) => "no target",
            (Some(target), Better::Higher) if self.ratio >= target => "met",
            (Some(target), Better::Lower) if self.ratio <= target => "met",
            _ => "MISSED",
        }
    }
}

/// The metrics of a run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    metrics: Vec<Metric>,
}

impl Report {
    /// Prints the metric and keeps it.
    pub(crate) fn add(&mut self, metric: Metric) {
        let sign = match metric.better {
            Better::Higher => '≥',
            Better::Lower => '≤',
        };
        let target = metric
            .target
            .map_or_else(String::new, |target| format!(" (target {sign} {target})"));
        println!(
            "{:<12} {:>8}{target} {}",
            metric.name,
            metric.ratio,
            metric.verdict()
        );
        for (key, value) in &metric.context {
            println!("    {key}: {value}");
        }
        self.metrics.push(metric);
    }

    /// Says which targets were missed, and writes the file.
    pub(crate) fn write(&self, name: &str) -> Result<PathBuf, Failure> {
        // A number that is none would be written as null.
        if let Some(metric) = self.metrics.iter().find(|metric| !metric.ratio.is_finite()) {
            return Err(format!("{} has no ratio: {:?}", metric.name, metric.context).into());
        }
        println!("\nSummary");
        for metric in &self.metrics {
            let case = metric
                .context
                .get("case")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let target = metric
                .target
                .map_or_else(|| "-".to_owned(), |target| target.to_string());
            println!(
                "  {:<12} {case:<28} {:>8}  target {target:<5} {}",
                metric.name,
                metric.ratio,
                metric.verdict()
            );
        }
        let directory = crate::target_directory().join("bench");
        std::fs::create_dir_all(&directory)?;
        let path = directory.join(format!("{name}.json"));
        std::fs::write(&path, serde_json::to_string_pretty(self)? + "\n")?;
        Ok(path)
    }
}
