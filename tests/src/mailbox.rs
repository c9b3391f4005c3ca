//! A mail host: it takes mails, and refuses some.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How long is waited for what is expected, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A mail that was handed in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mail {
    /// To these addresses.
    pub recipients: Vec<String>,
    /// Headers and text.
    pub content: String,
}

impl Mail {
    /// A header's value.
    pub fn header(&self, name: &str) -> String {
        let prefix = format!("{name}: ");
        let line = self
            .content
            .lines()
            .find_map(|line| line.strip_prefix(&prefix));
        line.unwrap_or_default().to_owned()
    }
}

/// A mail host on a port of its own. It ends when it is dropped.
#[derive(Debug)]
pub struct Mailbox {
    /// Its port on 127.0.0.1.
    pub port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
    serving: JoinHandle<()>,
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Mailbox {
    /// One that asks the first caller to come again, as those do that suspect machines, and refuses `nobody@` for good.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let mails = Arc::new(Mutex::default());
        let taken = Arc::clone(&mails);
        let serving = tokio::spawn(async move {
            let mut suspicious = true;
            while let Ok((stream, _)) = listener.accept().await {
                let greylisted = std::mem::take(&mut suspicious);
                tokio::spawn(talk(stream, Arc::clone(&taken), greylisted));
            }
        });
        Self {
            port,
            mails,
            serving,
        }
    }

    /// All mails so far.
    pub fn mails(&self) -> Vec<Mail> {
        let mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        mails.clone()
    }

    /// All mails, as soon as there are so many.
    pub async fn wait(&self, count: usize) -> Vec<Mail> {
        let begun = Instant::now();
        while self.mails().len() < count {
            assert!(begun.elapsed() < PATIENCE, "only {:?}", self.mails());
            sleep(Duration::from_millis(20)).await;
        }
        self.mails()
    }
}

/// One conversation. It ends where the caller leaves.
async fn talk(stream: TcpStream, mails: Arc<Mutex<Vec<Mail>>>, greylisted: bool) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut mail = Mail::default();
    let mut in_data = false;
    drop(writer.write_all(b"220 mail.example\r\n").await);
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = if in_data {
            if line != "." {
                mail.content.push_str(&line);
                mail.content.push('\n');
                continue;
            }
            in_data = false;
            let taken = std::mem::take(&mut mail);
            mails
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(taken);
            "250 kept"
        } else {
            match line.split([' ', ':']).next().unwrap_or_default() {
                "EHLO" | "HELO" => "250 mail.example",
                "MAIL" if greylisted => "451 come again later",
                "RCPT" if line.contains("<nobody@") => "550 there is nobody of this name",
                "RCPT" => {
                    let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                    mail.recipients.push(address.to_owned());
                    "250 fine"
                }
                "DATA" => {
                    in_data = true;
                    "354 go on"
                }
                "QUIT" => "221 bye",
                _ => "250 fine",
            }
        };
        if writer
            .write_all(format!("{answer}\r\n").as_bytes())
            .await
            .is_err()
        {
            return;
        }
    }
}
