//! Tokens and roles: who may ask, and who may tell.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use subtle::{Choice, ConstantTimeEq as _};
use utoipa::ToSchema;

/// Name of the variable of the environment with the owner's token.
pub const TOKEN_VARIABLE: &str = "BECOMINGONE_TOKEN";
/// Bytes of a token that is made here.
const BYTES: usize = 32;
/// Shortest token that is accepted.
const SHORTEST: usize = 16;
/// Most tokens of a file.
const MOST: usize = 64;

/// What a caller may do; each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees everything, and may stop every agent.
    Viewer,
    /// Pauses and steps the run; moves an agent for which there is a lease.
    Operator,
    /// Grants leases and clears stops.
    Owner,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Owner => "owner",
        })
    }
}

/// A text that is never shown.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// A new one, from the system's random numbers.
    pub(crate) fn random() -> Result<Self, String> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(|e| format!("no random numbers: {e}"))?;
        Ok(Self(bytes.iter().map(|b| format!("{b:02x}")).collect()))
    }

    /// Whether it is this text, in a time that does not depend on where they differ.
    pub(crate) fn is(&self, text: &str) -> Choice {
        self.0.as_bytes().ct_eq(text.as_bytes())
    }

    /// The text, for the one who is to have it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// The tokens of a server.
#[derive(Clone, Debug)]
pub struct Tokens(Vec<(Role, Secret)>);

impl Tokens {
    /// The owner's token alone.
    ///
    /// # Errors
    ///
    /// Expected, where it is too short; the token itself is not repeated.
    pub fn owner(token: &str) -> Result<Self, String> {
        Ok(Self(vec![(Role::Owner, checked(token)?)]))
    }

    /// Adds a new token of the owner.
    pub(crate) fn add_owner(&mut self) -> Result<String, String> {
        let token = Secret::random()?;
        let text = token.reveal().to_owned();
        self.0.push((Role::Owner, token));
        Ok(text)
    }

    /// A new token of the owner, and the tokens with it alone.
    ///
    /// # Errors
    ///
    /// Where the system has no random numbers.
    pub fn random() -> Result<(String, Self), String> {
        let mut tokens = Self(Vec::new());
        Ok((tokens.add_owner()?, tokens))
    }

    /// Reads a file: one token, of the owner; or lines of a role and a token.
    ///
    /// # Errors
    ///
    /// File, line, found and expected; tokens are not repeated.
    pub fn read(file: &Path) -> Result<Self, String> {
        let shown = file.display();
        let text = std::fs::read_to_string(file).map_err(|e| format!("{shown}: {e}"))?;
        private(file)?;
        let lines = text.lines().map(str::trim).zip(1..);
        let lines: Vec<_> = lines
            .filter(|(line, _)| !line.is_empty() && !line.starts_with('#'))
            .collect();
        if lines.len() > MOST {
            return Err(format!(
                "{shown}: found {} tokens; expected at most {MOST}",
                lines.len()
            ));
        }
        let mut tokens = Vec::new();
        for &(line, number) in &lines {
            let wrong = |what: String| format!("{shown}:{number}: {what}");
            let (role, token) = match line.split_once(char::is_whitespace) {
                Some(("viewer", token)) => (Role::Viewer, token),
                Some(("operator", token)) => (Role::Operator, token),
                Some(("owner", token)) => (Role::Owner, token),
                None if lines.len() == 1 => (Role::Owner, line),
                _ => {
                    return Err(wrong(
                        "expected `viewer TOKEN`, `operator TOKEN` or `owner TOKEN`, or one token alone".to_owned(),
                    ));
                }
            };
            let token = checked(token.trim()).map_err(wrong)?;
            if tokens
                .iter()
                .any(|(_, t): &(Role, Secret)| t.is(token.reveal()).into())
            {
                return Err(wrong("found a token for the second time".to_owned()));
            }
            tokens.push((role, token));
        }
        if tokens.is_empty() {
            return Err(format!(
                "{shown}: found no token; expected one, of the owner, or lines `owner TOKEN`"
            ));
        }
        Ok(Self(tokens))
    }

    /// That of the environment, else that of the file of this user, which is made where there is none. Returns the file,
    /// too.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and of writing the file.
    pub fn of_this_user(folder: &Path) -> Result<(Self, Option<PathBuf>), String> {
        if let Ok(token) = std::env::var(TOKEN_VARIABLE) {
            let tokens = Self::owner(&token).map_err(|e| format!("{TOKEN_VARIABLE}: {e}"))?;
            return Ok((tokens, None));
        }
        let file = folder.join("token");
        if !file.exists() {
            let token = Secret::random()?;
            let made = write_private(&file, token.reveal());
            // Another run of this user may have been faster.
            if let Err(error) = made
                && !file.exists()
            {
                return Err(format!("{}: {error}", file.display()));
            }
        }
        Ok((Self::read(&file)?, Some(file)))
    }

    /// Role of who has this token. Takes as long for every token of this length.
    pub(crate) fn role(&self, token: &str) -> Option<Role> {
        let mut found = None;
        for (role, secret) in &self.0 {
            if bool::from(secret.is(token)) {
                found = Some(*role);
            }
        }
        found
    }
}

fn checked(token: &str) -> Result<Secret, String> {
    let is_plain = token.bytes().all(|b| b.is_ascii_graphic());
    if token.len() < SHORTEST || !is_plain {
        return Err(format!(
            "found a token of {} characters; expected at least {SHORTEST}, of ASCII without spaces, as by `openssl rand -hex 32`",
            token.chars().count()
        ));
    }
    Ok(Secret(token.to_owned()))
}

/// Refuses a file of secrets that others may read.
#[cfg(unix)]
fn private(file: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    let shown = file.display();
    let data = std::fs::metadata(file).map_err(|e| format!("{shown}: {e}"))?;
    if data.mode() & 0o077 != 0 {
        return Err(format!(
            "{shown}: found a file that others may read (mode {:o}); expected `chmod 600 {shown}`",
            data.mode() & 0o777
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
fn private(_: &Path) -> Result<(), String> {
    Ok(())
}

/// Writes a new file that only this user may read.
pub(crate) fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(file)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: [&str; 3] = [
        "0123456789abcdef0",
        "0123456789abcdef1",
        "0123456789abcdef2",
    ];

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        write_private(&file, text).unwrap();
        (folder, file)
    }

    #[test]
    fn a_file_has_one_token_or_a_role_for_each() {
        let [a, b, c] = TOKENS;
        let (_folder, one) = file(a);
        let tokens = Tokens::read(&one).unwrap();
        assert_eq!((tokens.role(a), tokens.role(b)), (Some(Role::Owner), None));
        let (_folder, three) = file(&format!("# ours\nviewer {a}\noperator  {b}\n\nowner {c}\n"));
        let tokens = Tokens::read(&three).unwrap();
        let roles = TOKENS.map(|token| tokens.role(token));
        assert_eq!(roles, [Role::Viewer, Role::Operator, Role::Owner].map(Some));
        // By one bit, by one character, and none.
        for wrong in [
            "0123456789abcdef3",
            "0123456789abcde",
            "",
            "0123456789abcdef0 ",
        ] {
            assert_eq!(tokens.role(wrong), None);
        }
        assert!(!format!("{tokens:?}").contains(a));
    }

    #[test]
    fn mistakes_name_the_line_and_no_token() {
        let [a, b, _] = TOKENS;
        for (text, words) in [
            (String::new(), "found no token"),
            ("short".to_owned(), ":1: found a token of 5 characters"),
            (format!("{a}\n{b}"), ":1: expected `viewer TOKEN`"),
            (
                format!("owner {a}\nking {b}"),
                ":2: expected `viewer TOKEN`",
            ),
            (
                format!("owner {a}\nviewer {a}"),
                ":2: found a token for the second time",
            ),
            (format!("owner {a} {b}"), ":1: found a token of"),
        ] {
            let (_folder, file) = file(&text);
            let error = Tokens::read(&file).unwrap_err();
            assert!(error.contains(words), "{error}");
            assert!(!error.contains(a) && !error.contains(b), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_folder, file) = file(TOKENS[0]);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Tokens::read(&file).unwrap_err().contains("chmod 600"));
    }

    #[test]
    fn two_starts_have_the_same_token_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let (_, file) = Tokens::of_this_user(folder.path()).unwrap();
        let text = std::fs::read_to_string(file.unwrap()).unwrap();
        assert_eq!(text.trim().len(), 2 * BYTES);
        let (again, _) = Tokens::of_this_user(folder.path()).unwrap();
        assert_eq!(again.role(text.trim()), Some(Role::Owner));
    }
}
