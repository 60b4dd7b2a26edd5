//! What channels should be, around alarms: only of the channels that are isolated in them.

use super::row::ExpectedValue;
use std::collections::VecDeque;

/// Rows before the first row in which a channel is isolated, and after the last row of the alarm.
const MARGIN: usize = 100;
/// Most rows of all excerpts together, for each row of the table, and beside that. More channels are then not begun, so
/// that an alarm that does not end takes a tenth of the recording at most.
const MOST_PER_ROW: u64 = 2;
const MOST: u64 = 2000;

/// Place of a row on the timelines: its number, and its time (ns).
pub(super) type Place = (i64, i64);

/// Rows of a channel that are to be sent: expected value, lowest and highest one of each.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) places: Vec<Place>,
    pub(super) numbers: Vec<[f64; 3]>,
}

impl Rows {
    fn push(&mut self, place: Place, expected: Option<ExpectedValue>) {
        self.places.push(place);
        let numbers = expected.map(|e| [e.value, e.value - e.band, e.value + e.band]);
        // In the viewer, NaN ends a line; a row without a value also pulls the axis down to zero.
        self.numbers.push(numbers.unwrap_or([f64::NAN; 3]));
    }
}

/// The excerpts of a channel.
#[derive(Default)]
struct Channel {
    rows: Rows,
    /// First and last place of the excerpt that is written, and its number of rows.
    open: Option<(Place, Place, u64)>,
    /// The longest one of those that ended.
    longest: Option<(Place, Place, u64)>,
    /// Number of the last row that is in an excerpt.
    last: i64,
    /// Rows in which it is isolated.
    isolated: u64,
}

impl Channel {
    fn write(&mut self, place: Place, expected: Option<ExpectedValue>) {
        self.rows.push(place, expected);
        self.last = place.0;
        let (_, to, count) = self.open.get_or_insert((place, place, 0));
        *to = place;
        *count += 1;
    }

    /// Ends its excerpt before a row, if there is one.
    fn close(&mut self, place: Place) -> bool {
        self.longest = self.longest();
        let was_open = self.open.take().is_some();
        if was_open {
            self.rows.push(place, None);
            self.last = place.0;
        }
        was_open
    }

    fn longest(&self) -> Option<(Place, Place, u64)> {
        let both = self.longest.into_iter().chain(self.open);
        both.max_by_key(|(_, _, rows)| *rows)
    }
}

/// A channel that was isolated, and where its longest excerpt is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Excerpt {
    pub(super) channel: usize,
    pub(super) from: Place,
    pub(super) to: Place,
}

/// Excerpts of all channels.
pub(super) struct Excerpts {
    channels: Vec<Channel>,
    /// The last rows: those of the margin, and one.
    ring: VecDeque<(Place, Vec<Option<ExpectedValue>>)>,
    /// Rows since the last one of an alarm.
    since: usize,
    rows: u64,
    written: u64,
}

impl Excerpts {
    pub(super) fn new(channels: usize) -> Self {
        Self {
            channels: (0..channels).map(|_| Channel::default()).collect(),
            ring: VecDeque::with_capacity(MARGIN + 1),
            since: MARGIN,
            rows: 0,
            written: 0,
        }
    }

    /// Takes a row. `isolated` is the channel that is isolated in it.
    pub(super) fn push(
        &mut self,
        place: Place,
        expected: impl Iterator<Item = Option<ExpectedValue>>,
        is_fault: bool,
        isolated: Option<usize>,
    ) {
        self.rows += 1;
        self.since = if is_fault { 0 } else { self.since + 1 };
        let (mut copy, is_full) = (Vec::new(), self.written > MOST_PER_ROW * self.rows + MOST);
        if self.ring.len() > MARGIN
            && let Some((_, old)) = self.ring.pop_front()
        {
            copy = old;
        }
        copy.clear();
        copy.extend(expected);
        for (k, (channel, expected)) in self.channels.iter_mut().zip(&copy).enumerate() {
            let is_isolated = isolated == Some(k);
            channel.isolated += u64::from(is_isolated);
            if channel.open.is_none() && is_isolated && !is_full {
                let last = channel.last;
                for (before, expected) in self.ring.iter().filter(|(at, _)| at.0 > last) {
                    channel.write(*before, expected[k]);
                    self.written += 1;
                }
            }
            if is_isolated || (channel.open.is_some() && self.since <= MARGIN && !is_full) {
                channel.write(place, *expected);
                self.written += 1;
            } else {
                self.written += u64::from(channel.close(place));
            }
        }
        self.ring.push_back((place, copy));
    }

    /// Rows that are to be sent, by channel.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (usize, Rows)> {
        let channels = self.channels.iter_mut().enumerate();
        let taken = channels.map(|(k, channel)| (k, std::mem::take(&mut channel.rows)));
        taken.filter(|(_, rows)| !rows.places.is_empty())
    }

    /// The channels that were isolated, the most frequent one first.
    pub(super) fn isolated(&self) -> Vec<Excerpt> {
        let mut all: Vec<(u64, Excerpt)> = Vec::new();
        for (channel, of) in self.channels.iter().enumerate() {
            if let (Some((from, to, _)), 1..) = (of.longest(), of.isolated) {
                all.push((of.isolated, Excerpt { channel, from, to }));
            }
        }
        all.sort_by_key(|(rows, excerpt)| (std::cmp::Reverse(*rows), excerpt.channel));
        all.into_iter().map(|(_, excerpt)| excerpt).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes rows of three channels whose expected value is the row's number, and whose band is 0.5.
    fn take(rows: i64, isolated: impl Fn(i64) -> Option<usize>) -> (Excerpts, Vec<(usize, Rows)>) {
        let mut excerpts = Excerpts::new(3);
        for row in 1..=rows {
            let value = ExpectedValue {
                value: row as f64,
                band: 0.5,
            };
            let channel = isolated(row);
            excerpts.push(
                (row, 10 * row),
                [Some(value); 3].into_iter(),
                channel.is_some(),
                channel,
            );
        }
        let taken = excerpts.take().collect();
        (excerpts, taken)
    }

    #[test]
    fn an_excerpt_has_a_hundred_rows_before_and_after_and_then_its_line_ends() {
        let (excerpts, taken) = take(1000, |row| (300..350).contains(&row).then_some(1));
        let [(1, rows)] = &taken[..] else {
            panic!("channels other than 1");
        };
        let numbers: Vec<i64> = rows.places.iter().map(|p| p.0).collect();
        assert!(numbers.into_iter().eq(200..=450));
        let is_nan: Vec<bool> = rows.numbers.iter().map(|x| x[0].is_nan()).collect();
        assert_eq!(is_nan, [vec![false; 250], vec![true]].concat());
        assert_eq!(rows.numbers[0], [200.0, 199.5, 200.5]);
        let excerpt = Excerpt {
            channel: 1,
            from: (200, 2000),
            to: (449, 4490),
        };
        assert_eq!(excerpts.isolated(), [excerpt]);
    }

    #[test]
    fn a_channel_that_is_isolated_later_is_followed_to_the_end_of_the_alarm() {
        let (excerpts, taken) = take(1000, |row| match row {
            300..400 => Some(2),
            400..410 => Some(0),
            410..500 => Some(2),
            _ => None,
        });
        let span = |k: usize| {
            let rows = &taken.iter().find(|(channel, _)| *channel == k).unwrap().1;
            (rows.places[0].0, rows.places[rows.places.len() - 2].0)
        };
        assert_eq!((span(0), span(2)), ((300, 599), (200, 599)));
        let order: Vec<usize> = excerpts.isolated().iter().map(|e| e.channel).collect();
        assert_eq!(order, [2, 0], "the most frequent one first");
    }

    #[test]
    fn excerpts_are_bounded_however_long_an_alarm_lasts_and_whatever_is_isolated() {
        let (_, taken) = take(50_000, |row| Some(row as usize % 3));
        let rows: usize = taken.iter().map(|(_, rows)| rows.places.len()).sum();
        assert!((100_000..105_000).contains(&rows), "{rows}");
        for (_, rows) in &taken {
            assert!(rows.places.is_sorted_by(|a, b| a.0 < b.0), "no row twice");
        }
    }
}
