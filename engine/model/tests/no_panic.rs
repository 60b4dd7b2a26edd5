//! Fuzz tests: no input makes the loader panic, and every accepted model is valid.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use becomingone_components::body::RobotModel;
use becomingone_model::{Disk, load_mesh, load_robot, parse_robot};
use glam::Vec3;
use proptest::prelude::*;
use std::path::Path;

const GOOD: &str = r#"<robot name="bot"><material name="m"><color rgba="1 0 0 1"/></material>
<link name="a"><inertial><origin xyz="0 0 1" rpy="1 2 3"/><mass value="2"/>
<inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>
<collision><geometry><box size="1 2 3"/></geometry></collision></link>
<link name="b"><visual><geometry><cylinder radius="1" length="2"/></geometry>
<material name="m"/></visual></link>
<link name="c"><collision><geometry><capsule radius="1" length="2"/></geometry></collision></link>
<link name="d"><visual><geometry><mesh filename="package://x/y.stl" scale="1 1 1"/></geometry></visual></link>
<joint name="j" type="revolute"><parent link="a"/><child link="b"/><axis xyz="0 1 0"/>
<limit lower="-1" upper="1" effort="1" velocity="1"/><dynamics damping="1" friction="1"/></joint>
<joint name="k" type="prismatic"><parent link="b"/><child link="c"/><limit lower="1" upper="2"/>
<mimic joint="j" multiplier="2" offset="1"/></joint>
<joint name="l" type="fixed"><parent link="c"/><child link="d"/><origin xyz="$(optenv A 1 2 3)"/></joint>
</robot>"#;

/// Invariants of every accepted model.
fn check(model: &RobotModel) {
    assert_eq!(model.joints.len() + 1, model.links.len());
    for (i, joint) in model.joints.iter().enumerate() {
        assert!(joint.parent < joint.child && joint.child == i + 1);
        assert!(joint.limits.lower <= joint.start && joint.start <= joint.limits.upper);
        assert!((joint.axis.length() - 1.0).abs() < 1e-5);
        assert!(joint.origin.translation_m.is_finite() && joint.origin.rotation.is_normalized());
        assert!(joint.mimic.is_none_or(|m| m.joint < model.joints.len()));
    }
    for (index, link) in model.links.iter().enumerate() {
        let inertial = link.inertial;
        // A fixed root link needs no mass.
        if model.fixed_base && index == 0 && inertial.mass_kg == 0.0 {
            continue;
        }
        assert!(inertial.mass_kg > 0.0 && inertial.com_m.is_finite());
        let m = inertial.inertia_kg_m2.as_dmat3();
        let minor = m.x_axis.x * m.y_axis.y - m.x_axis.y * m.y_axis.x;
        assert!(
            m.x_axis.x > 0.0 && minor > 0.0 && m.determinant() > 0.0,
            "{inertial:?}"
        );
    }
    assert!(model.frames.iter().all(|f| f.link < model.links.len()));
}

fn parse(text: &str) -> Option<RobotModel> {
    let model = parse_robot(text, Path::new("no/such/folder/a.urdf"), &Disk).ok();
    model.inspect(check)
}

/// Words of URDF files, and extreme numbers.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,6}",
        Just("nan".to_owned()),
        Just("-1e400".to_owned()),
        Just("1e38".to_owned()),
        Just("1e-45".to_owned()),
        Just("0".to_owned()),
        Just("-1".to_owned()),
        Just("$(optenv".to_owned()),
        Just("</link>".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("fixed".to_owned()),
        Just("a".to_owned()),
        any::<f64>().prop_map(|x| x.to_string()),
    ]
}

#[test]
fn the_seed_is_valid() {
    assert!(parse(GOOD).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn changed_words(changes in prop::collection::vec((any::<prop::sample::Index>(), word()), 1..4)) {
        // Split at word boundaries, so that many changes remain XML.
        let mut words: Vec<&str> = GOOD.split_inclusive(['"', ' ', '<', '>']).collect();
        for (at, with) in &changes {
            let at = at.index(words.len());
            let last = words[at].chars().last().filter(|c| "\" <>".contains(*c));
            let new = with.clone() + &last.map(String::from).unwrap_or_default();
            words[at] = Box::leak(new.into_boxed_str());
        }
        parse(&words.concat());
    }

    #[test]
    fn changed_values(changes in prop::collection::vec((any::<prop::sample::Index>(), word()), 1..5)) {
        // Every odd part is between quotes.
        let mut parts: Vec<String> = GOOD.split('"').map(String::from).collect();
        for (at, with) in &changes {
            let at = at.index(parts.len() / 2) * 2 + 1;
            parts[at] = with.replace(['"', '<', '&'], "");
        }
        parse(&parts.join("\""));
    }

    #[test]
    fn removed_pieces(from in 0..GOOD.len(), length in 0_usize..60) {
        let to = (from + length).min(GOOD.len());
        parse(&[&GOOD[..from], &GOOD[to..]].concat());
    }

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        parse(&text);
        parse(&format!("<robot name=\"r\">{text}</robot>"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.urdf", "a.stl", "a.obj", "a.dae"] {
            let path = folder.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            let _ = load_robot(&path, &Disk);
            let _ = load_mesh(&path, Vec3::ONE, &Disk);
        }
    }

    #[test]
    fn any_obj(lines in prop::collection::vec(("[vfg#]", prop::collection::vec(word(), 0..5)), 0..20)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.obj");
        let text: Vec<_> = lines.iter().map(|(k, w)| format!("{k} {}", w.join(" "))).collect();
        std::fs::write(&path, text.join("\n")).unwrap();
        let _ = load_mesh(&path, Vec3::ONE, &Disk);
    }
}
