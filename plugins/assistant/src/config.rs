//! `assistant.ron`: channels, and where the owner's alerts go. Secrets are in files or in the environment.

use crate::channel::Channel;
use crate::channels::{Form, Webhook};
use crate::gateway::{PAGE, Route};
use crate::model::{self, Model};
use becomingone_systems::links::SourceSite;
use becomingone_systems::links::web::{HTTP, Server, Token};
use ron::extensions::Extensions;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a secret is.
#[derive(Clone, Debug, Deserialize)]
enum Secret {
    /// In the environment variable of this name.
    Env(String),
    /// In the first line of a file, beside the configuration.
    File(String),
}

/// An address; one of which a part is a secret is kept as that.
#[derive(Clone, Debug, Deserialize)]
enum Address {
    Url(String),
    Env(String),
    File(String),
}

#[derive(Clone, Debug, Deserialize)]
enum Kind {
    Mattermost(Hook),
    Ntfy(Hook),
    Plain(Hook),
    Telegram(Bot),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hook {
    /// Of what comes in, at `/v1/hooks/NAME`; without one nothing does.
    #[serde(default)]
    secret: Option<Secret>,
    /// Where texts are posted to; without one nothing is.
    #[serde(default)]
    url: Option<Address>,
    /// Certificates that its server is trusted by.
    #[serde(default)]
    ca: Option<String>,
}

#[cfg_attr(
    not(feature = "telegram"),
    expect(dead_code, reason = "a file with it is read, and refused")
)]
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bot {
    token: Secret,
    #[serde(default)]
    url: Option<String>,
}

/// A model behind an address that speaks `OpenAI`'s form.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Llm {
    url: String,
    name: String,
    #[serde(default)]
    key: Option<Secret>,
    #[serde(default)]
    ca: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
    channel: String,
    #[serde(default)]
    chat: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    name: String,
    prompt: String,
    channels: BTreeMap<String, Kind>,
    alerts: Vec<To>,
    model: Option<Llm>,
}

/// A configuration that was read.
pub(crate) struct Config {
    pub(crate) name: String,
    pub(crate) prompt: String,
    pub(crate) channels: Vec<(String, Arc<dyn Channel>)>,
    pub(crate) routes: Vec<Route>,
    pub(crate) model: Option<Arc<Model>>,
}

/// A folder beside which secrets are found.
struct Site(PathBuf);

impl Site {
    fn file(&self, name: &str) -> Result<String, String> {
        let path = self.0.join(name);
        let text =
            std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        match text.lines().next().map(str::trim) {
            Some(line) if !line.is_empty() => Ok(line.to_owned()),
            _ => Err(format!(
                "{}: found no first line; expected a secret in it",
                path.display()
            )),
        }
    }

    fn variable(name: &str) -> Result<String, String> {
        let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || !name.chars().all(is_part) {
            // It may be the secret itself: not repeated.
            return Err("found a text in `Env` that is no name of an environment variable; expected names of A to Z, 0 to 9 and _".to_owned());
        }
        let value = std::env::var(name).map_err(|_| {
            format!("found no environment variable `{name}`; expected a secret in it")
        })?;
        match value.trim() {
            "" => Err(format!(
                "found an empty environment variable `{name}`; expected a secret in it"
            )),
            value => Ok(value.to_owned()),
        }
    }

    fn secret(&self, secret: &Secret) -> Result<String, String> {
        match secret {
            Secret::Env(name) => Self::variable(name),
            Secret::File(name) => self.file(name),
        }
    }

    fn hook(&self, form: Form, hook: &Hook, title: &str) -> Result<Arc<dyn Channel>, String> {
        let secret = hook.secret.as_ref().map(|s| self.secret(s)).transpose()?;
        if secret.is_some() && form == Form::Ntfy {
            return Err("found `secret` of a topic of ntfy, where nobody can be known; expected `url` alone".to_owned());
        }
        let url = match &hook.url {
            None => None,
            Some(Address::Url(url)) => Some(url.clone()),
            Some(Address::Env(name)) => Some(Self::variable(name)?),
            Some(Address::File(name)) => Some(self.file(name)?),
        };
        if secret.is_none() && url.is_none() {
            return Err("found neither `secret` nor `url`; expected one, or both".to_owned());
        }
        let url = url.map(|url| {
            let agent = self.agent(&url, hook.ca.clone(), crate::channels::WITHIN);
            let agent = agent.map_err(|what| match &hook.url {
                Some(Address::Url(_)) => what,
                // A part of it may be a secret.
                _ => "found an address in its file or variable that is none; expected http:// or https://".to_owned(),
            })?;
            Ok::<_, String>((url, agent))
        });
        Ok(Arc::new(Webhook {
            form,
            secret,
            url: url.transpose()?,
            title: title.to_owned(),
        }))
    }

    fn agent(
        &self,
        url: &str,
        ca: Option<String>,
        within: std::time::Duration,
    ) -> Result<ureq::Agent, String> {
        let server = Server::new(url, HTTP, &[], ca, None)?;
        server.agent(&self.site(), |limits| limits.timeout_global(Some(within)))
    }

    fn site(&self) -> SourceSite {
        SourceSite {
            folder: self.0.clone(),
            ..SourceSite::default()
        }
    }

    fn model(&self, llm: &Llm) -> Result<Arc<Model>, String> {
        let key = llm.key.as_ref().map(|key| match key.clone() {
            Secret::Env(name) => Token::Env(name),
            Secret::File(name) => Token::File(name),
        });
        let server = Server::new(&llm.url, HTTP, &[], llm.ca.clone(), key)?;
        let agent = server.agent(&self.site(), |limits| {
            limits.timeout_global(Some(model::WITHIN))
        })?;
        let key = server.authorization(&self.site())?;
        Ok(Arc::new(Model::new(&llm.url, &llm.name, key, agent)))
    }

    #[cfg(feature = "telegram")]
    fn telegram(&self, bot: &Bot) -> Result<Arc<dyn Channel>, String> {
        let url = bot.url.as_deref().unwrap_or("https://api.telegram.org");
        let agent = self.agent(url, None, crate::channels::Telegram::WITHIN)?;
        let token = self.secret(&bot.token)?;
        Ok(Arc::new(crate::channels::Telegram::new(url, &token, agent)))
    }

    #[cfg(not(feature = "telegram"))]
    fn telegram(&self, _: &Bot) -> Result<Arc<dyn Channel>, String> {
        Err("found a channel of Telegram; expected a build with it: cargo build --release --features telegram".to_owned())
    }
}

/// A model by its address: `http://127.0.0.1:11434/v1#qwen3:8b`; its key is in `OPENAI_API_KEY`, where it wants one.
///
/// # Errors
///
/// Found and expected.
pub(crate) fn model_at(address: &str) -> Result<Arc<Model>, String> {
    let expected = "expected an address as http://127.0.0.1:11434/v1#MODEL";
    let (url, name) = address.split_once('#').ok_or(expected)?;
    if name.is_empty() {
        return Err(expected.to_owned());
    }
    let has_key = std::env::var_os("OPENAI_API_KEY").is_some_and(|key| !key.is_empty());
    Site(PathBuf::new()).model(&Llm {
        url: url.to_owned(),
        name: name.to_owned(),
        key: has_key.then(|| Secret::Env("OPENAI_API_KEY".to_owned())),
        ca: None,
    })
}

/// A name of a channel: a part of addresses and of files.
fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty() && name.len() <= 64 && name.chars().all(is_part) && name != PAGE
}

impl Config {
    /// A channel that other servers post to.
    pub(crate) fn posted(&self) -> Option<&str> {
        let mut posted = self
            .channels
            .iter()
            .filter(|(_, channel)| channel.is_posted());
        posted.next().map(|(name, _)| name.as_str())
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// File, line and column, found and expected. Secrets are not repeated.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|e| format!("{shown}: {e}"))?;
        let read: File = ron::Options::default()
            .with_default_extension(Extensions::IMPLICIT_SOME)
            .with_default_extension(Extensions::UNWRAP_VARIANT_NEWTYPES)
            .from_str(&text)
            .map_err(|e| {
                let start = e.span.start;
                let what = match &e.code {
                    // It may be the secret itself: not repeated.
                    ron::Error::NoSuchEnumVariant { expected, .. } if expected.contains(&"Env") => {
                        format!(
                            "found something else; expected one of {}",
                            expected.join(", ")
                        )
                    }
                    code => code.to_string(),
                };
                format!("{shown}:{}:{}: {what}", start.line, start.col)
            })?;
        let site = Site(path.parent().map(Path::to_path_buf).unwrap_or_default());
        let mut channels: Vec<(String, Arc<dyn Channel>)> = Vec::new();
        for (name, kind) in &read.channels {
            let wrong = |what: String| format!("{shown}: channel `{name}`: {what}");
            if !is_name(name) {
                return Err(wrong(format!(
                    "found this name; expected letters, digits, - and _, and not `{PAGE}`"
                )));
            }
            let title = match read.name.as_str() {
                "" => "becomingone",
                name => name,
            };
            let channel = match kind {
                Kind::Mattermost(hook) => site.hook(Form::Mattermost, hook, title),
                Kind::Ntfy(hook) => site.hook(Form::Ntfy, hook, title),
                Kind::Plain(hook) => site.hook(Form::Plain, hook, title),
                Kind::Telegram(bot) => site.telegram(bot),
            };
            channels.push((name.clone(), channel.map_err(wrong)?));
        }
        let mut routes = Vec::new();
        for To { channel, chat } in read.alerts {
            if !read.channels.contains_key(&channel) {
                let known: Vec<_> = read
                    .channels
                    .keys()
                    .map(|name| format!("`{name}`"))
                    .collect();
                return Err(format!(
                    "{shown}: found the channel `{channel}` in `alerts`; expected one of {}",
                    known.join(", ")
                ));
            }
            if let Some((_, of)) = channels.iter().find(|(name, _)| *name == channel) {
                of.may_send_to(&chat)
                    .map_err(|what| format!("{shown}: alert by `{channel}`: {what}"))?;
            }
            routes.push(Route { channel, chat });
        }
        let model = read.model.as_ref().map(|llm| site.model(llm)).transpose();
        let model = model.map_err(|what| format!("{shown}: model: {what}"))?;
        Ok(Self {
            model,
            name: read.name,
            prompt: read.prompt,
            channels,
            routes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("assistant.ron");
        std::fs::write(&path, text).unwrap();
        std::fs::write(folder.path().join("s"), "hunter2\n").unwrap();
        match Config::read(&path) {
            Ok(_) => String::new(),
            Err(error) => error.replace(&folder.path().display().to_string(), ""),
        }
    }

    #[test]
    fn mistakes_name_their_place_and_no_secret() {
        let good = r#"(channels: {"lab": Mattermost(secret: File("s"), url: Url("http://127.0.0.1:9/hooks/x")), "phone": Ntfy(url: Url("https://ntfy.sh/x"))},
            alerts: [(channel: "phone"), (channel: "lab")])"#;
        assert_eq!(error(good), "");
        for (text, expected) in [
            (
                "(channels: {\"a\": Plain(secret: hunter2)})",
                "expected one of Env, File",
            ),
            (
                "(channels: {\"a\": Plain(secret: File(\"s\"))}, alerts: [(channel: \"a\")])",
                "alert by `a`: found no `url`",
            ),
            (
                "(channels: {\"a\": Ntfy(url: File(\"s\"))})",
                "in its file or variable that is none",
            ),
            ("(channel: {})", "/assistant.ron:1:2: "),
            ("(channels: {\"lab\": Slack()})", "/assistant.ron:1:"),
            (
                "(channels: {\"page\": Ntfy(url: Url(\"http://a/\"))})",
                "and not `page`",
            ),
            (
                "(channels: {\"a/b\": Ntfy(url: Url(\"http://a/\"))})",
                "expected letters",
            ),
            ("(channels: {\"a\": Plain()})", "channel `a`: found neither"),
            (
                "(channels: {\"a\": Plain(secret: File(\"none\"))})",
                "none: No such file",
            ),
            (
                "(channels: {\"a\": Plain(secret: Env(\"hunter2 \"))})",
                "is no name of an environment variable",
            ),
            (
                "(channels: {\"a\": Ntfy(secret: File(\"s\"), url: Url(\"http://a/\"))})",
                "nobody can be known",
            ),
            (
                "(channels: {\"a\": Ntfy(url: Url(\"ftp://a/\"))})",
                "channel `a`: ",
            ),
            (
                "(alerts: [(channel: \"b\")])",
                "found the channel `b` in `alerts`",
            ),
        ] {
            let found = error(text);
            assert!(found.contains(expected), "{text}: {found}");
            assert!(!found.contains("hunter2"), "{found}");
        }
    }
}
