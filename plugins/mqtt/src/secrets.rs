//! User and password: read where the connection begins, kept by none of the scene, the log, the recording.

use becomingone_systems::links::SourceSite;
use becomingone_systems::links::tls::read_file;
use serde::Deserialize;

/// Where user and password are.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) enum Login {
    /// In environment variables of these names.
    Env { user: String, password: String },
    /// In a file: the user in its first line, the password in the second.
    File(String),
}

/// User and password. It is not printed: no `Debug`.
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Login {
    /// Checks what a scene may have; nothing is read.
    ///
    /// # Errors
    ///
    /// A value that is no name of a variable, which may be a secret: it is not printed.
    pub(crate) fn check(&self) -> Result<(), String> {
        let is_name = |text: &String| {
            let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            !text.is_empty() && text.chars().all(is_part)
        };
        match self {
            Self::Env { user, password } if !is_name(user) || !is_name(password) => Err(
                "found a text in `login` that is no name of an environment variable; expected names of A to Z, 0 to 9 and _, such as `login: Env(user: \"MQTT_USER\", password: \"MQTT_PASSWORD\")`: scenes and recordings are not secret"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }

    pub(crate) fn read(&self, site: &SourceSite) -> Result<Credentials, String> {
        match self {
            Self::Env { user, password } => {
                let read = |name: &String| {
                    std::env::var(name).map_err(|_| {
                        format!("found no environment variable `{name}`; expected that of `login`")
                    })
                };
                Ok(Credentials {
                    user: read(user)?,
                    password: read(password)?,
                })
            }
            Self::File(path) => {
                let bytes = read_file(path, site)?;
                let text = String::from_utf8_lossy(&bytes);
                let mut lines = text.lines().map(str::to_owned);
                match (lines.next(), lines.next()) {
                    (Some(user), Some(password)) => Ok(Credentials { user, password }),
                    _ => Err(format!(
                        "{path}: found fewer than two lines; expected the user in the first and the password in the second"
                    )),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(login: &str, site: &SourceSite) -> Result<Credentials, String> {
        let login: Login =
            becomingone_systems::links::read_config(login).map_err(|e| e.to_string())?;
        login.check()?;
        login.read(site)
    }

    #[test]
    fn a_login_comes_from_a_file_or_the_environment_and_errors_print_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("login"), "robot\r\nhunter2\n").unwrap();
        std::fs::write(folder.path().join("half"), "hunter2").unwrap();
        let site = SourceSite {
            folder: folder.path().to_owned(),
            ..SourceSite::default()
        };
        let found = read("File(\"login\")", &site).ok().unwrap();
        assert_eq!((&*found.user, &*found.password), ("robot", "hunter2"));
        for (login, word) in [
            ("File(\"half\")", "half: found fewer than two lines"),
            ("File(\"none\")", "none: "),
            (
                "Env(user: \"USER\", password: \"hunter2\")",
                "no name of an environment variable",
            ),
            (
                "Env(user: \"NO_USER\", password: \"NO_PASSWORD\")",
                "`NO_USER`",
            ),
        ] {
            let error = read(login, &site).err().unwrap();
            assert!(
                error.contains(word) && !error.contains("hunter2"),
                "{error}"
            );
        }
    }
}
