//! Repair of physically inconsistent inertias and of missing masses, from the shapes of the link.

use crate::Place;
use crate::draft::{DraftLink, Warnings};
use crate::mass::{Mass, sphere, sphere_radius};
use crate::number::shown;
use becomingone_components::body::Geometry;
use glam::{DMat3, DVec3};

/// A mass below this counts as missing (kg): some files have a tiny one to satisfy a parser.
const MASSLESS_KG: f64 = 1e-9;
/// Radius of the sphere of water assumed for a moving link without mass or shape (m): 0.11 kg,
/// light compared with a robot's links, heavy enough for the joint solver.
const SPHERE_RADIUS_M: f64 = 0.03;
/// Least radius of the sphere assumed for a mass without shape (m).
const MIN_SPHERE_RADIUS_M: f64 = 0.01;
/// Least default mass of a link (kg).
const MIN_LINK_KG: f64 = 1e-3;
/// Tolerance of the triangle inequality of the principal moments, as a share of the trace: the
/// rounding error of files with three digits.
const ROUNDING_SHARE: f64 = 5e-3;
/// Largest correction of a nearly consistent inertia: percent of the trace added to each moment.
const MAX_CORRECTION_PERCENT: u32 = 5;
/// Least principal moment as a share of the trace: below it the inverse is inaccurate in `f32`.
const MIN_MOMENT_RATIO: f64 = 1e-6;
/// Least radius of gyration about the axis of the largest moment (m).
const MIN_GYRATION_M: f64 = 1e-4;

/// Mass of a link with a consistent inertia; `None` if it has none: a link fixed to it may have one.
///
/// An inconsistent inertia is corrected or replaced by that of the shapes, with a warning.
pub(crate) fn link_mass(link: &DraftLink, warnings: &mut Warnings) -> Option<Mass> {
    let mass = link.mass?;
    if mass.kg < MASSLESS_KG {
        if mass.kg > 0.0 {
            let (name, kg) = (&link.name, shown(mass.kg));
            let text = format!(
                "link {name:?}: a mass of {kg} kg counts as none: it is below {MASSLESS_KG:?} kg"
            );
            warnings.push(&link.place, text);
        }
        return None;
    }
    let Some(wrong) = inconsistency(&mass) else {
        return Some(mass);
    };
    if let Some((corrected, part)) = corrected(mass) {
        let text = format!(
            "link {:?}: its inertia {wrong}; {part} % of its trace was added to each moment",
            link.name
        );
        warnings.push(&link.place, text);
        return Some(corrected);
    }
    let (shape, origin) = shape_mass(&link.colliders, &link.visuals, Some(mass.kg));
    warnings.push(
        &link.place,
        format!(
            "link {:?}: its inertia {wrong}; it is replaced by that of {origin}",
            link.name
        ),
    );
    let inertia = shape.scaled_to(mass.kg).inertia;
    Some(regularised(Mass { inertia, ..mass }))
}

/// Whether an inertia is consistent, whatever the mass.
pub(crate) fn has_valid_inertia(mass: &Mass) -> bool {
    let trace = trace(&mass.inertia);
    trace > 0.0 && inconsistency(&Mass { kg: trace, ..*mass }).is_none()
}

/// Default mass of a link without mass: that of its shapes, with a warning.
pub(crate) fn default_mass(
    name: &str,
    place: &Place,
    colliders: &[Geometry],
    visuals: &[Geometry],
    warnings: &mut Warnings,
) -> Mass {
    let (mass, origin) = shape_mass(colliders, visuals, None);
    let mass = regularised(mass.scaled_to(mass.kg.max(MIN_LINK_KG)));
    warnings.push(
        place,
        format!(
            "link {name:?} has no mass; {:.3} kg is assumed, that of {origin} at the density of water",
            mass.kg
        ),
    );
    mass
}

/// Mass of the colliders, else of the visuals, else of a small sphere; and which one, for a message.
fn shape_mass(
    colliders: &[Geometry],
    visuals: &[Geometry],
    kg: Option<f64>,
) -> (Mass, &'static str) {
    if let Some(mass) = Mass::of_shapes(colliders) {
        return (mass, "its colliders");
    }
    if let Some(mass) = Mass::of_shapes(visuals) {
        return (mass, "its visuals");
    }
    let radius = kg.map_or(SPHERE_RADIUS_M, |kg| {
        sphere_radius(kg).max(MIN_SPHERE_RADIUS_M)
    });
    (sphere(radius), "a small sphere")
}

/// Why an inertia is physically inconsistent; `None` if it is consistent.
///
/// An inertia is consistent if its second moments `½ tr(I) E - I` have no negative
/// eigenvalue, which is the triangle inequality of the principal moments (Wensing, Kim and
/// Slotine 2018, "Linear matrix inequalities for physically consistent inertial parameter
/// identification", IEEE RA-L 3(1)).
fn inconsistency(mass: &Mass) -> Option<&'static str> {
    let inertia = mass.inertia;
    let trace = trace(&inertia);
    if inertia == DMat3::ZERO {
        return Some("is zero");
    }
    if !positive_definite(&(inertia - scalar(MIN_MOMENT_RATIO * trace))) {
        return Some("is not positive definite");
    }
    if !positive_definite(&(scalar((0.5 + ROUNDING_SHARE) * trace) - inertia)) {
        return Some("is impossible (one principal moment exceeds the sum of the others)");
    }
    if trace < 2.0 * mass.kg * MIN_GYRATION_M * MIN_GYRATION_M {
        return Some("is close to zero");
    }
    None
}

/// Adds the least whole percentage of the trace to all moments that makes the inertia consistent;
/// `None` if that takes more than [`MAX_CORRECTION_PERCENT`]. Files of real robots have such
/// measurement errors, and are more accurate than the bounding box of a mesh.
fn corrected(mass: Mass) -> Option<(Mass, u32)> {
    if !positive_definite(&mass.inertia) {
        return None;
    }
    (1..=MAX_CORRECTION_PERCENT).find_map(|part| {
        let inertia = mass.inertia + scalar(trace(&mass.inertia) * f64::from(part) / 100.0);
        let corrected = Mass { inertia, ..mass };
        inconsistency(&corrected)
            .is_none()
            .then_some((corrected, part))
    })
}

/// Raises all moments equally if the inertia is too slender for `f32`.
fn regularised(mass: Mass) -> Mass {
    if inconsistency(&mass).is_none() {
        return mass;
    }
    let least = mass.kg * MIN_GYRATION_M * MIN_GYRATION_M;
    let corrected = least + 2.0 * MIN_MOMENT_RATIO * trace(&mass.inertia);
    Mass {
        inertia: mass.inertia + scalar(corrected),
        ..mass
    }
}

fn trace(m: &DMat3) -> f64 {
    m.x_axis.x + m.y_axis.y + m.z_axis.z
}

/// Multiple of the unit matrix.
fn scalar(x: f64) -> DMat3 {
    DMat3::from_diagonal(DVec3::splat(x))
}

/// Sylvester's criterion: the leading minors are positive; false for NaN.
fn positive_definite(m: &DMat3) -> bool {
    let (x, y) = (m.x_axis, m.y_axis);
    x.x > 0.0 && x.x * y.y - x.y * y.x > 0.0 && m.determinant() > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_components::body::{Pose, Shape};
    use glam::Vec3;

    fn with_moments(x: f64, y: f64, z: f64) -> Mass {
        Mass {
            kg: 2.0,
            com: DVec3::ZERO,
            inertia: DMat3::from_diagonal(DVec3::new(x, y, z)),
        }
    }

    #[test]
    fn consistent_inertias_do_not_change() {
        assert_eq!(inconsistency(&with_moments(1.0, 1.0, 2.0)), None);
        assert_eq!(inconsistency(&with_moments(0.01, 0.011, 0.02)), None);
        assert_eq!(inconsistency(&with_moments(1.0, 1.0, 6e-6)), None);
    }

    #[test]
    fn inconsistent_inertias_have_a_reason() {
        for (mass, word) in [
            (with_moments(0.0, 0.0, 0.0), "zero"),
            (with_moments(1.0, 1.0, 2.5), "sum of the others"),
            (with_moments(1.0, 1.0, 0.0), "positive definite"),
            (with_moments(1.0, -1.0, 1.0), "positive definite"),
            (with_moments(1e-12, 1e-12, 1e-12), "close to zero"),
        ] {
            let wrong = inconsistency(&mass).unwrap();
            assert!(wrong.contains(word), "{wrong}");
        }
        // Valid diagonal, products of inertia too large.
        let mut mass = with_moments(1.0, 1.0, 1.0);
        mass.inertia.x_axis.y = 2.0;
        mass.inertia.y_axis.x = 2.0;
        assert!(inconsistency(&mass).is_some());
    }

    #[test]
    fn small_inconsistency_is_corrected_by_the_least_percentage() {
        // 2.1 - 2 = 0.1 too much; each percent of the trace of 4.1 corrects 0.041.
        let (mass, part) = corrected(with_moments(1.0, 1.0, 2.1)).unwrap();
        assert_eq!((part, inconsistency(&mass)), (2, None));
        assert!(corrected(with_moments(1.0, 1.0, 2.5)).is_none());
        assert!(corrected(with_moments(1.0, 1.0, 0.0)).is_none());
    }

    fn link(mass: Option<Mass>, colliders: Vec<Geometry>) -> DraftLink {
        DraftLink {
            hidden: false,
            name: "arm".into(),
            place: Place {
                file: "a.urdf".into(),
                line: 4,
                column: 2,
            },
            mass,
            colliders,
            visuals: Vec::new(),
            lost: Vec::new(),
        }
    }

    fn box_collider(half: Vec3) -> Geometry {
        Geometry {
            pose: Pose::IDENTITY,
            shape: Shape::Box {
                half_extents_m: half,
            },
            rgba: [1.0; 4],
            contacts: becomingone_components::contact_mask::ContactMask::default(),
        }
    }

    #[test]
    fn inertia_comes_from_the_shape() {
        let mut warnings = Warnings::default();
        let link = link(
            Some(with_moments(0.0, 0.0, 0.0)),
            vec![box_collider(Vec3::splat(0.5))],
        );
        let mass = link_mass(&link, &mut warnings).unwrap();
        // A cube of edge 1 m: m / 6.
        assert!((mass.inertia.x_axis.x - 2.0 / 6.0).abs() < 1e-9);
        let warnings = warnings.finish();
        assert!(warnings[0].starts_with("a.urdf:4:2: link \"arm\": its inertia is zero"));
        assert!(warnings[0].contains("colliders"));
    }

    #[test]
    fn thin_and_tiny_shapes_have_consistent_inertias() {
        for half in [
            Vec3::new(1.0, 1e-6, 1e-6),
            Vec3::splat(1e-6),
            Vec3::splat(1e-20),
        ] {
            let mut warnings = Warnings::default();
            let shapes = [box_collider(half)];
            let place = link(None, vec![]).place;
            let mass = default_mass("arm", &place, &shapes, &[], &mut warnings);
            assert!(mass.kg >= MIN_LINK_KG);
            assert_eq!(inconsistency(&mass), None, "{mass:?}");
        }
    }

    #[test]
    fn tiny_mass_counts_as_missing() {
        let mut grain = with_moments(1.0, 1.0, 1.0);
        grain.kg = 1e-12;
        let mut warnings = Warnings::default();
        assert_eq!(link_mass(&link(Some(grain), vec![]), &mut warnings), None);
        assert_eq!(link_mass(&link(None, vec![]), &mut warnings), None);
        let warnings = warnings.finish();
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0].contains("a mass of 1e-12 kg counts as none"),
            "{warnings:?}"
        );
    }
}
