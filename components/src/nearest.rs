//! Nearest known name to a mistyped one.

/// Names of at least this similarity are suggested (Jaro-Winkler similarity; 1 is equal).
const MIN_SIMILARITY: f64 = 0.75;

/// Suggestion of the known name nearest to this one, after a `;`; empty where none is near.
///
/// ```
/// # use becomingone_components::nearest::did_you_mean;
/// assert_eq!(did_you_mean("sped", ["speed", "laps"]), "; did you mean `speed`?");
/// assert_eq!(did_you_mean("xyz", ["speed"]), "");
/// ```
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// Known name with the highest similarity, the first of equals; none where none is near.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(&str, f64)> = None;
    for candidate in known {
        let similarity = strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase());
        if similarity >= MIN_SIMILARITY && best.is_none_or(|(_, most)| similarity > most) {
            best = Some((candidate, similarity));
        }
    }
    best.map(|(candidate, _)| candidate)
}
