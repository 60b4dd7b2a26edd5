//! Parameters of Foxglove's protocol: the run, and its leases without their secrets. Operators set `paused` and `pace`.

#![expect(clippy::disallowed_methods, reason = "leases last by the wall clock")]

use crate::server::Server;
use crate::token::Role;
use becomingone::Pace;
use foxglove::ws_protocol::parameter::{Parameter, ParameterValue};
use std::collections::BTreeMap;
use std::time::Instant;

const PAUSED: &str = "paused";
const PACE: &str = "pace";
/// Value of `pace` of a run that is as fast as possible.
const FAST: &str = "fast";

/// All parameters.
pub(super) fn all(server: &Server) -> Vec<Parameter> {
    let pace = match server.run.pace() {
        Pace::Fast => Parameter::string(PACE, FAST),
        Pace::RealTime => Parameter::float64(PACE, 1.0),
        Pace::Rate(factor) => Parameter::float64(PACE, factor),
    };
    let mut all = vec![
        Parameter::string("scene", &server.scene),
        Parameter::integer("seed", i64::try_from(server.seed).unwrap_or(i64::MAX)),
        Parameter::bool(PAUSED, server.run.is_paused()),
        pace,
    ];
    let leases = server.leases().shown(Instant::now());
    all.extend(leases.into_iter().map(|lease| {
        let limits = [
            ("max_linear_m_s", lease.max_linear_m_s),
            ("max_angular_rad_s", lease.max_angular_rad_s),
        ];
        let limits = limits
            .into_iter()
            .filter_map(|(name, limit)| Some((name, limit?)));
        let mut value: BTreeMap<_, _> = limits
            .map(|(name, limit)| (name.to_owned(), ParameterValue::Float64(limit)))
            .collect();
        // Whole, so that it changes once a second.
        let ends = ParameterValue::Integer(lease.ends_in_s.ceil() as i64);
        value.insert("ends_in_s".to_owned(), ends);
        Parameter::dict(format!("leases/{}", lease.agent), value)
    }));
    all
}

/// The parameters of these names; all of them where none is named.
pub(super) fn named(server: &Server, names: &[String]) -> Vec<Parameter> {
    let mut all = all(server);
    all.retain(|parameter| names.is_empty() || names.contains(&parameter.name));
    all
}

/// Sets a parameter.
pub(super) fn set(server: &Server, role: Role, parameter: &Parameter) -> Result<(), String> {
    let name = parameter.name.as_str();
    if ![PAUSED, PACE].contains(&name) {
        return Err(format!(
            "found the parameter `{name}`; expected `{PAUSED}` or `{PACE}`, which alone can be set"
        ));
    }
    if role < Role::Operator {
        return Err(format!(
            "found a client of the role {role}; expected operator, to set `{name}`"
        ));
    }
    match (name, &parameter.value) {
        (PAUSED, Some(ParameterValue::Bool(true))) => server.run.pause(),
        (PAUSED, Some(ParameterValue::Bool(false))) => server.run.resume(),
        (PAUSED, _) => return Err(format!("expected true or false for `{PAUSED}`")),
        (_, value) => server.run.set_pace(pace(value.as_ref())?),
    }
    Ok(())
}

fn pace(value: Option<&ParameterValue>) -> Result<Pace, String> {
    let factor = match value {
        Some(ParameterValue::String(text)) if text == FAST => return Ok(Pace::Fast),
        Some(ParameterValue::Float64(factor)) => *factor,
        Some(ParameterValue::Integer(factor)) => *factor as f64,
        _ => f64::NAN,
    };
    match (1e-3..=1e6).contains(&factor) {
        true => Ok(Pace::Rate(factor)),
        false => Err(format!(
            "expected a factor from 0.001 to 1000000 for `{PACE}`, or \"{FAST}\""
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_a_factor_or_fast() {
        let text = |text: &str| ParameterValue::String(text.to_owned());
        for (value, expected) in [
            (Some(ParameterValue::Integer(2)), Some(Pace::Rate(2.0))),
            (Some(ParameterValue::Float64(0.5)), Some(Pace::Rate(0.5))),
            (Some(text("fast")), Some(Pace::Fast)),
            (Some(text("slow")), None),
            (Some(ParameterValue::Float64(f64::NAN)), None),
            (Some(ParameterValue::Integer(0)), None),
            (Some(ParameterValue::Bool(true)), None),
            (None, None),
        ] {
            assert_eq!(pace(value.as_ref()).ok(), expected, "{value:?}");
        }
    }
}
