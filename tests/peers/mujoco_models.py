"""Compares robots as `becomingone inspect --json` reads them with MuJoCo: the peer of `cargo xtask soak`.

Reads lines of JSON from stdin, {"file": path, "ours": object of inspect or null}, and prints a line for each:
{"file", "peer": "mujoco" or why there is none, "joints", "mass_kg", "colliders",
"errors": {quantity: [worst error, where]}, "rest": [x, y, z, qw, qx, qy, qz] or null}.

All quantities are taken with every joint at the start position that ours names, in the frame of our root:

- names: joints that only one of both has.
- mass, inertia: of each moving body, with all that is fixed to it; about its centre of mass, relative to the
  largest entry of MuJoCo's.
- frames: place (m) and axis of each joint.
- accelerations: of all joints from rest under gravity, springs and armature, without contacts, limits, actuators and
  constraints; relative to the largest of each kind (angles, lengths).
"""

import json
import os
import re
import sys
import xml.etree.ElementTree as tree

import mujoco
import numpy as np

GRAVITY = np.array([0.0, 0.0, -9.80665])
HINGE, SLIDE, BALL, FREE = 3, 2, 1, 0
# Free robots are let fall for this long, and from a second height: where the end depends on it, it is no rest pose.
REST_S, RAISED_M = 6.0, 0.03


def file_sums(file):
    """Sums of a URDF: MuJoCo drops the mass of a fixed base."""
    text = open(file, encoding="utf-8", errors="replace").read()
    text = re.sub(r"<!--.*?-->|<\?xml.*?\?>", "", text, flags=re.S).strip("\ufeff \n\t\0")
    # Prefixes that are not declared, as drake:joint: MuJoCo takes them as part of the name.
    text = re.sub(r"(</?|\s)(\w+):(\w+)(?=[\s=/>])", r"\1\2_\3", text)
    root = tree.fromstring(text)
    masses = [link.find("inertial/mass") for link in root.findall("link")]
    sums = {
        "joints": sum(j.get("type") != "fixed" for j in root.findall("joint")),
        "mass_kg": sum(float(m.get("value")) for m in masses if m is not None),
        "colliders": len(root.findall("link/collision/geometry")),
    }
    return root, sums


def urdf_model(root):
    """The kinematics and masses of a URDF: MuJoCo does not find meshes in ROS packages."""
    for link in root.findall("link"):
        for part in link.findall("visual") + link.findall("collision"):
            link.remove(part)
    for old in root.findall("mujoco"):
        root.remove(old)
    options = tree.SubElement(root, "mujoco")
    settings = {"fusestatic": "false", "discardvisual": "true", "boundmass": "1e-9", "boundinertia": "1e-12"}
    tree.SubElement(options, "compiler", settings)
    return mujoco.MjModel.from_xml_string(tree.tostring(root, encoding="unicode"))


def start(model, ours):
    """State with every joint where ours starts; the pose of a free base by the keyframe that ours takes."""
    data = mujoco.MjData(model)
    keys = [model.key(k).name for k in range(model.nkey)]
    key = keys.index("home") if "home" in keys else 0
    if keys:
        data.qpos[:] = model.key_qpos[key]
    starts = {p["joint"]["name"]: p["joint"]["start"] for p in ours["tree"] if p["joint"]}
    for j in range(model.njnt):
        at, kind = model.jnt_qposadr[j], model.jnt_type[j]
        if kind in (HINGE, SLIDE):
            data.qpos[at] = model.qpos0[at] + starts.get(joint_name(model, j), 0.0)
        elif kind == BALL:
            data.qpos[at : at + 4] = [1, 0, 0, 0]
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    return data


def joint_name(model, j):
    """Ours gives unnamed joints the name of their body."""
    name = model.joint(j).name
    return name or f"{model.body(model.jnt_bodyid[j]).name}/joint"


def matrix(quat):
    out = np.zeros(9)
    mujoco.mju_quat2Mat(out, np.asarray(quat, float))
    return out.reshape(3, 3)


def full(inertia):
    xx, yy, zz, xy, xz, yz = inertia
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def combined(parts):
    """Mass, centre and inertia of several, each (mass, centre, inertia about it) in the same axes."""
    mass = sum(p[0] for p in parts)
    if mass <= 0:
        return 0.0, np.zeros(3), np.zeros((3, 3))
    centre = sum(p[0] * p[1] for p in parts) / mass
    inertia = np.zeros((3, 3))
    for kg, at, own in parts:
        d = at - centre
        inertia += own + kg * (d @ d * np.eye(3) - np.outer(d, d))
    return mass, centre, inertia


def our_parts(ours):
    out = []
    for part in ours["tree"]:
        turn = matrix(part["rotation"])
        centre = np.array(part["position_m"]) + turn @ np.array(part["com_m"])
        out.append((part["mass_kg"], centre, turn @ full(part["inertia_kg_m2"]) @ turn.T))
    return out


def accelerations(ours, parts, free):
    """Of all joints, from the loaded model's own masses, places and axes: M a = forces at rest."""
    tree_ = ours["tree"]
    columns = []
    for k, part in enumerate(tree_):
        joint = part["joint"]
        if not joint:
            continue
        axis, anchor = np.array(joint["axis"]), np.array(joint["anchor_m"])
        if joint["kind"] in ("revolute", "continuous"):
            columns.append((k, joint["name"], "hinge", axis, anchor, joint))
        elif joint["kind"] == "prismatic":
            columns.append((k, joint["name"], "slide", axis, anchor, joint))
        elif joint["kind"] in ("floating", "spherical"):
            for e in np.eye(3):
                columns.append((k, None, "hinge", e, anchor, None))
                if joint["kind"] == "floating":
                    columns.append((k, None, "slide", e, anchor, None))
        else:
            return None
    base = 6 if free else 0
    n = base + len(columns)
    above = []
    for k in range(len(tree_)):
        chain, at = set(), k
        while at is not None:
            chain.add(at)
            at = tree_[at]["parent"]
        above.append(chain)
    m, force = np.zeros((n, n)), np.zeros(n)
    for k, (mass, centre, inertia) in enumerate(parts):
        if not free and k == 0:
            continue
        v, w = np.zeros((3, n)), np.zeros((3, n))
        if free:
            v[:, :3] = np.eye(3)
            for i in range(3):
                e = np.eye(3)[i]
                w[:, 3 + i], v[:, 3 + i] = e, np.cross(e, centre)
        for c, (link, _, kind, axis, anchor, _) in enumerate(columns):
            if link in above[k]:
                if kind == "hinge":
                    w[:, base + c], v[:, base + c] = axis, np.cross(axis, centre - anchor)
                else:
                    v[:, base + c] = axis
        m += mass * v.T @ v + w.T @ inertia @ w
        force += mass * v.T @ GRAVITY
    for c, (*_, joint) in enumerate(columns):
        if not joint:
            continue
        m[base + c, base + c] += joint["armature"]
        force[base + c] -= joint["stiffness"] * (joint["start"] - joint["spring_rest"])
    try:
        a = np.linalg.solve(m, force)
    except np.linalg.LinAlgError:
        return None
    return {name: (kind, a[base + c]) for c, (_, name, kind, *_) in enumerate(columns) if name}


def worst(errors, quantity, error, where):
    error = float(error) if np.isfinite(error) else 1e9
    if quantity not in errors or error > errors[quantity][0]:
        errors[quantity] = [error, where]


def compare(model, ours):
    errors = {}
    data = start(model, ours)
    named = [j for j in range(model.njnt) if model.joint(j).name or model.body(model.jnt_bodyid[j]).name]
    joints = {joint_name(model, j): j for j in named if model.jnt_type[j] != FREE}
    mine = {p["joint"]["name"]: k for k, p in enumerate(ours["tree"]) if p["joint"] and p["joint"]["kind"] != "floating"}
    odd = sorted(set(joints) ^ set(mine))
    if len(named) < model.njnt:
        # Both give joints of bodies without names names of their own.
        odd = [name for name in odd if name in joints]
    worst(errors, "names", len(odd), ", ".join(odd[:3]))
    every = {joint_name(model, j): j for j in range(model.njnt)}
    free = [j for j in range(model.njnt) if model.jnt_type[j] == FREE]
    # Of several free bodies, one is our root.
    root = next((p["link"] for p in ours["tree"] if p["parent"] is None), None)
    bases = [int(model.jnt_bodyid[j]) for j in free]
    bases = [b for b in bases if len(bases) == 1 or model.body(b).name == root]
    base = bases[0] if bases and not ours["fixed_base"] else 0
    origin = data.xpos[base] if base else np.zeros(3)
    # Bodies of MuJoCo, with what is fixed to them.
    theirs = {}
    for b in range(1, model.nbody):
        turn = data.ximat[b].reshape(3, 3)
        one = (model.body_mass[b], data.xipos[b] - origin, turn @ np.diag(model.body_inertia[b]) @ turn.T)
        theirs.setdefault(int(model.body_weldid[b]), []).append(one)
    parts = our_parts(ours)
    owner = {}
    for k, part in enumerate(ours["tree"]):
        name = part["joint"] and part["joint"]["name"]
        if name in every:
            owner.setdefault(int(model.jnt_bodyid[every[name]]), []).append(parts[k])
        elif part["parent"] is None and base:
            owner.setdefault(int(base), []).append(parts[k])
    # Links between the joints of a body of several, and what is fixed to the last of them.
    for b, own in owner.items():
        unnamed = any(model.jnt_bodyid[j] == b and j not in named for j in range(model.njnt))
        if b not in theirs or unnamed:
            continue
        kg, centre, inertia = combined(own)
        kg_, centre_, inertia_ = combined(theirs[b])
        name = model.body(b).name
        worst(errors, "mass", abs(kg - kg_) / max(kg_, 1e-9), f"{name}: {kg:.5g} kg, not {kg_:.5g}")
        size = max(np.abs(inertia_).max(), 1e-12)
        off = np.abs(inertia - inertia_).max() / size
        worst(errors, "inertia", off, f"{name}: {np.diag(inertia).round(7).tolist()}, not {np.diag(inertia_).round(7).tolist()}")
        worst(errors, "frames", np.abs(centre - centre_).max() / 10, f"centre of mass of {name}")
    for name, k in mine.items():
        if name not in joints:
            continue
        j, joint = joints[name], ours["tree"][k]["joint"]
        off = np.abs(np.array(joint["anchor_m"]) - (data.xanchor[j] - origin)).max()
        worst(errors, "frames", off, f"anchor of {name}")
        if model.jnt_type[j] in (HINGE, SLIDE):
            worst(errors, "frames", np.abs(np.array(joint["axis"]) - data.xaxis[j]).max(), f"axis of {name}")
    found = None if odd or len(named) < model.njnt else accelerations(ours, parts, bool(base))
    if found is not None:
        flag = mujoco.mjtDisableBit
        off = flag.mjDSBL_CONTACT | flag.mjDSBL_LIMIT | flag.mjDSBL_EQUALITY | flag.mjDSBL_ACTUATION
        off |= flag.mjDSBL_FRICTIONLOSS
        model.opt.disableflags |= int(off)
        model.opt.gravity[:] = GRAVITY
        data.qvel[:] = 0
        mujoco.mj_forward(model, data)
        for kind in ("hinge", "slide"):
            pairs = [(n, a, data.qacc[model.jnt_dofadr[joints[n]]]) for n, (t, a) in found.items() if t == kind]
            scale = max([abs(b) for *_, b in pairs] + [1e-3 if kind == "slide" else 1e-2])
            for n, a, b in pairs:
                worst(errors, "accelerations", abs(a - b) / scale, f"{n}: {a:.5g}, not {b:.5g}")
    return errors


def settle(file, raised):
    """Pose of a free base that has come to rest on a level floor; None where it has not."""
    spec = mujoco.MjSpec.from_file(file)
    floors = [g for g in spec.worldbody.geoms if g.type == mujoco.mjtGeom.mjGEOM_PLANE]
    if not floors:
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1])
    model = spec.compile()
    free = [j for j in range(model.njnt) if model.jnt_type[j] == FREE]
    if len(free) != 1 or model.nv > 40:
        return None
    data = mujoco.MjData(model)
    if model.nkey:
        names = [model.key(k).name for k in range(model.nkey)]
        mujoco.mj_resetDataKeyframe(model, data, names.index("home") if "home" in names else 0)
    model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_ACTUATION)
    model.opt.gravity[:] = GRAVITY
    at = model.jnt_qposadr[free[0]]
    data.qpos[at + 2] += raised
    steps = int(REST_S / model.opt.timestep)
    if steps > 20000:
        return None
    for _ in range(steps):
        mujoco.mj_step(model, data)
    still = np.abs(data.qvel).max() < 0.02 and np.isfinite(data.qpos).all()
    return data.qpos[at : at + 7].copy() if still else None


def rest(file):
    poses = [settle(file, raised) for raised in (0.0, RAISED_M)]
    if any(p is None for p in poses) or abs(poses[0][2] - poses[1][2]) > 0.003:
        return None
    return poses[0].tolist()


def answer(file, ours):
    out = {"joints": None, "mass_kg": None, "colliders": None, "errors": {}, "rest": None}
    try:
        if file.endswith(".urdf"):
            root, sums = file_sums(file)
            out |= sums
            model = urdf_model(root)
        else:
            model = mujoco.MjModel.from_xml_path(file)
            out |= {"joints": model.njnt, "mass_kg": float(sum(model.body_mass))}
        out["peer"] = "mujoco"
    except Exception as error:  # a refusal is a result
        out["peer"] = str(error).replace("\n", " ")[:120]
        return out
    if ours:
        out["errors"] = compare(model, ours)
        if not file.endswith(".urdf") and not ours["fixed_base"]:
            try:
                out["rest"] = rest(file)
            except Exception:  # an unstable model is no pose
                out["rest"] = None
    return out


if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            found = answer(asked["file"], asked["ours"])
        except Exception as error:
            found = {"peer": f"comparison failed: {error!r}"[:160], "errors": {}, "failed": True}
        print(json.dumps({"file": asked["file"], **found}), flush=True)
