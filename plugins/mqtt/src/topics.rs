//! Topics and filters of topics (MQTT 5, section 4.7).

/// Longest topic (bytes); MQTT allows 65535.
const MAX_TOPIC: usize = 1024;

/// Checks a filter of a subscription.
pub(crate) fn check_filter(filter: &str) -> Result<(), String> {
    if filter.starts_with("$share/") {
        return Err(format!(
            "found the shared subscription `{filter}`; expected a topic that is read by this run alone"
        ));
    }
    if is_text(filter) && rumqttc::valid_filter(filter) {
        return Ok(());
    }
    Err(format!(
        "found the topic `{filter}`; expected one such as `robot/imu`, `robot/+/imu` or `robot/#`"
    ))
}

/// Checks a topic to publish to.
pub(crate) fn check_topic(topic: &str) -> Result<(), String> {
    if is_text(topic) && rumqttc::valid_topic(topic) {
        return Ok(());
    }
    Err(format!(
        "found the topic `{topic}` to publish to; expected one without `+` and `#`, such as `robot/drive`"
    ))
}

fn is_text(topic: &str) -> bool {
    (1..=MAX_TOPIC).contains(&topic.len()) && !topic.contains('\0')
}

/// Whether two filters have a topic in common; of a topic, whether the filter has it.
pub(crate) fn overlap(a: &str, b: &str) -> bool {
    fn rest(a: &[&str], b: &[&str]) -> bool {
        match (a, b) {
            (["#"], _) | (_, ["#"]) | ([], []) => true,
            ([x, a @ ..], [y, b @ ..]) => (x == y || *x == "+" || *y == "+") && rest(a, b),
            _ => false,
        }
    }
    // Wildcards at the begin have no topics of the broker's own (4.7.2).
    let is_own = |text: &str| text.starts_with('$');
    let levels = |text| str::split(text, '/').collect::<Vec<_>>();
    is_own(a) == is_own(b) && rest(&levels(a), &levels(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of MQTT 5, sections 4.7.1 and 4.7.2.
    #[test]
    fn filters_have_the_topics_of_the_specification() {
        for (filter, topic, has) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            (
                "sport/tennis/player1/#",
                "sport/tennis/player1/ranking",
                true,
            ),
            (
                "sport/tennis/player1/#",
                "sport/tennis/player1/score/wimbledon",
                true,
            ),
            ("sport/#", "sport", true),
            ("#", "anything/at/all", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/monitor/Clients", false),
            ("+/monitor/Clients", "$SYS/monitor/Clients", false),
            ("$SYS/#", "$SYS/monitor/Clients", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
            ("ACCOUNTS", "Accounts", false),
        ] {
            assert_eq!(overlap(filter, topic), has, "{filter} {topic}");
        }
        for (a, b, both) in [
            ("a/+", "a/#", true),
            ("a/+/c", "+/b/c", true),
            ("a/+", "a/b/#", true),
            ("a/+", "b/#", false),
        ] {
            assert_eq!((overlap(a, b), overlap(b, a)), (both, both), "{a} {b}");
        }
    }

    #[test]
    fn topics_that_are_none_are_refused() {
        for filter in ["", "a#", "a/#/b", "a+/b", "a\0", "$share/g/a"] {
            assert!(check_filter(filter).is_err(), "{filter}");
        }
        assert!(check_filter("a/+/#").is_ok());
        assert!(check_topic("a/b").is_ok());
        for topic in ["", "a/+", "a/#"] {
            assert!(check_topic(topic).is_err(), "{topic}");
        }
    }
}
