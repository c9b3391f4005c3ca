//! A deployment on the page.

use maud::{Markup, html};
use slipway_approvals::{ApprovalRequest, Override, Verdict};
use slipway_audit::report::{
    DeploymentFacts, Exception, FourEyes, ReportedChoice, ReportedDeployment, ReportedItem,
};

use super::super::MAX_STATES;
use super::{Shown, fact, head_row, id, said, shown_exception, time, words};

impl Shown<'_> {
    pub(super) fn deployment(
        &self,
        facts: &DeploymentFacts,
        four_eyes: FourEyes,
        exceptions: &[Exception],
    ) -> Markup {
        let of = &facts.deployment;
        html! {
            article id={ "d-" (of.number) } {
                h3 { "Deployment " (of.number) @if let Some(name) = &of.name { " " (said(name)) } }
                @if !exceptions.is_empty() {
                    ul.exceptions { @for exception in exceptions { li { (shown_exception(exception)) } } }
                }
                (self.facts(of, four_eyes))
                (items(facts))
                @for request in &facts.requests { (self.request(request)) }
                (self.overrides(facts))
                (self.freezes(facts))
                (history(facts))
                (self.records(facts))
            }
        }
    }

    fn facts(&self, of: &ReportedDeployment, four_eyes: FourEyes) -> Markup {
        html! {
            table.facts {
                tbody {
                    (fact("What", &html! { (of.kind) " to " strong { (of.environment) } ", " (id(&of.id)) }))
                    (fact("Outcome", &html! {
                        strong { (of.state) }
                        @if let Some(problem) = &of.problem { ", " (said(problem)) }
                    }))
                    (fact("Four eyes", &html! {
                        (words::four_eyes(four_eyes)) " " span.word { (four_eyes) }
                    }))
                    (fact("Risk", &html! { strong { (of.risk) } }))
                    (fact("Requested by", &html! { (self.who(of.requested_by)) " at " (time(of.created_at)) }))
                    @if let Some(reason) = &of.reason { (fact("Reason", &said(reason))) }
                    @if let Some(by) = of.executed_by { (fact("Executed by", &self.who(by))) }
                    @if let Some(at) = of.started_at { (fact("Began", &time(at))) }
                    @if let Some(at) = of.finished_at { (fact("Over", &time(at))) }
                    (fact("Plan", &html! { code { (of.plan_digest) } }))
                    @if let Some(link) = of.undoes { (fact("Undoes", &self.link(link))) }
                    @if let Some(link) = of.back_to { (fact("Goes back to", &self.link(link))) }
                    @if let Some(link) = of.rolled_back_by { (fact("Undone by", &self.link(link))) }
                }
            }
        }
    }

    /// A question that people were asked, and what they answered.
    fn request(&self, request: &ApprovalRequest) -> Markup {
        html! {
            table {
                caption {
                    "Approval asked for at " (time(request.created_at)) ": " strong { (request.state.kind()) }
                    ", of plan " code { (request.digest) } ". "
                    @for asked in &request.rules {
                        "Rule " (asked.rule.name) ": " (asked.rule.required) " needed. "
                    }
                    @if request.decisions.is_empty() { "Nobody answered." }
                }
                @if !request.decisions.is_empty() {
                    (head_row(&["Answer", "By", "Rule", "Time", "Of plan", "Comment"]))
                    tbody {
                        @for made in &request.decisions {
                            tr {
                                th scope="row" {
                                    @match made.verdict { Verdict::Approve => "Approved", Verdict::Reject => "Rejected" }
                                    @if let Some(taken) = &made.withdrawn {
                                        ", withdrawn at " (time(taken.at)) ": " (said(&taken.reason))
                                    }
                                }
                                td { (self.who(made.principal)) }
                                td { @if let Some(rule) = &made.rule { (rule) } @else { "any" } }
                                td { (time(made.at)) }
                                td { code { (made.digest) } }
                                td { (said(&made.comment)) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn overrides(&self, facts: &DeploymentFacts) -> Markup {
        let made = facts.requests.iter();
        let mut made = made
            .filter_map(|request| request.overridden.as_ref())
            .peekable();
        if made.peek().is_none() {
            return html! {};
        }
        html! {
            table {
                caption { "Approval overrides" }
                (head_row(&["By", "Time", "Reason", "Of plan", "Review"]))
                tbody { @for made in made { (self.overridden(made)) } }
            }
        }
    }

    fn overridden(&self, made: &Override) -> Markup {
        html! {
            tr {
                th scope="row" { (self.who(made.principal)) }
                td { (time(made.at)) }
                td { (said(&made.reason)) }
                td { code { (made.digest) } }
                td {
                    @if let Some(review) = &made.review {
                        strong { (review.finding) } " by " (self.who(review.principal)) " at " (time(review.at)) ": "
                        (said(&review.comment))
                    } @else { strong { "not reviewed" } }
                }
            }
        }
    }

    fn freezes(&self, facts: &DeploymentFacts) -> Markup {
        html! {
            @if !facts.freezes.is_empty() {
                table {
                    caption { "Freezes crossed" }
                    (head_row(&["Window", "Let through by", "Time", "Reason", "Of plan"]))
                    tbody {
                        @for crossed in &facts.freezes {
                            tr {
                                th scope="row" { (crossed.slug) }
                                td { (self.who(crossed.by)) }
                                td { (time(crossed.at)) }
                                td { (said(&crossed.reason)) }
                                td { code { (crossed.digest) } }
                            }
                        }
                    }
                }
            }
        }
    }

    fn records(&self, facts: &DeploymentFacts) -> Markup {
        html! {
            @if !facts.records.is_empty() {
                table {
                    caption { "Records of the ledger in the period (" (facts.records.len()) ")" }
                    (head_row(&["Application", "Version", "What", "Time", "Record"]))
                    tbody {
                        @for record in &facts.records {
                            tr {
                                th scope="row" { (said(&record.application)) }
                                td { (said(&record.version)) }
                                td { (record.kind) (self.retraction(record)) }
                                td { (time(record.deployed_at)) }
                                td { (id(&record.id)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn items(facts: &DeploymentFacts) -> Markup {
    html! {
        @if !facts.items.is_empty() {
            table {
                caption { "Changes (" (facts.items.len()) " of " (facts.deployment.items) " items)" }
                (head_row(&["Application", "Change", "From", "To", "Result", "Risk", "In their words"]))
                tbody { @for item in &facts.items { (shown_item(item)) } }
            }
        }
    }
}

fn shown_item(item: &ReportedItem) -> Markup {
    let chosen = item.chosen.as_ref();
    html! {
        tr {
            th scope="row" { (said(&item.application)) }
            td { (item.change) }
            td { @if let Some(before) = chosen.and_then(|of| of.before.as_ref()) { (said(before)) } @else { "–" } }
            td { @if let Some(after) = chosen.and_then(|of| of.after.as_ref()) { (said(after)) } @else { "–" } }
            td { (item.status) }
            td { @if let Some(chosen) = chosen { (risk(chosen)) } @else { "–" } }
            td { @if let Some(chosen) = chosen { (said(&chosen.message)) } }
        }
    }
}

fn risk(chosen: &ReportedChoice) -> Markup {
    html! {
        strong { (chosen.risk) }
        @if chosen.risk != chosen.declared { ", declared " (chosen.declared) }
        @if !chosen.factors.is_empty() {
            ul {
                @for factor in &chosen.factors {
                    li { (said(&factor.message)) " " span.word { (factor.factor) } }
                }
            }
        }
    }
}

fn history(facts: &DeploymentFacts) -> Markup {
    let earlier = facts.history.len().saturating_sub(MAX_STATES);
    html! {
        p.history {
            "History: "
            @if earlier > 0 { (earlier) " earlier states, " }
            @for (place, transition) in facts.history.iter().skip(earlier).enumerate() {
                @if place > 0 { " → " }
                (transition.state) " " (time(transition.at))
            }
        }
    }
}
