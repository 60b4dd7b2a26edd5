//! What clients publish: twists of agents, which become requests.

use becomingone::components::request::RequestKind;
use serde::Deserialize;

/// Last part of the topic of an agent's twists.
const LEAF: &str = "cmd_vel";

/// Agent of the topic of its twists.
pub(super) fn agent_of(topic: &str) -> Result<&str, String> {
    let agent = topic
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix(LEAF));
    let agent = agent.and_then(|rest| rest.strip_suffix('/'));
    agent.ok_or_else(|| format!("found the topic `{topic}`; expected `/AGENT/{LEAF}`"))
}

/// A twist, as ROS has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Twist {
    linear: Vector,
    angular: Vector,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Vector {
    x: f64,
    y: f64,
    z: f64,
}

/// Reads a twist.
pub(super) fn twist(bytes: &[u8]) -> Result<RequestKind, String> {
    let twist: Twist = serde_json::from_slice(bytes).map_err(|error| {
        format!(
            "{error}; expected a twist: {{\"linear\": {{\"x\": 0.2}}, \"angular\": {{\"z\": 0.1}}}}"
        )
    })?;
    for (name, value) in [
        ("linear.y", twist.linear.y),
        ("linear.z", twist.linear.z),
        ("angular.x", twist.angular.x),
        ("angular.y", twist.angular.y),
    ] {
        if value != 0.0 {
            return Err(format!(
                "found `{name}` {value}; expected 0: agents drive along `linear.x` and turn about `angular.z`"
            ));
        }
    }
    Ok(RequestKind::Twist {
        linear_m_s: twist.linear.x,
        angular_rad_s: twist.angular.z,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_names_the_agent() {
        assert_eq!(agent_of("/rover/cmd_vel"), Ok("rover"));
        assert_eq!(agent_of("/fleet/rover/cmd_vel"), Ok("fleet/rover"));
        for wrong in [
            "/cmd_vel",
            "rover/cmd_vel",
            "/rover/cmd",
            "/rovercmd_vel",
            "",
        ] {
            let error = agent_of(wrong).unwrap_err();
            assert!(error.contains("expected `/AGENT/cmd_vel`"), "{error}");
        }
    }

    #[test]
    fn a_twist_is_along_x_and_about_z() {
        let full =
            br#"{"linear": {"x": 0.2, "y": 0, "z": 0}, "angular": {"x": 0, "y": 0, "z": -0.1}}"#;
        for text in [
            &full[..],
            br#"{"linear": {"x": 0.2}, "angular": {"z": -0.1}}"#,
        ] {
            let expected = RequestKind::Twist {
                linear_m_s: 0.2,
                angular_rad_s: -0.1,
            };
            assert_eq!(twist(text), Ok(expected));
        }
        for (text, words) in [
            (&br#"{"linear": {"y": 0.2}}"#[..], "`linear.y` 0.2"),
            (br#"{"linear": 1}"#, "expected a twist"),
            (br#"{"speed": 1}"#, "unknown field `speed`"),
            (b"\xff", "expected a twist"),
            (b"", "expected a twist"),
        ] {
            let error = twist(text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
