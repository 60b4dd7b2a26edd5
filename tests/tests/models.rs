//! Robot descriptions: `inspect`, meshes, published robots. Refused ones are in `fixtures/bad_input/models` and
//! `fixtures/bad_input/robots`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use becomingone_tests::{binary, finish, folder, peer_robot, run, summary};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// `inspect --json` of a file.
fn inspect(file: &str) -> Value {
    let ran = run(Path::new("."), &["inspect", file, "--json"]);
    assert_eq!(ran.code, Some(0), "{file}: {}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn warnings(report: &Value) -> String {
    report["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| format!("{w}\n"))
        .collect()
}

/// A box of 0.4 m and 5 kg with an arm of 0.3 m and 1 kg.
const URDF: &str = r#"<robot name="bot">
<link name="base"><inertial><mass value="5"/><inertia ixx="0.13" iyy="0.13" izz="0.13"/></inertial>
<collision><geometry><box size="0.4 0.4 0.4"/></geometry></collision></link>
<link name="arm"><inertial><mass value="1"/><inertia ixx="0.01" iyy="0.01" izz="0.01"/></inertial>
<collision><geometry><sphere radius="0.15"/></geometry></collision></link>
<link name="tip"/>
<joint name="shoulder" type="revolute"><parent link="base"/><child link="arm"/><origin xyz="0.4 0 0"/>
<limit lower="-1" upper="1" effort="1" velocity="1"/></joint>
<joint name="weld" type="fixed"><parent link="arm"/><child link="tip"/></joint>
</robot>"#;

/// The same in MJCF.
const MJCF: &str = r#"<mujoco model="bot"><compiler angle="radian"/><worldbody>
<geom type="plane" size="1 1 1"/>
<body name="base" pos="0 0 1"><freejoint/><geom type="box" size="0.2 0.2 0.2" mass="5"/>
<body name="arm" pos="0.4 0 0"><joint name="shoulder" range="-1 1"/><geom size="0.15" mass="1"/>
<body name="tip"/></body></body></worldbody></mujoco>"#;

#[test]
fn one_robot_in_urdf_and_mjcf_has_the_same_links_joints_and_mass() {
    let here = folder(&[("bot.urdf", URDF), ("bot.xml", MJCF)]);
    for (file, moving) in [("bot.urdf", 1), ("bot.xml", 2)] {
        let report = inspect(here.path().join(file).to_str().unwrap());
        assert_eq!(report["links"], 3, "{file}");
        // The free joint of a file is counted.
        assert_eq!(report["moving_joints"], moving, "{file}");
        assert_eq!(report["colliders"], 2, "{file}");
        assert_eq!(report["limits"], 1, "{file}");
        assert_eq!(
            report["missing_meshes"].as_array().unwrap().len(),
            0,
            "{file}"
        );
        assert_eq!(
            report["warnings"].as_array().unwrap().len(),
            0,
            "{file}: {report}"
        );
        assert!(
            (report["mass_kg"].as_f64().unwrap() - 6.0).abs() < 1e-5,
            "{file}"
        );
    }
    let ran = run(here.path(), &["inspect", "bot.xml"]);
    for words in [
        "bot (bot.xml)",
        "└─ shoulder (revolute -1.0000 to 1.0000) arm: 1.0000 kg",
        "3 links, 2 moving joints",
    ] {
        assert!(ran.stdout.contains(words), "{}", ran.stdout);
    }
}

#[test]
fn one_robot_in_urdf_and_mjcf_falls_and_comes_to_rest() {
    // Recognised by their root elements, independent of file names.
    let here = folder(&[("bot.model", URDF), ("bot.xml", MJCF)]);
    for file in ["bot.model", "bot.xml"] {
        let path = here.path().join(file);
        let sum = summary(&[path.to_str().unwrap(), "--duration", "2s"]);
        let agent = &sum["agents"][0];
        // From 0.1 m: sqrt(2 g h) is 1.4 m/s.
        let fastest = agent["max_speed_m_s"].as_f64().unwrap();
        assert!(fastest > 1.0 && fastest < 2.0, "{file}: {fastest}");
        let z = agent["position"][2].as_f64().unwrap();
        assert!((z - 0.2).abs() < 0.02, "{file}: {z}");
    }
}

#[test]
fn parts_jointed_to_the_world_stay_and_free_bodies_collide_with_them() {
    let text = r#"<mujoco><worldbody><geom type="box" size="1 1 0.1" pos="0 0 1"/>
        <body name="ball" pos="0 0 1.5"><freejoint/><geom size="0.1" mass="1"/></body>
        <body name="slider" pos="0 3 1"><joint type="slide" axis="0 0 1" range="-0.2 0.2"/><geom size="0.1" mass="1"/></body>
        </worldbody></mujoco>"#;
    let here = folder(&[("table.xml", text)]);
    let path = here.path().join("table.xml");
    let mut engine =
        becomingone::CoherenceEngine::from_loaded(becomingone::scene::dropped(&path).unwrap());
    engine.run_for(Duration::from_secs(2)).unwrap();
    let poses: becomingone::components::body::LinkPoses = becomingone_tests::get(&engine, "table");
    let z: Vec<_> = poses.0.iter().map(|p| p.translation_m.z).collect();
    // The ball, which is free, lies on the table; the world stays; the slider hangs at its lower end.
    assert!((z[0] - 1.2).abs() < 0.01, "{z:?}");
    assert!(z[1].abs() < 1e-4, "{z:?}");
    assert!((z[2] - 0.8).abs() < 0.02, "{z:?}");
}

/// Links of one robot do not touch each other, but they did not touch the world's own shapes either.
#[test]
fn links_of_a_fixed_robot_rest_on_the_shapes_of_the_world() {
    let text = r#"<mujoco><worldbody><geom type="plane" size="9 9 .1"/><geom type="box" size="1 1 .25" pos="0 0 .25"/>
        <body name="s" pos="0 0 1"><joint type="slide" axis="0 0 1"/><geom size=".1" mass="1"/></body></worldbody></mujoco>"#;
    let here = folder(&[("post.xml", text)]);
    let path = here.path().join("post.xml");
    let mut engine =
        becomingone::CoherenceEngine::from_loaded(becomingone::scene::dropped(&path).unwrap());
    engine.run_for(Duration::from_secs(2)).unwrap();
    let poses: becomingone::components::body::LinkPoses = becomingone_tests::get(&engine, "post");
    // `MuJoCo` 4.0: 0.6 m.
    let z = poses.0[1].translation_m.z;
    assert!((z - 0.6).abs() < 0.005, "{z}");
}

#[test]
fn built_in_models_are_listed_and_inspected() {
    let ran = run(Path::new("."), &["list", "models"]);
    assert!(
        ran.stdout
            .lines()
            .any(|l| l.starts_with("rover ") && l.contains("robot")),
        "{}",
        ran.stdout
    );
    assert_eq!(inspect("rover")["mass_kg"].as_f64().unwrap().round(), 9.0);
}

#[test]
fn a_link_without_its_colliders_is_an_error_that_names_the_flag_which_allows_it() {
    let was = "<box size=\"0.4 0.4 0.4\"/>";
    let text = URDF.replace(was, "<mesh filename=\"package://cart/base.stl\"/>");
    let scene = r#"(version: 1, name: "s", duration_s: 0.01, agents: [(name: "a", model: "bot.urdf", allow_missing: true)])"#;
    let here = folder(&[("bot.urdf", text.as_str()), ("s.ron", scene)]);
    for verb in ["inspect", "run", "check"] {
        let ran = run(here.path(), &[verb, "bot.urdf"]);
        assert_eq!(ran.code, Some(2), "{verb}: {}", ran.stderr);
        for words in [
            "bot.urdf:2:1: link \"base\" loses all",
            "cart/base.stl",
            "--allow-missing",
        ] {
            assert!(ran.stderr.contains(words), "{verb}: {}", ran.stderr);
        }
    }
    let ran = run(
        here.path(),
        &["inspect", "bot.urdf", "--allow-missing", "--json"],
    );
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        report["missing_meshes"],
        serde_json::json!(["package://cart/base.stl"])
    );
    assert!(
        warnings(&report).contains("bot.urdf:3:38: collision ignored"),
        "{report}"
    );
    let run_it = [
        "run",
        "bot.urdf",
        "--allow-missing",
        "--duration",
        "10ms",
        "--rerun",
        "off",
    ];
    for args in [&run_it[..], &["run", "s.ron", "--rerun", "off"]] {
        let ran = run(here.path(), args);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("package://cart/base.stl"),
            "{}",
            ran.stderr
        );
    }
    // What `check` prints holds the permission too.
    let ran = run(
        here.path(),
        &["check", "bot.urdf", "--allow-missing", "--resolved"],
    );
    assert!(ran.stdout.contains("allow_missing: true"), "{}", ran.stdout);
}

#[test]
fn balls_rest_on_a_height_field_at_the_heights_of_its_surface() {
    for (slope, at, z) in [
        // A level step: the ball touches the surface below its centre.
        (
            "2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 1 1 1 1 1 0 0 0 0 0",
            [0.0, 1.5],
            0.4 + 0.1,
        ),
        // The first row is at the largest y.
        (
            "1 1 1 1 1 1 1 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0",
            [0.0, -1.0],
            0.1,
        ),
    ] {
        let text = format!(
            "<mujoco><asset><hfield name=\"h\" nrow=\"5\" ncol=\"5\" size=\"2 2 .4 .1\" elevation=\"{slope}\"/></asset>\
             <worldbody><geom type=\"hfield\" hfield=\"h\"/><body pos=\"{} {} 0.7\"><freejoint/>\
             <geom type=\"box\" size=\".1 .1 .1\" mass=\"1\"/></body></worldbody></mujoco>",
            at[0], at[1]
        );
        let here = folder(&[("a.xml", text.as_str())]);
        let path = here.path().join("a.xml");
        let sum = summary(&[path.to_str().unwrap(), "--duration", "3s"]);
        let found = sum["agents"][0]["position"][2].as_f64().unwrap();
        assert!((found - z).abs() < 0.01, "{found}, not {z}");
        // Below z = 0 too, where a scene's ground would be.
        let low = text
            .replace("hfield=\"h\"/>", "hfield=\"h\" pos=\"0 0 -1\"/>")
            .replace(" 0.7\">", " -0.3\">");
        assert_ne!(low, text);
        std::fs::write(&path, low).unwrap();
        let sum = summary(&[path.to_str().unwrap(), "--duration", "3s"]);
        let found = sum["agents"][0]["position"][2].as_f64().unwrap();
        assert!((found - z + 1.0).abs() < 0.01, "{found}, not {z} - 1");
    }
}

/// Binary STL of a tetrahedron, with this header.
fn stl(header: &str) -> Vec<u8> {
    let p = [
        [0.0, 0.0, 0.0],
        [0.3, 0.0, 0.0],
        [0.0, 0.3, 0.0],
        [0.0, 0.0, 0.3_f32],
    ];
    let faces = [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]];
    let mut bytes = header.as_bytes().to_vec();
    bytes.resize(80, b' ');
    bytes.extend(4_u32.to_le_bytes());
    for face in faces {
        bytes.extend([0; 12]);
        for corner in face {
            bytes.extend(
                p[corner as usize]
                    .iter()
                    .flat_map(|x: &f32| x.to_le_bytes()),
            );
        }
        bytes.extend([0; 2]);
    }
    bytes
}

#[test]
fn meshes_cut_anywhere_are_refused_with_their_file_name() {
    let obj =
        b"v 0 0 0\nv 0.3 0 0\nv 0 0.3 0\nv 0 0 0.3\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n".to_vec();
    let dae = br##"<COLLADA><library_geometries><geometry id="g"><mesh><source id="p">
        <float_array id="a" count="12">0 0 0 2 0 0 2 2 0 0 2 1</float_array><technique_common>
        <accessor source="#a" count="4" stride="3"/></technique_common></source>
        <vertices id="v"><input semantic="POSITION" source="#p"/></vertices>
        <triangles count="2"><input semantic="VERTEX" source="#v" offset="0"/><p>0 1 2 0 2 3</p></triangles>
        </mesh></geometry></library_geometries></COLLADA>"##.to_vec();
    for (name, whole, cuts) in [
        ("m.stl", stl(""), vec![0, 40, 83, 100, 200]),
        ("m.stl", stl("solid thing\n"), vec![12, 83, 100, 200]),
        ("m.dae", dae, vec![0, 40, 200, 400]),
        // Half a line; OBJ has no end mark, so a whole line less is a smaller mesh.
        ("m.obj", obj, vec![0, 12, 36]),
    ] {
        let urdf = URDF.replace(
            "<box size=\"0.4 0.4 0.4\"/>",
            &format!("<mesh filename=\"{name}\"/>"),
        );
        let mjcf = MJCF
            .replace(
                "<worldbody>",
                &format!("<asset><mesh name=\"m\" file=\"{name}\"/></asset><worldbody>"),
            )
            .replace(
                "type=\"box\" size=\"0.2 0.2 0.2\"",
                "type=\"mesh\" mesh=\"m\"",
            );
        let here = folder(&[("bot.urdf", &urdf), ("bot.xml", &mjcf)]);
        for cut in cuts.into_iter().chain([whole.len()]) {
            std::fs::write(here.path().join(name), &whole[..cut]).unwrap();
            for file in ["bot.urdf", "bot.xml"] {
                let ran = run(here.path(), &["inspect", file]);
                if cut == whole.len() {
                    assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
                    assert!(ran.stdout.contains("2 colliders"), "{name}: {}", ran.stdout);
                    continue;
                }
                assert_eq!(ran.code, Some(2), "{name} cut at {cut}: {}", ran.stdout);
                assert!(
                    ran.stderr.contains(name) && ran.stderr.contains(file),
                    "{}",
                    ran.stderr
                );
            }
        }
    }
}

#[test]
fn files_of_one_repeated_tag_are_refused_in_bounded_time_and_memory() {
    let here = folder(&[]);
    // A gigabyte is refused by its size; the file is sparse.
    for name in ["giga.urdf", "giga.xml"] {
        let path = here.path().join(name);
        std::fs::write(&path, "<robot>").unwrap();
        std::fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(1 << 30)
            .unwrap();
    }
    // Just below the size limit.
    let tags = |open: &str, tag: &str, close: &str| {
        format!("{open}{}{close}", tag.repeat((60 << 20) / tag.len()))
    };
    std::fs::write(
        here.path().join("links.urdf"),
        tags("<robot name=\"r\">", "<link name=\"a\"/>", "</robot>"),
    )
    .unwrap();
    std::fs::write(
        here.path().join("bodies.xml"),
        tags("<mujoco><worldbody>", "<body/>", "</worldbody></mujoco>"),
    )
    .unwrap();
    std::fs::write(here.path().join("deep.xml"), "<body>".repeat(10_000_000)).unwrap();
    for name in [
        "giga.urdf",
        "giga.xml",
        "links.urdf",
        "bodies.xml",
        "deep.xml",
    ] {
        let mut command = Command::new("sh");
        command
            .args(["-c", "ulimit -v 3000000; exec \"$0\" \"$@\""])
            .arg(binary())
            .args(["inspect", name])
            .current_dir(here.path());
        let ran = finish(&mut command, Duration::from_secs(60));
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.stderr);
        assert!(
            ran.stderr.starts_with(&format!("error: {name}")),
            "{}",
            ran.stderr
        );
    }
}

/// Robots of PARTS.md, with the moving joints and the mass by `MuJoCo` 4.0, or for URDF (of which it drops the
/// fixed base) the sum of the file.
const ROBOTS: [(&str, u64, f64); 10] = [
    ("pybullet_data/husky/husky.urdf", 4, 44.00300),
    ("pybullet_data/racecar/racecar.urdf", 6, 5.89223),
    ("pybullet_data/r2d2.urdf", 8, 65.25),
    ("pybullet_data/kuka_iiwa/model.urdf", 7, 17.50000),
    (
        "cmeel.prefix/share/example-robot-data/robots/panda_description/urdf/panda.urdf",
        9,
        17.45190,
    ),
    ("pybullet_data/a1/a1.urdf", 12, 12.45800),
    (
        "cmeel.prefix/share/example-robot-data/robots/solo_description/robots/solo12.urdf",
        12,
        2.50000,
    ),
    ("gymnasium/envs/mujoco/assets/ant.xml", 9, 0.91088),
    ("gymnasium/envs/mujoco/assets/humanoid.xml", 18, 42.11603),
    ("robosuite_models/assets/robots/h1/robot.xml", 20, 38.88817),
];

#[test]
fn published_robots_have_their_joints_and_masses_and_stay_stable() {
    for (path, joints, kg) in ROBOTS {
        let Some(file) = peer_robot(path) else {
            continue;
        };
        let report = inspect(&file);
        assert_eq!(report["moving_joints"], joints, "{path}");
        let mass = report["mass_kg"].as_f64().unwrap();
        assert!((mass - kg).abs() < 0.02 * kg, "{path}: {mass} kg, not {kg}");
        assert_eq!(
            report["missing_meshes"].as_array().unwrap().len(),
            0,
            "{path}: {report}"
        );
        let sum = summary(&[&file, "--duration", "5s"]);
        let fastest = sum["agents"][0]["max_speed_m_s"].as_f64().unwrap();
        assert!(fastest < 50.0, "{path}: {fastest} m/s");
    }
}

/// Where a sphere of 0.1 m rests that is let fall on what a file has (m).
fn rest_m(text: &str) -> f64 {
    let here = folder(&[("a.xml", text)]);
    let path = here.path().join("a.xml");
    let sum = summary(&[path.to_str().unwrap(), "--duration", "3s"]);
    sum["agents"][0]["position"][2].as_f64().unwrap()
}

/// `MuJoCo`'s rule: geoms touch when `contype` of either has a bit of the other's `conaffinity`; excluded bodies never.
#[test]
fn shapes_fall_through_what_they_do_not_touch() {
    let ball = |contype: u32, conaffinity: u32, floor: &str| {
        format!(
            r#"<mujoco><worldbody><geom type="plane" size="0 0 1" {floor}/>
<geom type="box" size="0.3 0.3 0.25" pos="0 0 0.25" contype="2" conaffinity="0"/>
<body name="ball" pos="0 0 0.7"><freejoint/><geom size="0.1" contype="{contype}" conaffinity="{conaffinity}"/></body>
</worldbody></mujoco>"#
        )
    };
    for (contype, conaffinity, floor, right) in [
        (1, 1, "", 0.1),
        (1, 3, "", 0.6),
        // The scene's ground stands for the file's floor.
        (4, 0, r#"contype="0" conaffinity="4""#, 0.1),
    ] {
        let found = rest_m(&ball(contype, conaffinity, floor));
        assert!(
            (found - right).abs() < 0.01,
            "{contype} {conaffinity}: {found}"
        );
    }
    let stack = |contact: &str| {
        format!(
            r#"<mujoco><worldbody><body name="top" pos="0 0 0.31"><freejoint/><geom type="box" size=".1 .1 .1"/></body>
<body name="low" pos="0 0 0.1"><freejoint/><geom type="box" size=".1 .1 .1"/></body></worldbody>{contact}</mujoco>"#
        )
    };
    let exclude = r#"<contact><exclude body1="top" body2="low"/></contact>"#;
    for (contact, right) in [("", 0.3), (exclude, 0.1)] {
        let found = rest_m(&stack(contact));
        assert!((found - right).abs() < 0.01, "{contact}: {found}");
    }
}
