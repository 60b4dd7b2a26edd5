//! `becomingone new`: a crate with a driver, or a project with a robot, from the templates of this crate.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::program_path;
use becomingone::Plugins;
use clap::{Args, Subcommand};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

pub(crate) const EXAMPLES: &str = "Examples:
  becomingone new plugin my_lidar
  becomingone new robot my_rover --becomingone ../becomingone
  cd my_rover && cargo test --release

Nothing is overwritten: a folder of that name must not exist.";

/// Arguments of `new`.
#[derive(Args)]
pub(crate) struct New {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// A crate with a driver of your own: protocol, thread, a test against a device of its own, scene.
    Plugin(Named),
    /// A project with a robot: scene, program with a behaviour of your own, test.
    Robot(Named),
}

#[derive(Args)]
struct Named {
    /// Name of the crate and of its folder.
    name: String,
    /// The engine's source tree, which the crate depends on [default: the one that this program was built from].
    #[arg(long, value_name = "PATH")]
    becomingone: Option<PathBuf>,
}

/// Files of a crate, with the name that stands for its own in them.
struct Template {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
}

const PLUGIN: Template = Template {
    name: "my_plugin",
    files: &[
        (
            "Cargo.toml",
            include_str!("../templates/plugin/manifest.toml"),
        ),
        ("README.md", include_str!("../templates/plugin/README.md")),
        ("scene.ron", include_str!("../templates/plugin/scene.ron")),
        (
            "src/driver.rs",
            include_str!("../templates/plugin/src/driver.rs"),
        ),
        ("src/lib.rs", include_str!("../templates/plugin/src/lib.rs")),
        (
            "src/main.rs",
            include_str!("../templates/plugin/src/main.rs"),
        ),
        (
            "src/protocol.rs",
            include_str!("../templates/plugin/src/protocol.rs"),
        ),
        (".gitignore", "/target\n"),
    ],
};

const ROBOT: Template = Template {
    name: "my_robot",
    files: &[
        (
            "Cargo.toml",
            include_str!("../templates/robot/manifest.toml"),
        ),
        ("README.md", include_str!("../templates/robot/README.md")),
        ("scene.ron", include_str!("../templates/robot/scene.ron")),
        (
            "src/main.rs",
            include_str!("../templates/robot/src/main.rs"),
        ),
        (".gitignore", "/target\n"),
    ],
};

impl New {
    pub(crate) fn run(self, plugins: &Plugins) -> Result<Exit, Failure> {
        let (template, named) = match self.what {
            What::Plugin(named) => (PLUGIN, named),
            What::Robot(named) => (ROBOT, named),
        };
        let name = CrateName::read(&named.name).map_err(Failure::BadInput)?;
        if template.name == PLUGIN.name && plugins.kinds().drivers.contains_key(name.snake.as_str())
        {
            return Err(Failure::BadInput(format!(
                "found the name `{}`, which is a driver already; expected another one, such as `my_{}`",
                name.snake, name.snake
            )));
        }
        let engine = engine(named.becomingone.as_deref()).map_err(Failure::BadInput)?;
        let folder = Path::new(&name.name);
        if folder.symlink_metadata().is_ok() {
            return Err(Failure::BadInput(format!(
                "{}: found a file or folder of this name; expected none, as nothing is overwritten",
                folder.display()
            )));
        }
        let written = template.write(folder, &name, &engine);
        written.map_err(|(file, error)| Failure::Run(format!("{}: {error}", file.display())))?;
        print_out!(
            "{}: {} files. Next:",
            folder.display(),
            template.files.len()
        );
        print_out!("  cd {}", folder.display());
        print_out!("  cargo test --release");
        match template.name == PLUGIN.name {
            true => print_out!(
                "  cargo run --release -- probe {}:127.0.0.1:7000",
                name.snake
            ),
            false => print_out!("  cargo run --release -- run scene.ron"),
        }
        Ok(Exit::SUCCESS)
    }
}

impl Template {
    fn write(
        &self,
        folder: &Path,
        name: &CrateName,
        engine: &Path,
    ) -> Result<(), (PathBuf, std::io::Error)> {
        let at = |path: &Path| {
            let path = path.to_path_buf();
            move |error| (path, error)
        };
        // Fails if another program has made it since.
        fs::create_dir(folder).map_err(at(folder))?;
        let src = folder.join("src");
        fs::create_dir(&src).map_err(at(&src))?;
        for (file, text) in self.files {
            let path = folder.join(file);
            let text = match *file {
                // Paths in TOML are texts with the escapes of Rust.
                "Cargo.toml" => ["core", "cli"].iter().fold((*text).to_owned(), |text, of| {
                    let path = engine.join("engine").join(of);
                    text.replace(&format!("\"../../../{of}\""), &format!("{path:?}"))
                }),
                _ => (*text).to_owned(),
            };
            let text = name.put(&text, self.name);
            let mut new = fs::File::create_new(&path).map_err(at(&path))?;
            new.write_all(text.as_bytes()).map_err(at(&path))?;
        }
        // The versions of dependencies that the engine is tested with.
        let lock = engine.join("Cargo.lock");
        if lock.is_file() {
            fs::copy(&lock, folder.join("Cargo.lock")).map_err(at(&lock))?;
        }
        Ok(())
    }
}

/// Name of a crate, in the spellings of its manifest, its code and its types.
#[derive(Debug, PartialEq, Eq)]
struct CrateName {
    name: String,
    snake: String,
    pascal: String,
}

impl CrateName {
    fn read(name: &str) -> Result<Self, String> {
        let expected =
            "a crate name of up to 64 lower-case letters, digits, `_` and `-`, such as `my_robot`";
        let is_inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
        if !begins || !name.chars().all(is_inside) || name.len() > 64 {
            let near: String = name
                .to_ascii_lowercase()
                .chars()
                .map(|c| if is_inside(c) { c } else { '_' })
                .skip_while(|c| !c.is_ascii_lowercase())
                .take(64)
                .collect();
            let hint = match near.is_empty() {
                true => String::new(),
                false => format!("; did you mean `{near}`?"),
            };
            return Err(format!(
                "found the name `{name}`; expected {expected}{hint}"
            ));
        }
        let snake = name.replace('-', "_");
        if RESERVED.contains(&snake.as_str()) || snake.starts_with("becomingone") {
            return Err(format!(
                "found the name `{name}`, which is taken by Rust, cargo or the engine; expected another one, such as `my_{snake}`"
            ));
        }
        let word = |word: &str| {
            let mut letters = word.chars();
            let first = letters.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        };
        Ok(Self {
            name: name.to_owned(),
            pascal: snake.split('_').map(word).collect(),
            snake,
        })
    }

    /// Puts it in place of a template's name.
    fn put(&self, text: &str, of: &str) -> String {
        let of = match Self::read(of) {
            Ok(of) => of,
            Err(_) => return text.to_owned(),
        };
        let manifest = format!("name = \"{}\"", of.snake);
        text.replace(&manifest, &format!("name = \"{}\"", self.name))
            .replace(&of.snake, &self.snake)
            .replace(&of.pascal, &self.pascal)
    }
}

/// Words of the language, and names that cargo refuses or a crate of ours has.
const RESERVED: [&str; 62] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "bool",
    "box",
    "break",
    "build",
    "char",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "main",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "serde",
    "static",
    "std",
    "str",
    "struct",
    "super",
    "test",
    "trait",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
];

/// Folder of the engine's source tree.
fn engine(given: Option<&Path>) -> Result<PathBuf, String> {
    let is_engine = |folder: &Path| folder.join("engine/core/Cargo.toml").is_file();
    if let Some(folder) = given {
        if !is_engine(folder) {
            return Err(format!(
                "--becomingone: found no engine in {}; expected the folder of its source tree, with engine/core in it",
                folder.display()
            ));
        }
        return std::path::absolute(folder).map_err(|e| format!("{}: {e}", folder.display()));
    }
    // Where this program was built, if that folder is there still; or beside the program.
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let program = program_path().unwrap_or_default();
    let mut folders = built.into_iter().chain(program.ancestors());
    let found = folders.find(|folder| is_engine(folder));
    found.map(Path::to_path_buf).ok_or_else(|| {
        "found no source tree of the engine near this program; expected its folder, as in --becomingone ../becomingone: git clone it first".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_spelled_for_manifest_code_and_types() {
        let name = CrateName::read("my-lidar2").unwrap();
        assert_eq!(
            (name.snake.as_str(), name.pascal.as_str()),
            ("my_lidar2", "MyLidar2")
        );
        let text = "name = \"my_plugin\" my_plugin::MyPlugin MyPluginKind";
        assert_eq!(
            name.put(text, "my_plugin"),
            "name = \"my-lidar2\" my_lidar2::MyLidar2 MyLidar2Kind"
        );
    }

    #[test]
    fn names_that_are_no_crate_names_are_refused() {
        for (name, words) in [
            ("", "expected a crate name"),
            ("My Robot", "did you mean `my_robot`?"),
            ("../up", "did you mean `up`?"),
            ("2d", "did you mean `d`?"),
            ("é", "expected a crate name"),
            ("fn", "such as `my_fn`"),
            ("becomingone-cli", "taken"),
        ] {
            let error = CrateName::read(name).unwrap_err();
            assert!(error.contains(words), "{name}: {error}");
        }
        assert!(CrateName::read(&"a".repeat(65)).is_err());
    }

    proptest! {
        #[test]
        fn a_name_is_one_part_of_a_path(name: String) {
            if let Ok(name) = CrateName::read(&name) {
                prop_assert_eq!(Path::new(&name.name).components().count(), 1);
            }
        }
    }
}
