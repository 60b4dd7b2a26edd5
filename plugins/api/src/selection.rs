//! Fields of a view that a client asks for.

use crate::interest::Pattern;
use crate::view::{SensorKindView, View};
use serde_json::{Map, Value, json};

/// Members of an agent's state and numbers of a sensor, by patterns of their names.
#[derive(Clone, Debug)]
pub(crate) struct Selection(pub(crate) Vec<Pattern>);

impl Selection {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern.fits(name))
    }

    /// The view with these fields alone. Agents and sensors keep their names, readings their times; `fields` of a sensor
    /// names the numbers that are left.
    pub(crate) fn of(&self, view: &View, kinds: &[SensorKindView]) -> Map<String, Value> {
        let Ok(Value::Object(mut whole)) = serde_json::to_value(view) else {
            return Map::new();
        };
        for agent in list(&mut whole, "agents") {
            agent.retain(|name, _| name == "agent" || self.has(name));
        }
        for (sensor, shown) in view.sensors.iter().zip(list(&mut whole, "sensors")) {
            let kind = kinds.iter().find(|kind| kind.sensor == sensor.sensor);
            let names = kind.map_or(&[][..], |kind| &kind.fields);
            let all = sensor.values.len();
            // A row of equal numbers has one name.
            let name = |k: usize| names.get(if names.len() == all { k } else { 0 });
            let kept = (0..all).filter(|k| name(*k).is_some_and(|name| self.has(name)));
            let kept: Vec<usize> = kept.collect();
            let values: Vec<_> = kept.iter().map(|k| sensor.values[*k]).collect();
            let mut left: Vec<_> = kept.iter().filter_map(|k| name(*k)).collect();
            left.dedup();
            shown.insert("fields".to_owned(), json!(left));
            shown.insert("values".to_owned(), json!(values));
            if values.is_empty() {
                shown.remove("rays");
            }
        }
        whole
    }
}

/// Objects of a list.
fn list<'a>(
    of: &'a mut Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let all = of.get_mut(name).and_then(Value::as_array_mut);
    all.into_iter().flatten().filter_map(Value::as_object_mut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{MountView, SensorView};
    use std::sync::Arc;

    fn sensor(name: &str, values: &[f64]) -> Arc<SensorView> {
        Arc::new(SensorView {
            sensor: name.to_owned(),
            kind: "x".to_owned(),
            sequence: Some(7),
            source_s: Some(1.0),
            arrival_s: Some(1.0),
            values: values.iter().copied().map(Some).collect(),
            readings: 8,
            dropped: 0,
            is_stale: false,
            link: None,
            rays: None,
        })
    }

    fn kind(name: &str, fields: &[&str]) -> SensorKindView {
        SensorKindView {
            sensor: name.to_owned(),
            kind: "x".to_owned(),
            fields: fields.iter().map(|&field| field.to_owned()).collect(),
            units: Vec::new(),
            encoding: None,
            mount: MountView::default(),
        }
    }

    #[test]
    fn numbers_are_those_of_the_names_that_are_left() {
        let view = View {
            sensors: vec![
                sensor("a/imu", &[1.0, 2.0, 3.0]),
                sensor("a/lidar", &[4.0, 5.0]),
            ],
            ..View::default()
        };
        let kinds = [
            kind("a/imu", &["gyro_x", "gyro_y", "acc_x"]),
            kind("a/lidar", &["range"]),
        ];
        let shown = |patterns: &[&str]| {
            let all = patterns.iter().map(|&pattern| Pattern::new(pattern));
            let view = Selection(all.collect()).of(&view, &kinds);
            let sensors = view["sensors"].as_array().unwrap().clone();
            sensors
                .iter()
                .map(|s| (s["fields"].clone(), s["values"].clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            shown(&["gyro_*", "range"]),
            [
                (json!(["gyro_x", "gyro_y"]), json!([1.0, 2.0])),
                (json!(["range"]), json!([4.0, 5.0]))
            ]
        );
        assert_eq!(shown(&["acc_x"])[0], (json!(["acc_x"]), json!([3.0])));
        assert_eq!(shown(&["acc_x"])[1], (json!([]), json!([])));
    }
}
