//! The channels: the page of a run, and servers of messages.

mod page;
#[cfg(feature = "telegram")]
mod telegram;
mod webhook;

pub(crate) use page::Page;
#[cfg(feature = "telegram")]
pub(crate) use telegram::Telegram;
pub(crate) use webhook::{Form, WITHIN, Webhook};

use crate::channel::Trouble;
use std::time::Duration;
use ureq::Error;
use ureq::http::{HeaderMap, StatusCode, header};

/// What an answer that is no success means.
fn refused(status: StatusCode, headers: &HeaderMap, text: &str) -> Trouble {
    let start: String = text.chars().take(200).collect();
    let why = format!("status {}: {start}", status.as_u16());
    let after = headers.get(header::RETRY_AFTER);
    let after = after.and_then(|after| after.to_str().ok()?.trim().parse().ok());
    match status.as_u16() {
        // Nobody has looked at it.
        408 | 425 | 429 | 503 => Trouble::Later {
            after: after.map(Duration::from_secs),
            may_be_sent: false,
            why,
        },
        500..=599 => Trouble::Later {
            after: None,
            may_be_sent: true,
            why,
        },
        _ => Trouble::Never(why),
    }
}

/// What a request without an answer means.
fn unanswered(error: Error, within: Duration) -> Trouble {
    let is_refused = |error: &std::io::Error| {
        matches!(
            error.kind(),
            std::io::ErrorKind::ConnectionRefused
                | std::io::ErrorKind::HostUnreachable
                | std::io::ErrorKind::NetworkUnreachable
        )
    };
    let may_be_sent = match &error {
        Error::HostNotFound | Error::ConnectionFailed | Error::Rustls(_) | Error::Other(_) => false,
        Error::Io(error) => !is_refused(error),
        _ => true,
    };
    Trouble::Later {
        after: None,
        may_be_sent,
        why: becomingone_systems::links::web::describe(error, within),
    }
}
