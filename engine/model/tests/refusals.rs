//! What is wrong with a file is said with its place, and never by a panic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use becomingone_model::{Disk, load_robot, parse_robot};
use std::path::Path;

/// A good file; each fault replaces a part of it.
const GOOD: &str = r#"<?xml version="1.0"?>
<robot name="bot">
  <link name="base_link">
    <inertial><mass value="2"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>
    <collision><geometry><box size="1 1 1"/></geometry></collision>
  </link>
  <link name="arm">
    <inertial><origin xyz="0 0 0" rpy="0 0 0"/><mass value="1"/><inertia ixx="1" iyy="1" izz="1"/></inertial>
    <visual><geometry><cylinder radius="1" length="2"/></geometry><material name="m"><color rgba="1 1 1 1"/></material></visual>
    <collision><geometry><sphere radius="3"/></geometry></collision>
  </link>
  <link name="hand"><inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1"/></inertial></link>
  <joint name="shoulder" type="revolute">
    <parent link="base_link"/><child link="arm"/>
    <axis xyz="0 0 1"/><limit lower="-1" upper="1" effort="5" velocity="6"/><dynamics damping="7" friction="8"/>
  </joint>
  <joint name="wrist" type="prismatic">
    <parent link="arm"/><child link="hand"/><limit lower="-1" upper="1"/><mimic joint="shoulder" multiplier="9" offset="0"/>
  </joint>
</robot>
"#;

fn error(text: &str) -> String {
    let error = parse_robot(text, Path::new("bot.urdf"), &Disk).unwrap_err();
    let place = error
        .place()
        .unwrap_or_else(|| panic!("{error} has no place"));
    assert!(
        error
            .to_string()
            .starts_with(&format!("bot.urdf:{}:{}: ", place.line, place.column))
    );
    error.to_string()
}

/// Replaces a part that stands once, and checks the message's beginning and its words.
fn check(from: &str, to: &str, line: u32, column: u32, words: &str) {
    assert_eq!(GOOD.matches(from).count(), 1, "{from} must stand once");
    let error = error(&GOOD.replace(from, to));
    assert!(
        error.starts_with(&format!("bot.urdf:{line}:{column}: ")),
        "{to}: {error}"
    );
    assert!(error.contains(words), "{to}: {error}");
}

#[test]
fn the_good_file_is_good() {
    let model = parse_robot(GOOD, Path::new("bot.urdf"), &Disk).unwrap();
    assert!(model.warnings.is_empty(), "{:?}", model.warnings);
}

#[test]
fn names() {
    check(
        "link name=\"arm\"",
        "link name=\"base_link\"",
        7,
        3,
        "a second link with the name \"base_link\"",
    );
    check(
        "link name=\"arm\"",
        "link nmae=\"arm\"",
        7,
        3,
        "<link> without name",
    );
    check(
        "link name=\"arm\"",
        "link name=\"\"",
        7,
        15,
        "an empty name in <link>",
    );
    check(
        "joint name=\"wrist\"",
        "joint name=\"shoulder\"",
        17,
        3,
        "a second joint with the name \"shoulder\"",
    );
    check(
        "joint name=\"wrist\"",
        "joint",
        17,
        3,
        "<joint> without name",
    );
    check(
        "<child link=\"hand\"/>",
        "<child link=\"hnad\"/>",
        18,
        38,
        "did you mean \"hand\"?",
    );
    check(
        "<parent link=\"arm\"/>",
        "<parent link=\"ghost\"/>",
        18,
        19,
        "\"ghost\", which is no link of this file",
    );
    check(
        "<parent link=\"arm\"/>",
        "<parnt link=\"arm\"/>",
        17,
        3,
        "joint \"wrist\" without <parent>",
    );
    check(
        "<parent link=\"arm\"/>",
        "<parnt link=\"arm\"/>",
        17,
        3,
        "did you mean \"parnt\"?",
    );
    check(
        "<child link=\"hand\"/>",
        "",
        17,
        3,
        "joint \"wrist\" without <child>",
    );
    check(
        "<child link=\"hand\"/>",
        "<child/>",
        18,
        25,
        "<child> without link",
    );
    check(
        "mimic joint=\"shoulder\"",
        "mimic joint=\"sholder\"",
        18,
        88,
        "did you mean \"shoulder\"?",
    );
    check(
        "mimic joint=\"shoulder\"",
        "mimic joint=\"wrist\"",
        18,
        88,
        "follow each other",
    );
}

#[test]
fn types() {
    check(
        "\"revolute\"",
        "\"revolut\"",
        13,
        32,
        "did you mean \"revolute\"?",
    );
    check(
        "\"revolute\"",
        "\"screw\"",
        13,
        32,
        "expected one of revolute, continuous",
    );
    check(" type=\"revolute\"", "", 13, 3, "<joint> without type");
    check(
        "<sphere radius=\"3\"/>",
        "<spere radius=\"3\"/>",
        10,
        26,
        "did you mean \"sphere\"?",
    );
    check(
        "<box size=\"1 1 1\"/>",
        "<box/>",
        5,
        26,
        "<box> without size",
    );
}

#[test]
fn structure() {
    check(
        "<child link=\"hand\"/>",
        "<child link=\"arm\"/>",
        18,
        38,
        "from link \"arm\" to itself",
    );
    check(
        "<parent link=\"arm\"/><child link=\"hand\"/>",
        "<parent link=\"hand\"/><child link=\"arm\"/>",
        18,
        39,
        "is the child of joint \"wrist\" and of joint \"shoulder\"",
    );
    let text = GOOD.replace(
        "<link name=\"hand\">",
        "<link name=\"hook\"/><link name=\"hand\">",
    );
    let message = error(&text);
    assert!(
        message
            .starts_with("bot.urdf:12:3: several links without a parent: \"base_link\", \"hook\""),
        "{message}"
    );
    // The root is gone: base_link hangs on hand.
    let text = GOOD.replace("</robot>", "<joint name=\"x\" type=\"fixed\"><parent link=\"hand\"/><child link=\"base_link\"/></joint></robot>");
    assert!(
        error(&text).contains("a loop of joints"),
        "{}",
        error(&text)
    );
    // A root, and a loop beside it.
    let text = GOOD.replace("<parent link=\"base_link\"/>", "<parent link=\"hand\"/>");
    let message = error(&text);
    assert!(
        message.contains("a loop of joints: the parents of link"),
        "{message}"
    );
    assert!(error("<robot name=\"r\"/>").starts_with("bot.urdf:1:1: a robot without links"));
    let many: String = (0..10_001)
        .map(|i| format!("<link name=\"l{i}\"/>\n"))
        .collect();
    let message = error(&format!("<robot name=\"r\">\n{many}</robot>"));
    assert!(
        message.starts_with("bot.urdf:10002:1: 10001 links"),
        "{message}"
    );
}

#[test]
fn fixed_leaders_are_refused() {
    let text = GOOD.replace("type=\"revolute\"", "type=\"fixed\"");
    assert!(error(&text).contains("a mimic of joint \"shoulder\", which is fixed"));
}

#[test]
fn numbers() {
    for number in [
        "nan", "NaN", "inf", "-inf", "1e400", "-1e400", "1e39", "abc", "1 2", "", "1.2.3", "0x10",
    ] {
        for (from, attribute) in [
            ("mass value=\"2\"", "value"),
            ("ixx=\"1\" iyy=\"1\" izz=\"1\" ixy", "ixx"),
            ("cylinder radius=\"1\"", "radius"),
            ("length=\"2\"", "length"),
            ("sphere radius=\"3\"", "radius"),
            ("effort=\"5\"", "effort"),
            ("velocity=\"6\"", "velocity"),
            ("damping=\"7\"", "damping"),
            ("friction=\"8\"", "friction"),
            ("multiplier=\"9\"", "multiplier"),
            ("lower=\"-1\" upper=\"1\" effort", "lower"),
        ] {
            let start = from.find(&format!("{attribute}=")).unwrap() + attribute.len() + 2;
            let end = start + from[start..].find('"').unwrap();
            let to = [&from[..start], number, &from[end..]].concat();
            assert_eq!(GOOD.matches(from).count(), 1, "{from}");
            let message = error(&GOOD.replace(from, &to));
            let at = GOOD.find(from).unwrap() + start;
            let line = GOOD[..at].matches('\n').count() + 1;
            let column = at - GOOD[..at].rfind('\n').unwrap();
            assert!(
                message.starts_with(&format!("bot.urdf:{line}:{column}: ")),
                "{to}: {message}"
            );
            assert!(
                message.contains("expected a") || message.contains("expected one"),
                "{message}"
            );
        }
    }
}

#[test]
fn vectors() {
    for (from, to, words) in [
        (
            "box size=\"1 1 1\"",
            "box size=\"1 1\"",
            "expected 3 numbers",
        ),
        (
            "box size=\"1 1 1\"",
            "box size=\"1 nan 1\"",
            "expected a finite number",
        ),
        (
            "box size=\"1 1 1\"",
            "box size=\"1 0 1\"",
            "a box of 1 x 0 x 1 m; expected three lengths above zero",
        ),
        (
            "box size=\"1 1 1\"",
            "box size=\"1 1 -1\"",
            "expected three lengths above zero",
        ),
        (
            "box size=\"1 1 1\"",
            "box size=\"1e-60 1 1\"",
            "expected three lengths above zero",
        ),
        (
            "axis xyz=\"0 0 1\"",
            "axis xyz=\"0 0 0\"",
            "an axis of length zero; expected a direction",
        ),
        (
            "axis xyz=\"0 0 1\"",
            "axis xyz=\"0 0 1e400\"",
            "expected a finite number",
        ),
        ("axis xyz=\"0 0 1\"", "axis xyz=\"${x}\"", "xacro"),
        (
            "origin xyz=\"0 0 0\"",
            "origin xyz=\"0 0 inf\"",
            "expected a finite number",
        ),
        (
            "rpy=\"0 0 0\"",
            "rpy=\"0 0 0 0 0\"",
            "(5 numbers); expected 3 numbers",
        ),
        ("rgba=\"1 1 1 1\"", "rgba=\"1 1\"", "expected 4 numbers"),
        (
            "rgba=\"1 1 1 1\"",
            "rgba=\"nan 1 1 1\"",
            "expected a finite number",
        ),
    ] {
        let at = GOOD.find(from).unwrap() + from.find('"').unwrap() + 1;
        let line = GOOD[..at].matches('\n').count() + 1;
        let column = at - GOOD[..at].rfind('\n').unwrap();
        check(
            from,
            to,
            u32::try_from(line).unwrap(),
            u32::try_from(column).unwrap(),
            words,
        );
    }
}

#[test]
fn sizes_and_signs() {
    check(
        "sphere radius=\"3\"",
        "sphere radius=\"0\"",
        10,
        42,
        "radius = 0; expected a length above zero",
    );
    check(
        "sphere radius=\"3\"",
        "sphere radius=\"-3\"",
        10,
        42,
        "radius = -3",
    );
    check(
        "sphere radius=\"3\"",
        "sphere",
        10,
        26,
        "<sphere> without radius",
    );
    check("length=\"2\"", "length=\"-2\"", 9, 52, "length = -2");
    check(
        "mass value=\"2\"",
        "mass value=\"-2\"",
        4,
        28,
        "a mass of -2 kg; expected zero or more",
    );
    check("mass value=\"2\"", "mass", 4, 15, "<mass> without value");
    check(
        "damping=\"7\"",
        "damping=\"-7\"",
        15,
        96,
        "damping = -7; expected zero or more",
    );
    check(
        "friction=\"8\"",
        "friction=\"-8\"",
        15,
        109,
        "friction = -8",
    );
    check(
        "lower=\"-1\" upper=\"1\" effort",
        "lower=\"2\" upper=\"1\" effort",
        15,
        24,
        "lower = 2 above upper = 1",
    );
}

#[test]
fn sums_that_overflow_are_refused() {
    let text = GOOD
        .replace("mass value=\"2\"", "mass value=\"3e38\"")
        .replace("revolute", "fixed")
        .replace("mass value=\"1\"", "mass value=\"3e38\"");
    let text = text.replace(
        "<mimic joint=\"shoulder\" multiplier=\"9\" offset=\"0\"/>",
        "",
    );
    assert!(
        error(&text).contains("beyond what can be computed"),
        "{}",
        error(&text)
    );
    let text = GOOD
        .replace("sphere radius=\"3\"", "sphere radius=\"1e38\"")
        .replace(
            "<mass value=\"1\"/><inertia ixx=\"1\" iyy=\"1\" izz=\"1\"/></inertial>\n",
            "</inertial>\n",
        );
    assert!(
        error(&text).contains("beyond what can be computed"),
        "{}",
        error(&text)
    );
}

#[test]
fn other_formats_are_recognised() {
    for (text, words) in [
        ("<sdf version=\"1.6\"/>", "SDF"),
        ("<robots/>", "did you mean \"robot\"?"),
        (
            "<html/>",
            "the root element <html>; expected <robot> (URDF) or <mujoco> (MJCF)",
        ),
    ] {
        let message = error(text);
        assert!(
            message.starts_with("bot.urdf:1:1: ") && message.contains(words),
            "{message}"
        );
    }
}

#[test]
fn xacro_must_be_expanded() {
    for (text, line) in [
        (
            "<robot name=\"r\" xmlns:xacro=\"http://www.ros.org/wiki/xacro\">\n<xacro:include filename=\"a\"/></robot>",
            2,
        ),
        (
            "<robot name=\"r\">\n\n<xacro:property name=\"a\" value=\"1\"/></robot>",
            3,
        ),
    ] {
        let message = error(text);
        assert!(
            message.starts_with(&format!("bot.urdf:{line}:")),
            "{message}"
        );
        assert!(
            message.contains("`xacro robot.urdf.xacro > robot.urdf`"),
            "{message}"
        );
    }
}

#[test]
fn undeclared_prefixes_say_what_to_add() {
    let message = error("<robot name=\"r\"><controller:x/></robot>");
    assert!(
        message.contains("add xmlns:controller=\"controller\""),
        "{message}"
    );
}

#[test]
fn broken_xml() {
    let laughs =
        "<!DOCTYPE lolz [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]>\n<robot name=\"&b;\"/>";
    assert!(error(laughs).starts_with("bot.urdf:1:1: a document type declaration"));
    assert!(error(&format!("\n{laughs}")).starts_with("bot.urdf:2:1: "));
    assert!(error("").starts_with("bot.urdf:1:1: nothing"));
    assert!(error(" \n\t").starts_with("bot.urdf:1:1: nothing"));
    assert!(
        error("<robot name=\"r\"></robt>")
            .starts_with("bot.urdf:1:17: end tag </robt>; expected </robot>")
    );
    assert!(error(&"<a>".repeat(200_000)).contains("cut off"));
    let nested = format!(
        "<robot>{}{}</robot>",
        "<link>".repeat(200_000),
        "</link>".repeat(200_000)
    );
    assert!(error(&nested).contains("nested deeper"));
    assert!(error(&"<".repeat(200_000)).contains("broken XML"));
    assert!(error(&"[".repeat(200_000)).contains("broken XML"));
}

/// Every beginning of a file is refused at a place within it, or is whole.
#[test]
fn cut_files() {
    let whole = GOOD.trim_end().len();
    for length in (0..whole).filter(|&l| GOOD.is_char_boundary(l)) {
        let message = error(&GOOD[..length]);
        let line: usize = message.split(':').nth(1).unwrap().parse().unwrap();
        assert!(
            line <= GOOD[..length].matches('\n').count() + 1,
            "{message}"
        );
    }
}

#[test]
fn files_that_are_not_text() {
    let folder = tempfile::tempdir().unwrap();
    let load = |bytes: &[u8]| {
        let path = folder.path().join("bot.urdf");
        std::fs::write(&path, bytes).unwrap();
        load_robot(&path, &Disk).unwrap_err().to_string()
    };
    assert!(
        load(b"\x7fELF\x02\x01\x01\0\0\x01").contains("bot.urdf:1:8: byte 0x00, which is not text")
    );
    assert!(load(b"<robot>\n<!-- \xe9 -->").contains("bot.urdf:2:6: byte 0xE9"));
    assert!(load(b"\xff\xfe<\0r\0").contains("UTF-16"));
    assert!(load(b"").contains("bot.urdf:1:1: nothing"));
    let error = load_robot(folder.path(), &Disk).unwrap_err().to_string();
    assert!(error.contains("folder"), "{error}");
    let error = load_robot(&folder.path().join("no.urdf"), &Disk)
        .unwrap_err()
        .to_string();
    assert!(error.contains("no.urdf: "), "{error}");
}
