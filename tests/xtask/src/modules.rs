//! Which modules of a crate import which: files, paths, re-exports, circles.

use crate::source::{Kind, pieces};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Path of a module within its crate; the root is empty.
type Module = Vec<String>;

/// A circle of imports.
#[derive(Debug)]
pub(crate) struct Circle {
    pub(crate) nodes: Vec<String>,
    /// One import for each pair, with its place.
    pub(crate) imports: Vec<String>,
}

/// A crate's modules.
pub(crate) struct Modules {
    /// Paths and items of each file, by its module.
    files: BTreeMap<Module, File>,
}

#[derive(Default)]
struct File {
    /// Relative to the folder of the root file.
    path: PathBuf,
    uses: Vec<Use>,
    /// Items that it defines.
    items: BTreeSet<String>,
}

/// A path in a file.
#[derive(Clone, Debug)]
struct Use {
    /// Its module, an inline one too.
    from: Module,
    path: Vec<String>,
    /// Name that a `use` brings into scope, `*` for all; none of a path in code.
    brings: Option<String>,
    is_public: bool,
    line: usize,
}

/// Pairs of nodes, with a place of each.
type Imports = BTreeMap<(String, String), String>;

impl Modules {
    /// Reads all files below the folder of a root file.
    pub(crate) fn read(root: &Path) -> Result<Self, String> {
        let folder = root.parent().unwrap_or(root);
        let mut files = BTreeMap::new();
        let mut open = vec![folder.to_path_buf()];
        while let Some(next) = open.pop() {
            let entries = next
                .read_dir()
                .map_err(|e| format!("{}: {e}", next.display()))?;
            for path in entries.flatten().map(|e| e.path()) {
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|e| e == "rs") {
                    let text = std::fs::read_to_string(&path)
                        .map_err(|e| format!("{}: {e}", path.display()))?;
                    let path = path.strip_prefix(folder).unwrap_or(&path);
                    // Another crate: the program beside the library.
                    if path != Path::new("main.rs") && !path.starts_with("bin") {
                        files.insert(module(path), read(path, &text));
                    }
                }
            }
        }
        Ok(Self { files })
    }

    /// Circles of which two folders or more are part, side by side in the same folder.
    pub(crate) fn circles_of_folders(&self) -> Vec<Circle> {
        let parents: BTreeSet<&[String]> = self
            .files
            .keys()
            .flat_map(|m| (0..m.len()).map(|k| &m[..k]))
            .collect();
        let mut all = Vec::new();
        for parent in parents {
            let node = |module: &Module| {
                let inside = module
                    .starts_with(parent)
                    .then(|| module.get(parent.len()))?;
                Some([parent, std::slice::from_ref(inside?)].concat().join("/"))
            };
            let folders: BTreeSet<String> = (self.files.iter())
                .filter(|(m, f)| m.len() > parent.len() + 1 || f.path.ends_with("mod.rs"))
                .filter_map(|(m, _)| node(m))
                .collect();
            all.extend(
                circles(&self.imports(node))
                    .into_iter()
                    .filter(|c| c.nodes.iter().filter(|n| folders.contains(*n)).count() > 1),
            );
        }
        all
    }

    /// Circles of files.
    pub(crate) fn circles_of_files(&self) -> Vec<Circle> {
        let node = |module: &Module| {
            let file = self.files.get(module)?;
            Some(file.path.display().to_string().replace('\\', "/"))
        };
        circles(&self.imports(node))
    }

    /// Imports between nodes that files are parts of.
    fn imports(&self, node: impl Fn(&Module) -> Option<String>) -> Imports {
        let mut all = Imports::new();
        for (module, file) in &self.files {
            let Some(from) = node(module) else { continue };
            for used in &file.uses {
                let Some(target) = self.resolve(used, 0) else {
                    continue;
                };
                // A folder's map shows what is in it: no import.
                if used.is_public && target.starts_with(module) {
                    continue;
                }
                let Some(to) = node(&target) else { continue };
                if from != to {
                    let place = format!("{}:{}", file.path.display(), used.line);
                    all.entry((from.clone(), to)).or_insert(place);
                }
            }
        }
        all
    }

    /// Module whose file defines the item of a path; none outside the crate.
    fn resolve(&self, used: &Use, depth: usize) -> Option<Module> {
        let mut base = used.from.clone();
        let mut path = used.path.as_slice();
        match path.first()?.as_str() {
            "crate" => {
                base.clear();
                path = &path[1..];
            }
            "self" => path = &path[1..],
            "super" => {
                while path.first().is_some_and(|p| p == "super") {
                    base.pop()?;
                    path = &path[1..];
                }
            }
            child => {
                base.push(child.to_owned());
                if !self.files.contains_key(&base) {
                    return None;
                }
                path = &path[1..];
            }
        }
        self.descend(base, path, depth)
    }

    fn descend(&self, mut at: Module, path: &[String], depth: usize) -> Option<Module> {
        for (k, name) in path.iter().enumerate() {
            at.push(name.clone());
            if self.files.contains_key(&at) {
                continue;
            }
            at.pop();
            let file = self.files.get(&at);
            if depth < 8
                && let Some(file) = file
                && !file.items.contains(name)
            {
                let brings = |u: &&Use| u.brings.as_deref() == Some(name.as_str());
                if let Some(used) = file.uses.iter().find(brings) {
                    let on = self.resolve(used, depth + 1)?;
                    return self.descend(on, &path[k + 1..], depth + 1);
                }
                let all = file
                    .uses
                    .iter()
                    .filter(|u| u.brings.as_deref() == Some("*"));
                for used in all {
                    let Some(on) = self.resolve(used, depth + 1) else {
                        continue;
                    };
                    if self.files.get(&on).is_some_and(|f| f.items.contains(name)) {
                        return Some(on);
                    }
                }
            }
            break;
        }
        // An inline module is part of its file.
        while !self.files.contains_key(&at) {
            at.pop()?;
        }
        Some(at)
    }
}

/// Module of a file.
fn module(path: &Path) -> Module {
    let mut parts: Module = path
        .with_extension("")
        .iter()
        .map(|p| p.to_string_lossy().into_owned())
        .collect();
    if parts.last().is_some_and(|p| p == "mod") || parts == ["lib"] {
        parts.pop();
    }
    parts
}

/// Paths and items of a file, without its tests.
fn read(path: &Path, text: &str) -> File {
    // Names and punctuation; `::` is one.
    let mut words: Vec<(&str, usize, bool)> = Vec::new();
    for piece in pieces(text) {
        match piece.kind {
            Kind::Space | Kind::Comment => {}
            Kind::Other if piece.text == ":" && text_before(text, piece.text) => {
                if let Some(last) = words.last_mut() {
                    last.0 = "::";
                }
            }
            kind => words.push((piece.text, piece.line, kind == Kind::Name)),
        }
    }
    let words = without_tests(&words);
    let mut file = File {
        path: path.to_path_buf(),
        ..File::default()
    };
    let own = module(path);
    // Inline modules that are open, with the depth of their braces.
    let (mut from, mut depth, mut inline) = (own, 0usize, Vec::new());
    let mut k = 0;
    let word = |k: usize| words.get(k).map_or("", |w| w.0);
    while k < words.len() {
        let (text, line, is_name) = words[k];
        match text {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if inline.last() == Some(&depth) {
                    inline.pop();
                    from.pop();
                }
            }
            "mod" if word(k + 2) == "{" => {
                from.push(word(k + 1).to_owned());
                inline.push(depth);
            }
            "use" if word(k + 1) != "<" => {
                let before = (0..k).rev().map(word);
                let before: Vec<&str> = before.take(4).collect();
                let is_public = before.first() == Some(&"pub")
                    || (before.first() == Some(&")") && before.contains(&"pub"));
                let seed = Use {
                    from: from.clone(),
                    path: Vec::new(),
                    brings: None,
                    is_public,
                    line,
                };
                let end = (k..words.len()).find(|k| word(*k) == ";");
                let end = end.unwrap_or(words.len());
                tree(&words[k + 1..end], &seed, &mut file.uses);
                k = end;
            }
            "struct" | "enum" | "trait" | "fn" | "const" | "static" | "type" | "union" => {
                file.items.insert(word(k + 1).to_owned());
            }
            _ if is_name && word(k + 1) == "::" && !matches!(before(k, &words), "::" | ".") => {
                let mut path = vec![text.to_owned()];
                while word(k + 1) == "::" && words.get(k + 2).is_some_and(|w| w.2) {
                    path.push(word(k + 2).to_owned());
                    k += 2;
                }
                file.uses.push(Use {
                    from: from.clone(),
                    path,
                    brings: None,
                    is_public: false,
                    line,
                });
            }
            _ => {}
        }
        k += 1;
    }
    file
}

fn before<'a>(k: usize, words: &[(&'a str, usize, bool)]) -> &'a str {
    k.checked_sub(1).map_or("", |k| words[k].0)
}

/// Whether the character before a piece of a text is a colon.
fn text_before(text: &str, piece: &str) -> bool {
    let at = piece.as_ptr() as usize - text.as_ptr() as usize;
    text[..at].ends_with(':')
}

/// Leaves out items under `#[cfg(test)]`.
fn without_tests<'a>(words: &[(&'a str, usize, bool)]) -> Vec<(&'a str, usize, bool)> {
    let mut kept = Vec::with_capacity(words.len());
    let word = |k: usize| words.get(k).map_or("", |w| w.0);
    // The end of what opens here.
    let closed = |mut k: usize, open: &str, close: &str| {
        let mut depth = 0usize;
        while k < words.len() {
            depth += usize::from(word(k) == open);
            if word(k) == close {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            k += 1;
        }
        k
    };
    let mut k = 0;
    while k < words.len() {
        let is_attribute = word(k) == "#" && word(k + 1) == "[" && word(k + 2) == "cfg";
        let end = if is_attribute {
            closed(k + 1, "[", "]")
        } else {
            k
        };
        let inside = (k..end).map(word);
        if inside.clone().any(|w| w == "test") && !inside.clone().any(|w| w == "not") {
            k = end + 1;
            while word(k) == "#" {
                k = closed(k + 1, "[", "]") + 1;
            }
            while k < words.len() && !matches!(word(k), ";" | "{") {
                k += 1;
            }
            if word(k) == "{" {
                k = closed(k, "{", "}");
            }
            k += 1;
        } else {
            kept.push(words[k]);
            k += 1;
        }
    }
    kept
}

/// Paths of a `use`: `a::{b, c::d as e, f::*}`.
fn tree(words: &[(&str, usize, bool)], seed: &Use, all: &mut Vec<Use>) {
    let mut here = seed.clone();
    let mut k = 0;
    while let Some((text, line, is_name)) = words.get(k).copied() {
        match text {
            "{" => {
                let mut depth = 0usize;
                let mut start = k + 1;
                for (at, (word, ..)) in words.iter().enumerate().skip(k) {
                    depth += usize::from(*word == "{");
                    depth -= usize::from(*word == "}");
                    if (*word == "," && depth == 1) || depth == 0 {
                        if at > start {
                            tree(&words[start..at], &here, all);
                        }
                        start = at + 1;
                    }
                    if depth == 0 {
                        break;
                    }
                }
                return;
            }
            "*" => here.brings = Some("*".to_owned()),
            "as" => {
                here.brings = words.get(k + 1).map(|w| w.0.to_owned());
                break;
            }
            "self" if !here.path.is_empty() => here.brings = here.path.last().cloned(),
            name if is_name => {
                here.path.push(name.to_owned());
                here.brings = Some(name.to_owned());
                here.line = line;
            }
            _ => {}
        }
        k += 1;
    }
    if !here.path.is_empty() {
        all.push(here);
    }
}

/// Nodes that can be reached from each other, with the imports between them.
fn circles(imports: &Imports) -> Vec<Circle> {
    let nodes: BTreeSet<&String> = imports.keys().flat_map(|(a, b)| [a, b]).collect();
    let reached = |from: &String| {
        let mut found = BTreeSet::new();
        let mut open = vec![from.clone()];
        while let Some(next) = open.pop() {
            let on = imports.keys().filter(|(a, _)| *a == next).map(|(_, b)| b);
            for b in on {
                if found.insert(b.clone()) {
                    open.push(b.clone());
                }
            }
        }
        found
    };
    let reach: BTreeMap<&String, BTreeSet<String>> =
        nodes.iter().map(|n| (*n, reached(n))).collect();
    let mut done = BTreeSet::new();
    let mut all = Vec::new();
    for node in nodes {
        if !reach[node].contains(node) || done.contains(node) {
            continue;
        }
        let circle: Vec<String> = reach[node]
            .iter()
            .filter(|n| reach[*n].contains(node))
            .cloned()
            .collect();
        done.extend(circle.clone());
        let inside = imports
            .iter()
            .filter(|((a, b), _)| circle.contains(a) && circle.contains(b));
        let imports = inside
            .map(|((a, b), place)| format!("{a} -> {b} ({place})"))
            .collect();
        all.push(Circle {
            nodes: circle,
            imports,
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(files: &[(&str, &str)]) -> Modules {
        let read =
            |(path, text): &(&str, &str)| (module(Path::new(path)), read(Path::new(path), text));
        Modules {
            files: files.iter().map(read).collect(),
        }
    }

    fn nodes(circles: &[Circle]) -> Vec<Vec<&str>> {
        circles
            .iter()
            .map(|c| c.nodes.iter().map(String::as_str).collect())
            .collect()
    }

    #[test]
    fn a_circle_through_groups_re_exports_and_paths_in_code_is_found() {
        let all = modules(&[
            (
                "lib.rs",
                "mod a; mod b; pub use b::two::Two; pub mod prelude { pub use crate::a::One; }",
            ),
            ("a/mod.rs", "mod one; pub use one::One;"),
            (
                "a/one.rs",
                "use crate::{c::{self, Three}, Two as Other}; pub struct One;",
            ),
            ("b/mod.rs", "pub mod two;"),
            (
                "b/two.rs",
                "pub struct Two; fn f() { let x: crate::a::One = g(); }",
            ),
            (
                "c.rs",
                "pub struct Three; #[cfg(test)] mod tests { use crate::a::One; }",
            ),
        ]);
        assert_eq!(nodes(&all.circles_of_folders()), [["a", "b"]]);
        assert_eq!(nodes(&all.circles_of_files()), [["a/one.rs", "b/two.rs"]]);
    }

    #[test]
    fn a_folder_and_its_map_may_be_a_circle_of_files() {
        let all = modules(&[
            ("lib.rs", "mod a;"),
            ("a/mod.rs", "mod b; use b::f; pub struct A;"),
            ("a/b.rs", "use super::A; pub fn f(_: A) {}"),
        ]);
        assert_eq!(nodes(&all.circles_of_files()), [["a/b.rs", "a/mod.rs"]]);
        assert!(all.circles_of_folders().is_empty());
    }

    #[test]
    fn imports_that_go_one_way_are_no_circle() {
        let all = modules(&[
            ("lib.rs", "mod a; mod b; use a::A;"),
            ("a/mod.rs", "use super::b::B; use std::fmt; // crate::b"),
            (
                "b/mod.rs",
                "pub struct B; impl B { fn text() { say(\"crate::a::A\") } }",
            ),
        ]);
        assert!(all.circles_of_files().is_empty() && all.circles_of_folders().is_empty());
    }
}
