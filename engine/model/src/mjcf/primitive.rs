//! Primitive shapes: sizes in double precision, their masses, and their fit to meshes.

use super::element::Values;
use crate::mass::{self, Mass};
use crate::{ModelError, shell};
use becomingone_components::body::{Mesh, Pose, Shape};
use glam::{DVec3, Quat, Vec3};
use std::f64::consts::PI;
use std::sync::Arc;

/// Least half extent of a shape that is fitted to a flat mesh (m).
const MIN_HALF_EXTENT_M: f64 = 1e-4;

/// Primitive shape along z about its own origin, in metres.
#[derive(Clone, Copy, Debug)]
pub(super) enum Primitive {
    /// Radius.
    Sphere(f64),
    /// Radius, and half the length between the centres of its ends.
    Capsule {
        r: f64,
        half: f64,
    },
    Cylinder {
        r: f64,
        half: f64,
    },
    /// Half extents.
    Box(DVec3),
    /// Radii.
    Ellipsoid(DVec3),
}

impl Primitive {
    pub(super) fn shape(self) -> Shape {
        match self {
            Self::Sphere(r) => Shape::Sphere { radius_m: r as f32 },
            Self::Capsule { r, half } => Shape::Capsule {
                radius_m: r as f32,
                length_m: 2.0 * half as f32,
            },
            Self::Cylinder { r, half } => Shape::Cylinder {
                radius_m: r as f32,
                length_m: 2.0 * half as f32,
            },
            Self::Box(half) => Shape::Box {
                half_extents_m: half.as_vec3(),
            },
            Self::Ellipsoid(radii) => Shape::Mesh(Arc::new(ellipsoid_mesh(radii))),
        }
    }

    /// Mass at the density of water, per volume, or per area if it is a shell.
    pub(super) fn mass(self, is_shell: bool) -> Mass {
        match (self, is_shell) {
            (Self::Sphere(r), false) => mass::sphere(r),
            (Self::Sphere(r), true) => shell::sphere(r),
            (Self::Capsule { r, half }, false) => mass::capsule(r, 2.0 * half),
            (Self::Capsule { r, half }, true) => shell::capsule(r, 2.0 * half),
            (Self::Cylinder { r, half }, false) => mass::cylinder(r, 2.0 * half),
            (Self::Cylinder { r, half }, true) => shell::cylinder(r, 2.0 * half),
            (Self::Box(half), false) => mass::cuboid(half),
            (Self::Box(half), true) => shell::cuboid(half),
            (Self::Ellipsoid(radii), false) => mass::ellipsoid(radii),
            (Self::Ellipsoid(radii), true) => shell::ellipsoid(radii),
        }
    }

    fn scaled(self, by: f64) -> Self {
        match self {
            Self::Sphere(r) => Self::Sphere(r * by),
            Self::Capsule { r, half } => Self::Capsule {
                r: r * by,
                half: half * by,
            },
            Self::Cylinder { r, half } => Self::Cylinder {
                r: r * by,
                half: half * by,
            },
            Self::Box(half) => Self::Box(half * by),
            Self::Ellipsoid(radii) => Self::Ellipsoid(radii * by),
        }
    }
}

/// Primitive fitted to a mesh as `MuJoCo` does it, and its pose in the mesh: to the box of equal inertia, or,
/// with `to_bounds`, to the bounding box along the mesh's principal axes. Its sizes are then multiplied by
/// `fitscale`.
pub(super) fn fitted(
    v: &Values,
    kind: &str,
    mesh: &Mesh,
    mass: Option<Mass>,
    to_bounds: bool,
) -> Result<(Primitive, Pose), ModelError> {
    let [scale] = v.exactly::<1>("fitscale")?.unwrap_or([1.0]);
    if !(1e-6..=1e6).contains(&scale) {
        let found = format!("fitscale = {scale}");
        return Err(v.refuse("fitscale", found, "expected a factor from 1e-6 to 1e6"));
    }
    let principal = mass.map(|mass| (mass, mass.principal()));
    // Without volume the mesh has no principal axes: its own ones.
    let frame = principal.map_or(Pose::IDENTITY, |(mass, (_, axes))| {
        Pose::new(mass.com.as_vec3(), axes.as_quat().normalize())
    });
    let (half, pose, to_bounds) = match principal.filter(|_| !to_bounds) {
        Some((mass, (moments, _))) => {
            // A box of mass m and half extents a, b, c has the moments m/3 (b² + c²), and so on.
            let sum = (moments.x + moments.y + moments.z) / 2.0;
            let square = |moment: f64| ((sum - moment) * 3.0 / mass.kg).max(0.0);
            let squares = DVec3::new(square(moments.x), square(moments.y), square(moments.z));
            (squares.map(libm::sqrt), frame, false)
        }
        None => {
            let (low, high) = bounds(mesh, frame.inverse());
            let middle = Pose::new((low + high) / 2.0, Quat::IDENTITY);
            ((high - low).as_dvec3() / 2.0, frame * middle, true)
        }
    };
    let half = half.max(DVec3::splat(MIN_HALF_EXTENT_M));
    let r = if to_bounds {
        half.x.max(half.y)
    } else {
        (half.x + half.y) / 2.0
    };
    let primitive = match kind {
        "box" => Primitive::Box(half),
        "sphere" if to_bounds => Primitive::Sphere(half.max_element()),
        "sphere" => Primitive::Sphere((half.x + half.y + half.z) / 3.0),
        "cylinder" => Primitive::Cylinder { r, half: half.z },
        "capsule" => {
            let end = if to_bounds { r } else { r / 2.0 };
            let half = (half.z - end).max(MIN_HALF_EXTENT_M);
            Primitive::Capsule { r, half }
        }
        _ => Primitive::Ellipsoid(half),
    };
    Ok((primitive.scaled(scale), pose))
}

/// Bounding box of a mesh in the frame in which it has this pose.
fn bounds(mesh: &Mesh, pose: Pose) -> (Vec3, Vec3) {
    let mut points = mesh.vertices_m.iter().map(|&v| pose.point(Vec3::from(v)));
    let first = points.next().unwrap_or_default();
    points.fold((first, first), |(l, h), p| (l.min(p), h.max(p)))
}

/// Ellipsoid as triangles; the vertices lie on its surface.
fn ellipsoid_mesh(radii: DVec3) -> Mesh {
    const RINGS: u32 = 11;
    const AROUND: u32 = 16;
    let mut vertices_m = vec![[0.0, 0.0, radii.z as f32]];
    for ring in 1..=RINGS {
        let up = PI * f64::from(ring) / f64::from(RINGS + 1);
        for k in 0..AROUND {
            let turn = 2.0 * PI * f64::from(k) / f64::from(AROUND);
            let (s, c) = (libm::sin(up), libm::cos(up));
            let unit = DVec3::new(s * libm::cos(turn), s * libm::sin(turn), c);
            vertices_m.push((unit * radii).as_vec3().to_array());
        }
    }
    vertices_m.push([0.0, 0.0, -radii.z as f32]);
    let last = RINGS * AROUND + 1;
    let at = |ring: u32, k: u32| 1 + ring * AROUND + k % AROUND;
    let mut triangles = Vec::new();
    for k in 0..AROUND {
        triangles.push([0, at(0, k), at(0, k + 1)]);
        triangles.push([last, at(RINGS - 1, k + 1), at(RINGS - 1, k)]);
        for ring in 0..RINGS - 1 {
            let (a, b) = (at(ring, k), at(ring, k + 1));
            let (c, d) = (at(ring + 1, k), at(ring + 1, k + 1));
            triangles.extend([[a, c, d], [a, d, b]]);
        }
    }
    Mesh {
        name: "ellipsoid".to_owned(),
        vertices_m,
        triangles,
    }
}
