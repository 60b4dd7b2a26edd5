//! `<geom>`: shape, mass, contacts and visibility.

use super::assets::{Asset, Assets};
use super::element::Values;
use super::primitive::{Primitive, fitted};
use super::settings::Settings;
use crate::ModelError;
use crate::mass::Mass;
use crate::mesh_mass::MeshInertia;
use crate::number::{quoted, shown};
use becomingone_components::body::{Pose, Shape};
use becomingone_components::contact_mask::ContactMask;
use glam::{DQuat, DVec3, Quat, Vec3};
use std::collections::HashMap;
use std::sync::Arc;

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
    /// With what, the scene excepted.
    pub(crate) contacts: ContactMask,
    /// It is visible by the defaults of `MuJoCo`'s viewer: groups 0 to 2.
    pub(crate) visible: bool,
    /// It is an infinite plane.
    pub(crate) plane: bool,
    pub(crate) rgba: [f32; 4],
    /// Why a shape with contacts is missing.
    pub(crate) lost: Option<String>,
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
    let [contype, conaffinity] = [mask(v, "contype")?, mask(v, "conaffinity")?];
    let has_contacts = !settings.no_contacts && (contype != 0 || conaffinity != 0);
    let mut geom = Geom {
        pose: settings.pose(v)?,
        shape: None,
        mass: None,
        has_contacts,
        contacts: ContactMask::of_file(contype, conaffinity),
        visible: (0..=2).contains(&group),
        plane: kind == "plane",
        rgba: rgba(v, assets)?,
        lost: None,
        warning: None,
    };
    let mut water_mass = None;
    let shell = v.switch("shellinertia")? == Some(true);
    match (kind, v.text("mesh")) {
        ("plane", _) => geom.shape = Some(plane(v, &mut geom.pose)?),
        ("hfield", _) => match asset(v, "hfield", &assets.height_fields)? {
            Asset::HeightField(field) => {
                geom.shape = Some(Shape::HeightField(Arc::clone(field)));
            }
            Asset::Invalid(error) => return Err(error.clone()),
            Asset::Ignored(why) => geom.lost = Some(why.clone()),
            Asset::Mesh { .. } => {}
        },
        ("mesh" | "sdf", None) => {
            v.required("mesh")?;
        }
        (_, Some(name)) => match asset(v, "mesh", &assets.meshes)? {
            Asset::Mesh { mesh, mass } if kind == "mesh" || kind == "sdf" => {
                let shape = Shape::Mesh(Arc::clone(mesh));
                water_mass = *mass;
                if shell {
                    let text = "shellinertia of a mesh geom is read as inertia=\"shell\" of its <mesh>: MuJoCo takes it \
                                there only";
                    geom.warning = Some(text.to_owned());
                    water_mass = MeshInertia::Shell
                        .mass(&mesh.vertices_m, &mesh.triangles)
                        .unwrap_or_default();
                } else if mass.is_none() {
                    let text = format!(
                        "mesh {name:?}, without volume, has the mass of its bounding box; inertia=\"shell\" would \
                         give it that of its surface"
                    );
                    geom.warning = Some(text);
                    water_mass = Mass::of_shapes(&[with_identity_pose(shape.clone())]);
                }
                geom.shape = Some(shape);
            }
            Asset::Mesh { mesh, mass } => {
                let (primitive, pose) = fitted(v, kind, mesh, *mass, settings.fit_box)?;
                water_mass = Some(primitive.mass(shell));
                geom.pose = geom.pose * pose;
                geom.shape = Some(primitive.shape());
            }
            Asset::HeightField(_) => {}
            Asset::Ignored(why) => geom.lost = has_contacts.then(|| why.clone()),
            Asset::Invalid(error) if has_contacts => {
                return Err(v.refuse("mesh", error.to_string(), "expected a valid mesh"));
            }
            Asset::Invalid(error) => geom.warning = Some(format!("mesh ignored: {error}")),
        },
        (kind, None) => {
            if v.has("fromto") {
                geom.warning = match kind {
                    "sphere" => Some("fromto of a sphere is ignored: MuJoCo refuses it".to_owned()),
                    _ if v.has("pos") => {
                        Some("pos is ignored beside fromto: MuJoCo refuses both".to_owned())
                    }
                    _ => None,
                };
            }
            let primitive = primitive(kind, v, &mut geom.pose)?;
            water_mass = Some(primitive.mass(shell));
            geom.shape = Some(primitive.shape());
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
        contacts: ContactMask::default(),
    }
}

/// Bits of `contype` or `conaffinity`; those of a negative number are in two's complement.
fn mask(v: &Values, name: &str) -> Result<u32, ModelError> {
    let number = v.number(name)?.unwrap_or(1.0);
    if number.fract() == 0.0 && number >= f64::from(i32::MIN) && number <= f64::from(i32::MAX) {
        return Ok((number as i32).cast_unsigned());
    }
    let found = format!("{name} = {}", shown(number));
    Err(v.refuse(name, found, "expected a whole number of 32 bits"))
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

/// The asset that the attribute `kind` names.
fn asset<'a>(
    v: &Values,
    kind: &str,
    assets: &'a HashMap<String, Asset>,
) -> Result<&'a Asset, ModelError> {
    let name = v.required(kind)?;
    assets.get(name).ok_or_else(|| {
        let mut known: Vec<_> = assets.keys().map(String::as_str).collect();
        known.sort_unstable();
        let found = format!("the {kind} {name:?}, which is not among this file's assets");
        v.refuse(kind, found, format!("expected the name of a <{kind}>"))
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

/// Primitive shape from its sizes.
fn primitive(kind: &str, v: &Values, pose: &mut Pose) -> Result<Primitive, ModelError> {
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
        "capsule" => round(v).map(|(r, half)| Primitive::Capsule { r, half })?,
        "cylinder" => round(v).map(|(r, half)| Primitive::Cylinder { r, half })?,
        "box" => Primitive::Box(three(v)?),
        "ellipsoid" => Primitive::Ellipsoid(three(v)?),
        _ => Primitive::Sphere(sizes::<1>(v)?[0]),
    })
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
