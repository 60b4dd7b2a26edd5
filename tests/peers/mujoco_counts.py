"""Counts joints, mass and colliders of robot descriptions by MuJoCo or from the file: the peer of `cargo xtask soak`.

Reads paths from stdin, one a line; prints a line of JSON for each:
{"file", "joints", "mass_kg", "colliders", "by"}; unknown values are null.
"""

import json
import re
import sys
import xml.etree.ElementTree as tree

import mujoco


def of_urdf(file):
    """Sums of the file: MuJoCo drops the mass of a fixed base."""
    text = open(file, encoding="utf-8", errors="replace").read()
    text = re.sub(r"<!--.*?-->|<\?xml.*?\?>", "", text, flags=re.S).strip("\ufeff \n\t\0")
    root = tree.fromstring(text)
    masses = [link.find("inertial/mass") for link in root.findall("link")]
    return {
        "joints": sum(j.get("type") != "fixed" for j in root.findall("joint")),
        "mass_kg": sum(float(m.get("value")) for m in masses if m is not None),
        "colliders": len(root.findall("link/collision/geometry")),
        "by": "file",
    }


def of_mjcf(file):
    model = mujoco.MjModel.from_xml_path(file)
    return {
        "joints": model.njnt,
        "mass_kg": float(sum(model.body_mass)),
        "colliders": None,
        "by": "mujoco",
    }


for file in sys.stdin.read().splitlines():
    try:
        counts = of_urdf(file) if file.endswith(".urdf") else of_mjcf(file)
    except Exception as error:  # a refusal is a result
        counts = {"joints": None, "mass_kg": None, "colliders": None, "by": str(error).replace("\n", " ")[:90]}
    print(json.dumps({"file": file, **counts}), flush=True)
