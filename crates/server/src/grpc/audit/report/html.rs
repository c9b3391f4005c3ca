//! Reports as one page of HTML, to be read and printed.
//!
//! The page needs nothing but itself, and runs nothing: it has no script, and its policy would forbid one. All text is
//! escaped where it is put in, and what people wrote is kept apart from what stands around it, whichever way it is read.

mod deployment;
mod frame;
mod words;

use std::collections::HashSet;

use maud::{Markup, Render, html};
use slipway_application::audit::ComplianceReport;
use slipway_audit::report::{Bounds, Entry, Exception, Population, ReportedLink};
use slipway_kernel::{PrincipalId, Sha256, Slug, Timestamp};
use slipway_ledger::Record;

use crate::grpc::show::Names;

/// A page that is being written.
pub(super) struct Page {
    project: Slug,
    bounds: Bounds,
    population: Population,
    digest: Sha256,
    generated_at: Timestamp,
    /// The deployments that have a place on the page.
    numbers: HashSet<i64>,
    section: usize,
    begun: bool,
    /// How many entries were passed in this section.
    passed: usize,
}

/// A section of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    /// What is out of the ordinary, in short.
    Exceptions,
    /// Every deployment.
    Deployments,
    /// What was reported of environments that policies governed.
    Outside,
    /// What was reported where nothing governed.
    Ungoverned,
}

const SECTIONS: [Section; 4] = [
    Section::Exceptions,
    Section::Deployments,
    Section::Outside,
    Section::Ungoverned,
];

impl Section {
    fn holds(self, entry: &Entry) -> bool {
        match (self, entry) {
            (Self::Exceptions, entry) => !entry.exceptions().is_empty(),
            (Self::Deployments, Entry::Deployment { .. }) => true,
            (Self::Outside, Entry::Reported { record, .. }) => record.outside_governance,
            (Self::Ungoverned, Entry::Reported { record, .. }) => !record.outside_governance,
            (_, _) => false,
        }
    }
}

/// The next part of the page.
pub(super) enum Part<'a> {
    /// A section begins.
    Begin,
    /// An entry in short, which comes again as a whole.
    Short(&'a Entry),
    /// An entry.
    Whole(&'a Entry),
    /// A section ends.
    End,
}

impl Page {
    pub(super) fn new(project: &Slug, report: &ComplianceReport) -> Self {
        let number = |entry: &Entry| match entry {
            Entry::Deployment { facts, .. } => Some(facts.deployment.number),
            Entry::Reported { .. } => None,
        };
        let made = &report.report;
        Self {
            project: project.clone(),
            bounds: made.bounds.clone(),
            population: made.population,
            digest: made.digest,
            generated_at: report.generated_at,
            numbers: made.entries.iter().filter_map(number).collect(),
            section: 0,
            begun: false,
            passed: 0,
        }
    }

    /// What comes next of these entries; `None` where nothing does.
    pub(super) fn next<'a>(&mut self, entries: &'a [Entry]) -> Option<Part<'a>> {
        let section = *SECTIONS.get(self.section)?;
        if !std::mem::replace(&mut self.begun, true) {
            return Some(Part::Begin);
        }
        let rest = entries.get(self.passed..).unwrap_or_default();
        if let Some(place) = rest.iter().position(|entry| section.holds(entry)) {
            self.passed += place + 1;
            let part = match section {
                Section::Exceptions => Part::Short,
                _ => Part::Whole,
            };
            return Some(part(&rest[place]));
        }
        Some(Part::End)
    }

    /// A part as text. After the end of a section comes the next one.
    pub(super) fn tell(&mut self, part: &Part<'_>, names: &Names) -> String {
        let shown = Shown { page: self, names };
        let section = SECTIONS[self.section];
        let told = match part {
            Part::Begin => self.begin(section),
            Part::Short(entry) => shown.in_short(entry),
            Part::Whole(Entry::Reported { record, .. }) => shown.reported(record),
            Part::Whole(Entry::Deployment {
                facts,
                four_eyes,
                exceptions,
            }) => shown.deployment(facts, *four_eyes, exceptions),
            Part::End => self.end(section),
        };
        if matches!(part, Part::End) {
            (self.section, self.begun, self.passed) = (self.section + 1, false, 0);
        }
        told.into_string()
    }
}

/// What parts are told with.
struct Shown<'a> {
    page: &'a Page,
    names: &'a Names,
}

impl Shown<'_> {
    /// An account: what it is called now, and its id.
    fn who(&self, principal: PrincipalId) -> Markup {
        let name = self.names.principal(principal).display_name;
        html! { @if !name.is_empty() { (said(&name)) " " } (id(&principal)) }
    }

    /// Another deployment, where it has a place on the page as a link to it.
    fn link(&self, link: ReportedLink) -> Markup {
        html! {
            @if self.page.numbers.contains(&link.number) {
                a href={ "#d-" (link.number) } { "Deployment " (link.number) }
            } @else {
                "Deployment " (link.number) " (not in this report)"
            }
            " " (id(&link.id))
        }
    }

    /// The rows of an entry among the exceptions.
    fn in_short(&self, entry: &Entry) -> Markup {
        let (place, environment, at) = match entry {
            Entry::Deployment { facts, .. } => {
                let of = &facts.deployment;
                let place = html! {
                    a href={ "#d-" (of.number) } { "Deployment " (of.number) }
                    @if let Some(name) = &of.name { " " (said(name)) }
                };
                (place, &of.environment, of.created_at)
            }
            Entry::Reported { record, .. } => {
                let place = html! {
                    a href={ "#r-" (record.id) } { "Record" }
                    " " (said(&record.application)) " " (said(&record.version))
                };
                (place, &record.environment, record.deployed_at)
            }
        };
        html! {
            @for exception in entry.exceptions() {
                tr {
                    th scope="row" { (shown_exception(exception)) }
                    td { (place) }
                    td { (environment) }
                    td { (time(at)) }
                    td {
                        @if let Exception::Violation { principal: Some(of), .. } = exception { (self.who(*of)) }
                        @if let Exception::Violation { rule: Some(rule), .. } = exception { "Rule " (said(rule)) }
                    }
                }
            }
        }
    }

    /// A record that somebody reported.
    fn reported(&self, record: &Record) -> Markup {
        html! {
            tr id={ "r-" (record.id) } {
                td { (time(record.deployed_at)) }
                th scope="row" { (said(&record.application)) }
                td { (said(&record.version)) }
                td { (record.environment) }
                td { (record.kind) (self.retraction(record)) }
                td { (self.who(record.reporter)) " at " (time(record.recorded_at)) }
                td { (id(&record.id)) }
            }
        }
    }

    fn retraction(&self, record: &Record) -> Markup {
        html! {
            @if let Some(taken) = &record.retraction {
                ". Taken back at " (time(taken.at)) " by " (self.who(taken.by)) ": " (said(&taken.reason))
            }
        }
    }
}

fn shown_exception(exception: &Exception) -> Markup {
    html! { (words::exception(exception)) " " span.word { (exception.word()) } }
}

/// What somebody wrote, or may have chosen: kept apart from the text around it, and without what is no character.
fn said(text: &impl ToString) -> Markup {
    let control = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    let text = text.to_string().replace(control, "\u{fffd}");
    html! { bdi { (text) } }
}

fn id(id: &impl ToString) -> Markup {
    html! { span.id { (id.to_string()) } }
}

fn time(at: Timestamp) -> Markup {
    let at = at.to_string();
    html! { time datetime=(at) { (at) } }
}

fn head_row(titles: &[&str]) -> Markup {
    html! { thead { tr { @for title in titles { th scope="col" { (title) } } } } }
}

/// A row of a table of facts.
fn fact(title: &str, told: &impl Render) -> Markup {
    html! { tr { th scope="row" { (title) } td { (told) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_is_text() {
        let told = said(&"\"><img src=x onerror='alert(1)'>\u{1b}[2J\n\u{202e}").into_string();
        let expected =
            "<bdi>&quot;&gt;&lt;img src=x onerror='alert(1)'&gt;\u{fffd}[2J\n\u{202e}</bdi>";
        assert_eq!(told, expected);
    }
}
