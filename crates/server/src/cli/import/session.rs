//! Carries an import over one stream, or several where connections break.

use std::io;

use slipway_api::ledger::v1::import_deployments_request::Message;
use slipway_api::ledger::v1::{
    ImportBatch, ImportDeploymentsRequest, ImportDeploymentsResponse, ImportHeader,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::outcome::Outcome;
use super::pieces::Piece;
use super::progress::Progress;
use super::window::{OutOfStep, WINDOW, Window, batch};
use crate::cli::call_error::CallError;
use crate::cli::client::Client;
use crate::cli::patience::Patience;

/// An import in progress.
pub(super) struct Session<'a> {
    client: &'a Client,
    header: ImportHeader,
    pieces: mpsc::Receiver<io::Result<Piece>>,
    /// Whether the file ended.
    read: bool,
    window: Window,
    outcome: Outcome,
    progress: Progress,
    patience: Patience,
}

/// An import that ended before its file did.
#[derive(Debug, thiserror::Error)]
#[error(
    "the import stopped {}; what is committed stays, and running it again records nothing twice",
    Self::place(*.through)
)]
pub(super) struct Stopped {
    through: i64,
    source: Cause,
}

/// Why an import stops.
#[derive(Debug, thiserror::Error)]
enum Cause {
    /// The call failed.
    #[error("{0}")]
    Call(CallError),
    /// The call failed again and again.
    #[error("it was tried again several times, and still: {0}")]
    GivenUp(CallError),
    /// The server does not keep to the contract.
    #[error("the server does not keep to the contract; is it another version?")]
    OutOfStep(#[from] OutOfStep),
    /// The file can't be read any further.
    #[error("the file can't be read")]
    Read(#[source] io::Error),
    /// The refused lines can't be written down.
    #[error("the refused lines can't be written")]
    Write(#[source] io::Error),
}

impl<'a> Session<'a> {
    /// An import that has not begun.
    pub(super) fn new(
        client: &'a Client,
        header: ImportHeader,
        pieces: mpsc::Receiver<io::Result<Piece>>,
        outcome: Outcome,
        progress: Progress,
    ) -> Self {
        Self {
            client,
            header,
            pieces,
            read: false,
            window: Window::default(),
            outcome,
            progress,
            patience: Patience::default(),
        }
    }

    /// Imports everything, and says what became of it, also where it stopped. A broken stream is opened again, behind
    /// what the server has answered, a bounded number of times without progress.
    pub(super) async fn run(mut self) -> (Outcome, Result<(), Stopped>) {
        let result = self.streams().await;
        let through = self.outcome.through;
        let result = result.map_err(|source| Stopped { through, source });
        (self.outcome, result)
    }

    async fn streams(&mut self) -> Result<(), Cause> {
        while let Err(cause) = self.stream().await {
            let Cause::Call(error) = cause else {
                return Err(cause);
            };
            if !error.is_passing() {
                return Err(Cause::Call(error));
            }
            let Some(pause) = self.patience.failed(error.pause()) else {
                return Err(Cause::GivenUp(error));
            };
            self.outcome.reopened += 1;
            let place = Stopped::place(self.outcome.through);
            let seconds = pause.as_secs_f64();
            self.progress.note(&format!(
                "{}; going on {place} in {seconds} s",
                error.brief()
            ));
            tokio::time::sleep(pause).await;
        }
        self.outcome.flush().map_err(Cause::Write)
    }

    /// Sends what is not answered and what follows, until all of it is answered.
    async fn stream(&mut self) -> Result<(), Cause> {
        // A server may wait for the first batch before it answers at all.
        self.read_first().await?;
        let (sender, receiver) = mpsc::channel(WINDOW + 1);
        let mut sender = Some(sender);
        send(&mut sender, Message::Header(self.header.clone())).await;
        for batch in self.window.batches() {
            send(&mut sender, Message::Batch(batch)).await;
        }
        let mut ledger = self.client.ledger();
        let requests = ReceiverStream::new(receiver);
        let mut answers = match ledger.import_deployments(requests).await {
            Ok(answers) => answers.into_inner(),
            Err(status) => return Err(Cause::Call(self.client.failed(status))),
        };
        loop {
            self.settle()?;
            if self.read {
                // Closes our side: the server ends its side when it has answered everything.
                sender = None;
            }
            if self.read && self.window.is_empty() {
                return self.end_of(answers).await;
            }
            tokio::select! {
                piece = self.pieces.recv(), if !self.read && self.window.has_room() => {
                    if let Some(batch) = self.take(piece)? {
                        send(&mut sender, Message::Batch(batch)).await;
                    }
                }
                answer = answers.message() => self.answered(answer)?,
            }
        }
    }

    /// Waits until there is something to send, or the file has ended.
    async fn read_first(&mut self) -> Result<(), Cause> {
        while !self.read && self.window.is_empty() {
            let piece = self.pieces.recv().await;
            self.take(piece)?;
            self.settle()?;
        }
        Ok(())
    }

    /// Deals with pieces whose turn it is and of which nothing was to be sent.
    fn settle(&mut self) -> Result<(), Cause> {
        while let Some(piece) = self.window.settle() {
            self.add(piece, None)?;
        }
        Ok(())
    }

    /// Puts a piece into the window, and returns what to send of it.
    fn take(&mut self, piece: Option<io::Result<Piece>>) -> Result<Option<ImportBatch>, Cause> {
        let Some(piece) = piece else {
            self.read = true;
            return Ok(None);
        };
        let piece = piece.map_err(Cause::Read)?;
        let batch = batch(&piece);
        self.window.push(piece);
        Ok(batch)
    }

    fn answered(
        &mut self,
        answer: Result<Option<ImportDeploymentsResponse>, Status>,
    ) -> Result<(), Cause> {
        let early =
            || Status::unavailable("the server ended the stream before it answered everything");
        let answer = answer
            .and_then(|answer| answer.ok_or_else(early))
            .map_err(|status| Cause::Call(self.client.failed(status)))?;
        let piece = self.window.answered(&answer)?;
        self.patience.progressed();
        self.add(piece, Some(answer))
    }

    fn add(
        &mut self,
        piece: Piece,
        answer: Option<ImportDeploymentsResponse>,
    ) -> Result<(), Cause> {
        let bytes = piece.bytes;
        self.outcome.add(piece, answer).map_err(Cause::Write)?;
        self.progress.advance(bytes, self.outcome.lines());
        Ok(())
    }

    /// Everything is answered: the server has nothing more to say. How the stream ends no longer matters.
    async fn end_of(&self, mut answers: Streaming<ImportDeploymentsResponse>) -> Result<(), Cause> {
        match answers.message().await {
            Ok(Some(answer)) => Err(OutOfStep::Unasked {
                through: answer.committed_through_line,
            }
            .into()),
            // An import without a single line learns here alone that it was refused.
            Err(status) if self.outcome.through == 0 => {
                Err(Cause::Call(self.client.failed(status)))
            }
            Ok(None) | Err(_) => Ok(()),
        }
    }
}

impl Stopped {
    fn place(through: i64) -> String {
        match through {
            0 => "before the first line was answered".to_owned(),
            through => format!("behind line {through}"),
        }
    }
}

/// Sends where the stream still stands; where it broke, its answers say so.
async fn send(sender: &mut Option<mpsc::Sender<ImportDeploymentsRequest>>, message: Message) {
    if let Some(sender) = sender {
        let message = Some(message);
        // A closed channel is a broken stream, and the answers bear the reason.
        drop(sender.send(ImportDeploymentsRequest { message }).await);
    }
}
