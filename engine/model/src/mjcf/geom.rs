//! `<geom>`: shape, mass, contacts and visibility.

use super::assets::{Asset, Assets};
use super::element::Values;
use super::settings::Settings;
use crate::ModelError;
use crate::mass::{Mass, capsule, cuboid, cylinder, ellipsoid, solid_mesh, sphere};
use crate::number::quoted;
use becomingone_components::body::{Mesh, Pose, Shape};
use glam::{DQuat, DVec3, Quat, Vec3};
use std::f64::consts::PI;
use std::sync::Arc;

/// Attributes of `<geom>` that are read, or known to have no effect here.
pub(crate) const KNOWN: &[&str] = &[
    "name",
    "class",
    "type",
    "contype",
    "conaffinity",
    "condim",
    "group",
    "priority",
    "size",
    "material",
    "rgba",
    "friction",
    "mass",
    "density",
    "shellinertia",
    "solmix",
    "solref",
    "solimp",
    "margin",
    "gap",
    "fromto",
    "pos",
    "quat",
    "axisangle",
    "xyaxes",
    "zaxis",
    "euler",
    "hfield",
    "mesh",
    "fitscale",
    "fluidshape",
    "fluidcoef",
    "user",
];
const TYPES: [&str; 9] = [
    "plane",
    "hfield",
    "sphere",
    "capsule",
    "ellipsoid",
    "cylinder",
    "box",
    "mesh",
    "sdf",
];
/// Half width and half thickness of the box that replaces an infinite plane (m).
const PLANE_HALF_WIDTH_M: f32 = 25.0;
const PLANE_HALF_THICKNESS_M: f32 = 0.05;
/// Default density of a shape (kg/m³), that of water.
const DEFAULT_DENSITY: f64 = 1000.0;

/// A `<geom>` in the frame of its element.
pub(crate) struct Geom {
    pub(crate) pose: Pose,
    /// `None` if the geom is ignored.
    pub(crate) shape: Option<Shape>,
    /// Mass in the same frame; `None` if its group contributes none.
    pub(crate) mass: Option<Mass>,
    /// It takes part in contacts.
    pub(crate) has_contacts: bool,
    /// It is visible by the defaults of `MuJoCo`'s viewer: groups 0 to 2.
    pub(crate) visible: bool,
    /// It is an infinite plane.
    pub(crate) plane: bool,
    pub(crate) rgba: [f32; 4],
    /// Warning to report.
    pub(crate) warning: Option<String>,
}

/// Reads a `<geom>`.
pub(crate) fn read(v: &Values, settings: &Settings, assets: &Assets) -> Result<Geom, ModelError> {
    let kind = v.text("type").unwrap_or("sphere");
    if !TYPES.contains(&kind) {
        let found = format!("the shape {}", quoted(kind));
        let expected = format!("expected one of {}", TYPES.join(", "));
        return Err(v.refuse("type", found, expected).nearest(kind, TYPES));
    }
    let whole =
        |name: &str, default: f64| Ok::<_, ModelError>(v.number(name)?.unwrap_or(default) as i64);
    let group = whole("group", 0.0)?;
    let has_contacts = whole("contype", 1.0)? != 0 || whole("conaffinity", 1.0)? != 0;
    let mut geom = Geom {
        pose: settings.pose(v)?,
        shape: None,
        mass: None,
        has_contacts,
        visible: (0..=2).contains(&group),
        plane: kind == "plane",
        rgba: rgba(v, assets)?,
        warning: None,
    };
    let mut water_mass = None;
    match (kind, v.text("mesh")) {
        ("plane", _) => geom.shape = Some(plane(v, &mut geom.pose)?),
        ("hfield", _) => {
            geom.warning = Some("height fields are not supported and are ignored".to_owned());
        }
        ("mesh" | "sdf", None) => {
            v.required("mesh")?;
        }
        (_, Some(name)) => match mesh(v, name, assets)? {
            Asset::Mesh { mesh, shell } => {
                let mass = solid_mesh(&mesh.vertices_m, &mesh.triangles);
                if kind == "mesh" || kind == "sdf" {
                    let shell = *shell || v.switch("shellinertia")? == Some(true);
                    if shell || mass.is_none() {
                        let why = if shell {
                            "of a shell"
                        } else {
                            "without volume"
                        };
                        geom.warning = Some(format!(
                            "mesh {name:?}, {why}, has the mass of its bounding box"
                        ));
                    }
                    let shape = Shape::Mesh(Arc::clone(mesh));
                    water_mass = mass
                        .filter(|_| !shell)
                        .or_else(|| Mass::of_shapes(&[with_identity_pose(shape.clone())]));
                    geom.shape = Some(shape);
                } else {
                    let (shape, pose) = fitted(kind, mesh, mass, settings.fit_box);
                    water_mass = mass_of(&shape);
                    geom.pose = geom.pose * pose;
                    geom.shape = Some(shape);
                }
            }
            Asset::Ignored => {}
            Asset::Invalid(error) if has_contacts => {
                return Err(v.refuse("mesh", error.to_string(), "expected a valid mesh"));
            }
            Asset::Invalid(error) => geom.warning = Some(format!("mesh ignored: {error}")),
        },
        (kind, None) => {
            if v.switch("shellinertia")? == Some(true) {
                geom.warning =
                    Some("shellinertia is ignored: it is supported for meshes only".to_owned());
            }
            if v.has("fromto") {
                geom.warning = match kind {
                    "sphere" => Some("fromto of a sphere is ignored: MuJoCo refuses it".to_owned()),
                    _ if v.has("pos") => {
                        Some("pos is ignored beside fromto: MuJoCo refuses both".to_owned())
                    }
                    _ => None,
                };
            }
            let (shape, mass) = primitive(kind, v, &mut geom.pose)?;
            water_mass = Some(mass);
            geom.shape = Some(shape);
        }
    }
    geom.mass = geom_mass(v, water_mass)?
        .filter(|_| (settings.groups.0..=settings.groups.1).contains(&group))
        .map(|mass| mass.moved(geom.pose));
    Ok(geom)
}

fn with_identity_pose(shape: Shape) -> becomingone_components::body::Geometry {
    becomingone_components::body::Geometry {
        pose: Pose::IDENTITY,
        shape,
        rgba: [1.0; 4],
    }
}

/// Mass of a shape by its attributes, from its mass at the density of water.
fn geom_mass(v: &Values, water_mass: Option<Mass>) -> Result<Option<Mass>, ModelError> {
    let given = match v.has("mass") {
        true => Some(v.not_negative("mass")?),
        false => None,
    };
    let density = match v.has("density") {
        true => v.not_negative("density")?,
        false => DEFAULT_DENSITY,
    };
    Ok(water_mass.filter(|w| w.kg > 0.0).and_then(|water_mass| {
        let kg = given.unwrap_or(water_mass.kg * (density / DEFAULT_DENSITY));
        (kg > 0.0).then(|| water_mass.scaled_to(kg))
    }))
}

fn rgba(v: &Values, assets: &Assets) -> Result<[f32; 4], ModelError> {
    const DEFAULT: [f32; 4] = [0.5, 0.5, 0.5, 1.0];
    let own = v.rgba("rgba")?.filter(|&rgba| rgba != DEFAULT);
    let material = v
        .text("material")
        .and_then(|name| assets.materials.get(name));
    Ok(own.or(material.copied()).unwrap_or(DEFAULT))
}

fn mesh<'a>(v: &Values, name: &str, assets: &'a Assets) -> Result<&'a Asset, ModelError> {
    assets.meshes.get(name).ok_or_else(|| {
        let mut known: Vec<_> = assets.meshes.keys().map(String::as_str).collect();
        known.sort_unstable();
        let found = format!("the mesh {name:?}, which is not among this file's assets");
        v.refuse("mesh", found, "expected the name of a <mesh>")
            .nearest(name, known)
    })
}

/// First `N` lengths of `size`, all above zero.
fn sizes<const N: usize>(v: &Values) -> Result<[f64; N], ModelError> {
    let found = v.numbers("size")?.unwrap_or_default();
    let kind = v.text("type").unwrap_or("sphere");
    match found.first_chunk::<N>() {
        Some(sizes) if sizes.iter().all(|&s| s as f32 > 0.0) => Ok(*sizes),
        _ => Err(v.refuse(
            "size",
            format!("a {kind} of size {found:?}"),
            format!("expected {N} lengths above zero (metres)"),
        )),
    }
}

/// Primitive shape from its sizes, and its mass at the density of water.
fn primitive(kind: &str, v: &Values, pose: &mut Pose) -> Result<(Shape, Mass), ModelError> {
    let along = v.exactly::<6>("fromto")?;
    let along = along.filter(|_| ["capsule", "cylinder", "box", "ellipsoid"].contains(&kind));
    // Half the length along z, if `fromto` gives both ends.
    let half = match along {
        Some([a, b, c, d, e, f]) => {
            let (from, to) = (DVec3::new(a, b, c), DVec3::new(d, e, f));
            let axis = from - to;
            let Some(z) = axis.try_normalize() else {
                return Err(v.refuse("fromto", "two equal ends", "expected a length"));
            };
            let rotation = DQuat::from_rotation_arc(DVec3::Z, z);
            *pose = Pose::new(
                ((from + to) / 2.0).as_vec3(),
                rotation.as_quat().normalize(),
            );
            Some(axis.length() / 2.0)
        }
        None => None,
    };
    let round = |v: &Values| match half {
        Some(half) => Ok::<_, ModelError>((sizes::<1>(v)?[0], half)),
        None => sizes::<2>(v).map(|[r, half]| (r, half)),
    };
    let three = |v: &Values| match half {
        Some(half) => Ok::<_, ModelError>({
            let [r] = sizes::<1>(v)?;
            DVec3::new(r, r, half)
        }),
        None => sizes::<3>(v).map(DVec3::from_array),
    };
    Ok(match kind {
        "capsule" => {
            let (r, half) = round(v)?;
            let (radius_m, length_m) = (r as f32, 2.0 * half as f32);
            (
                Shape::Capsule { radius_m, length_m },
                capsule(r, 2.0 * half),
            )
        }
        "cylinder" => {
            let (r, half) = round(v)?;
            let (radius_m, length_m) = (r as f32, 2.0 * half as f32);
            (
                Shape::Cylinder { radius_m, length_m },
                cylinder(r, 2.0 * half),
            )
        }
        "box" => {
            let half = three(v)?;
            let half_extents_m = half.as_vec3();
            (Shape::Box { half_extents_m }, cuboid(half))
        }
        "ellipsoid" => {
            let radii = three(v)?;
            (
                Shape::Mesh(Arc::new(ellipsoid_mesh(radii))),
                ellipsoid(radii),
            )
        }
        _ => {
            let [r] = sizes::<1>(v)?;
            (Shape::Sphere { radius_m: r as f32 }, sphere(r))
        }
    })
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

/// Plane as a thin, wide box below it.
fn plane(v: &Values, pose: &mut Pose) -> Result<Shape, ModelError> {
    let sizes = v.numbers("size")?.unwrap_or_default();
    let half = |k: usize| {
        let size = sizes.get(k).copied().unwrap_or_default() as f32;
        if size > 0.0 { size } else { PLANE_HALF_WIDTH_M }
    };
    *pose = *pose * Pose::new(Vec3::NEG_Z * PLANE_HALF_THICKNESS_M, Quat::IDENTITY);
    Ok(Shape::Box {
        half_extents_m: Vec3::new(half(0), half(1), PLANE_HALF_THICKNESS_M),
    })
}

/// Primitive fitted to a mesh: to its bounding box, or to the box of equal inertia.
fn fitted(kind: &str, mesh: &Mesh, mass: Option<Mass>, to_bounds: bool) -> (Shape, Pose) {
    let (low, high) = bounds(mesh);
    let middle = Pose::new((low + high) / 2.0, Quat::IDENTITY);
    let (half, pose) = match mass.filter(|_| !to_bounds) {
        Some(mass) => {
            let (moments, axes) = mass.principal();
            // A box of mass m and half extents a, b, c has the moments m/3 (b² + c²), and so on.
            let sum = (moments.x + moments.y + moments.z) / 2.0;
            let square = |moment: f64| ((sum - moment) * 3.0 / mass.kg).max(0.0);
            let half = DVec3::new(square(moments.x), square(moments.y), square(moments.z));
            let half = half.map(libm::sqrt).as_vec3();
            (
                half,
                Pose::new(mass.com.as_vec3(), axes.as_quat().normalize()),
            )
        }
        None => ((high - low) / 2.0, middle),
    };
    let half = half.max(Vec3::splat(1e-4));
    let radius = half.x.max(half.y);
    let shape = match kind {
        "box" => Shape::Box {
            half_extents_m: half,
        },
        "sphere" if to_bounds => Shape::Sphere {
            radius_m: half.max_element(),
        },
        "sphere" => Shape::Sphere {
            radius_m: (half.x + half.y + half.z) / 3.0,
        },
        "cylinder" => Shape::Cylinder {
            radius_m: if to_bounds {
                radius
            } else {
                (half.x + half.y) / 2.0
            },
            length_m: 2.0 * half.z,
        },
        "capsule" => {
            let radius_m = if to_bounds {
                radius
            } else {
                (half.x + half.y) / 2.0
            };
            let end = if to_bounds { radius_m } else { radius_m / 2.0 };
            Shape::Capsule {
                radius_m,
                length_m: 2.0 * (half.z - end).max(1e-4),
            }
        }
        _ => Shape::Mesh(Arc::new(ellipsoid_mesh(half.as_dvec3()))),
    };
    (shape, pose)
}

fn mass_of(shape: &Shape) -> Option<Mass> {
    Mass::of_shapes(&[with_identity_pose(shape.clone())])
}

fn bounds(mesh: &Mesh) -> (Vec3, Vec3) {
    let mut points = mesh.vertices_m.iter().map(|&v| Vec3::from(v));
    let first = points.next().unwrap_or_default();
    points.fold((first, first), |(l, h), p| (l.min(p), h.max(p)))
}
