//! What the calls of one client have in common.

use super::approval::Approvals;
use crate::ask::Ask;
use crate::problem::Problem;
use crate::question::Question;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use rmcp::RoleServer;
use rmcp::service::RequestContext;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A server of this protocol; clones are of one session.
#[derive(Clone)]
pub(super) struct Mcp {
    ask: Ask,
    pub(super) approvals: Approvals,
    /// Leases that this session was granted, by agent.
    leases: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Mcp {
    pub(super) fn new(ask: Ask, approvals: Approvals) -> Self {
        Self {
            ask,
            approvals,
            leases: Arc::default(),
        }
    }

    /// The lease of an agent that this session was granted.
    pub(super) fn held(&self, agent: &str) -> Option<String> {
        let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.get(agent).cloned()
    }

    /// Keeps the lease of an agent, or forgets it.
    pub(super) fn keep(&self, agent: &str, lease: Option<String>) {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        match lease {
            Some(lease) => leases.insert(agent.to_owned(), lease),
            None => leases.remove(agent),
        };
    }

    /// The answer of a resource to the caller of this request.
    pub(super) async fn asked(
        &self,
        context: &RequestContext<RoleServer>,
        question: Question,
    ) -> Result<Value, Problem> {
        let none = HeaderMap::new();
        let parts = context.extensions.get::<Parts>();
        self.ask
            .ask(parts.map_or(&none, |parts| &parts.headers), question)
            .await
    }
}
