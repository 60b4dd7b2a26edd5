//! Drawing of single readings in the world: a GNSS fix as a point, a range echo as a cone, a magnetic field as an arrow.
//!
//! Copied in the tick, drawn by the recording thread.

use crate::batch::{Mark, MarkShape};
use crate::entity::entity;
use crate::outbox::{Cap, Outbox};
use crate::shapes::colour;
use crate::stage::{StageMark, path};
use crate::visualised_agents::VisualisedAgents;
use becomingone_components::body::{LinkPoses, Pose};
use becomingone_components::sensor::{
    Distance, GnssFix, MagneticField, Measurement, Mount, Reading, Sensor,
};
use becomingone_components::time::SimTime;
use bevy_ecs::prelude::*;
use glam::{Vec2, Vec3, Vec3Swizzles};
use re_sdk::{EntityPath, RecordingStream, RecordingStreamResult};
use re_sdk_types::archetypes::{Arrows3D, GeoPoints, LineStrips3D, Points3D};
use re_sdk_types::components::{LatLon, Radius};
use std::marker::PhantomData;

/// Rate cap of the marks of a sensor, in simulated time.
const MARKS_HZ: u64 = 10;
/// Scale of field arrows: the Earth's field of 50 µT is half a metre long.
const ARROW_M_PER_T: f32 = 1e4;
/// Vertices of the rim of a cone.
const RIM: u16 = 24;

/// Measurement whose single readings are drawn.
pub(crate) trait Marked: Measurement {
    fn mark_shape(&self) -> MarkShape;
}

impl Marked for GnssFix {
    fn mark_shape(&self) -> MarkShape {
        MarkShape::Fix {
            place: self.place,
            position_m: self.position_m,
        }
    }
}

impl Marked for Distance {
    fn mark_shape(&self) -> MarkShape {
        MarkShape::Echo {
            range_m: self.range_m,
            fov_rad: self.fov_rad,
        }
    }
}

impl Marked for MagneticField {
    fn mark_shape(&self) -> MarkShape {
        MarkShape::Field {
            field_t: self.field_t,
        }
    }
}

/// Sensors of a kind whose marks are drawn.
#[derive(Resource)]
pub(crate) struct Marks<T> {
    /// Entity, index into the stage's marks, and rate cap.
    shown: Vec<(Entity, u32, Cap)>,
    /// Earliest time at which a mark is due (ns).
    next_ns: u64,
    kind: PhantomData<fn() -> T>,
}

impl<T> Default for Marks<T> {
    fn default() -> Self {
        Self {
            shown: Vec::new(),
            next_ns: 0,
            kind: PhantomData,
        }
    }
}

/// Adds the sensors of a kind to the static content.
pub(crate) fn gather<T: Marked>(
    mut outbox: ResMut<Outbox>,
    mut marks: ResMut<Marks<T>>,
    agents_shown: Res<VisualisedAgents>,
    sensors: Query<(Entity, &Name, &Sensor), With<Reading<T>>>,
) {
    *marks = Marks::default();
    let Some(stage) = outbox.stage.as_mut() else {
        return;
    };
    for (entity, name, sensor) in &sensors {
        let Some(agent) = agents_shown.index_of(sensor.agent) else {
            continue;
        };
        let index = stage.marks.len() as u32;
        marks.shown.push((entity, index, Cap::new(MARKS_HZ)));
        stage.marks.push(StageMark {
            path: path("world", name, &[]),
            agent,
            on_map: (T::KIND == GnssFix::KIND).then(|| path("map", name, &[])),
        });
    }
}

/// Copies the readings of this tick, with the sensor poses of their measurement.
pub(crate) fn copy<T: Marked>(
    time: Res<SimTime>,
    mut outbox: ResMut<Outbox>,
    mut marks: ResMut<Marks<T>>,
    sensors: Query<(&Reading<T>, &Sensor, &Mount)>,
    agents: Query<&LinkPoses>,
) {
    if time.now_ns < marks.next_ns || outbox.is_over() {
        return;
    }
    let mut next_ns = u64::MAX;
    for (entity, index, cap) in &mut marks.shown {
        if let Ok((reading, sensor, mount)) = sensors.get(*entity)
            && reading.is_fresh()
            && let Some(sample) = reading.latest()
            && let Ok(poses) = agents.get(sensor.agent)
            && let Some(&link) = poses.0.get(sensor.link)
            && cap.due(sample.source_ns)
        {
            outbox.batch.marks.push(Mark {
                sensor: *index,
                ns: sample.source_ns,
                pose: link * mount.0,
                shape: sample.value.mark_shape(),
            });
        }
        next_ns = next_ns.min(cap.next_ns());
    }
    marks.next_ns = next_ns;
}

/// Entities in which the marks of a sensor are drawn.
pub(crate) struct Drawn {
    world: EntityPath,
    map: Option<EntityPath>,
}

impl Drawn {
    /// Logs the colours and sizes of the marks of a sensor.
    pub(crate) fn new(
        to: &RecordingStream,
        mark: &StageMark,
        rgba: [f32; 4],
    ) -> RecordingStreamResult<Self> {
        let drawn = Self {
            world: entity(&mark.path),
            map: mark.on_map.as_ref().map(entity),
        };
        let (colours, radii) = ([colour(rgba)], [Radius::new_ui_points(1.5)]);
        if let Some(map) = &drawn.map {
            let dots = [Radius::new_ui_points(3.0)];
            let points = Points3D::update_fields()
                .with_colors(colours)
                .with_radii(dots);
            to.log_static(drawn.world.clone(), &points)?;
            let points = GeoPoints::update_fields()
                .with_colors(colours)
                .with_radii(dots);
            to.log_static(map.clone(), &points)?;
        } else {
            // Cones or arrows: known with the first mark only.
            let lines = LineStrips3D::update_fields()
                .with_colors(colours)
                .with_radii(radii);
            to.log_static(drawn.world.clone(), &lines)?;
            let arrows = Arrows3D::update_fields()
                .with_colors(colours)
                .with_radii(radii);
            to.log_static(drawn.world.clone(), &arrows)?;
        }
        Ok(drawn)
    }

    /// Draws a mark at the recording's current time.
    pub(crate) fn draw(&self, to: &RecordingStream, mark: &Mark) -> RecordingStreamResult<()> {
        let from = mark.pose.translation_m;
        match mark.shape {
            MarkShape::Fix { place, position_m } => {
                let at = position_m.map(|x| x as f32);
                to.log(self.world.clone(), &Points3D::new([at]))?;
                let at = LatLon::new(place.latitude_deg, place.longitude_deg);
                match &self.map {
                    Some(map) => to.log(map.clone(), &GeoPoints::from_lat_lon([at])),
                    None => Ok(()),
                }
            }
            MarkShape::Echo { range_m, fov_rad } => {
                let strips = cone(mark.pose, range_m, fov_rad);
                to.log(self.world.clone(), &LineStrips3D::new(strips))
            }
            MarkShape::Field { field_t } => {
                let along = mark.pose.rotation * field_t * ARROW_M_PER_T;
                // On the northern hemisphere the field points down: end the arrow at the sensor, so that the robot does
                // not hide it.
                let from = if along.z < 0.0 { from - along } else { from };
                let arrow =
                    Arrows3D::from_vectors([along.to_array()]).with_origins([from.to_array()]);
                to.log(self.world.clone(), &arrow)
            }
        }
    }
}

/// Outline of an echo at its range: the axis and, for a non-zero field of view, four edges and the rim.
fn cone(pose: Pose, range_m: f32, fov_rad: f32) -> Vec<Vec<[f32; 3]>> {
    let apex = pose.translation_m.to_array();
    let mut strips = vec![vec![apex, pose.point(Vec3::X * range_m).to_array()]];
    if fov_rad <= 0.0 {
        return strips;
    }
    let Vec2 { x: cos, y: sin } = Vec2::from_angle(fov_rad / 2.0);
    let rim: Vec<[f32; 3]> = (0..=RIM)
        .map(|k| {
            let about = Vec2::from_angle(std::f32::consts::TAU * f32::from(k) / f32::from(RIM));
            let at = (about * sin).extend(cos).zxy() * range_m;
            pose.point(at).to_array()
        })
        .collect();
    strips.extend(
        rim.iter()
            .step_by(usize::from(RIM) / 4)
            .take(4)
            .map(|&at| vec![apex, at]),
    );
    strips.push(rim);
    strips
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::Quat;

    #[test]
    fn cone_ends_at_the_measured_range() {
        let pose = Pose::new(
            Vec3::new(1.0, 0.0, 0.5),
            Quat::from_rotation_z(std::f32::consts::FRAC_PI_2),
        );
        assert_eq!(cone(pose, 2.0, 0.0).len(), 1);
        let strips = cone(pose, 2.0, 0.6);
        assert_eq!(strips.len(), 6);
        // Yaw of 90 degrees: the axis points along y.
        let end = Vec3::from(strips[0][1]);
        assert!((end - Vec3::new(1.0, 2.0, 0.5)).length() < 1e-5, "{end}");
        for &at in &strips[5] {
            let away = Vec3::from(at) - pose.translation_m;
            assert!((away.length() - 2.0).abs() < 1e-5);
            assert!((away.y - 2.0 * 0.955_336_5).abs() < 1e-5);
        }
    }
}
