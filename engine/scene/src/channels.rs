//! Checks that the channels of a self-model exist.

use super::diagnostic::Diagnostics;
use becomingone_components::coherence::MAX_CHANNELS;
use becomingone_components::scene::{AgentSpec, CoherenceSpec};
use becomingone_components::witness::{ChannelError, outputs};
use becomingone_model::did_you_mean;

/// Checks the channels of an agent's self-model. `encoded` is the number of wheels or joints with encoders.
pub(super) fn check(
    agent: &AgentSpec,
    index: usize,
    encoded: usize,
    diagnostics: &mut Diagnostics<'_, '_>,
) {
    let CoherenceSpec::Kernel { witness, .. } = &agent.coherence else {
        return;
    };
    let Some(channels) = &witness.channels else {
        return;
    };
    // An unknown kind is reported as such; its channels are unknown, too.
    if agent.sensors.iter().any(|s| s.kind.value().is_none()) {
        return;
    }
    let Err((k, no)) = outputs(&agent.sensors, encoded, Some(channels)) else {
        return;
    };
    let path = &channels[k];
    let (name, part) = path.split_once('/').unwrap_or((path, ""));
    let sensors = || agent.sensors.iter().map(|s| s.name.as_str());
    let expected = match no {
        ChannelError::Sensor => format!(
            "a sensor of `{}` or a part of one: {}{}",
            agent.name,
            sensors().collect::<Vec<_>>().join(", "),
            did_you_mean(name, sensors())
        ),
        ChannelError::Part(sensor) => {
            let kind = agent.sensors[sensor].kind.value();
            let schema = kind.map(|k| k.schema()).unwrap_or_default();
            if schema.is_row {
                format!("the index of a number in `{name}`, from 0")
            } else {
                format!(
                    "a part of `{name}`: {}{}",
                    schema.names().collect::<Vec<_>>().join(", "),
                    did_you_mean(part, schema.names())
                )
            }
        }
        ChannelError::Number(_, 0) => format!("a part of `{name}`, which has no numbers here"),
        ChannelError::Number(_, many) => format!("one of its {many}, from 0 to {}", many - 1),
        ChannelError::TooMany => format!("at most {MAX_CHANNELS} numbers in all"),
        ChannelError::Again => "each number once".to_owned(),
    };
    diagnostics.wrong(
        &format!("agents[{index}].coherence.witness.channels[{k}]"),
        format_args!("`{}`", path.escape_debug()),
        &expected,
    );
}
