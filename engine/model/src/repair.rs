//! Masses and inertias that cannot be, replaced by those of the shapes.

use crate::Place;
use crate::draft::{DraftLink, Warnings};
use crate::mass::{Mass, ball, ball_radius};
use becomingone_components::body::Geometry;
use glam::{DMat3, DVec3};

/// A mass below this is taken for none (kg): a dust grain's, written to satisfy a parser.
const MASSLESS_KG: f64 = 1e-9;
/// Radius of the ball that stands for a moving link without mass or shape (metres): 0.11 kg
/// of water, light beside a robot's parts and not so light that joints cannot be solved.
const BALL_RADIUS_M: f64 = 0.03;
/// Least radius of the ball that stands for a mass without shape (metres).
const LEAST_BALL_RADIUS_M: f64 = 0.01;
/// Least mass that a part without mass is given (kg).
const LEAST_PART_KG: f64 = 1e-3;
/// By how much of the trace a principal moment may exceed the sum of the other two: the
/// rounding of files with three digits.
const ROUNDING: f64 = 5e-3;
/// Largest part of the trace (in percent) that is added to each moment of an inertia that is
/// nearly possible.
const SLIP_PERCENT: u32 = 5;
/// Least principal moment as part of the trace: below it `f32` has no correct inverse.
const LEAST_RATIO: f64 = 1e-6;
/// Least radius of gyration about the axis of the largest moment (metres).
const LEAST_GYRATION_M: f64 = 1e-4;

/// A link's mass as it will be counted: `None` where it has none, which a neighbour that
/// it is fixed to may make good.
///
/// A mass whose inertia cannot be gets that of the link's shapes, with a warning.
pub(crate) fn link_mass(link: &DraftLink, warnings: &mut Warnings) -> Option<Mass> {
    let mass = link.mass.filter(|mass| mass.kg >= MASSLESS_KG)?;
    let Some(wrong) = impossible(&mass) else {
        return Some(mass);
    };
    if let Some((raised, part)) = raised(mass) {
        let text = format!(
            "link {:?}: its inertia {wrong}; {part} % of its trace were added to each moment",
            link.name
        );
        warnings.push(&link.place, text);
        return Some(raised);
    }
    let (shape, origin) = shape_mass(&link.colliders, &link.visuals, Some(mass.kg));
    warnings.push(
        &link.place,
        format!(
            "link {:?}: its inertia {wrong}; it was replaced by that of {origin}",
            link.name
        ),
    );
    let inertia = shape.scaled_to(mass.kg).inertia;
    Some(possible(Mass { inertia, ..mass }))
}

/// The mass of a part that has none of its own: that of its shapes, with a warning.
pub(crate) fn part_mass(
    name: &str,
    place: &Place,
    colliders: &[Geometry],
    visuals: &[Geometry],
    warnings: &mut Warnings,
) -> Mass {
    let (mass, origin) = shape_mass(colliders, visuals, None);
    let mass = possible(mass.scaled_to(mass.kg.max(LEAST_PART_KG)));
    warnings.push(
        place,
        format!(
            "link {name:?} has no mass; it was given {:.3} kg, that of {origin} filled with water",
            mass.kg
        ),
    );
    mass
}

/// Mass from colliders, else from visuals, else of a small ball; and the words for which.
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
    let radius = kg.map_or(BALL_RADIUS_M, |kg| ball_radius(kg).max(LEAST_BALL_RADIUS_M));
    (ball(radius), "a small ball")
}

/// What is wrong with an inertia, if anything.
///
/// A body's inertia is possible when its second moments `½ tr(I) E - I` have no negative
/// eigenvalue, which is the triangle inequality of the principal moments (Wensing, Kim and
/// Slotine 2018, "Linear matrix inequalities for physically consistent inertial parameter
/// identification", IEEE RA-L 3(1)).
fn impossible(mass: &Mass) -> Option<&'static str> {
    let inertia = mass.inertia;
    let trace = trace(&inertia);
    if inertia == DMat3::ZERO {
        return Some("is zero");
    }
    if !positive_definite(&(inertia - scalar(LEAST_RATIO * trace))) {
        return Some("is not positive definite");
    }
    if !positive_definite(&(scalar((0.5 + ROUNDING) * trace) - inertia)) {
        return Some("is impossible (one principal moment exceeds the sum of the others)");
    }
    if trace < 2.0 * mass.kg * LEAST_GYRATION_M * LEAST_GYRATION_M {
        return Some("is next to zero");
    }
    None
}

/// The same mass, its inertia raised alike about all axes by the least whole part of its
/// trace (in percent) that makes it possible; `None` where that would take more than a
/// slip of measurement. Real robots' files have such slips, and what they say is nearer to
/// the truth than the box about a mesh.
fn raised(mass: Mass) -> Option<(Mass, u32)> {
    if !positive_definite(&mass.inertia) {
        return None;
    }
    (1..=SLIP_PERCENT).find_map(|part| {
        let inertia = mass.inertia + scalar(trace(&mass.inertia) * f64::from(part) / 100.0);
        let raised = Mass { inertia, ..mass };
        impossible(&raised).is_none().then_some((raised, part))
    })
}

/// The same mass, its inertia raised alike about all axes where it is too thin for `f32`.
fn possible(mass: Mass) -> Mass {
    if impossible(&mass).is_none() {
        return mass;
    }
    let least = mass.kg * LEAST_GYRATION_M * LEAST_GYRATION_M;
    let raised = least + 2.0 * LEAST_RATIO * trace(&mass.inertia);
    Mass {
        inertia: mass.inertia + scalar(raised),
        ..mass
    }
}

fn trace(m: &DMat3) -> f64 {
    m.x_axis.x + m.y_axis.y + m.z_axis.z
}

/// A multiple of the unit matrix.
fn scalar(x: f64) -> DMat3 {
    DMat3::from_diagonal(DVec3::splat(x))
}

/// By the signs of the leading minors (Sylvester); false for NaN.
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
    fn possible_inertias_are_left_alone() {
        assert_eq!(impossible(&with_moments(1.0, 1.0, 2.0)), None);
        assert_eq!(impossible(&with_moments(0.01, 0.011, 0.02)), None);
        assert_eq!(impossible(&with_moments(1.0, 1.0, 6e-6)), None);
    }

    #[test]
    fn impossible_inertias_are_named() {
        for (mass, word) in [
            (with_moments(0.0, 0.0, 0.0), "zero"),
            (with_moments(1.0, 1.0, 2.5), "sum of the others"),
            (with_moments(1.0, 1.0, 0.0), "positive definite"),
            (with_moments(1.0, -1.0, 1.0), "positive definite"),
            (with_moments(1e-12, 1e-12, 1e-12), "next to zero"),
        ] {
            let wrong = impossible(&mass).unwrap();
            assert!(wrong.contains(word), "{wrong}");
        }
        // Diagonal fine, products too large.
        let mut mass = with_moments(1.0, 1.0, 1.0);
        mass.inertia.x_axis.y = 2.0;
        mass.inertia.y_axis.x = 2.0;
        assert!(impossible(&mass).is_some());
    }

    #[test]
    fn a_slip_is_raised_and_no_more() {
        // 2.1 - 2 = 0.1 too much; each percent of the trace of 4.1 mends 0.041.
        let (mass, part) = raised(with_moments(1.0, 1.0, 2.1)).unwrap();
        assert_eq!((part, impossible(&mass)), (2, None));
        assert!(raised(with_moments(1.0, 1.0, 2.5)).is_none());
        assert!(raised(with_moments(1.0, 1.0, 0.0)).is_none());
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
        }
    }

    fn box_collider(half: Vec3) -> Geometry {
        Geometry {
            pose: Pose::IDENTITY,
            shape: Shape::Box {
                half_extents_m: half,
            },
            rgba: [1.0; 4],
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
    fn thin_and_tiny_shapes_end_up_possible() {
        for half in [
            Vec3::new(1.0, 1e-6, 1e-6),
            Vec3::splat(1e-6),
            Vec3::splat(1e-20),
        ] {
            let mut warnings = Warnings::default();
            let shapes = [box_collider(half)];
            let place = link(None, vec![]).place;
            let mass = part_mass("arm", &place, &shapes, &[], &mut warnings);
            assert!(mass.kg >= LEAST_PART_KG);
            assert_eq!(impossible(&mass), None, "{mass:?}");
        }
    }

    #[test]
    fn a_grain_counts_as_no_mass() {
        let mut grain = with_moments(1.0, 1.0, 1.0);
        grain.kg = 1e-12;
        let mut warnings = Warnings::default();
        assert_eq!(link_mass(&link(Some(grain), vec![]), &mut warnings), None);
        assert_eq!(link_mass(&link(None, vec![]), &mut warnings), None);
    }
}
