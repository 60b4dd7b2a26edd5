//! Value parsers that several verbs share.

use std::time::Duration;

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|e| format!("{e}; expected a time as 30s, 1500ms or 2m"))?;
    // Nanoseconds are counted in 64 bits.
    const YEARS: u64 = 580 * 365 * 86_400;
    if duration.is_zero() || duration.as_secs() > YEARS {
        return Err("expected a positive time of at most 580 years".to_owned());
    }
    Ok(duration)
}
