//! Height fields as rapier's shapes.

use becomingone_components::height_field::HeightField;
use glam::Vec3;
use rapier3d::parry::utils::Array2;
use rapier3d::prelude::SharedShape;

/// Height field as rapier has it: its heights along y, its rows along z. Both split a cell along the same
/// diagonal.
pub(super) fn height_field(field: &HeightField) -> SharedShape {
    let (rows, columns) = (field.rows, field.columns);
    // After the turn with which it is placed, rapier's z is our -y: its first row is our last one.
    let mut heights = Array2::zeros(rows, columns);
    for row in 0..rows {
        for column in 0..columns {
            heights[(rows - 1 - row, column)] = field.point(row, column).z;
        }
    }
    let [x, y] = field.half_size_m;
    SharedShape::heightfield(heights, Vec3::new(2.0 * x, 1.0, 2.0 * y))
}
