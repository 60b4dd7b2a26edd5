//! Telegram, by its bot API: updates are asked for, and are over for Telegram once they are on the disk here.

use super::unanswered;
use crate::channel::{Channel, Polled, Trouble};
use crate::mail::Incoming;
use frankenstein::methods::{GetUpdatesParams, SendMessageParams};
use frankenstein::response::{ErrorResponse, MethodResponse};
use frankenstein::types::{AllowedUpdate, ChatId, Message};
use frankenstein::updates::{Update, UpdateContent};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::OnceLock;
use std::time::Duration;
use ureq::Agent;

/// How long Telegram holds a request for updates that there are not (s).
const POLL_S: u32 = 20;
/// Largest answer (bytes).
const MAX_ANSWER: u64 = 8 << 20;
/// Longest text of a message (UTF-16 code units).
const MAX_TEXT: usize = 4096;

/// A bot.
pub(crate) struct Telegram {
    /// With the token: never shown.
    url: String,
    token: String,
    agent: Agent,
    /// How it is called, once that was asked for.
    bot: OnceLock<String>,
}

impl Telegram {
    /// Longest wait for an answer: longer than a poll.
    pub(crate) const WITHIN: Duration = Duration::from_secs(POLL_S as u64 + 10);

    pub(crate) fn new(url: &str, token: &str, agent: Agent) -> Self {
        Self {
            url: format!("{}/bot{token}", url.trim_end_matches('/')),
            token: token.to_owned(),
            agent,
            bot: OnceLock::new(),
        }
    }

    /// How the bot is called.
    fn bot(&self) -> Result<String, Trouble> {
        if let Some(bot) = self.bot.get() {
            return Ok(bot.clone());
        }
        let me: Value = self.request("getMe", &())?;
        let bot = me["username"].as_str().unwrap_or_default().to_owned();
        Ok(self.bot.get_or_init(|| bot).clone())
    }

    fn request<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &impl Serialize,
    ) -> Result<T, Trouble> {
        self.answered(method, params)
            .map_err(|trouble| trouble.without(std::slice::from_ref(&self.token)))
    }

    fn answered<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &impl Serialize,
    ) -> Result<T, Trouble> {
        let body = serde_json::to_string(params).map_err(|e| Trouble::Never(e.to_string()))?;
        let sent = self
            .agent
            .post(format!("{}/{method}", self.url))
            .content_type("application/json")
            .send(body);
        let mut answer = sent.map_err(|error| unanswered(error, Self::WITHIN))?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(MAX_ANSWER);
        let text = text
            .read_to_string()
            .map_err(|error| unanswered(error, Self::WITHIN))?;
        if status.is_success() {
            let read: MethodResponse<T> =
                serde_json::from_str(&text).map_err(|error| Trouble::Later {
                    after: None,
                    may_be_sent: true,
                    why: format!("found an answer that is none of Telegram: {error}"),
                })?;
            return Ok(read.result);
        }
        // It says how long to wait in the answer, not in a header.
        let Ok(error) = serde_json::from_str::<ErrorResponse>(&text) else {
            return Err(super::refused(status, answer.headers(), &text));
        };
        let why = format!("Telegram: {} {}", error.error_code, error.description);
        let after = error.parameters.and_then(|p| p.retry_after);
        Err(match error.error_code {
            429 => Trouble::Later {
                after: after.map(|s| Duration::from_secs(s.into())),
                may_be_sent: false,
                why,
            },
            // Another process polls with this token.
            409 => Trouble::Later {
                after: Some(Duration::from_secs(10)),
                may_be_sent: false,
                why,
            },
            500..=599 => Trouble::Later {
                after: None,
                may_be_sent: true,
                why,
            },
            _ => Trouble::Never(why),
        })
    }
}

/// `/stop@SolariaBot` is `stop`; none where it is a command to another bot.
fn sentence(text: &str, bot: &str) -> Option<String> {
    let Some(command) = text.strip_prefix('/') else {
        return Some(text.to_owned());
    };
    let (first, rest) = command.split_once(' ').unwrap_or((command, ""));
    let (first, whom) = first.split_once('@').unwrap_or((first, bot));
    if !whom.eq_ignore_ascii_case(bot) {
        return None;
    }
    Some(match first {
        "start" => "help".to_owned(),
        first => format!("{first} {rest}").trim().to_owned(),
    })
}

/// What somebody wrote; none where it was written by somebody else, or is no text.
fn incoming(key: u64, message: &Message, bot: &str) -> Option<Incoming> {
    let from = message.from.as_ref().filter(|from| !from.is_bot)?;
    if message.forward_origin.is_some() || message.via_bot.is_some() {
        return None;
    }
    Some(Incoming {
        key: key.to_string(),
        chat: message.chat.id.to_string(),
        person: from.id.to_string(),
        name: from.first_name.clone(),
        text: sentence(message.text.as_ref()?, bot)?,
    })
}

/// A text in pieces that Telegram takes, cut at ends of lines where there are some.
fn pieces(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut length = 0;
    for line in text.split_inclusive('\n') {
        let units = line.encode_utf16().count();
        if length + units > MAX_TEXT && length > 0 {
            all.push(String::new());
            length = 0;
        }
        for sign in line.chars() {
            if length + sign.len_utf16() > MAX_TEXT {
                all.push(String::new());
                length = 0;
            }
            length += sign.len_utf16();
            if let Some(last) = all.last_mut() {
                last.push(sign);
            }
        }
    }
    all
}

impl Channel for Telegram {
    fn send(&self, chat: &str, text: &str, _: u64) -> Result<String, Trouble> {
        let chat: i64 = chat.parse().map_err(|_| {
            Trouble::Never(format!("found `{chat}`; expected the number of a chat"))
        })?;
        let mut receipts = Vec::new();
        for piece in pieces(text) {
            let params = SendMessageParams::builder()
                .chat_id(ChatId::Integer(chat))
                .text(piece)
                .build();
            let sent: Result<Value, _> = self.request("sendMessage", &params);
            let sent = sent.map_err(|trouble| match trouble {
                // An earlier piece is there already.
                Trouble::Later { after, why, .. } if !receipts.is_empty() => Trouble::Later {
                    after,
                    may_be_sent: true,
                    why,
                },
                trouble => trouble,
            })?;
            receipts.push(sent["message_id"].to_string());
        }
        Ok(receipts.join(" "))
    }

    fn may_send_to(&self, chat: &str) -> Result<(), String> {
        match chat.parse::<i64>() {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("found the chat `{chat}`; expected its number")),
        }
    }

    fn poll(&self, cursor: Option<&str>) -> Option<Result<Polled, Trouble>> {
        let bot = match self.bot() {
            Ok(bot) => bot,
            Err(trouble) => return Some(Err(trouble)),
        };
        let params = GetUpdatesParams::builder()
            .maybe_offset(cursor.and_then(|cursor| cursor.parse().ok()))
            .timeout(POLL_S)
            .allowed_updates(vec![AllowedUpdate::Message])
            .build();
        // One by one: an update of a kind that is not known yet is left out, and not the others with it.
        let polled = self.request::<Vec<Value>>("getUpdates", &params);
        Some(polled.map(|updates| {
            let last = updates.iter().filter_map(|u| u["update_id"].as_i64()).max();
            let messages = updates.into_iter().filter_map(|update| {
                let update: Update = serde_json::from_value(update).ok()?;
                match update.content {
                    UpdateContent::Message(message) => {
                        incoming(u64::from(update.update_id), &message, &bot)
                    }
                    _ => None,
                }
            });
            (messages.collect(), last.map(|last| (last + 1).to_string()))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_sentences() {
        let sentence = |text| sentence(text, "SolariaBot");
        assert_eq!(sentence("/stop@solariabot").unwrap(), "stop");
        assert_eq!(
            sentence("/go@SolariaBot to the dock").unwrap(),
            "go to the dock"
        );
        assert_eq!(sentence("/start").unwrap(), "help");
        assert_eq!(sentence("what is wrong").unwrap(), "what is wrong");
        assert_eq!(sentence("/pause@OtherBot"), None);
    }

    #[test]
    fn texts_are_cut_where_telegram_wants_it() {
        assert_eq!(pieces("a\nb"), ["a\nb"]);
        let line = format!("{}\n", "x".repeat(3000));
        assert_eq!(pieces(&format!("{line}{line}")), [line.clone(), line]);
        let long = "\u{1f600}".repeat(3000);
        let cut = pieces(&long);
        assert_eq!(cut.len(), 2);
        assert!(
            cut.iter()
                .all(|piece| piece.encode_utf16().count() <= MAX_TEXT)
        );
        assert_eq!(cut.concat(), long);
    }
}
