//! What stands around the entries on the page: its head, the heads of its sections, and the summary.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use slipway_audit::report::{Bounds, REPORT_FORM};

use super::{Page, Section, fact, head_row, id, time};

const STYLE: &str = include_str!("style.css");
/// What the page may do: look as it says, and nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

impl Page {
    /// The beginning of the page.
    pub(in super::super) fn head(&self) -> String {
        let Bounds { from, to, .. } = self.bounds;
        let title = format!("Compliance report: {}, {from} to {to}", self.project);
        let head = html! {
            (DOCTYPE)
            (PreEscaped("<html lang=\"en\">"))
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="generator" content="Slipway";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            (PreEscaped("<body><main>"))
            header {
                h1 { "Compliance report" }
                p.about {
                    "Project " strong { (self.project) }
                    @if let Some((_, environment)) = &self.bounds.environment {
                        ", environment " strong { (environment) }
                    }
                    ", " (time(from)) " to " (time(to)) " (not included). All times are UTC."
                }
            }
        };
        head.into_string()
    }

    fn count(&self, section: Section) -> u64 {
        match section {
            Section::Exceptions => self.population.exceptions,
            Section::Deployments => self.population.deployments,
            Section::Outside => self.population.outside_governance,
            Section::Ungoverned => self.population.ungoverned,
        }
    }

    pub(super) fn begin(&self, section: Section) -> Markup {
        let (id, title, none) = match section {
            Section::Exceptions => (
                "exceptions",
                "Exceptions",
                "Nothing in this period is out of the ordinary.",
            ),
            Section::Deployments => ("deployments", "Deployments", "There are none."),
            Section::Outside => (
                "outside-governance",
                "Records outside governance",
                "Nothing was reported of environments that policies governed.",
            ),
            Section::Ungoverned => (
                "ungoverned",
                "Records where no policy governed",
                "There are none.",
            ),
        };
        let count = self.count(section);
        html! {
            (PreEscaped(format!("<section id=\"{id}\">")))
            h2 { (title) " " span.count { "(" (count) ")" } }
            @if count == 0 { p { (none) } }
            @else if section == Section::Exceptions {
                (PreEscaped("<table>"))
                (head_row(&["What", "Where", "Environment", "Time", "Whom it is about"]))
                (PreEscaped("<tbody>"))
            } @else if section != Section::Deployments {
                (PreEscaped("<table>"))
                (head_row(&["Time", "Application", "Version", "Environment", "What", "Reported by", "Record"]))
                (PreEscaped("<tbody>"))
            }
        }
    }

    pub(super) fn end(&self, section: Section) -> Markup {
        html! {
            @if section != Section::Deployments && self.count(section) > 0 {
                (PreEscaped("</tbody></table>"))
            }
            (PreEscaped("</section>"))
            @match section {
                Section::Exceptions => (self.summary()),
                Section::Ungoverned => (PreEscaped("</main></body></html>\n")),
                _ => {}
            }
        }
    }

    fn summary(&self) -> Markup {
        let Bounds { from, to, .. } = self.bounds;
        let of = self.population;
        let environment = self.bounds.environment.as_ref();
        html! {
            section #summary {
                h2 { "Summary" }
                table.facts {
                    caption { "Bounds, population and digest" }
                    tbody {
                        (fact("Project", &html! { (self.project) " " (id(&self.bounds.project)) }))
                        (fact("Environments", &environment.map_or_else(
                            || html! { "all" },
                            |(of, slug)| html! { (slug) " " (id(of)) },
                        )))
                        (fact("From", &html! { (time(from)) ", included" }))
                        (fact("To", &html! { (time(to)) ", not included" }))
                        (fact("Made at", &time(self.generated_at)))
                        (fact("Deployments", &html! { (of.deployments) }))
                        (fact("Records that they wrote", &html! { (of.deployed_records) }))
                        (fact("Records outside governance", &html! { (of.outside_governance) }))
                        (fact("Records where no policy governed", &html! { (of.ungoverned) }))
                        (fact("Entries with exceptions", &html! { (of.exceptions) }))
                        (fact("Digest", &html! { code #digest { "sha256:" (self.digest) } }))
                    }
                }
                p.note {
                    "A deployment is in this report when any part of its life is in the period, or a record that it wrote; a \
                     record when its deployment time is, taken back or not. The digest is over the bounds and the whole \
                     population, in the form " code { (REPORT_FORM) } ": whoever asks again for the same period gets the \
                     same digest as long as nothing of it has changed. Four eyes are counted anew from what people answered, \
                     not read from a state."
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_can_not_end_early_and_asks_nobody() {
        for part in ["<", "@import", "url(", "http"] {
            assert!(!STYLE.contains(part), "{part}");
        }
    }
}
