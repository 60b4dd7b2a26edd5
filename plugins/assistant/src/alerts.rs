//! Reports to the owner that go out by channels, too.

use std::fmt;
use std::sync::OnceLock;

/// Where such reports go, once there are channels.
#[derive(Default)]
pub(crate) struct Alerts(OnceLock<Box<dyn Fn(&str) + Send + Sync>>);

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Alerts")
            .field(&self.0.get().is_some())
            .finish()
    }
}

impl Alerts {
    /// From now on they go there.
    pub(crate) fn set(&self, tell: impl Fn(&str) + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(tell));
    }

    pub(crate) fn tell(&self, text: &str) {
        if let Some(tell) = self.0.get() {
            tell(text);
        }
    }
}
