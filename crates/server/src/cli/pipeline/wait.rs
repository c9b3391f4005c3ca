//! `slipway wait`, and `--wait` of the commands that begin something.

use std::time::{Duration, Instant};

use clap::Args;
use slipway_api::deployments::v1::{
    Deployment, DeploymentState, GetDeploymentResponse, WatchDeploymentRequest,
    WatchDeploymentResponse,
};
use tonic::Status;

use super::ending::{Ending, help};
use super::{CallArgs, Session, Step, deployment};
use crate::cli::Failure;
use crate::cli::patience::Patience;

/// How often progress within a state is told at most.
const TOLD_EVERY: Duration = Duration::from_secs(5);

const HELP: &str = help!(
    "\
Progress is told on standard error, the deployment as it is in the end on standard output. A connection that breaks is made
again for as long as --timeout says. It ends when the deployment is over, and also when it is in doubt.

Examples:
  slipway wait 7
  slipway wait 7 --timeout 30m --json"
);

/// The arguments of `slipway wait`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct Wait {
    /// The deployment's number or id
    #[arg(value_name = "DEPLOYMENT")]
    deployment: String,

    /// How long to wait at most, for example 90s, 30m or 4h
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    timeout: Duration,

    #[command(flatten)]
    calls: CallArgs,
}

/// Whether to wait, and how long.
#[derive(Debug, Clone, Args)]
pub(super) struct WaitArgs {
    /// Follow it until it is over, and tell how it ended by the status
    #[arg(long)]
    wait: bool,

    /// How long to wait at most, for example 90s, 30m or 4h [default: 1h]
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
}

/// How long to wait where nothing is said.
const DEFAULT_TIMEOUT: Duration = Duration::from_hours(1);

impl Step for Wait {
    fn calls(&self) -> &CallArgs {
        &self.calls
    }

    async fn run(&self, session: &Session) -> Result<Ending, Failure> {
        let (found, ending) = until_over(session, &self.deployment, self.timeout).await?;
        let words = deployment::words(&found);
        let answer = GetDeploymentResponse {
            deployment: Some(found),
        };
        session.tell(
            "slipway.deployments.v1.GetDeploymentResponse",
            &answer,
            &words,
        )?;
        Ok(ending)
    }
}

impl WaitArgs {
    /// The deployment as it is in the end, where that is waited for, or else as it is; and what it ended as.
    pub(super) async fn follow(
        &self,
        session: &Session,
        deployment: Deployment,
    ) -> Result<(Deployment, Ending), Failure> {
        match Ending::of_state(deployment.state()) {
            Some(ending) => Ok((deployment, ending)),
            None if self.wait => {
                eprintln!("slipway: waiting for {}", deployment::line(&deployment));
                let timeout = self.timeout.unwrap_or(DEFAULT_TIMEOUT);
                until_over(session, &deployment.deployment_id, timeout).await
            }
            None => Ok((deployment, Ending::Done)),
        }
    }
}

/// Follows a deployment until it is over or the time is, and returns it whole.
async fn until_over(
    session: &Session,
    name: &str,
    timeout: Duration,
) -> Result<(Deployment, Ending), Failure> {
    if let Ok(ending) = tokio::time::timeout(timeout, watch(session, name)).await {
        let ending = ending?;
        return Ok((session.deployment(name).await?, ending));
    }
    let found = session.deployment(name).await?;
    // It may have ended in the last moment.
    if let Some(ending) = Ending::of_state(found.state()) {
        return Ok((found, ending));
    }
    eprintln!(
        "slipway: {} is still {} after {}",
        deployment::line(&found),
        deployment::state(found.state()),
        humantime::format_duration(timeout)
    );
    Ok((found, Ending::TimedOut))
}

/// Reads the stream until the deployment is over, and opens it again where it breaks, until the time that the caller gives
/// it is over.
async fn watch(session: &Session, name: &str) -> Result<Ending, Failure> {
    let mut patience = Patience::endless();
    let mut progress = Progress::default();
    loop {
        let status = match read(session, name, &mut patience, &mut progress).await {
            Ok(ending) => return Ok(ending),
            Err(status) => status,
        };
        let error = session.client.failed(status);
        session.pause(&mut patience, error).await?;
    }
}

async fn read(
    session: &Session,
    name: &str,
    patience: &mut Patience,
    progress: &mut Progress,
) -> Result<Ending, Status> {
    let request = WatchDeploymentRequest {
        project: session.project.clone(),
        deployment: name.to_owned(),
    };
    let mut deployments = session.client.deployments();
    let mut stream = deployments.watch_deployment(request).await?.into_inner();
    while let Some(message) = stream.message().await? {
        patience.progressed();
        if let Some(line) = progress.line(&message, Instant::now()) {
            eprintln!("slipway: {line}");
        }
        let state = message.deployment.unwrap_or_default().state();
        if let Some(ending) = Ending::of_state(state) {
            return Ok(ending);
        }
    }
    Err(Status::unavailable("the server ended the stream"))
}

/// What was told last.
#[derive(Debug, Default)]
struct Progress {
    told: Option<(DeploymentState, String, Instant)>,
}

impl Progress {
    /// What to tell of a message, if anything: every state, and within one how far it is, now and then.
    fn line(&mut self, message: &WatchDeploymentResponse, now: Instant) -> Option<String> {
        let found = message.deployment.as_ref()?;
        let steps = match &message.progress {
            Some(steps) if steps.step_count > 0 => {
                format!(", {} of {} steps", steps.over_count, steps.step_count)
            }
            _ => String::new(),
        };
        let state = found.state();
        let problem = match &found.problem {
            Some(problem) => format!(" ({})", problem.reason),
            None => String::new(),
        };
        let line = format!(
            "{}: {}{problem}{steps}",
            deployment::line(found),
            deployment::state(state)
        );
        if let Some((last, words, when)) = &self.told
            && (*words == line || (*last == state && now.duration_since(*when) < TOLD_EVERY))
        {
            return None;
        }
        self.told = Some((state, line.clone(), now));
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use slipway_api::deployments::v1::DeploymentProgress;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        wait: Wait,
    }

    #[test]
    fn the_time_has_a_default_and_a_unit() {
        let parse = |arguments: &[&str]| {
            Line::try_parse_from(["wait", "7"].iter().chain(arguments)).map(|line| line.wait)
        };
        assert_eq!(parse(&[]).unwrap().timeout, DEFAULT_TIMEOUT);
        let half = parse(&["--timeout", "1h 30m"]).unwrap();
        assert_eq!(half.timeout, Duration::from_mins(90));
        assert!(parse(&["--timeout", "90"]).is_err());
        assert!(Line::try_parse_from(["wait"]).is_err());
    }

    #[test]
    fn every_state_is_told_and_steps_now_and_then() {
        let message = |state: DeploymentState, over| WatchDeploymentResponse {
            deployment: Some(Deployment {
                number: 7,
                target: "prod".to_owned(),
                state: state.into(),
                ..Deployment::default()
            }),
            progress: Some(DeploymentProgress {
                step_count: 9,
                over_count: over,
                ..DeploymentProgress::default()
            }),
            ..WatchDeploymentResponse::default()
        };
        let mut progress = Progress::default();
        let begun = Instant::now();
        let running = message(DeploymentState::Running, 1);
        assert_eq!(
            progress.line(&running, begun).as_deref(),
            Some("deployment 7 to prod: RUNNING, 1 of 9 steps")
        );
        let later = begun + TOLD_EVERY;
        assert_eq!(progress.line(&running, later), None);
        let further = message(DeploymentState::Running, 2);
        assert_eq!(progress.line(&further, begun), None);
        assert!(progress.line(&further, later).is_some());
        let over = message(DeploymentState::Succeeded, 9);
        assert!(progress.line(&over, later).is_some());
    }
}
