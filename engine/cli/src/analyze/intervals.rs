//! Intervals of flagged rows.

use becomingone_kernel::{Expected, Finding, Outside};
use becomingone_replay::Row;

/// An interval of flagged rows.
pub(super) struct Interval<const N: usize> {
    /// Its number, from 1.
    pub(super) count: u64,
    /// Row, its time as written, and as a number.
    pub(super) first: (u64, String, Option<i64>),
    pub(super) last: (u64, String, Option<i64>),
    pub(super) lasted_s: Option<f64>,
    pub(super) peak: f64,
    /// Largest mean of the statistics over their thresholds, its row, and each channel's share there.
    pub(super) severity: f64,
    pub(super) worst_row: u64,
    pub(super) shares: [f64; N],
    /// Where each channel was furthest from what it should be, in widths of its band.
    furthest: [Option<Furthest>; N],
    /// How often each channel had the largest share.
    named: [u32; N],
}

/// What a channel was, and what it should have been.
#[derive(Clone, Copy)]
pub(super) struct Furthest {
    pub(super) row: u64,
    pub(super) measured: f64,
    pub(super) expected: f64,
    pub(super) band: f64,
}

impl Furthest {
    fn off(&self) -> f64 {
        (self.measured - self.expected).abs() / self.band.max(f64::MIN_POSITIVE)
    }
}

impl<const N: usize> Interval<N> {
    /// Where the isolated channel was furthest from what it should be.
    pub(super) fn furthest(&self) -> Option<Furthest> {
        self.cause().and_then(|n| self.furthest[n])
    }

    /// The isolated channel: the one that has the largest share most often.
    pub(super) fn cause(&self) -> Option<usize> {
        let most = self
            .named
            .iter()
            .enumerate()
            .rev()
            .max_by_key(|(_, count)| **count);
        most.filter(|(_, count)| **count > 0).map(|(n, _)| n)
    }
}

/// Most intervals that are kept.
const MAX_KEPT: usize = 10_000;

#[derive(Default)]
pub(super) struct Intervals<const N: usize> {
    /// Those that are over, if they are wanted.
    pub(super) kept: Vec<Interval<N>>,
    keeps: bool,
    open: Option<Interval<N>>,
    /// Last stamp as text.
    last_stamp: String,
    pub(super) count: u64,
    pub(super) rows: u64,
    /// Rows that are neither faulty nor healthy, by the reason.
    pub(super) outside: Vec<(Outside, u64)>,
}

impl<const N: usize> Intervals<N> {
    pub(super) fn new(keeps: bool) -> Self {
        Self {
            keeps,
            ..Self::default()
        }
    }

    /// Keeps an interval that is over.
    pub(super) fn keep(&mut self, done: Interval<N>) {
        if self.keeps && self.kept.len() < MAX_KEPT {
            self.kept.push(done);
        }
    }

    /// Takes a row; returns the interval that ended with the row before.
    pub(super) fn push(
        &mut self,
        row: &Row,
        finding: &Finding<N>,
        stamped: bool,
        expected: impl Fn(usize) -> Option<Expected>,
    ) -> Option<Interval<N>> {
        // A row without a valid stamp has that of a row above.
        if row.stamp_ns.is_some() || !stamped {
            self.last_stamp.clear();
            self.last_stamp.push_str(row.time.trim());
        }
        if let Some(why) = finding.outside {
            match self.outside.iter_mut().find(|(reason, _)| *reason == why) {
                Some((_, rows)) => *rows += 1,
                None => self.outside.push((why, 1)),
            }
        }
        if !finding.is_fault() {
            return self.open.take();
        }
        self.rows += 1;
        let last_stamp = &self.last_stamp;
        let here = |of: Option<(u64, String, Option<i64>)>| {
            let (_, mut text, _) = of.unwrap_or_default();
            text.clear();
            text.push_str(last_stamp);
            (row.number, text, row.stamp_ns)
        };
        if self.open.is_none() {
            self.count += 1;
        }
        let count = self.count;
        let open = self.open.get_or_insert_with(|| Interval {
            count,
            first: here(None),
            last: here(None),
            lasted_s: None,
            peak: 0.0,
            severity: 0.0,
            worst_row: row.number,
            shares: [0.0; N],
            furthest: [None; N],
            named: [0; N],
        });
        open.last = here(Some(std::mem::take(&mut open.last)));
        open.peak = open.peak.max(finding.surprise);
        if finding.severity > open.severity {
            (open.severity, open.worst_row) = (finding.severity, row.number);
            open.shares = finding.blame;
        }
        for (n, furthest) in open.furthest.iter_mut().enumerate() {
            let Some((expected, measured)) = expected(n).and_then(|e| Some((e, e.measured?)))
            else {
                continue;
            };
            let here = Furthest {
                row: row.number,
                measured,
                expected: expected.value,
                band: expected.band,
            };
            if furthest.is_none_or(|before| here.off() > before.off()) {
                *furthest = Some(here);
            }
        }
        if let Some(cause) = finding.cause {
            open.named[cause] += 1;
        }
        let ends = open.first.2.zip(open.last.2).filter(|_| stamped);
        open.lasted_s = ends.map(|(from, to)| to.saturating_sub(from) as f64 / 1e9);
        None
    }

    /// The interval that began with this row, if one did.
    pub(super) fn begun(&self, row: u64) -> Option<&Interval<N>> {
        self.open.as_ref().filter(|open| open.first.0 == row)
    }

    pub(super) fn end(&mut self) -> Option<Interval<N>> {
        self.open.take()
    }
}
