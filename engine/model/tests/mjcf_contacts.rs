//! Contacts of MJCF files: masks, excluded pairs, and what is ignored. Expected values are by `MuJoCo`'s rule: two geoms
//! touch when `contype` of either has a bit of the other's `conaffinity`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use becomingone_components::body::RobotModel;
use becomingone_components::contact_mask::ContactMask;
use becomingone_model::{Disk, parse_robot};
use std::path::Path;

fn load(text: &str) -> Result<RobotModel, String> {
    parse_robot(text, Path::new("a.xml"), &Disk).map_err(|e| e.to_string())
}

/// A world, and a free body with a sphere.
fn ball(world: &str, sphere: &str, rest: &str) -> String {
    format!(
        "<mujoco><worldbody>{world}<body name=\"ball\" pos=\"0 0 1\"><freejoint/>\
         <geom size=\"0.1\" {sphere}/></body></worldbody>{rest}</mujoco>"
    )
}

fn masks(contype: i32, conaffinity: i32) -> String {
    format!("contype=\"{contype}\" conaffinity=\"{conaffinity}\"")
}

#[test]
fn shapes_touch_by_the_masks_of_either() {
    let pairs = [
        (1, 1),
        (1, 0),
        (0, 1),
        (2, 2),
        (2, 1),
        (4, 3),
        (-1, 0),
        (0, 6),
    ];
    for a in pairs {
        for b in pairs {
            let right = (a.0 & b.1) != 0 || (b.0 & a.1) != 0;
            let stand = format!("<geom type=\"box\" size=\"1 1 1\" {}/>", masks(a.0, a.1));
            let model = load(&ball(&stand, &masks(b.0, b.1), "")).unwrap();
            let stand = model.surroundings.colliders[0].contacts;
            let shape = model.links[0].colliders[0].contacts;
            assert_eq!(stand.touches(shape), right, "{a:?} {b:?}");
            // The scene is as a geom without masks; the file's own floor stands for it.
            let on_scene = (b.0 & 1) != 0 || (b.1 & 1) != 0;
            assert_eq!(ContactMask::SCENE.touches(shape), on_scene, "{b:?}");
            let told = model
                .warnings
                .iter()
                .any(|w| w.contains("no shape touches the scene"));
            assert_eq!(told, !on_scene, "{:?}", model.warnings);
            let floor = format!("<geom type=\"plane\" size=\"0 0 1\" {}/>", masks(a.0, a.1));
            let model = load(&ball(&floor, &masks(b.0, b.1), "")).unwrap();
            let shape = model.links[0].colliders[0].contacts;
            assert_eq!(ContactMask::SCENE.touches(shape), right, "{a:?} {b:?}");
        }
    }
    // Robots of other files are as geoms without masks, and not the scene's.
    let other = ContactMask::default();
    assert!(other.touches(ContactMask::SCENE) && other.touches(other));
    let error = load(&ball("", "contype=\"1.5\"", "")).unwrap_err();
    assert!(
        error.contains("expected a whole number of 32 bits"),
        "{error}"
    );
}

/// A second free body.
const OTHER: &str = "<body name=\"cube\"><freejoint/><geom type=\"box\" size=\".1 .1 .1\"/></body>";

#[test]
fn excluded_pairs_of_bodies_do_not_touch() {
    let exclude = |a: &str, b: &str| {
        let pair = format!("<contact><exclude body1=\"{a}\" body2=\"{b}\"/></contact>");
        load(&ball(OTHER, "", &pair))
    };
    let model = exclude("cube", "ball").unwrap();
    assert_eq!(model.excluded.len(), 1);
    let mut names = model.excluded[0].map(|link| model.links[link].name.as_str());
    names.sort_unstable();
    assert_eq!(names, ["ball", "cube"]);
    assert!(model.warnings.is_empty(), "{:?}", model.warnings);
    let model = exclude("world", "ball").unwrap();
    assert!(model.excluded.is_empty());
    assert!(model.warnings[0].contains("<exclude> of \"world\" and \"ball\" is not supported"));
    let error = exclude("cubes", "ball").unwrap_err();
    assert!(
        error.contains("the body \"cubes\"") && error.contains("cube"),
        "{error}"
    );
}

#[test]
fn parameters_of_contacts_are_told_once_where_they_differ_from_the_defaults() {
    let usual = "condim=\"3\" friction=\"1 0.005\" margin=\"0\" solref=\"0.02 1\" priority=\"0\"";
    let model = load(&ball("", usual, "")).unwrap();
    assert!(model.warnings.is_empty(), "{:?}", model.warnings);
    let class = "<default><geom condim=\"1\" margin=\"0.01\"/></default>";
    let text = ball(OTHER, "friction=\"0.5\"", class);
    let model = load(&text).unwrap();
    assert_eq!(model.warnings.len(), 1, "{:?}", model.warnings);
    let words = "not supported and ignored: condim (2 geoms), friction (1 geom), margin (2 geoms);";
    assert!(model.warnings[0].contains(words), "{:?}", model.warnings);
    // They matter in contacts only.
    let seen = "contype=\"0\" conaffinity=\"0\" condim=\"1\"";
    let text = ball("", "", "").replace("</body>", &format!("<geom size=\".1\" {seen}/></body>"));
    let model = load(&text).unwrap();
    assert!(model.warnings.is_empty(), "{:?}", model.warnings);
}

#[test]
fn contacts_that_a_file_disables_are_none() {
    let flag = "<option><flag contact=\"disable\"/></option>";
    let model = load(&ball(OTHER, "", flag)).unwrap();
    assert!(model.links.iter().all(|l| l.colliders.is_empty()));
    assert!(model.warnings[0].contains("nothing of this file touches anything"));
    let urdf = "<robot name='r'><mujoco><option><flag contact='disable'/></option></mujoco><link name='a'>\
                <inertial><mass value='1'/></inertial>\
                <collision><geometry><sphere radius='1'/></geometry></collision></link></robot>";
    let model = parse_robot(urdf, Path::new("a.urdf"), &Disk).unwrap();
    assert!(model.links[0].colliders.is_empty());
    let flag = "<option><flag override=\"enable\"/></option>";
    let model = load(&ball("", "", flag)).unwrap();
    assert!(model.warnings[0].contains("override=\"enable\""));
}
