//! Files that stand for others: what a repository or a web site gives in place of a file.

/// What a file is instead of a model or a mesh, and what to do; `None` if it is none of these.
pub(crate) fn stand_in(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let text = bytes.trim_ascii_start();
    let begins = |with: &str| {
        let start = text.get(..with.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()))
    };
    if begins("version https://git-lfs.github.com/spec/") {
        return Some((
            "a Git LFS pointer, not the file itself",
            "expected the file; run `git lfs pull` in its repository",
        ));
    }
    // Links of git-annex on file systems without symbolic links.
    if bytes.len() < 1024 && (begins("/annex/objects/") || begins("../.git/annex/")) {
        return Some((
            "a git-annex pointer, not the file itself",
            "expected the file; run `git annex get` in its repository",
        ));
    }
    if begins("<!doctype html") || begins("<html") {
        return Some((
            "an HTML page, not the file itself",
            "expected the file; download it again, by its raw link",
        ));
    }
    if text.is_empty() {
        return Some((
            "an empty file",
            "expected its content; copy or download it again",
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_pages_and_empty_files_are_named() {
        let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
        for (text, words) in [
            (lfs, "git lfs pull"),
            ("/annex/objects/SHA256E-s1--ab.stl\n", "git annex get"),
            ("\n<!DOCTYPE html>\n<html lang=\"en\">", "raw link"),
            ("<HTML><body>404</body>", "raw link"),
            ("", "its content"),
            (" \n", "its content"),
        ] {
            let (_, expected) = stand_in(text.as_bytes()).unwrap();
            assert!(expected.contains(words), "{text}: {expected}");
        }
        for text in ["<robot name=\"html\"/>", "solid html", "version 1"] {
            assert_eq!(stand_in(text.as_bytes()), None, "{text}");
        }
    }
}
