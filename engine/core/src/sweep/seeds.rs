//! Seeds of a sweep.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Seeds of the runs, in their order.
///
/// ```
/// use becomingone::sweep::Seeds;
///
/// assert_eq!(Seeds::Range { from: 5, to: 8 }.count(), 3);
/// assert_eq!(Seeds::List(vec![7, 1]).at(1), Some(1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Seeds {
    /// From the first to before the last.
    Range {
        /// The first.
        from: u64,
        /// The one after the last.
        to: u64,
    },
    /// Each of these.
    List(Vec<u64>),
}

impl Seeds {
    /// Number of seeds.
    pub fn count(&self) -> u64 {
        match self {
            Self::Range { from, to } => to.saturating_sub(*from),
            Self::List(list) => list.len() as u64,
        }
    }

    /// The seed at this place of the order.
    pub fn at(&self, index: u64) -> Option<u64> {
        match self {
            Self::Range { from, to } => from.checked_add(index).filter(|seed| seed < to),
            Self::List(list) => list.get(usize::try_from(index).ok()?).copied(),
        }
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { from, to } => write!(f, "{from}..{to}"),
            Self::List(list) => {
                let list: Vec<String> = list.iter().map(u64::to_string).collect();
                f.write_str(&list.join(","))
            }
        }
    }
}
