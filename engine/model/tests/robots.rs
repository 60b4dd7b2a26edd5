//! Models read from valid and from unusual URDF files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use becomingone_components::body::{JointKind, JointLimits, Pose, RobotModel, Shape};
use becomingone_model::{Disk, Files, MissingAllowed, load_robot, parse_robot, wheel_cylinder};
use glam::{Mat3, Vec3};
use std::f32::consts::FRAC_PI_2;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn parse(text: &str) -> RobotModel {
    parse_robot(text, Path::new("a.urdf"), &Disk).unwrap()
}

/// Consistent inertial.
const INERTIAL: &str = r#"<inertial><mass value="1"/>
<inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>"#;

fn near(a: Vec3, b: Vec3) {
    assert!((a - b).length() < 1e-5, "{a} {b}");
}

/// Two halves of a box of 2 x 0.4 x 0.2 m and 16 kg, the right one rotated by pi about z.
const HALVES: &str = r#"<robot name="halves">
<link name="left"><inertial><origin xyz="-0.5 0 0"/><mass value="8"/>
  <inertia ixx="0.1333333333" iyy="0.6933333333" izz="0.7733333333"/></inertial></link>
<link name="right"><inertial><origin xyz="0.5 0 0"/><mass value="8"/>
  <inertia ixx="0.1333333333" iyy="0.6933333333" izz="0.7733333333"/></inertial>
  <collision><origin xyz="0.5 0 0"/><geometry><box size="1 0.4 0.2"/></geometry></collision></link>
<joint name="weld" type="fixed"><parent link="left"/><child link="right"/>
  <origin xyz="1 0 0" rpy="0 0 3.14159265358979"/></joint>
</robot>"#;

#[test]
fn two_halves_are_fused_to_the_whole_box() {
    let model = parse(HALVES);
    assert_eq!((model.links.len(), model.joints.len()), (1, 0));
    assert!(model.warnings.is_empty(), "{:?}", model.warnings);
    let inertial = model.links[0].inertial;
    assert_eq!(inertial.mass_kg, 16.0);
    near(inertial.com_m, Vec3::ZERO);
    // m/12 (b² + c²) of the whole box.
    let whole = Vec3::new(0.2, 4.04, 4.16) * (16.0 / 12.0);
    let error = inertial.inertia_kg_m2 - Mat3::from_diagonal(whole);
    assert!(
        error.to_cols_array().iter().all(|e| e.abs() < 1e-5),
        "{error}"
    );
    near(
        model.links[0].colliders[0].pose.translation_m,
        Vec3::X * 0.5,
    );
}

#[test]
fn fused_links_remain_as_frames() {
    let model = parse(HALVES);
    let names: Vec<_> = model
        .frames
        .iter()
        .map(|f| (f.name.as_str(), f.link))
        .collect();
    assert_eq!(names, [("left", 0), ("right", 0)]);
    assert_eq!(model.links[0].name, "left");
    let right = model.frame("right").unwrap();
    near(right.pose.translation_m, Vec3::X);
    near(right.pose.point(Vec3::X), Vec3::ZERO);
}

#[test]
fn roll_pitch_yaw_turn_about_fixed_axes() {
    let model = parse(
        r#"<robot name="r"><link name="a"/><link name="b"/>
        <joint name="j" type="fixed"><parent link="a"/><child link="b"/>
        <origin xyz="1 2 3" rpy="1.5707963 1.5707963 0"/></joint></robot>"#,
    );
    let pose = model.frame("b").unwrap().pose;
    // y: roll takes it to z, pitch takes z to x.
    near(pose.point(Vec3::Y), Vec3::new(2.0, 2.0, 3.0));
    // z: roll takes it to -y, where pitch leaves it.
    near(pose.point(Vec3::Z), Vec3::new(1.0, 1.0, 3.0));
}

#[test]
fn inertia_is_turned_into_the_axes_of_its_link() {
    let model = parse(
        r#"<robot name="r"><link name="a"><inertial><origin rpy="0 0 1.5707963"/>
        <mass value="1"/><inertia ixx="1" iyy="2" izz="2.5"/></inertial></link></robot>"#,
    );
    let inertia = model.links[0].inertial.inertia_kg_m2;
    near(inertia * Vec3::X, Vec3::X * 2.0);
    near(inertia * Vec3::Y, Vec3::Y);
    assert_eq!(inertia, inertia.transpose());
}

/// Rover whose links are not in tree order.
fn rover() -> String {
    format!(
        r#"<?xml version="1.0"?><robot name="rover">
<link name="wheel_r">{INERTIAL}</link>
<link name="camera"><visual><geometry><box size="0.1 0.1 0.1"/></geometry></visual></link>
<link name="base">{INERTIAL}</link>
<link name="wheel_l">{INERTIAL}
 <collision><origin rpy="1.5707963 0 0"/><geometry><cylinder radius="0.2" length="0.1"/></geometry></collision>
</link>
<link name="mast">{INERTIAL}</link>
<joint name="mast_joint" type="revolute"><parent link="base"/><child link="mast"/>
 <limit lower="-1" upper="1" effort="5" velocity="2"/><dynamics damping="0.5" friction="0.25"/></joint>
<joint name="left" type="continuous"><parent link="base"/><child link="wheel_l"/>
 <origin xyz="0 0.3 0"/><axis xyz="0 2 0"/><limit effort="10" lower="3" upper="-3"/></joint>
<joint name="camera_joint" type="fixed"><parent link="mast"/><child link="camera"/>
 <origin xyz="0 0 0.5"/></joint>
<joint name="right" type="continuous"><parent link="base"/><child link="wheel_r"/>
 <origin xyz="0 -0.3 0"/><axis xyz="0 1 0"/></joint>
</robot>"#
    )
}

#[test]
fn links_and_joints_are_in_tree_order_and_file_order() {
    let model = parse(&rover());
    let links: Vec<_> = model.links.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(links, ["base", "mast", "wheel_l", "wheel_r"]);
    let joints: Vec<_> = model
        .joints
        .iter()
        .map(|j| (j.name.as_str(), j.parent, j.child))
        .collect();
    assert_eq!(
        joints,
        [("mast_joint", 0, 1), ("left", 0, 2), ("right", 0, 3)]
    );
    let camera = model.frame("camera").unwrap();
    assert_eq!(
        (camera.link, camera.pose),
        (1, Pose::new(Vec3::Z * 0.5, glam::Quat::IDENTITY))
    );
    assert_eq!(model.frames.len(), 5);
    assert_eq!(model.mass_kg(), 4.0);
    assert_eq!(
        (model.name.as_str(), model.file.as_str()),
        ("rover", "a.urdf")
    );
    assert!(model.warnings.is_empty(), "{:?}", model.warnings);
}

#[test]
fn joints_keep_what_the_file_says() {
    let model = parse(&rover());
    let [mast, left, right] = model.joints.as_slice() else {
        panic!("three joints");
    };
    assert_eq!(mast.kind, JointKind::Revolute);
    assert_eq!(mast.axis, Vec3::X);
    assert_eq!((mast.damping, mast.friction), (0.5, 0.25));
    let limits = JointLimits {
        lower: -1.0,
        upper: 1.0,
        effort: 5.0,
        velocity: 2.0,
    };
    assert_eq!(mast.limits, limits);
    assert_eq!(left.axis, Vec3::Y);
    let limits = JointLimits {
        effort: 10.0,
        ..JointLimits::NONE
    };
    assert_eq!(left.limits, limits);
    assert_eq!(right.limits, JointLimits::NONE);
    near(right.origin.translation_m, Vec3::NEG_Y * 0.3);
}

#[test]
fn a_wheel_gives_its_cylinder() {
    let model = parse(&rover());
    let (radius, width, pose) = wheel_cylinder(&model.links[2], model.joints[1].axis).unwrap();
    assert!((radius - 0.2).abs() < 1e-4 && (width - 0.1).abs() < 1e-4);
    near(pose.rotation * Vec3::Z, Vec3::Y);
}

#[test]
fn a_joint_below_a_fused_link_hangs_on_the_whole() {
    let model = parse(&format!(
        r#"<robot name="r"><link name="world"/><link name="base">{INERTIAL}</link>
        <link name="arm">{INERTIAL}</link>
        <joint name="f" type="fixed"><parent link="world"/><child link="base"/>
        <origin xyz="0 0 1" rpy="0 0 1.5707963"/></joint>
        <joint name="j" type="prismatic"><parent link="base"/><child link="arm"/>
        <origin xyz="1 0 0"/><axis xyz="0 0 1"/><limit lower="0" upper="1"/></joint></robot>"#
    ));
    assert_eq!(model.links[0].name, "world");
    assert!(model.fixed_base);
    assert_eq!((model.written.links, model.written.moving_joints), (3, 1));
    near(
        model.joints[0].origin.translation_m,
        Vec3::new(0.0, 1.0, 1.0),
    );
    near(model.joints[0].origin.rotation * Vec3::X, Vec3::Y);
    // The massless world link is fused with the base, without a warning.
    assert!(model.warnings.is_empty(), "{:?}", model.warnings);
    assert_eq!(model.links[0].inertial.mass_kg, 1.0);
    near(model.links[0].inertial.com_m, Vec3::Z);
}

/// Robot of two links and a joint with this content.
fn jointed(joint: &str) -> String {
    format!(
        "<robot name=\"r\"><link name=\"a\">{INERTIAL}</link><link name=\"b\">{INERTIAL}</link>\n\
        <joint name=\"j\" {joint}<parent link=\"a\"/><child link=\"b\"/></joint></robot>"
    )
}

#[test]
fn joints_start_within_their_limits() {
    for (limit, start) in [("0.5 1", 0.5), ("-2 -1", -1.0), ("-1 1", 0.0)] {
        let (lower, upper) = limit.split_once(' ').unwrap();
        let model = parse(&jointed(&format!(
            "type=\"revolute\"><limit lower=\"{lower}\" upper=\"{upper}\" effort=\"1\" velocity=\"1\"/>"
        )));
        assert_eq!(model.joints[0].start, start);
        assert_eq!(
            model.warnings.len(),
            usize::from(start != 0.0),
            "{:?}",
            model.warnings
        );
        if start != 0.0 {
            assert!(model.warnings[0].starts_with("a.urdf:4:1: joint \"j\" starts at"));
        }
    }
}

#[test]
fn mimics_refer_to_an_index_and_start_at_the_derived_position() {
    let leaf = |name: &str| format!("<link name=\"{name}\">{INERTIAL}</link>");
    let model = parse(&format!(
        r#"<robot name="r">{}{}{}
        <joint name="follower" type="revolute"><parent link="a"/><child link="b"/>
        <limit lower="-3" upper="3"/><mimic joint="leader" multiplier="-2" offset="0.5"/></joint>
        <joint name="leader" type="revolute"><parent link="a"/><child link="c"/>
        <limit lower="1" upper="2"/></joint></robot>"#,
        leaf("a"),
        leaf("b"),
        leaf("c")
    ));
    let mimic = model.joints[0].mimic.unwrap();
    assert_eq!(
        (mimic.joint, mimic.multiplier, mimic.offset),
        (1, -2.0, 0.5)
    );
    assert_eq!((model.joints[1].start, model.joints[0].start), (1.0, -1.5));
}

#[test]
fn missing_limits_are_no_limits() {
    for (joint, warned) in [
        ("type=\"revolute\">", true),
        ("type=\"prismatic\"><limit effort=\"1\"/>", true),
        ("type=\"continuous\">", false),
        ("type=\"floating\">", false),
        ("type=\"planar\">", false),
    ] {
        let model = parse(&jointed(joint));
        assert_eq!(model.joints[0].limits.lower, f32::NEG_INFINITY, "{joint}");
        assert_eq!(model.joints[0].limits.velocity, f32::INFINITY, "{joint}");
        assert_eq!(!model.warnings.is_empty(), warned, "{joint}");
    }
}

#[test]
fn zero_effort_is_no_limit() {
    let model = parse(&jointed(
        "type=\"revolute\"><limit lower=\"-1\" upper=\"1\" effort=\"0\" velocity=\"-1\"/>",
    ));
    assert_eq!(model.joints[0].limits.effort, f32::INFINITY);
    assert!(model.warnings[0].contains("effort and velocity not above zero"));
}

#[test]
fn unusual_files_load() {
    let model = parse(&format!(
        "\u{feff}\n<!-- by hand -->\n<?xml version=\"1.0\"?>\n{}",
        r#"<robot name="odd" xmlns:xacro="http://ros.org/xacro" xmlns:gz="http://gz">
<material name="red"><color rgba="1 0 0 0.5"/><texture/></material>
<material name="blue"/><gazebo reference="base"><material>Gazebo/Red</material></gazebo>
<gz:link name="not_one"/><transmission name="t"/>
<link name="base"><material name="red"/><contact><friction value="1"/></contact>
  <inertial><mass value="1"/><origin xyz="$(optenv NAME 0.1 0 0)" rpy="0, 0, 0"/>
    <inertia ixx="1" iyy="1" izz="1"/></inertial>
  <visual><geometry><sphere radius="0.1"/></geometry><material name="red"/></visual>
  <visual><geometry><sphere radius="0.1"/></geometry><material name="mine"><color rgba="0 1 0 1"/></material></visual>
  <visual><geometry><capsule radius="0.1" length="1"/></geometry><material name="mine"/></visual>
  <visual><geometry><sphere radius="0"/></geometry></visual>
  <visual><geometry><torus/></geometry></visual>
  <collision><material name="x"/><origin xyz="1 2 3 4"/><geometry><box size="1,2,3"/></geometry></collision>
  <collision/>
</link></robot>"#
    ));
    let base = &model.links[0];
    let colours: Vec<_> = base.visuals.iter().map(|v| v.rgba).collect();
    let green = [0.0, 1.0, 0.0, 1.0];
    assert_eq!(colours, [[1.0, 0.0, 0.0, 0.5], green, green]);
    near(base.inertial.com_m, Vec3::X * 0.1);
    assert_eq!(base.colliders.len(), 1);
    near(
        base.colliders[0].pose.translation_m,
        Vec3::new(1.0, 2.0, 3.0),
    );
    let half_extents_m = Vec3::new(0.5, 1.0, 1.5);
    assert_eq!(base.colliders[0].shape, Shape::Box { half_extents_m });
    let expected = [
        "a.urdf:8:19: the unknown element <material> in <link> is ignored",
        "a.urdf:9:43: $(optenv NAME 0.1 0 0)",
        "a.urdf:9:72: rpy = \"0, 0, 0\" is read as 3 numbers separated by commas",
        "a.urdf:16:78: size = \"1,2,3\" is read as 3 numbers",
        "a.urdf:16:47: xyz has 4 numbers",
        "a.urdf:17:3: <collision> without a shape",
        "a.urdf:14:21: a visual of size zero",
        "a.urdf:15:21: the unknown shape <torus>",
    ];
    for (warning, expected) in model.warnings.iter().zip(expected) {
        assert!(warning.starts_with(expected), "{warning}");
    }
    assert_eq!(model.warnings.len(), expected.len(), "{:?}", model.warnings);
}

#[test]
fn pybullet_joint_properties_are_read() {
    let model = parse(&jointed(
        "type=\"continuous\"><joint_properties damping=\"1\" friction=\"2\"/>",
    ));
    assert_eq!(
        (model.joints[0].damping, model.joints[0].friction),
        (1.0, 2.0)
    );
}

#[test]
fn inconsistent_inertias_are_replaced_by_those_of_the_shape() {
    for inertia in [
        "",
        "<inertia ixx=\"0\" iyy=\"0\" izz=\"0\"/>",
        "<inertia ixx=\"1\" iyy=\"1\" izz=\"9\"/>",
        "<inertia ixx=\"-1\" iyy=\"1\" izz=\"1\"/>",
        "<inertia ixx=\"1\" iyy=\"1\" izz=\"1\" ixy=\"3\"/>",
    ] {
        let model = parse(&format!(
            "<robot name=\"r\"><link name=\"a\"><inertial><mass value=\"6\"/>{inertia}</inertial>\
            <collision><geometry><box size=\"1 1 1\"/></geometry></collision></link></robot>"
        ));
        // A cube: m a² / 6.
        near(model.links[0].inertial.inertia_kg_m2 * Vec3::ONE, Vec3::ONE);
        assert_eq!(model.warnings.len(), 1, "{inertia}");
        assert!(model.warnings[0].starts_with("a.urdf:1:17: link \"a\": its inertia is"));
    }
}

#[test]
fn moving_links_without_mass_get_a_default_mass() {
    let ball = "<collision><geometry><sphere radius=\"0.1\"/></geometry></collision>";
    // A ball of water of 0.1 m: 4/3 π r³ 1000.
    for (inside, kg) in [
        (ball.to_owned(), 4.18879),
        (ball.replace("collision", "visual"), 4.18879),
        (String::new(), 0.113_097),
    ] {
        let model = parse(&format!(
            "<robot name=\"r\"><link name=\"a\">{inside}</link></robot>"
        ));
        let inertial = model.links[0].inertial;
        assert!(
            (inertial.mass_kg - kg).abs() < 1e-4,
            "{inside} {inertial:?}"
        );
        assert!(inertial.inertia_kg_m2.determinant() > 0.0);
        assert!(model.warnings[0].contains("link \"a\" has no mass"));
    }
}

/// Binary STL of a tetrahedron whose header says `solid`.
fn tetrahedron() -> Vec<u8> {
    let points = [
        [0.0; 3],
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0_f32],
    ];
    let mut bytes = b"solid tetrahedron".to_vec();
    bytes.resize(80, b' ');
    bytes.extend(4_u32.to_le_bytes());
    for face in [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]] {
        bytes.extend([0; 12]);
        for number in face.iter().flat_map(|&i: &usize| points[i]) {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend([0, 0]);
    }
    bytes
}

/// ROS package with this robot description.
fn package(robot: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let bot = folder.path().join("bot_description");
    std::fs::create_dir_all(bot.join("urdf")).unwrap();
    std::fs::create_dir_all(bot.join("meshes")).unwrap();
    std::fs::write(bot.join("meshes/part.STL"), tetrahedron()).unwrap();
    let file = bot.join("urdf/bot.urdf");
    std::fs::write(&file, robot).unwrap();
    (folder, file)
}

fn meshed(role: &str, attributes: &str) -> String {
    format!(
        "<robot name=\"r\"><link name=\"a\">{INERTIAL}\n\
        <{role}><geometry><mesh {attributes}/></geometry></{role}>\n\
        <{role}><geometry><mesh {attributes}/></geometry></{role}></link></robot>"
    )
}

#[test]
fn meshes_are_found_scaled_and_shared() {
    for name in [
        "package://bot_description/meshes/part.STL",
        "package://other_name/meshes/part.STL",
        "model://bot_description/meshes/part.STL",
        "$(find bot_description)/meshes/part.STL",
        "../meshes/part.STL",
        "file://../meshes/part.STL",
        "meshes/part.STL",
    ] {
        let text = meshed(
            "collision",
            &format!("filename=\"{name}\" scale=\"1 2 -3\""),
        );
        let (_folder, file) = package(&text);
        let model = load_robot(&file, &Disk).unwrap();
        let [Shape::Mesh(a), Shape::Mesh(b)] = [
            &model.links[0].colliders[0].shape,
            &model.links[0].colliders[1].shape,
        ] else {
            panic!("two meshes");
        };
        assert!(Arc::ptr_eq(a, b));
        assert_eq!((a.vertices_m.len(), a.triangles.len()), (4, 4));
        assert!(a.vertices_m.contains(&[0.0, 0.0, -3.0]));
        assert_eq!(
            a.name,
            name.replace("$(find bot_description)", "package://bot_description")
        );
    }
}

#[test]
fn visual_without_its_mesh_is_ignored() {
    let (_folder, file) = package(&meshed("visual", "filename=\"package://bot/no.dae\""));
    let model = load_robot(&file, &Disk).unwrap();
    assert!(model.links[0].visuals.is_empty());
    let warning = &model.warnings[0];
    assert!(
        warning.contains("bot.urdf:3:35: visual ignored: mesh \"package://bot/no.dae\""),
        "{warning}"
    );
    assert!(warning.contains("expected one of the files"), "{warning}");
    assert!(warning.contains("bot_description/bot/no.dae"), "{warning}");
}

#[test]
fn link_that_loses_all_colliders_is_an_error_unless_it_is_allowed() {
    for name in ["package://bot/no.dae", "../meshes"] {
        let (_folder, file) = package(&meshed("collision", &format!("filename=\"{name}\"")));
        let error = load_robot(&file, &Disk).unwrap_err().to_string();
        for words in [
            "bot.urdf:1:17: link \"a\" loses all its colliders",
            &format!("mesh {name:?} was not found (searched "),
            "--allow-missing",
            "allow_missing: true",
        ] {
            assert!(error.contains(words), "{error}");
        }
        let model = load_robot(&file, &MissingAllowed(&Disk, true)).unwrap();
        assert_eq!(model.missing_meshes, [name]);
        assert!(model.links[0].colliders.is_empty());
        let words =
            format!("bot.urdf:3:38: collision ignored: mesh {name:?} was not found; expected");
        assert!(model.warnings[0].contains(&words), "{}", model.warnings[0]);
    }
}

#[test]
fn link_that_keeps_a_collider_loses_the_others_with_a_warning() {
    let text = meshed("collision", "filename=\"gone.stl\"").replacen(
        "<mesh filename=\"gone.stl\"/>",
        "<sphere radius=\"1\"/>",
        1,
    );
    let (_folder, file) = package(&text);
    let model = load_robot(&file, &Disk).unwrap();
    assert_eq!(
        (model.links[0].colliders.len(), model.missing_meshes.len()),
        (1, 1)
    );
}

#[test]
fn collider_with_an_invalid_mesh_is_an_error() {
    let (_folder, file) = package(&meshed("collision", "filename=\"../urdf/bot.urdf\""));
    let error = load_robot(&file, &Disk).unwrap_err();
    let place = error.place().unwrap();
    assert_eq!((place.line, place.column), (3, 38));
    assert!(
        error
            .to_string()
            .contains("expected .stl, .dae, .obj or .msh"),
        "{error}"
    );
}

#[test]
fn truncated_mesh_is_an_error() {
    let (folder, file) = package(&meshed("collision", "filename=\"../meshes/part.STL\""));
    let mesh = folder.path().join("bot_description/meshes/part.STL");
    std::fs::write(&mesh, &tetrahedron()[..200]).unwrap();
    let error = load_robot(&file, &Disk).unwrap_err().to_string();
    assert!(
        error.contains("bot.urdf:3:38: mesh \"../meshes/part.STL\""),
        "{error}"
    );
    assert!(
        error.contains("truncated mesh: 2 of 4 triangles"),
        "{error}"
    );
}

/// Files in memory, like those embedded in a binary.
struct MemoryFiles;

impl Files for MemoryFiles {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        match path.to_str() {
            Some("robots/bot/bot.urdf") => {
                Ok(meshed("collision", "filename=\"package://bot/part.stl\"").into_bytes())
            }
            Some("robots/bot/part.stl") => Ok(tetrahedron()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        }
    }

    fn is_file(&self, path: &Path) -> bool {
        self.read(path).is_ok()
    }
}

#[test]
fn embedded_files_load() {
    let model = load_robot(Path::new("robots/bot/bot.urdf"), &MemoryFiles).unwrap();
    assert_eq!(model.links[0].colliders.len(), 2);
}

#[test]
fn loading_twice_gives_equal_models() {
    assert_eq!(parse(&rover()), parse(&rover()));
}

#[test]
fn start_poses_follow_the_tree() {
    let model = parse(&jointed(
        "type=\"revolute\"><origin xyz=\"1 0 0\"/><axis xyz=\"0 0 1\"/>\
        <limit lower=\"1.5707963\" upper=\"2\"/>",
    ));
    let pose = model.start_poses()[1];
    assert!((model.joints[0].start - FRAC_PI_2).abs() < 1e-6);
    near(pose.point(Vec3::X), Vec3::new(1.0, 1.0, 0.0));
}

#[test]
fn chain_of_many_links_loads() {
    let mut text = String::from("<robot name=\"chain\"><link name=\"l0\"/>");
    for i in 1..10_000 {
        text.push_str(&format!(
            "<link name=\"l{i}\"/><joint name=\"j{i}\" type=\"{}\"><parent link=\"l{}\"/><child link=\"l{i}\"/></joint>",
            if i % 2 == 0 { "fixed" } else { "continuous" },
            i - 1
        ));
    }
    let model = parse(&(text + "</robot>"));
    assert_eq!((model.links.len(), model.frames.len()), (5001, 10_000));
    // Each massless link causes a warning; few are kept.
    assert!(model.warnings.len() < 300);
}

#[test]
fn root_with_an_explicit_mass_of_zero_is_fixed() {
    let text = |mass: &str| {
        format!(
            "<robot name=\"r\"><link name=\"a\">{mass}<collision><geometry><box size=\"1 1 1\"/></geometry>\
             </collision></link><link name=\"b\">{INERTIAL}</link><joint name=\"j\" type=\"continuous\">\
             <parent link=\"a\"/><child link=\"b\"/></joint></robot>"
        )
    };
    let model = parse(&text("<inertial><mass value=\"0\"/></inertial>"));
    assert!(model.fixed_base);
    assert_eq!(model.mass_kg(), 1.0);
    assert!(
        model.warnings[0].contains("it is fixed to the world"),
        "{:?}",
        model.warnings
    );
    // A missing mass is replaced.
    let model = parse(&text(""));
    assert!(!model.fixed_base);
    assert_eq!(model.mass_kg(), 1001.0);
}

#[test]
fn inertia_of_a_massless_link_is_added_where_it_is_fixed() {
    let text = "<robot name=\"r\"><link name=\"a\"><inertial><mass value=\"2\"/>\
        <inertia ixx=\"0.1\" iyy=\"0.1\" izz=\"0.1\"/></inertial></link>\
        <link name=\"b\"><inertial><mass value=\"0\"/><inertia ixx=\"0.1\" iyy=\"0.2\" izz=\"0.2\"/></inertial></link>\
        <joint name=\"j\" type=\"fixed\"><origin xyz=\"1 0 0\" rpy=\"0 0 1.5707963\"/>\
        <parent link=\"a\"/><child link=\"b\"/></joint></robot>";
    let model = parse(text);
    let inertial = model.links[0].inertial;
    assert_eq!((inertial.mass_kg, inertial.com_m), (2.0, Vec3::ZERO));
    // Turned a quarter about z; MuJoCo has the same sum.
    near(inertial.inertia_kg_m2 * Vec3::ONE, Vec3::new(0.3, 0.2, 0.3));
    assert!(
        model.warnings[0].contains("inertia of links without mass"),
        "{:?}",
        model.warnings
    );
}
