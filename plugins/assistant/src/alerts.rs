//! Reports to the owner that go out by channels, too.

use crate::link::lock;
use std::fmt;
use std::sync::Mutex;

/// Most reports that wait for the channels.
const MOST: usize = 100;

type Tell = Box<dyn Fn(&str) + Send>;

/// Where such reports go, once there are channels.
#[derive(Default)]
pub(crate) struct Alerts(Mutex<(Option<Tell>, Vec<String>)>);

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Alerts").finish_non_exhaustive()
    }
}

impl Alerts {
    /// From now on they go there; and those before.
    pub(crate) fn set(&self, tell: impl Fn(&str) + Send + 'static) {
        let mut here = lock(&self.0);
        here.1.drain(..).for_each(|text| tell(&text));
        here.0 = Some(Box::new(tell));
    }

    pub(crate) fn tell(&self, text: &str) {
        match &mut *lock(&self.0) {
            (Some(tell), _) => tell(text),
            (None, before) if before.len() < MOST => before.push(text.to_owned()),
            (None, _) => {}
        }
    }
}
