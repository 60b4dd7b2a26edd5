//! Talk to a machine that runs: a grammar that needs no model and no network, over the tools that everybody has.
//!
//! ```no_run
//! use becomingone_assistant::AssistantApp;
//!
//! AssistantApp::new("Solaria").at("http://127.0.0.1:8420").start()?;
//! # Ok::<(), becomingone_assistant::AssistantError>(())
//! ```
//!
//! - `grammar`: what a sentence means. `link`: the run that is asked, by its tools. `turn`: from a sentence to a reply.
//! - `reply`: answers as sentences. `receipt`: what a reply may claim.
//! - `kept`: small files. `session`: the talk as a file. `notes`: what is to be remembered, files of identity. `schedule`: reports at times.
//! - `alerts`: reports that go out. `gateway`: channels by which people write. `channel`, `channels`: what one is, and those that there are. `people`: who
//!   may speak. `mail`: what was received, what is to be sent. `chat`: a talk with one of them. `config`: `assistant.ron`.
//! - `model`: proposals for what the table does not know.
//! - `watches`: what is reported when it happens. `talk`: lines in, replies out, in a terminal or a pipe. `app`: all of it.

mod alerts;
mod app;
mod channel;
mod channels;
mod chat;
mod config;
mod gateway;
pub mod grammar;
mod kept;
mod link;
mod mail;
mod model;
mod notes;
mod people;
mod receipt;
mod reply;
mod schedule;
mod session;
mod talk;
mod turn;
mod watches;

pub use app::{AssistantApp, AssistantError, Conversation};
