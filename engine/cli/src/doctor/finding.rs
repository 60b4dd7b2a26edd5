//! Result of a check, and its lines.

use serde::Serialize;

/// Result of a check.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    /// Subject.
    pub(super) name: String,
    pub(super) is_ok: bool,
    /// Whether this program cannot do without it.
    pub(super) is_needed: bool,
    pub(super) found: String,
    /// Why it matters.
    pub(super) why: String,
    /// What to type.
    pub(super) fix: Option<String>,
}

impl Finding {
    pub(super) fn ok(name: &str, found: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            is_ok: true,
            is_needed: false,
            found: found.into(),
            why: String::new(),
            fix: None,
        }
    }

    /// Something that not everyone needs.
    pub(super) fn optional(
        name: &str,
        found: impl Into<String>,
        why: &str,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            is_ok: false,
            why: why.to_owned(),
            fix: Some(fix.into()),
            ..Self::ok(name, found)
        }
    }

    pub(super) fn needed(
        name: &str,
        found: impl Into<String>,
        why: &str,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            is_needed: true,
            ..Self::optional(name, found, why, fix)
        }
    }

    pub(super) fn print(&self) {
        let state = match (self.is_ok, self.is_needed) {
            (true, _) => "ok       ",
            (false, true) => "missing  ",
            (false, false) => "optional ",
        };
        print_out!("{state}{}: {}", self.name, self.found);
        if !self.why.is_empty() {
            print_out!("         for {}", self.why);
        }
        if let Some(fix) = &self.fix {
            print_out!("         type: {fix}");
        }
    }
}
