use super::*;
use crate::lines::{Line, Lines};
use proptest::prelude::*;
use std::path::Path;
use std::process::Command;

/// A file that is followed, and the lines so far.
struct Followed {
    folder: tempfile::TempDir,
    tail: Tail,
    lines: Lines,
    found: Vec<String>,
}

impl Followed {
    fn new(begin: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        if let Some(begin) = begin {
            fs::write(&path, begin).unwrap();
        }
        Self {
            folder,
            tail: Tail::new(path, true),
            lines: Lines::default(),
            found: Vec::new(),
        }
    }

    /// Runs a line of the shell in the folder, whose programs are those of the system.
    fn shell(&self, line: &str) {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(&self.folder);
        assert!(shell.status().unwrap().success(), "{line}");
    }

    fn path(&self) -> &Path {
        &self.tail.path
    }

    /// Reads to the end; the lines that came, and whether the file is there.
    fn read(&mut self) -> (Vec<String>, bool) {
        let (lines, found) = (&mut self.lines, &mut self.found);
        let mut keep = |line: Line<'_>| match line {
            Line::Text(text) => found.push(String::from_utf8_lossy(text).into_owned()),
            Line::TooLong => found.push("too long".to_owned()),
        };
        loop {
            let presence = self.tail.poll(&mut |piece| match piece {
                Piece::Bytes(bytes) => lines.add(bytes, &mut keep),
                Piece::Header(line) => keep(Line::Text(&[b"header ", line].concat())),
                Piece::Within => lines.skip(),
                Piece::Ended => {
                    if let Some(rest) = lines.finish() {
                        keep(Line::Text(&rest));
                    }
                }
                Piece::Truncated => drop(lines.finish()),
            });
            match presence.unwrap() {
                Presence::More => {}
                other => return (std::mem::take(found), other == Presence::Read),
            }
        }
    }

    fn reads(&mut self, expected: &[&str]) {
        let found = self.read();
        assert_eq!(
            (found.0, found.1),
            (expected.iter().map(|&e| e.to_owned()).collect(), true)
        );
    }
}

#[test]
fn a_file_is_read_from_its_end_and_one_that_is_created_later_from_its_begin() {
    let mut old = Followed::new(Some("t,x\n1,2\n3,"));
    old.reads(&["header t,x"]);
    old.shell("printf '4\\n5,6\\n7' >> log");
    old.reads(&["5,6"]);
    old.shell("echo ,8 >> log");
    old.reads(&["7,8"]);

    let mut new = Followed::new(None);
    assert_eq!(new.read(), (vec![], false));
    new.shell("echo a >> log; echo b >> log");
    new.reads(&["a", "b"]);
}

/// As `logrotate` does it: `mv` by default, `cp` and `truncate` with `copytruncate`.
#[test]
fn no_line_is_lost_or_doubled_where_the_file_is_renamed_or_truncated() {
    let mut file = Followed::new(Some("old\n"));
    file.reads(&["header old"]);
    file.shell("echo a >> log; mv log log.1; echo b >> log.1; echo c > log");
    file.reads(&["a", "b", "c"]);
    file.shell("mv log log.2");
    assert_eq!(file.read(), (vec![], false));
    // Its writer has it still open.
    file.shell("printf d >> log.2");
    assert_eq!(file.read(), (vec![], false));
    file.shell("echo e > log");
    file.reads(&["d", "e"]);
    file.shell("cp log log.3; truncate -s 0 log");
    file.reads(&[]);
    file.shell("echo f >> log");
    file.reads(&["f"]);
    file.shell("rm log");
    assert_eq!(file.read(), (vec![], false));
    file.shell("echo g > log");
    file.reads(&["g"]);
    file.shell("echo h > new; mv new log");
    file.reads(&["h"]);
}

#[test]
fn folders_and_pipes_are_refused_and_never_waited_for() {
    let mut file = Followed::new(None);
    file.shell("mkfifo log");
    let error = file.tail.poll(&mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("no regular file"), "{error}");
    file.shell("rm log; mkdir log");
    assert!(file.tail.poll(&mut |_| {}).is_err());
    assert!(is_there(file.path()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is written in whatever pieces, with renames in between, arrives once and in order.
    #[test]
    fn every_line_arrives_once(steps in prop::collection::vec((0..4u8, "[a-z]{0,6}"), 1..40)) {
        let mut file = Followed::new(None);
        // It is created later.
        file.read();
        let (mut written, mut found) = (String::new(), Vec::new());
        let path = file.path().to_path_buf();
        let append = |text: &str| {
            use std::io::Write as _;
            let mut log = fs::OpenOptions::new().append(true).create(true).open(&path).unwrap();
            log.write_all(text.as_bytes()).unwrap();
        };
        for (k, (what, text)) in steps.iter().enumerate() {
            match what {
                0 => found.extend(file.read().0),
                1 if path.exists() && written.ends_with('\n') => {
                    // One rename between two looks: of two, the file between them would be missed.
                    found.extend(file.read().0);
                    fs::rename(&path, path.with_extension(k.to_string())).unwrap();
                }
                2 => {
                    append(&format!("{text}\n"));
                    written += &format!("{text}\n");
                }
                _ => {
                    append(text);
                    written += text;
                }
            }
        }
        append("\n");
        written += "\n";
        found.extend(file.read().0);
        let expected: Vec<&str> = written.lines().collect();
        prop_assert_eq!(found, expected);
    }
}
