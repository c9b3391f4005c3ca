//! `slipway release`.

use clap::{ArgGroup, Args};
use slipway_api::deployments::v1::{
    CreateReleaseFromTemplateRequest, CreateReleaseRequest, CreateReleaseResponse, Finding,
    FindingSeverity, ReleaseItem, release_item,
};
use slipway_kernel::Timestamp;

use super::ending::{Ending, help};
use super::session::{present, print};
use super::wait::WaitArgs;
use super::{CallArgs, RequestIdArgs, Risk, Session, Step, deployment, risk_on_wire};
use crate::cli::call_error::CallError;
use crate::cli::output::printable;
use crate::cli::{Failure, time};

const HELP: &str = help!(
    "\
All of it becomes current in one moment, or nothing does. Where people have to agree, the release waits for them; then for
`slipway execute`, unless --execute-on-approval or --start-time says otherwise. What stands against it, and what people
should know, is told one finding a line.

Examples:
  slipway release --name \"Chatbot 2\" --environment prod --item greeting=2.0.0 --item model=7 --message \"New tone\"
  slipway release --name \"Chatbot 2\" --environment prod --item greeting=2.0.0 --validate-only
  slipway release --name \"Chatbot 2\" --environment prod --template chatbot --parameter version=2.0.0 --parameter why=Tone
  slipway release --name \"Run $CI_PIPELINE_ID\" --environment prod --item cart=$TAG --request-id release-$CI_PIPELINE_ID \\
    --execute-on-approval --wait --timeout 4h"
);

/// The arguments of `slipway release`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
#[command(group(ArgGroup::new("changes").args(["item", "remove", "template"]).required(true).multiple(true)))]
pub(in crate::cli) struct Release {
    /// What people call it
    #[arg(long, value_name = "NAME")]
    name: String,

    /// The environment's slug
    #[arg(long, value_name = "SLUG")]
    environment: String,

    /// An application and the identifier of the version that becomes current; may be given several times
    #[arg(long, value_name = "APP=VERSION", value_parser = item)]
    item: Vec<(String, String)>,

    /// The key of an application that is taken out; may be given several times
    #[arg(long, value_name = "APP")]
    remove: Vec<String>,

    #[command(flatten)]
    template: TemplateArgs,

    /// What changes, for those who are asked to agree
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,

    /// How risky you say it is; what Slipway finds can raise it
    #[arg(long, value_enum)]
    risk: Option<Risk>,

    /// Versions may be older than the ones that are current
    #[arg(long)]
    allow_older: bool,

    /// Carry it out as soon as nobody has to agree any more
    #[arg(long)]
    execute_on_approval: bool,

    /// Carry it out at this time, if nobody has to agree any more then: RFC 3339, or a day in UTC
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    start_time: Option<Timestamp>,

    /// Say what would be made and what stands against it, and make nothing
    #[arg(long, conflicts_with = "wait")]
    validate_only: bool,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    request_id: RequestIdArgs,

    #[command(flatten)]
    calls: CallArgs,
}

/// What a template says, instead of items.
#[derive(Debug, Args)]
struct TemplateArgs {
    /// The slug of a template that says what is released, instead of --item and --remove
    #[arg(long, value_name = "SLUG", conflicts_with_all = ["item", "remove", "message", "risk", "allow_older"])]
    template: Option<String>,

    /// Which version of the template [default: the last one]
    #[arg(long, value_name = "N", requires = "template", conflicts_with_all = ["item", "remove"], value_parser = clap::value_parser!(i64).range(1..))]
    template_version: Option<i64>,

    /// The value of one of the template's parameters; to be given for each of them
    #[arg(long, value_name = "NAME=VALUE", requires = "template", conflicts_with_all = ["item", "remove"], value_parser = parameter)]
    parameter: Vec<(String, String)>,
}

fn item(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((application, version)) if !application.is_empty() && !version.is_empty() => {
            Ok((application.to_owned(), version.to_owned()))
        }
        _ => Err("write APP=VERSION, for example cart=1.4.2".to_owned()),
    }
}

/// A value may be empty.
fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, for example version=1.4.2".to_owned()),
    }
}

impl Step for Release {
    fn calls(&self) -> &CallArgs {
        &self.calls
    }

    async fn run(&self, session: &Session) -> Result<Ending, Failure> {
        let mut answer = match self.ask(session).await {
            Ok(answer) => answer,
            Err(error) => {
                self.tell_findings(session, &against(&error))?;
                return Err(error.into());
            }
        };
        self.tell_findings(session, &answer.findings)?;
        let made = present(answer.deployment.take())?;
        let (made, ending) = self.wait.follow(session, made).await?;
        let words = deployment::words(&made);
        answer.deployment = Some(made);
        self.tell(session, &answer, &words)?;
        Ok(ending)
    }
}

impl Release {
    /// What the server makes of it. The answers to both requests have the same fields.
    async fn ask(&self, session: &Session) -> Result<CreateReleaseResponse, CallError> {
        if let Some(template) = &self.template.template {
            let request = self.template_request(template);
            let answer = session
                .call(async || {
                    let mut templates = session.client.templates();
                    templates
                        .create_release_from_template(request.clone())
                        .await
                })
                .await?;
            return Ok(CreateReleaseResponse {
                deployment: answer.deployment,
                findings: answer.findings,
            });
        }
        let request = self.request();
        session
            .call(async || {
                let mut deployments = session.client.deployments();
                deployments.create_release(request.clone()).await
            })
            .await
    }

    fn template_request(&self, template: &str) -> CreateReleaseFromTemplateRequest {
        CreateReleaseFromTemplateRequest {
            project: self.calls.project.clone(),
            template: template.to_owned(),
            template_version: self.template.template_version.unwrap_or_default(),
            parameters: self.template.parameter.iter().cloned().collect(),
            name: self.name.clone(),
            environment: self.environment.clone(),
            execute_on_approval: self.execute_on_approval,
            start_time: self.start_time.map(time::to_wire),
            validate_only: self.validate_only,
            request_id: self.request_id.id(),
            ..CreateReleaseFromTemplateRequest::default()
        }
    }

    /// The application of the item at this place; of a template only the place is known.
    fn application(&self, place: i32) -> String {
        let brought = self.item.iter().map(|(application, _)| application);
        let mut applications = brought.chain(&self.remove);
        let found = usize::try_from(place).ok();
        let found = found.and_then(|place| applications.nth(place));
        found.map_or_else(|| format!("items[{place}]"), String::clone)
    }

    /// Tells findings one a line: on standard error where standard output is for the document.
    fn tell_findings(&self, session: &Session, findings: &[Finding]) -> Result<(), Failure> {
        for finding in findings {
            let line = self.told(finding);
            if session.json {
                eprintln!("slipway: {line}");
            } else {
                print(&line)?;
            }
        }
        Ok(())
    }

    /// A finding on one line.
    fn told(&self, finding: &Finding) -> String {
        let severity = match finding.severity() {
            FindingSeverity::Error => "error",
            FindingSeverity::Warning => "warning",
            FindingSeverity::Unspecified => "finding",
        };
        let about = finding.item.map(|place| self.application(place));
        let about = about.as_deref().unwrap_or("release");
        printable(&format!(
            "{severity} {} {about}: {}",
            finding.reason, finding.message
        ))
    }

    fn tell(
        &self,
        session: &Session,
        answer: &CreateReleaseResponse,
        words: &str,
    ) -> Result<(), Failure> {
        let words = if self.validate_only {
            format!("would be made: {words}")
        } else {
            words.to_owned()
        };
        session.tell(
            "slipway.deployments.v1.CreateReleaseResponse",
            answer,
            &words,
        )
    }

    fn request(&self) -> CreateReleaseRequest {
        let brought = self
            .item
            .iter()
            .map(|(application, version)| self.change(application, Some(version)));
        let removed = self
            .remove
            .iter()
            .map(|application| self.change(application, None));
        CreateReleaseRequest {
            project: self.calls.project.clone(),
            name: self.name.clone(),
            environment: self.environment.clone(),
            items: brought.chain(removed).collect(),
            execute_on_approval: self.execute_on_approval,
            start_time: self.start_time.map(time::to_wire),
            validate_only: self.validate_only,
            request_id: self.request_id.id(),
            ..CreateReleaseRequest::default()
        }
    }

    /// The item of an application, whose version is brought or which is taken out.
    fn change(&self, application: &str, version: Option<&str>) -> ReleaseItem {
        let change = match version {
            Some(version) => release_item::Change::Version(version.to_owned()),
            None => release_item::Change::Remove(true),
        };
        ReleaseItem {
            application: application.to_owned(),
            change: Some(change),
            change_message: self.message.clone().unwrap_or_default(),
            risk_level: risk_on_wire(self.risk),
            allow_older: self.allow_older,
        }
    }
}

/// What stands against a release that was refused.
fn against(error: &CallError) -> Vec<Finding> {
    let unmet = error.unmet().into_iter();
    unmet
        .map(|unmet| Finding {
            item: place(&unmet.subject),
            reason: unmet.r#type,
            severity: FindingSeverity::Error.into(),
            message: unmet.description,
        })
        .collect()
}

/// The item's place in `items[3]`.
fn place(subject: &str) -> Option<i32> {
    let number = subject.strip_prefix("items[")?.strip_suffix(']')?;
    number.parse().ok()
}

#[cfg(test)]
mod tests;
