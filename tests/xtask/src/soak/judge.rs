//! Judges one model: what `inspect` reads beside its peer, and how it falls.

use super::peer::Peer;
use super::process::finish;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Longest that reading a model, and running it for 5 s, may take.
const READ: Duration = Duration::from_secs(60);
const RUN: Duration = Duration::from_secs(120);
/// Speed above which a dropped robot has come apart (m/s).
const FAST_M_S: f64 = 50.0;
/// Largest errors: of masses, inertias and accelerations relative, of places in metres, of axes each component, of the
/// height of a rest pose in metres.
const TOLERANCES: [(&str, f64); 5] = [
    ("names", 0.5),
    ("mass", 0.01),
    ("inertia", 0.01),
    ("frames", 1e-4),
    ("accelerations", 0.01),
];
const REST_M: f64 = 0.01;

/// Result of a model.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Why `inspect` refuses it.
    pub(super) refused: Option<String>,
    /// Why the peer refuses it.
    pub(super) no_peer: Option<String>,
    /// Loaded without its meshes, which are not in the wheel.
    pub(super) without_meshes: bool,
    /// Quantities that were compared.
    pub(super) compared: Vec<String>,
    /// Quantities that differ, what differs, and whether a warning reports it.
    pub(super) wrong: Vec<(String, String, bool)>,
}

impl Verdict {
    /// Whether nothing differs, or it is refused for a reason that the peer has too.
    pub(super) fn is_right(&self) -> bool {
        match self.refused {
            Some(_) => self.no_peer.is_some(),
            None => self.wrong.is_empty(),
        }
    }

    /// Whether something differs that no warning says.
    pub(super) fn is_silent(&self) -> bool {
        self.wrong.iter().any(|(.., said)| !said)
    }

    fn add(&mut self, quantity: &str, text: String, said: bool) {
        self.wrong.push((quantity.to_owned(), text, said));
    }
}

/// Checks one model.
pub(super) fn judge(binary: &Path, file: &Path, peer: &mut Peer) -> Verdict {
    let mut verdict = Verdict::default();
    let ours = match inspect(binary, file, false) {
        Ok(ours) => ours,
        Err(reason) => {
            let allowed = reason
                .contains("--allow-missing")
                .then(|| inspect(binary, file, true));
            let Some(Ok(ours)) = allowed else {
                verdict.refused = Some(reason);
                verdict.no_peer = peer.ask(file, None).ok().and_then(|p| refusal(&p));
                return verdict;
            };
            verdict.without_meshes = true;
            ours
        }
    };
    match peer.ask(file, Some(&ours)) {
        Ok(theirs) => {
            verdict.no_peer = refusal(&theirs);
            compare(&ours, &theirs, &mut verdict);
            fall(binary, file, &ours, &theirs, &mut verdict);
        }
        Err(reason) => verdict.add("peer", reason, false),
    }
    verdict
}

fn refusal(peer: &Value) -> Option<String> {
    let text = peer["peer"].as_str()?;
    (text != "mujoco").then(|| text.to_owned())
}

fn inspect(binary: &Path, file: &Path, allow: bool) -> Result<Value, String> {
    let mut command = Command::new(binary);
    command.arg("inspect").arg(file).arg("--json");
    if allow {
        command.arg("--allow-missing");
    }
    let (code, stdout, stderr) = finish(&mut command, READ)?;
    if code != Some(0) {
        let reason = stderr.lines().next().unwrap_or_default();
        return Err(reason.trim_start_matches("error: ").to_owned());
    }
    serde_json::from_str(&stdout).map_err(|e| format!("no JSON: {e}"))
}

/// Whether a warning has one of these words.
fn warns(ours: &Value, words: &[&str]) -> bool {
    let warnings = ours["warnings"].as_array().map_or(&[][..], Vec::as_slice);
    let mut texts = warnings.iter().filter_map(Value::as_str);
    texts.any(|w| words.iter().any(|word| w.contains(word)))
}

fn compare(ours: &Value, peer: &Value, verdict: &mut Verdict) {
    let warns = |words: &[&str]| warns(ours, words);
    if let Some(failed) = peer["failed"]
        .as_bool()
        .filter(|&f| f)
        .and(peer["peer"].as_str())
    {
        verdict.add("peer", failed.to_owned(), false);
    }
    let count = |of: &Value| of.as_u64();
    if let (Some(mine), Some(theirs)) = (count(&ours["moving_joints"]), count(&peer["joints"]))
        && mine != theirs
    {
        verdict.add(
            "joints",
            format!("{mine} joints, not {theirs}"),
            warns(&["ignored"]),
        );
    }
    if let Some(kg) = peer["mass_kg"].as_f64() {
        let mine = ours["mass_kg"].as_f64().unwrap_or(f64::NAN);
        if mine.is_nan() || (mine - kg).abs() > 0.01 * kg {
            let said = mine > kg && warns(&["has no mass", "with a mass"]);
            verdict.add("total mass", format!("{mine:.5} kg, not {kg:.5}"), said);
        }
    }
    // Files that are not in the wheel are no fault of the loader.
    let is_whole = ours["missing_meshes"].as_array().is_none_or(Vec::is_empty);
    if let (Some(mine), Some(theirs)) = (count(&ours["colliders"]), count(&peer["colliders"]))
        && mine != theirs
        && is_whole
    {
        let text = format!("{mine} colliders of {theirs}");
        verdict.add("colliders", text, warns(&["ignored"]));
    }
    for (quantity, most) in TOLERANCES {
        let Some([error, place]) = peer["errors"][quantity].as_array().map(Vec::as_slice) else {
            continue;
        };
        verdict.compared.push(quantity.to_owned());
        let error = error.as_f64().unwrap_or(f64::INFINITY);
        if error <= most {
            continue;
        }
        let said = match quantity {
            "names" => warns(&["ignored", "not supported"]),
            "mass" => warns(&["has no mass"]),
            "inertia" => warns(&["inertia", "has no mass"]),
            "accelerations" => warns(&[
                "inertia",
                "has no mass",
                "intermediate link",
                "not supported",
                "fixed",
            ]),
            // The centre of mass of an assumed mass.
            "frames" => {
                place.as_str().is_some_and(|p| p.starts_with("centre")) && warns(&["has no mass"])
            }
            _ => false,
        };
        let place = place.as_str().unwrap_or_default();
        verdict.add(quantity, format!("{error:.2e} at {place}"), said);
    }
}

/// Drops a model for 5 s, and compares the height at which it comes to rest.
fn fall(binary: &Path, file: &Path, ours: &Value, peer: &Value, verdict: &mut Verdict) {
    match summary(binary, file, verdict.without_meshes) {
        Err(reason) => verdict.add("run", reason, false),
        Ok((summary, warned)) => {
            let agent = &summary["agents"][0];
            match agent["max_speed_m_s"].as_f64() {
                Some(speed) if speed < FAST_M_S => {}
                // The run itself warns of what is faster than any robot.
                Some(speed) => verdict.add("run", format!("{speed:.0} m/s"), warned),
                None => verdict.add("run", "a speed that is not finite".to_owned(), false),
            }
            let heights = (agent["position"][2].as_f64(), peer["rest"][2].as_f64());
            if let (Some(mine), Some(theirs)) = heights {
                verdict.compared.push("rest".to_owned());
                if (mine - theirs).abs() > REST_M {
                    // Other contacts, and other starts of joints, end in other poses.
                    let said = warns(
                        ours,
                        &["not supported and ignored", "is outside its limits"],
                    );
                    let text = format!("rests at {mine:.3} m, not {theirs:.3}");
                    verdict.add("rest", text, said);
                }
            }
        }
    }
}

/// Summary of a run, and whether it warned of its speed.
fn summary(binary: &Path, file: &Path, allow: bool) -> Result<(Value, bool), String> {
    let mut name = file.to_string_lossy().replace(['/', '\\'], "_");
    name.push_str(".json");
    let folder = std::env::temp_dir().join("becomingone-soak");
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let summary = folder.join(name);
    let mut command = Command::new(binary);
    command.arg("run").arg(file);
    if allow {
        command.arg("--allow-missing");
    }
    let rest = [
        "--duration",
        "5s",
        "--fast",
        "--rerun",
        "off",
        "--quiet",
        "--summary",
    ];
    let (code, _, stderr) = finish(command.args(rest).arg(&summary), RUN)?;
    if code != Some(0) {
        let reason = stderr.lines().find(|l| l.starts_with("error"));
        return Err(reason.unwrap_or(&stderr).to_owned());
    }
    let text = std::fs::read_to_string(&summary).map_err(|e| e.to_string())?;
    drop(std::fs::remove_file(&summary));
    let summary = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    Ok((
        summary,
        stderr.contains("the simulation has become unstable"),
    ))
}
