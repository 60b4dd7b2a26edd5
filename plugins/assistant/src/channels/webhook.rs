//! Servers of messages that post to us, and that we post to: Mattermost's webhooks, ntfy's topics, and a plain form of ours.

use super::{refused, unanswered};
use crate::channel::{Channel, Header, Trouble};
use crate::mail::Incoming;
use becomingone_api::Refused;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use subtle::ConstantTimeEq as _;
use ureq::Agent;

/// Longest wait for an answer.
pub(crate) const WITHIN: Duration = Duration::from_secs(10);
/// Where nothing can go out.
const NO_URL: &str = "found no `url` to post to";
/// Longest text that is sent (bytes): ntfy makes a file of a longer one, Mattermost takes 16 383 signs.
const MAX_TEXT: usize = 4000;

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Form {
    /// Outgoing webhooks of Mattermost come in (`token`, `user_id`, `post_id`, ..), its incoming ones go out (`{"text": ..}`).
    Mattermost,
    /// Texts that are posted to a topic of ntfy; nobody can be known by one, so none come in.
    Ntfy,
    /// `{"id", "from", "name", "chat", "text"}` with `Authorization: Bearer SECRET` in, `{"id", "chat", "text"}` out.
    Plain,
}

/// A server of messages.
pub(crate) struct Webhook {
    pub(crate) form: Form,
    /// Who posts to us knows it.
    pub(crate) secret: Option<String>,
    /// Where we post to.
    pub(crate) url: Option<(String, Agent)>,
    /// Over the texts, where there is a place for it.
    pub(crate) title: String,
}

/// An outgoing webhook of Mattermost: JSON, or a form with the same names.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Mattermost {
    token: String,
    user_id: String,
    user_name: String,
    post_id: String,
    text: String,
    trigger_word: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    #[serde(default)]
    id: Option<String>,
    from: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    chat: String,
    text: String,
}

fn is_same(secret: &str, given: &str) -> bool {
    bool::from(secret.as_bytes().ct_eq(given.as_bytes()))
}

/// A key of a message that has none: it cannot be told from another one.
fn any_key() -> String {
    let now = jiff::Timestamp::now().as_nanosecond();
    format!("{now:x}-{:?}", std::thread::current().id())
}

impl Mattermost {
    fn read(header: Header<'_>, body: &[u8]) -> Result<Self, Refused> {
        let kind = header("content-type").unwrap_or_default();
        if kind.starts_with("application/json") {
            return serde_json::from_slice(body).map_err(|e| Refused::Form(e.to_string()));
        }
        let mut read = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let field = match name.as_ref() {
                "token" => &mut read.token,
                "user_id" => &mut read.user_id,
                "user_name" => &mut read.user_name,
                "post_id" => &mut read.post_id,
                "text" => &mut read.text,
                "trigger_word" => &mut read.trigger_word,
                _ => continue,
            };
            *field = value.into_owned();
        }
        Ok(read)
    }
}

impl Webhook {
    fn mattermost(&self, secret: &str, read: Mattermost) -> Result<Option<Incoming>, Refused> {
        if !is_same(secret, &read.token) {
            return Err(Refused::NotKnown);
        }
        if read.user_id.is_empty() || read.post_id.is_empty() || read.user_name.is_empty() {
            return Err(Refused::Form(
                "found no `user_id`, `user_name` or `post_id`; expected an outgoing webhook of Mattermost"
                    .to_owned(),
            ));
        }
        let text = read.text.strip_prefix(&read.trigger_word);
        let text = text.unwrap_or(&read.text).trim().to_owned();
        Ok((!text.is_empty()).then_some(Incoming {
            key: read.post_id,
            // A direct message: in the channel, others would see it.
            chat: format!("@{}", read.user_name),
            person: read.user_id,
            name: read.user_name,
            text,
        }))
    }

    fn plain(
        &self,
        secret: &str,
        header: Header<'_>,
        body: &[u8],
    ) -> Result<Option<Incoming>, Refused> {
        let given = header("authorization").unwrap_or_default();
        if !is_same(secret, given.strip_prefix("Bearer ").unwrap_or_default()) {
            return Err(Refused::NotKnown);
        }
        let read: Plain = serde_json::from_slice(body).map_err(|e| Refused::Form(e.to_string()))?;
        Ok(Some(Incoming {
            key: read.id.unwrap_or_else(any_key),
            chat: read.chat,
            name: read.name,
            person: read.from,
            text: read.text,
        }))
    }

    /// What is shown to nobody: addresses and secrets.
    fn secrets(&self) -> Vec<String> {
        let mut all: Vec<_> = self.secret.iter().cloned().collect();
        if let Some((url, _)) = &self.url {
            all.push(url.clone());
            let path = url.splitn(4, '/').nth(3).unwrap_or_default();
            all.extend((!path.is_empty()).then(|| path.to_owned()));
            all.extend(
                path.rsplit('/')
                    .next()
                    .filter(|last| last.len() > 5)
                    .map(str::to_owned),
            );
        }
        all
    }

    fn post(
        &self,
        url: &str,
        agent: &Agent,
        chat: &str,
        text: &str,
        key: u64,
    ) -> Result<String, Trouble> {
        let mut text = text;
        if text.len() > MAX_TEXT && self.form != Form::Plain {
            let end = text.floor_char_boundary(MAX_TEXT);
            text = text.get(..end).unwrap_or_default();
        }
        let request = agent.post(url);
        let answer = match self.form {
            Form::Mattermost => request.content_type("application/json").send(
                match chat {
                    "" => json!({"text": text, "username": self.title}),
                    chat => json!({"text": text, "username": self.title, "channel": chat}),
                }
                .to_string(),
            ),
            Form::Ntfy => request
                .content_type("text/plain; charset=utf-8")
                .header("Title", self.title.as_str())
                .send(text),
            Form::Plain => request
                .content_type("application/json")
                .header("Idempotency-Key", key.to_string())
                .send(json!({"id": key, "chat": chat, "text": text}).to_string()),
        };
        let mut answer = answer.map_err(|error| unanswered(error, WITHIN))?;
        let body = answer.body_mut().with_config().limit(64 << 10);
        let body = body.read_to_string().unwrap_or_default();
        if !answer.status().is_success() {
            return Err(refused(answer.status(), answer.headers(), &body));
        }
        let read: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        let receipt = read["id"].as_str().map(str::to_owned);
        Ok(receipt.unwrap_or_else(|| format!("status {}", answer.status().as_u16())))
    }
}

impl Channel for Webhook {
    fn has_keys(&self) -> bool {
        self.form == Form::Plain
    }

    fn send(&self, chat: &str, text: &str, key: u64) -> Result<String, Trouble> {
        let Some((url, agent)) = &self.url else {
            return Err(Trouble::Never(NO_URL.to_owned()));
        };
        self.post(url, agent, chat, text, key)
            .map_err(|trouble| trouble.without(&self.secrets()))
    }

    fn may_send_to(&self, _: &str) -> Result<(), String> {
        match self.url {
            Some(_) => Ok(()),
            None => Err(NO_URL.to_owned()),
        }
    }

    fn is_posted(&self) -> bool {
        self.secret.is_some()
    }

    fn posted(&self, header: Header<'_>, body: &[u8]) -> Result<Option<Incoming>, Refused> {
        let secret = self.secret.as_deref().ok_or(Refused::NoSuchChannel)?;
        match self.form {
            Form::Mattermost => self.mattermost(secret, Mattermost::read(header, body)?),
            Form::Plain => self.plain(secret, header, body),
            Form::Ntfy => Err(Refused::NoSuchChannel),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(form: Form) -> Webhook {
        Webhook {
            form,
            secret: Some("s3cret".to_owned()),
            url: None,
            title: String::new(),
        }
    }

    #[test]
    fn mattermost_is_read_as_form_and_as_json() {
        // As its server sends it.
        let form = b"channel_id=hawos4dqtby53pd64o4a4cmeoo&channel_name=town-square&team_domain=t&team_id=i&post_id=axdygg1957njfe5pu38saikdho&text=rover+stop%21&timestamp=1445532266&token=s3cret&trigger_word=rover&user_id=rnina9994bde8mua79zqcg5hmo&user_name=ada";
        let header = |name: &str| {
            (name == "content-type").then(|| "application/x-www-form-urlencoded".to_owned())
        };
        let read = webhook(Form::Mattermost)
            .posted(&header, form)
            .unwrap()
            .unwrap();
        assert_eq!((read.text.as_str(), read.name.as_str()), ("stop!", "ada"));
        assert_eq!(read.key, "axdygg1957njfe5pu38saikdho");
        let body = br#"{"token":"s3cret","user_id":"u","user_name":"ada","post_id":"p","text":"status","trigger_word":"","file_ids":""}"#;
        let header = |name: &str| (name == "content-type").then(|| "application/json".to_owned());
        let read = webhook(Form::Mattermost)
            .posted(&header, body)
            .unwrap()
            .unwrap();
        assert_eq!(read.text, "status");
        let wrong = br#"{"token":"other","user_id":"u","post_id":"p","text":"status"}"#;
        let refused = webhook(Form::Mattermost).posted(&header, wrong);
        assert_eq!(refused, Err(Refused::NotKnown));
        let refused = webhook(Form::Mattermost).posted(&header, b"[");
        assert!(matches!(refused, Err(Refused::Form(_))), "{refused:?}");
    }

    #[test]
    fn the_plain_form_needs_its_secret_and_no_other_fields() {
        let bearer = |name: &str| (name == "authorization").then(|| "Bearer s3cret".to_owned());
        let none = |_: &str| None;
        let body = br#"{"id":"7","from":"ada","text":"status"}"#;
        let plain = webhook(Form::Plain);
        assert_eq!(plain.posted(&bearer, body).unwrap().unwrap().key, "7");
        assert_eq!(plain.posted(&none, body), Err(Refused::NotKnown));
        let other = plain.posted(&bearer, br#"{"from":"ada","text":"x","role":"owner"}"#);
        assert!(matches!(other, Err(Refused::Form(_))), "{other:?}");
        let ntfy = webhook(Form::Ntfy);
        assert_eq!(ntfy.posted(&bearer, body), Err(Refused::NoSuchChannel));
    }
}
