//! Features: what a channel of diagnosis or of a filter makes of a sensor's numbers.

/// How a channel is made of a reading's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Feature {
    /// The number at this place.
    Value(usize),
    /// Rate of the number at this place (1/s): of counters.
    Rate(usize),
    /// Length of the vector of the two numbers from this place on.
    Length(usize),
    /// Part along a direction (a unit vector) of the vector of the three numbers from this place on.
    Along(usize, [f64; 3]),
    /// How many readings came, each so many percent of what should come in a second.
    Heard(f64),
    /// How many of the numbers from one place to another are below the sensor's reach (percent): rays that meet something.
    Seen(usize, usize, f64),
}
