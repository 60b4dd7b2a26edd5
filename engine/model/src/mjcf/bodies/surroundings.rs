//! Static shapes of the world beside a free robot.

use super::{Bodies, Item};
use crate::ModelError;
use crate::mjcf::geom::Geom;
use crate::mjcf::settings::ShapeMass;
use becomingone_components::body::{Geometry, Pose};
use glam::Quat;

impl Bodies<'_> {
    /// Adds the shapes of a body without joints and of its children, in the frame of the world.
    pub(super) fn static_body(
        &mut self,
        item: &Item,
        parent: Pose,
        shapes: &mut Vec<Geom>,
    ) -> Result<(), ModelError> {
        let v = item.element.values();
        self.counts.0 += 1;
        let settings = self.settings(item.element);
        let world = match settings.global {
            true if v.has("pos") => settings.pose(&v)?,
            true => parent,
            false => parent * item.at * settings.pose(&v)?,
        };
        let (mut of_shapes, mut written) = (0.0, None);
        for inner in self.inside(item)? {
            match &*inner.element.name {
                "inertial" => written = Some(self.inertial(&inner, world)?.kg),
                "geom" => {
                    let mut geom = self.geom(&inner, world)?;
                    of_shapes += geom.mass.map_or(0.0, |mass| mass.kg);
                    if let Some(text) = &geom.warning {
                        self.warnings.push(&inner.element.place, text);
                    }
                    geom.pose = world * geom.pose;
                    shapes.push(geom);
                }
                "body" => self.static_body(&inner, world, shapes)?,
                _ => self.skip(inner.element),
            }
        }
        let kg = match settings.from_shapes {
            ShapeMass::Always => of_shapes,
            ShapeMass::IfMissing => written.unwrap_or(of_shapes),
            ShapeMass::Never => written.unwrap_or_default(),
        };
        self.surroundings.mass_kg += kg as f32;
        Ok(())
    }

    /// Keeps the shapes of the world that have contacts; the others are not simulated.
    pub(super) fn surround(&mut self, shapes: Vec<Geom>) {
        let (with, _): (Vec<_>, Vec<_>) = shapes.into_iter().partition(|g| g.has_contacts);
        self.lost_surroundings = with.iter().filter_map(|g| g.lost.clone()).collect();
        self.surroundings.colliders = with
            .into_iter()
            .filter_map(|geom| {
                Some(Geometry {
                    pose: geom.pose,
                    shape: geom.shape?,
                    rgba: geom.rgba,
                    contacts: geom.contacts,
                })
            })
            .collect();
    }

    /// Moves the surroundings to the frame of the base at its start, once a keyframe may have moved it.
    pub(crate) fn place_surroundings(&mut self) {
        let back = Pose::new(self.base_m, Quat::IDENTITY).inverse();
        for shape in &mut self.surroundings.colliders {
            shape.pose = back * shape.pose;
        }
        self.surroundings.root_height_m = self.base_m.z;
    }
}
