//! A bare repository, by the `git` command.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU64, Ordering},
};

use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, process::Command};

/// What Git said where it failed.
#[derive(Debug, thiserror::Error)]
#[error("git {command}: {said}")]
pub(crate) struct Failed {
    command: String,
    said: String,
}

type Result<T> = std::result::Result<T, Failed>;

/// A bare repository in a folder that vanishes with it.
#[derive(Debug)]
pub(crate) struct Repository {
    folder: TempDir,
    indexes: AtomicU64,
}

/// Who did something, and when, as Git's environment has it.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) email: String,
    /// `@SECONDS +HHMM`.
    pub(crate) date: String,
}

/// One line of a tree.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) mode: String,
    pub(crate) kind: String,
    pub(crate) sha: String,
    pub(crate) size: Option<u64>,
    pub(crate) path: String,
}

/// What becomes of a path: a mode and an object, or nothing.
pub(crate) type Change = (String, Option<(String, String)>);

/// A commit's parts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Commit {
    pub(crate) tree: String,
    pub(crate) parents: Vec<String>,
    /// `NAME <EMAIL> SECONDS ZONE`.
    pub(crate) author: String,
    pub(crate) committer: String,
    pub(crate) signature: Option<String>,
    /// The bytes without the signature.
    pub(crate) payload: String,
    pub(crate) message: String,
}

impl Repository {
    pub(crate) async fn create() -> Result<Self> {
        let repository = Self {
            folder: TempDir::new().expect("a folder for a repository"),
            indexes: AtomicU64::new(0),
        };
        repository
            .run(&["init", "--bare", "--quiet", "--initial-branch=main", "."])
            .await?;
        Ok(repository)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        for inherited in [
            "GIT_DIR",
            "GIT_INDEX_FILE",
            "GIT_WORK_TREE",
            "GIT_OBJECT_DIRECTORY",
        ] {
            command.env_remove(inherited);
        }
        command
            .args(arguments)
            .current_dir(self.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn finish(mut command: Command, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>> {
        let failed = |said: String| Failed {
            command: arguments.join(" "),
            said,
        };
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let mut pipe = child.stdin.take().expect("a pipe was asked for");
        let write = async move {
            // Where Git ends before it has read all, its exit says why.
            drop(pipe.write_all(input).await);
            drop(pipe);
        };
        let ((), output) = tokio::join!(write, child.wait_with_output());
        let output = output.map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(failed(
                String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            ))
        }
    }

    async fn feed(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>> {
        Self::finish(self.command(arguments), arguments, input).await
    }

    /// Runs Git in the repository.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.feed(arguments, b"").await?;
        Ok(String::from_utf8_lossy(&output).trim_end().to_owned())
    }

    pub(crate) async fn is_empty(&self) -> bool {
        self.run(&["for-each-ref", "--count=1"])
            .await
            .is_ok_and(|refs| refs.is_empty())
    }

    /// What a name of an object or ref leads to, where it is of this kind.
    pub(crate) async fn resolve(&self, name: &str, kind: &str) -> Option<String> {
        if name.starts_with('-') {
            return None;
        }
        let wanted = format!("{name}^{{{kind}}}");
        self.run(&[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &wanted,
        ])
        .await
        .ok()
        .map(|said| said.lines().last().unwrap_or_default().to_owned())
    }

    /// What kind of object this is.
    pub(crate) async fn kind(&self, sha: &str) -> Option<String> {
        let digits = sha.len() == 40 && sha.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !digits {
            return None;
        }
        self.run(&["cat-file", "-t", sha]).await.ok()
    }

    /// What a full ref points to.
    pub(crate) async fn reference(&self, name: &str) -> Option<String> {
        let said = self
            .run(&["for-each-ref", "--format=%(refname) %(objectname)", name])
            .await
            .ok()?;
        said.lines()
            .filter_map(|line| line.split_once(' '))
            .find(|(found, _)| *found == name)
            .map(|(_, sha)| sha.to_owned())
    }

    /// Points a ref elsewhere, where it points to `old`; an empty text is «nowhere».
    pub(crate) async fn update_reference(&self, name: &str, new: &str, old: &str) -> Result<()> {
        let nowhere = "0".repeat(40);
        let old = if old.is_empty() { &nowhere } else { old };
        self.run(&["update-ref", name, new, old]).await.map(drop)
    }

    pub(crate) async fn is_valid_reference(&self, name: &str) -> bool {
        self.run(&["check-ref-format", name]).await.is_ok()
    }

    pub(crate) async fn is_ancestor(&self, earlier: &str, later: &str) -> bool {
        self.run(&["merge-base", "--is-ancestor", earlier, later])
            .await
            .is_ok()
    }

    pub(crate) async fn write_blob(&self, content: &[u8]) -> Result<String> {
        let said = self
            .feed(&["hash-object", "-w", "--stdin"], content)
            .await?;
        Ok(String::from_utf8_lossy(&said).trim_end().to_owned())
    }

    pub(crate) async fn read_blob(&self, sha: &str) -> Result<Vec<u8>> {
        self.feed(&["cat-file", "blob", sha], b"").await
    }

    /// Any object, from its bytes.
    pub(crate) async fn write_object(&self, kind: &str, bytes: &[u8]) -> Result<String> {
        let said = self
            .feed(&["hash-object", "-t", kind, "-w", "--stdin"], bytes)
            .await?;
        Ok(String::from_utf8_lossy(&said).trim_end().to_owned())
    }

    pub(crate) async fn list(&self, tree: &str, recursive: bool) -> Result<Vec<Entry>> {
        let mut arguments = vec!["ls-tree", "-z", "-l"];
        if recursive {
            arguments.extend(["-r", "-t"]);
        }
        arguments.push(tree);
        let said = self.feed(&arguments, b"").await?;
        let said = String::from_utf8_lossy(&said).into_owned();
        let entries = said.split_terminator('\0').map(|line| {
            let (head, path) = line.split_once('\t').expect("a tab before the path");
            let parts: Vec<&str> = head.split_ascii_whitespace().collect();
            Entry {
                mode: parts[0].to_owned(),
                kind: parts[1].to_owned(),
                sha: parts[2].to_owned(),
                size: parts[3].parse().ok(),
                path: path.to_owned(),
            }
        });
        Ok(entries.collect())
    }

    /// A tree upon another one, by an index of its own.
    pub(crate) async fn write_tree(
        &self,
        base: Option<&str>,
        changes: &[Change],
    ) -> Result<String> {
        let number = self.indexes.fetch_add(1, Ordering::Relaxed);
        let index: PathBuf = self.path().join(format!("index-{number}"));
        let run = async |arguments: &[&str], input: &[u8]| {
            let mut command = self.command(arguments);
            command.env("GIT_INDEX_FILE", &index);
            Self::finish(command, arguments, input).await
        };
        if let Some(base) = base {
            run(&["read-tree", base], b"").await?;
        }
        let mut input = Vec::new();
        for (path, what) in changes {
            let line = match what {
                Some((mode, sha)) => format!("{mode} {sha}\t{path}\0"),
                None => format!("0 {}\t{path}\0", "0".repeat(40)),
            };
            input.extend_from_slice(line.as_bytes());
        }
        run(&["update-index", "--add", "-z", "--index-info"], &input).await?;
        let said = run(&["write-tree"], b"").await;
        drop(std::fs::remove_file(&index));
        Ok(String::from_utf8_lossy(&said?).trim_end().to_owned())
    }

    pub(crate) async fn write_commit(
        &self,
        tree: &str,
        parents: &[String],
        author: &Person,
        committer: &Person,
        message: &str,
    ) -> Result<String> {
        let mut arguments = vec!["commit-tree", tree];
        for parent in parents {
            arguments.extend(["-p", parent]);
        }
        let mut command = self.command(&arguments);
        command
            .env("GIT_AUTHOR_NAME", &author.name)
            .env("GIT_AUTHOR_EMAIL", &author.email)
            .env("GIT_AUTHOR_DATE", &author.date)
            .env("GIT_COMMITTER_NAME", &committer.name)
            .env("GIT_COMMITTER_EMAIL", &committer.email)
            .env("GIT_COMMITTER_DATE", &committer.date);
        let said = Self::finish(command, &arguments, message.as_bytes()).await?;
        Ok(String::from_utf8_lossy(&said).trim_end().to_owned())
    }

    pub(crate) async fn read_commit(&self, sha: &str) -> Result<Commit> {
        let bytes = self.feed(&["cat-file", "commit", sha], b"").await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (headers, message) = text
            .split_once("\n\n")
            .expect("an empty line after headers");
        let mut commit = Commit {
            message: message.to_owned(),
            ..Commit::default()
        };
        let mut kept = Vec::new();
        let mut in_signature = false;
        for line in headers.lines() {
            let (name, value) = line.split_once(' ').unwrap_or((line, ""));
            match name {
                "" if in_signature => {
                    let signature = commit.signature.get_or_insert_default();
                    signature.push('\n');
                    signature.push_str(value);
                    continue;
                }
                "gpgsig" => {
                    in_signature = true;
                    commit.signature = Some(value.to_owned());
                    continue;
                }
                "tree" => value.clone_into(&mut commit.tree),
                "parent" => commit.parents.push(value.to_owned()),
                "author" => value.clone_into(&mut commit.author),
                "committer" => value.clone_into(&mut commit.committer),
                _ => {}
            }
            in_signature = false;
            kept.push(line);
        }
        commit.payload = format!("{}\n\n{message}", kept.join("\n"));
        Ok(commit)
    }

    /// How many commits each of two has that the other has not.
    pub(crate) async fn distance(&self, left: &str, right: &str) -> Result<(u64, u64)> {
        let range = format!("{left}...{right}");
        let said = self
            .run(&["rev-list", "--left-right", "--count", &range])
            .await?;
        let mut counts = said.split_ascii_whitespace().filter_map(|n| n.parse().ok());
        Ok((
            counts.next().unwrap_or_default(),
            counts.next().unwrap_or_default(),
        ))
    }

    /// The blobs of a tree, by path.
    pub(crate) async fn blobs(&self, tree: &str) -> Result<BTreeMap<String, String>> {
        let entries = self.list(tree, true).await?;
        Ok(entries
            .into_iter()
            .filter(|entry| entry.kind == "blob")
            .map(|entry| (entry.path, entry.sha))
            .collect())
    }
}
