//! The binary's commands that talk to a server: what they print, their exit status, and a server that dies meanwhile.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fake;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use self::fake::{Fake, TOKEN};

/// A directory without configuration, in which `slipway` runs.
struct Place {
    directory: tempfile::TempDir,
    server: String,
}

impl Place {
    fn new(fake: &Fake) -> Self {
        let place = Self {
            directory: tempfile::tempdir().unwrap(),
            server: format!("http://{}", fake.address),
        };
        std::fs::write(place.path("token"), TOKEN).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slipway"));
        command
            .current_dir(&self.directory)
            .env_clear()
            .env("SLIPWAY_SERVER", &self.server)
            .env("SLIPWAY_TOKEN_FILE", "token")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments).spawn().unwrap())
    }
}

#[derive(Debug)]
struct Ended {
    status: Option<i32>,
    out: String,
    err: String,
}

fn ended(child: Child) -> Ended {
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    Ended {
        status: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

fn line(number: usize) -> String {
    format!(
        "{{\"application\":\"cart\",\"version\":\"1.{number}\",\"environment\":\"prod\",\"deployed_at\":\
         \"2026-03-01T00:00:00.{number:06}Z\"}}\n"
    )
}

fn write_lines(path: &Path, count: usize) {
    std::fs::write(path, (1..=count).map(line).collect::<String>()).unwrap();
}

#[test]
fn an_import_is_told_in_numbers_and_adds_nothing_when_repeated() {
    let fake = Fake::start();
    let place = Place::new(&fake);
    write_lines(&place.path("history"), 1_234);

    let first = place.run(&["import", "deployments", "history"]);
    assert_eq!(first.status, Some(0), "{first:?}");
    assert!(first.out.starts_with("1,234 lines in "), "{}", first.out);
    assert!(
        first.out.contains("recorded                    1,234\n"),
        "{}",
        first.out
    );

    let again = place.run(&["import", "deployments", "history", "--batch-size", "7"]);
    assert_eq!(again.status, Some(0), "{again:?}");
    assert!(
        again.out.contains("already present             1,234\n"),
        "{}",
        again.out
    );
    assert_eq!(fake.memory.lock().unwrap().records.len(), 1_234);
}

#[test]
fn faulty_lines_are_told_and_the_others_recorded() {
    let fake = Fake::start();
    let place = Place::new(&fake);
    let refused = line(2).replace("1.2", "refused");
    let unknown = line(3).replace('}', ",\"who\":\"me\"}");
    let text = format!("{}{refused}\n{unknown}nonsense\n{}", line(1), line(6));
    std::fs::write(place.path("history"), text).unwrap();

    let end = place.run(&["import", "deployments", "history", "--errors", "refused"]);
    assert_eq!(end.status, Some(3), "{end:?}");
    let told: Vec<_> = end
        .out
        .lines()
        .skip_while(|line| *line != "Refused:")
        .collect();
    assert_eq!(told.len(), 4, "{}", end.out);
    assert_eq!(
        told[1],
        "  line 2: VERSION_DEPRECATED: the version is deprecated"
    );
    assert!(
        told[2].starts_with("  line 4: LINE_MALFORMED: unknown field `who`"),
        "{}",
        told[2]
    );
    assert!(
        told[3].starts_with("  line 5: LINE_MALFORMED: "),
        "{}",
        told[3]
    );
    let written = std::fs::read_to_string(place.path("refused")).unwrap();
    assert_eq!(written.lines().count(), 3);
    assert_eq!(fake.memory.lock().unwrap().records.len(), 2);
}

#[test]
fn an_import_goes_on_behind_the_last_answer_when_the_server_dies() {
    let fake = Fake::start();
    let place = Place::new(&fake);
    let failed = fake.fail_after(3);
    let mut import = place.command(&["import", "deployments", "-", "--batch-size", "10"]);
    let mut import = import.stdin(Stdio::piped()).spawn().unwrap();
    // A pipe: what was sent can't be read again.
    let mut pipe = import.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        for number in 1..=200 {
            pipe.write_all(line(number).as_bytes()).unwrap();
        }
    });

    failed.recv_timeout(Duration::from_secs(30)).unwrap();
    let fake = fake.restart();
    writer.join().unwrap();
    let end = ended(import);

    assert_eq!(end.status, Some(0), "{end:?}");
    let memory = fake.memory.lock().unwrap();
    // The last answers may have been lost on their way, so where the import goes on is one of several places.
    let next = memory.first_lines[1];
    assert!([1, 11, 21, 31].contains(&next), "{next}");
    let told = format!("going on behind line {} in", next - 1);
    assert!(next == 1 || end.err.contains(&told), "{}", end.err);
    assert_eq!(memory.first_lines.len(), 2);
    assert_eq!(memory.records.len(), 200);
    let (known, new) = (41 - next, 159 + next);
    assert!(
        end.out.contains(&format!("recorded {new:>24}\n")),
        "{}",
        end.out
    );
    assert!(
        end.out.contains(&format!("already present {known:>17}\n")),
        "{}",
        end.out
    );
}

#[test]
fn what_is_exported_can_be_imported_and_gives_the_same_again() {
    let fake = Fake::start();
    let place = Place::new(&fake);
    // Seven records of which five bear the same time: their order is that of recording.
    let mut text = line(9);
    for number in [3, 1, 2, 5, 4] {
        text += &line(number).replace(&format!("{number:06}"), "000007");
    }
    text += &line(2).replace(
        '}',
        ",\"kind\":\"removed\",\"risk\":\"Emergency\",\"notes\":\"é\\n\"}",
    );
    std::fs::write(place.path("history"), text).unwrap();
    assert_eq!(
        place.run(&["import", "deployments", "history"]).status,
        Some(0)
    );

    let export = place.run(&["export", "deployments"]);
    assert_eq!(export.status, Some(0), "{export:?}");
    let versions: Vec<u8> = export
        .out
        .lines()
        .map(|line| {
            line.split("\"version\":\"1.").nth(1).unwrap()[..1]
                .parse()
                .unwrap()
        })
        .collect();
    assert_eq!(versions, [2, 3, 1, 2, 5, 4, 9]);
    assert!(export.out.starts_with(
        "{\"application\":\"cart\",\"version\":\"1.2\",\"environment\":\"prod\",\"deployed_at\":\
         \"2026-03-01T00:00:00.000002Z\",\"kind\":\"removed\",\"risk\":\"critical\",\"notes\":\"é\\n\"}\n"
    ));

    let other = Fake::start();
    let there = Place::new(&other);
    let file = there.run(&["export", "deployments", "none"]);
    assert_eq!(file.err, "0 deployments written to none\n", "{file:?}");
    let again = there.run(&["export", "deployments", "none"]);
    assert_eq!(again.status, Some(1), "{again:?}");
    assert!(again.err.contains("--force"), "{again:?}");
    let forced = there.run(&["export", "deployments", "none", "--force"]);
    assert_eq!(forced.status, Some(0), "{forced:?}");
    std::fs::write(there.path("exported"), &export.out).unwrap();
    assert_eq!(
        there.run(&["import", "deployments", "exported"]).status,
        Some(0)
    );
    assert_eq!(there.run(&["export", "deployments"]).out, export.out);
}

#[test]
fn failures_are_told_on_one_line_with_what_to_do() {
    let fake = Fake::start();
    let mut place = Place::new(&fake);
    write_lines(&place.path("history"), 1);
    std::fs::write(place.path("empty"), "").unwrap();
    let fails = |place: &Place, arguments: &[&str], words: &[&str]| {
        let end = place.run(arguments);
        assert_eq!(end.status, Some(1), "{end:?}");
        assert_eq!(end.err.lines().count(), 1, "{}", end.err);
        for word in words {
            assert!(end.err.contains(word), "{word}: {}", end.err);
        }
    };

    for file in ["history", "empty"] {
        let import = ["import", "deployments", file, "--project", "shop"];
        fails(&place, &import, &["NOT_FOUND / PROJECT_NOT_FOUND", "shop"]);
    }
    let import = ["import", "deployments", "history"];
    fails(
        &place,
        &["import", "deployments", "absent"],
        &["`absent` can't be read"],
    );

    std::fs::write(place.path("token"), "wrong").unwrap();
    fails(
        &place,
        &import,
        &["UNAUTHENTICATED / TOKEN_INVALID", "--token-file"],
    );
    fails(
        &place,
        &["export", "deployments"],
        &["UNAUTHENTICATED / TOKEN_INVALID"],
    );
    std::fs::remove_file(place.path("token")).unwrap();
    fails(&place, &import, &["token"]);
    std::fs::write(place.path("token"), TOKEN).unwrap();

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    place.server = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    fails(&place, &import, &["is it running?", "`slipway`"]);
    fails(&place, &["audit", "verify"], &["is it running?"]);
    let reversed = [
        "export",
        "deployments",
        "--from",
        "2026-03-02",
        "--to",
        "2026-03-01",
    ];
    fails(&place, &reversed, &["is later than --to"]);
    for command in [&["token"][..], &["migrate", "--status"]] {
        fails(
            &place,
            command,
            &["there is no database at", "SLIPWAY__STATE__DIR"],
        );
    }
    assert!(!place.path(".slipway").exists());
}
