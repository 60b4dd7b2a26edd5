//! Features: channels of diagnosis and filters, computed from a sensor's numbers.

/// Computation of a channel from the numbers of a reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Feature {
    /// The number at this place.
    Value(usize),
    /// Rate of the number at this place (1/s), for counters.
    Rate(usize),
    /// Length of the vector of the two numbers from this place on.
    Length(usize),
    /// Component along a direction (a unit vector) of the vector of the three numbers from this place on.
    Along(usize, [f64; 3]),
    /// Reading rate in percent of the nominal rate; the factor is the percentage of one reading in a second.
    Count(f64),
    /// Numbers from one place to another below the sensor's range (percent): rays with a target.
    Hits(usize, usize, f64),
}
