//! Reports as comma-separated values (RFC 4180), which spreadsheets open without running anything.

use slipway_approvals::Decision;
use slipway_audit::report::{
    DeploymentFacts, Entry, Exception, FourEyes, ReportedItem, ReportedLink,
};
use slipway_kernel::{PrincipalId, Timestamp};
use slipway_ledger::Record;

/// What the columns are called.
const COLUMNS: [&str; 37] = [
    "exceptions",
    "entry",
    "deployment_number",
    "deployment_id",
    "kind",
    "name",
    "environment",
    "state",
    "problem",
    "risk",
    "requested_by",
    "requested_by_id",
    "reason",
    "created_time",
    "started_time",
    "finished_time",
    "approval_required",
    "four_eyes",
    "approvals",
    "overrides",
    "freezes_crossed",
    "undoes",
    "rolled_back_by",
    "back_to",
    "record_id",
    "application",
    "version",
    "record_kind",
    "deployed_time",
    "recorded_time",
    "retracted",
    "change",
    "status",
    "version_before",
    "declared_risk",
    "risk_factors",
    "change_message",
];

/// Says what people call an account now; empty where nobody knows.
pub(super) type NameOf<'a> = &'a dyn Fn(PrincipalId) -> String;

/// The first line.
pub(super) fn header() -> String {
    line(&COLUMNS.map(str::to_owned))
}

/// The lines of an entry: one for a deployment, and one more for each item that it changes and each record that it wrote, which name it.
pub(super) fn lines(entry: &Entry, name: NameOf<'_>) -> Vec<String> {
    match entry {
        Entry::Reported { record, exceptions } => {
            let mut cells = empty();
            cells[0] = words(exceptions);
            "REPORTED_RECORD".clone_into(&mut cells[1]);
            cells[10] = name(record.reporter);
            cells[11] = record.reporter.to_string();
            cells[6] = record.environment.to_string();
            fill_record(&mut cells, record);
            vec![line(&cells)]
        }
        Entry::Deployment {
            facts,
            four_eyes,
            exceptions,
        } => {
            let mut cells = of_deployment(facts, *four_eyes, name);
            cells[0] = words(exceptions);
            let mut lines = Vec::with_capacity(1 + facts.items.len() + facts.records.len());
            lines.push(line(&cells));
            cells[0].clear();
            for cell in &mut cells[7..] {
                cell.clear();
            }
            "ITEM".clone_into(&mut cells[1]);
            for item in &facts.items {
                let mut cells = cells.clone();
                fill_item(&mut cells, item);
                lines.push(line(&cells));
            }
            "RECORD".clone_into(&mut cells[1]);
            for record in &facts.records {
                fill_record(&mut cells, record);
                lines.push(line(&cells));
            }
            lines
        }
    }
}

type Cells = [String; COLUMNS.len()];

fn empty() -> Cells {
    std::array::from_fn(|_| String::new())
}

fn words(exceptions: &[Exception]) -> String {
    let words = exceptions.iter().map(Exception::word);
    words.collect::<Vec<_>>().join("; ")
}

fn of_deployment(facts: &DeploymentFacts, four_eyes: FourEyes, name: NameOf<'_>) -> Cells {
    let of = &facts.deployment;
    let mut cells = empty();
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    let link =
        |link: Option<ReportedLink>| link.map(|link| link.number.to_string()).unwrap_or_default();
    "DEPLOYMENT".clone_into(&mut cells[1]);
    cells[2] = of.number.to_string();
    cells[3] = of.id.to_string();
    cells[4] = of.kind.to_string();
    cells[5] = of.name.clone().unwrap_or_default();
    cells[6] = of.environment.to_string();
    cells[7] = of.state.to_string();
    cells[8] = of.problem.clone().unwrap_or_default();
    cells[9] = of.risk.to_string();
    cells[10] = name(of.requested_by);
    cells[11] = of.requested_by.to_string();
    cells[12] = of.reason.clone().unwrap_or_default();
    cells[13] = of.created_at.to_string();
    cells[14] = time(of.started_at);
    cells[15] = time(of.finished_at);
    cells[16] = facts.was_asked().to_string();
    cells[17] = four_eyes.to_string();
    cells[18] = approvals(facts, name);
    cells[19] = overrides(facts, name);
    let crossed = facts.freezes.iter().map(|crossed| {
        let (slug, by, at) = (&crossed.slug, name(crossed.by), crossed.at);
        format!("{slug}: {by} ({}) at {at}: {}", crossed.by, crossed.reason)
    });
    cells[20] = crossed.collect::<Vec<_>>().join("; ");
    cells[21] = link(of.undoes);
    cells[22] = link(of.rolled_back_by);
    cells[23] = link(of.back_to);
    cells
}

/// In their words, where they said anything.
fn comment(made: &Decision) -> String {
    match made.comment.as_str() {
        "" => String::new(),
        said => format!(": {said}"),
    }
}

/// What was answered, also to requests that don't count any more.
fn approvals(facts: &DeploymentFacts, name: NameOf<'_>) -> String {
    let counts = facts.request().map(|request| request.id);
    let decisions = facts.requests.iter().flat_map(|request| {
        let decisions = request.decisions.iter();
        decisions.map(move |made| (request, made))
    });
    let told = decisions.map(|(request, made)| {
        let state = request.state.kind();
        let earlier =
            (counts != Some(request.id)).then(|| format!(", to a request that is {state}"));
        let rule = made.rule.as_ref().map(|rule| format!(" for {rule}"));
        let withdrawn = made.withdrawn.as_ref().map_or("", |_| ", withdrawn");
        format!(
            "{} by {} ({}){} at {} of {}{withdrawn}{}{}",
            made.verdict,
            name(made.principal),
            made.principal,
            rule.unwrap_or_default(),
            made.at,
            made.digest,
            earlier.unwrap_or_default(),
            comment(made),
        )
    });
    told.collect::<Vec<_>>().join("; ")
}

fn overrides(facts: &DeploymentFacts, name: NameOf<'_>) -> String {
    let made = facts.requests.iter();
    let told = made
        .filter_map(|request| request.overridden.as_ref())
        .map(|made| {
            let review = made.review.as_ref().map_or_else(
                || "not reviewed".to_owned(),
                |review| {
                    let (finding, by, at) = (review.finding, name(review.principal), review.at);
                    format!(
                        "{finding} by {by} ({}) at {at}: {}",
                        review.principal, review.comment
                    )
                },
            );
            let (by, at) = (name(made.principal), made.at);
            format!(
                "{by} ({}) at {at}: {}; {review}",
                made.principal, made.reason
            )
        });
    told.collect::<Vec<_>>().join("; ")
}

fn fill_item(cells: &mut Cells, item: &ReportedItem) {
    cells[25] = item.application.to_string();
    cells[31] = item.change.to_string();
    cells[32] = item.status.to_string();
    let Some(chosen) = &item.chosen else { return };
    let version = |version: &Option<slipway_kernel::Key>| {
        version
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    let factors = chosen.factors.iter();
    let factors = factors.map(|factor| format!("{}: {}", factor.factor, factor.message));
    cells[9] = chosen.risk.to_string();
    cells[26] = version(&chosen.after);
    cells[33] = version(&chosen.before);
    cells[34] = chosen.declared.to_string();
    cells[35] = factors.collect::<Vec<_>>().join("; ");
    cells[36].clone_from(&chosen.message);
}

fn fill_record(cells: &mut Cells, record: &Record) {
    cells[24] = record.id.to_string();
    cells[25] = record.application.to_string();
    cells[26] = record.version.to_string();
    cells[27] = record.kind.to_string();
    cells[28] = record.deployed_at.to_string();
    cells[29] = record.recorded_at.to_string();
    cells[30] = record
        .retraction
        .as_ref()
        .map_or_else(String::new, |taken| {
            format!("at {} by {}: {}", taken.at, taken.by, taken.reason)
        });
}

fn line(cells: &Cells) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| quoted(cell)).collect();
    format!("{}\r\n", cells.join(","))
}

/// What a formula begins with, in full width as well, and what spreadsheets pass over before it.
const FORMULAS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// A cell in quotation marks. What a spreadsheet would take for a formula begins with an apostrophe instead.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(FORMULAS);
    let apostrophe = if formula { "'" } else { "" };
    format!("\"{apostrophe}{}\"", cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, expected) in [
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("\r=1", "\"'\r=1\""),
            ("\n=1", "\"'\n=1\""),
            ("＝1+1", "\"'＝1+1\""),
            ("＋1", "\"'＋1\""),
            ("－1", "\"'－1\""),
            ("＠SUM(A1)", "\"'＠SUM(A1)\""),
            ("say \"hi\",\nthere", "\"say \"\"hi\"\",\nthere\""),
            ("1=1", "\"1=1\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(cell), expected);
        }
    }
}
