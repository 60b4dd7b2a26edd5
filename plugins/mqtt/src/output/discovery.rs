//! Description of an agent for Home Assistant, as a device with its entities:
//! <https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload>.

use super::topics::{QOS, Topics};
use becomingone_components::view::AgentState;
use serde_json::{Map, Value, json};

/// An entity: its id, name, path in the state, unit, class, number of decimals.
type Sensor = (
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
    u8,
);

const OF_KERNEL: [Sensor; 3] = [
    ("coherence", "Coherence", "kernel.coherence", None, None, 3),
    ("surprise", "Surprise", "kernel.surprise", None, None, 2),
    ("order", "Order", "kernel.order", None, None, 3),
];
const OF_POSE: [Sensor; 3] = [
    ("x", "X", "pose.x_m", Some("m"), Some("distance"), 2),
    ("y", "Y", "pose.y_m", Some("m"), Some("distance"), 2),
    (
        "speed",
        "Speed",
        "velocity.linear_m_s",
        Some("m/s"),
        Some("speed"),
        2,
    ),
];
/// Texts.
const OF_ALL: [(&str, &str, &str); 2] =
    [("mode", "Mode", "mode"), ("cause", "Alarm cause", "cause")];

/// The configuration of an agent, for the topic of [`Topics::config`].
pub(super) fn payload(topics: &Topics, status: &AgentState) -> Value {
    let device = topics.device(&status.agent);
    let mut components = Map::new();
    let mut add = |id: &str, component: Value| {
        let mut component = component;
        component["unique_id"] = format!("{device}_{id}").into();
        components.insert(id.to_owned(), component);
    };
    add(
        "alarm",
        json!({
            "platform": "binary_sensor",
            "name": "Alarm",
            "device_class": "problem",
            "value_template": "{{ 'ON' if value_json.alarm else 'OFF' }}",
        }),
    );
    for (id, name, path) in OF_ALL {
        let value_template = format!("{{{{ value_json.{path} }}}}");
        add(
            id,
            json!({"platform": "sensor", "name": name, "value_template": value_template}),
        );
    }
    let kernel = status.kernel.iter().flat_map(|_| OF_KERNEL);
    let pose = status.pose.iter().flat_map(|_| OF_POSE);
    for (id, name, path, unit, class, decimals) in kernel.chain(pose) {
        let mut component = json!({
            "platform": "sensor",
            "name": name,
            "state_class": "measurement",
            "suggested_display_precision": decimals,
            "value_template": format!("{{{{ value_json.{path} }}}}"),
        });
        if let Some(unit) = unit {
            component["unit_of_measurement"] = unit.into();
        }
        if let Some(class) = class {
            component["device_class"] = class.into();
        }
        add(id, component);
    }
    json!({
        "device": {
            "identifiers": [device],
            "name": status.agent,
            "manufacturer": "BecomingONE",
            "model": topics.scene,
        },
        "origin": {
            "name": "becomingone",
            "sw_version": env!("CARGO_PKG_VERSION"),
        },
        "components": components,
        "state_topic": topics.state(&status.agent),
        "availability_topic": topics.availability(),
        "qos": QOS.0,
    })
}
