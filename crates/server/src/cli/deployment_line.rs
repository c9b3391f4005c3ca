//! The form in which deployments are imported and exported: one JSON object a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use slipway_api::ledger::v1::{DeploymentRecord, DeploymentReport, RecordKind, RiskLevel};
use slipway_kernel::Timestamp;

use super::time;

/// One deployment. Values are texts here: the server checks them, and says what is wrong with each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeploymentLine {
    application: String,
    version: String,
    environment: String,
    /// RFC 3339.
    deployed_at: String,
    /// `deployed` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deployed_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    risk: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notes: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attributes: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
}

/// Parses one line, or says what is wrong with it.
pub(super) fn parse(line: &[u8]) -> Result<DeploymentReport, String> {
    // An array would do for a struct too, by position: nobody means that.
    if line.trim_ascii_start().first() != Some(&b'{') {
        return Err("the line is no JSON object; write one like {\"application\": …}".to_owned());
    }
    let mut reader = serde_json::Deserializer::from_slice(line);
    let parsed: DeploymentLine = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| located(&error.path().to_string(), error.inner()))?;
    reader.end().map_err(|error| located(".", &error))?;
    parsed.into_report()
}

/// The record as a line, or what about it this program does not know.
pub(super) fn of_record(record: DeploymentRecord) -> Result<DeploymentLine, String> {
    let kind = match record.kind() {
        RecordKind::Deployed => None,
        RecordKind::Removed => Some("removed".to_owned()),
        RecordKind::Unspecified => return Err(format!("has the unknown kind {}", record.kind)),
    };
    let risk = match record.risk_level() {
        RiskLevel::Unspecified if record.risk_level != 0 => {
            return Err(format!("has the unknown risk level {}", record.risk_level));
        }
        RiskLevel::Unspecified => None,
        RiskLevel::Low => Some("low"),
        RiskLevel::Medium => Some("medium"),
        RiskLevel::High => Some("high"),
        RiskLevel::Critical => Some("critical"),
    };
    let deployed_at = record
        .deployed_time
        .and_then(time::from_wire)
        .ok_or("has no valid deployment time")?;
    let given = |text: String| (!text.is_empty()).then_some(text);
    Ok(DeploymentLine {
        deployed_at: deployed_at.to_string(),
        kind,
        risk: risk.map(str::to_owned),
        application: record.application,
        version: record.version,
        environment: record.environment,
        deployed_by: given(record.deployed_by),
        notes: given(record.notes),
        attributes: Some(record.attributes).filter(|attributes| !attributes.is_empty()),
        external_id: given(record.external_id),
    })
}

impl DeploymentLine {
    fn into_report(self) -> Result<DeploymentReport, String> {
        let deployed_time =
            Timestamp::parse(&self.deployed_at).map_err(|error| format!("deployed_at: {error}"))?;
        let kind = self
            .kind
            .as_deref()
            .map_or(Ok(RecordKind::Deployed), kind)?;
        let risk_level = self
            .risk
            .as_deref()
            .map_or(Ok(RiskLevel::Unspecified), risk)?;
        Ok(DeploymentReport {
            application: self.application,
            version: self.version,
            environment: self.environment,
            deployed_time: Some(time::to_wire(deployed_time)),
            kind: kind.into(),
            deployed_by: self.deployed_by.unwrap_or_default(),
            risk_level: risk_level.into(),
            notes: self.notes.unwrap_or_default(),
            attributes: self.attributes.unwrap_or_default(),
            external_id: self.external_id.unwrap_or_default(),
        })
    }
}

fn kind(text: &str) -> Result<RecordKind, String> {
    match text.to_ascii_lowercase().as_str() {
        "deployed" => Ok(RecordKind::Deployed),
        "removed" => Ok(RecordKind::Removed),
        _ => Err(format!(
            "kind: `{}` is neither deployed nor removed",
            start_of(text)
        )),
    }
}

fn risk(text: &str) -> Result<RiskLevel, String> {
    match text.to_ascii_lowercase().as_str() {
        "low" => Ok(RiskLevel::Low),
        "medium" => Ok(RiskLevel::Medium),
        "high" => Ok(RiskLevel::High),
        // What some tools call an urgency knows emergencies.
        "critical" | "emergency" => Ok(RiskLevel::Critical),
        _ => Err(format!(
            "risk: `{}` is none of low, medium, high, critical and emergency",
            start_of(text)
        )),
    }
}

fn start_of(text: &str) -> String {
    text.chars().take(64).collect()
}

/// What the parser says, with the field and the column; the line is told by its number.
fn located(path: &str, error: &serde_json::Error) -> String {
    let text = error.to_string();
    // The parser counts lines within this one, which ends with a line break of its own.
    let text = match text.rsplit_once(" at line ") {
        Some((said, place)) => match place.split_once(" column ") {
            Some(("1", column)) => format!("{said} at column {column}"),
            _ => format!("{said} at its end"),
        },
        None => text,
    };
    // A question mark stands for a place that the parser can't name.
    if [".", "?"].contains(&path) || text.starts_with("unknown field") {
        text
    } else {
        format!("{path}: {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"application":"acme/cart","version":"1.4.2","environment":"prod-eu","deployed_at":"2026-03-01T10:30:00.123456+01:00","kind":"Removed","deployed_by":"Zoë","risk":"HIGH","notes":"a\nb","attributes":{"run":"17"},"external_id":"x-1"}"#;
    const LEAST: &str = r#"{"application":"a","version":"1","environment":"e","deployed_at":"2026-03-01T09:30:00Z"}"#;

    fn refused(line: &str) -> String {
        parse(line.as_bytes()).unwrap_err()
    }

    #[test]
    fn every_field_is_read() {
        let report = parse(WHOLE.as_bytes()).unwrap();
        assert_eq!(report.application, "acme/cart");
        assert_eq!(report.version, "1.4.2");
        assert_eq!(report.environment, "prod-eu");
        let time = report.deployed_time.unwrap();
        assert_eq!((time.seconds, time.nanos), (1_772_357_400, 123_456_000));
        assert_eq!(report.kind(), RecordKind::Removed);
        assert_eq!(report.deployed_by, "Zoë");
        assert_eq!(report.risk_level(), RiskLevel::High);
        assert_eq!(report.notes, "a\nb");
        assert_eq!(report.attributes["run"], "17");
        assert_eq!(report.external_id, "x-1");
    }

    #[test]
    fn what_is_left_out_or_null_is_not_said() {
        let report = parse(LEAST.as_bytes()).unwrap();
        assert_eq!(report.kind(), RecordKind::Deployed);
        assert_eq!(report.risk_level(), RiskLevel::Unspecified);
        let nulls = LEAST.replace('}', r#","risk":null,"notes":null,"attributes":null}"#);
        assert_eq!(parse(nulls.as_bytes()).unwrap(), report);
    }

    #[test]
    fn an_emergency_is_critical() {
        for word in ["critical", "emergency", "Emergency"] {
            let line = LEAST.replace('}', &format!(r#","risk":"{word}"}}"#));
            let report = parse(line.as_bytes()).unwrap();
            assert_eq!(report.risk_level(), RiskLevel::Critical, "{word}");
        }
    }

    #[test]
    fn faults_are_named() {
        let unknown = refused(&LEAST.replace('}', r#","deployer":"x"}"#));
        assert!(unknown.starts_with("unknown field `deployer`"), "{unknown}");
        let twice = refused(&LEAST.replace('}', r#","version":"2"}"#));
        assert!(twice.contains("duplicate field `version`"), "{twice}");
        let absent = refused(r#"{"application":"a"}"#);
        assert!(absent.contains("missing field `version`"), "{absent}");
        let number = refused(&LEAST.replace("\"1\"", "1"));
        assert!(
            number.starts_with("version: invalid type: integer `1`"),
            "{number}"
        );
        let attribute = refused(&LEAST.replace('}', r#","attributes":{"a":1}}"#));
        assert!(attribute.starts_with("attributes.a: "), "{attribute}");
        let risk = refused(&LEAST.replace('}', r#","risk":"huge"}"#));
        assert!(risk.starts_with("risk: `huge` is none of"), "{risk}");
        let kind = refused(&LEAST.replace('}', r#","kind":"gone"}"#));
        assert!(kind.starts_with("kind: `gone`"), "{kind}");
    }

    #[test]
    fn bad_times_are_named() {
        for bad in [
            "",
            "yesterday",
            "2026-03-01",
            "2026-03-01 09:30",
            "2026-13-01T00:00:00Z",
            "2026-03-01T09:30:00",
        ] {
            let error = refused(&LEAST.replace("2026-03-01T09:30:00Z", bad));
            assert!(error.starts_with("deployed_at: "), "{bad}: {error}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for bad in [
            "[\"a\",\"1\",\"e\",\"2026-03-01T09:30:00Z\"]",
            "null",
            "{",
            "{} {}",
            "nonsense",
            "{\"application\":\"\u{1}\"}",
        ] {
            assert!(!refused(bad).is_empty(), "{bad}");
        }
        assert!(refused(&format!("{LEAST} x")).contains("trailing characters"));
        assert!(parse(b"{\"application\":\"\xff\"}").is_err());
        for cut in [
            "{\n",
            "{\"application\":\n",
            "{\"application\":\"a\",\n",
            "{nonsense}\n",
        ] {
            let told = refused(cut);
            assert!(!told.contains('?') && !told.contains("line "), "{told}");
        }
    }

    #[test]
    fn a_record_is_written_as_it_is_read() {
        for line in [WHOLE, LEAST] {
            let report = parse(line.as_bytes()).unwrap();
            let record = DeploymentRecord {
                application: report.application.clone(),
                version: report.version.clone(),
                environment: report.environment.clone(),
                kind: report.kind,
                deployed_time: report.deployed_time,
                deployed_by: report.deployed_by.clone(),
                risk_level: report.risk_level,
                notes: report.notes.clone(),
                attributes: report.attributes.clone(),
                external_id: report.external_id.clone(),
                ..DeploymentRecord::default()
            };
            let written = serde_json::to_vec(&of_record(record).unwrap()).unwrap();
            assert_eq!(parse(&written).unwrap(), report);
        }
    }

    #[test]
    fn a_kind_of_a_later_server_is_not_guessed() {
        let record = DeploymentRecord {
            kind: 99,
            ..DeploymentRecord::default()
        };
        assert!(of_record(record).unwrap_err().contains("99"));
    }
}
