#!/usr/bin/env python3
"""How well `becomingone analyze` detects faults in public recordings, beside classical methods. `cargo xtask detection` runs it.

detection.py BINARY DATA [--parts sets,blame,healthy,throughput] [--sets alfa,tep] [--seeds N] [--rows N] [--json FILE]

DATA is the folder of BECOMINGONE_TEST_DATA: detection/index.json with its files (stamp, channels, label), and skab/valve1. Every
method learns from the same first rows of a file and is judged on the rest. Nothing is fitted to the judged rows: the mean
(rows) over which a peer's score is smoothed and the factor on its threshold are one choice for all sets, made on valve1.
"""
import argparse
import concurrent.futures
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import pandas as pd

np.seterr(divide="ignore", invalid="ignore")

OURS = "becomingone"


# --- figures ---------------------------------------------------------------------------------------------------------


def auc(label, score):
    """Area under the ROC curve: the share of pairs of a faulty and a healthy row that are ranked right, ties half."""
    ranks = pd.Series(score).rank().to_numpy()
    faulty = np.asarray(label) == 1
    n, m = faulty.sum(), (~faulty).sum()
    return (ranks[faulty].sum() - n * (n + 1) / 2) / (n * m) if n and m else np.nan


def average_precision(label, score):
    """Precision at each threshold, weighted by the recall that it adds."""
    order = np.argsort(-np.asarray(score), kind="stable")
    faulty = np.asarray(label)[order] == 1
    if not faulty.any() or faulty.all():
        return np.nan
    # Equal scores are one threshold.
    last = np.r_[np.diff(np.asarray(score)[order]) != 0, True]
    found = np.cumsum(faulty)[last]
    flagged = np.flatnonzero(last) + 1
    return float((np.diff(np.r_[0, found]) / faulty.sum() * found / flagged).sum())


def events(label):
    """Begin and end of each stretch of faulty rows."""
    edges = np.flatnonzero(np.diff(np.r_[0, np.asarray(label) == 1, 0].astype(int)))
    return list(zip(edges[::2], edges[1::2]))


def judge(label, score, flag):
    """Figures of the judged rows of a file."""
    faulty, flag = np.asarray(label) == 1, np.asarray(flag, bool)
    stretches = events(label)
    return {
        "auc": auc(label, score),
        "ap": average_precision(label, score),
        "healthy": int((~faulty).sum()),
        "false": int((flag & ~faulty).sum()),
        "faulty": int(faulty.sum()),
        "missed": int((~flag & faulty).sum()),
        "events": len(stretches),
        "delays": [int(np.argmax(flag[i:j])) for i, j in stretches if flag[i:j].any()],
    }


def balanced_accuracy(far, mar):
    """Mean of the shares of healthy and of faulty rows that are judged right (%)."""
    return 100 - (far + mar) / 2


def summarise(files):
    """Figures of a set: rates over all rows, areas as the mean of the files that have both kinds of rows."""

    def total(key):
        return sum(f[key] for f in files)

    def mean(key):
        kept = [f[key] for f in files if not np.isnan(f[key])]
        return float(np.mean(kept)) if kept else None

    far = 100 * total("false") / max(1, total("healthy"))
    mar = 100 * total("missed") / max(1, total("faulty"))
    delays = [delay for f in files for delay in f["delays"]]
    return {
        "auc": mean("auc"),
        "ap": mean("ap"),
        "far": far,
        "mar": mar,
        "balanced": balanced_accuracy(far, mar),
        "found": len(delays),
        "events": total("events"),
        "delay": float(np.median(delays)) if delays else None,
    }


def binomial_interval(count, of, confidence=0.95):
    """Exact interval of a share (Clopper, Pearson 1934)."""
    from scipy.stats import beta

    tail = (1 - confidence) / 2
    low = beta.ppf(tail, count, of - count + 1) if count else 0.0
    high = beta.ppf(1 - tail, count + 1, of - count) if count < of else 1.0
    return float(low), float(high)


# --- peers -----------------------------------------------------------------------------------------------------------
# Each takes the baseline and all rows, both in deviations of the baseline, and returns a score for each row.


def smooth(x, rows):
    """Exponential mean over about so many rows, without the bias of its start."""
    if rows <= 1:
        return np.asarray(x, float)
    return pd.DataFrame(x).ewm(alpha=1 - np.exp(-1 / rows)).mean().to_numpy().reshape(np.shape(x))


def covariance(x):
    return np.atleast_2d(np.cov(x, rowvar=False))


def distance(c, x):
    """Squared Mahalanobis distance from zero, with a ridge."""
    return (x @ np.linalg.inv(c + 1e-3 * np.eye(len(c))) * x).sum(1)


def hotelling(baseline, x):
    return distance(covariance(baseline), x)


def mewma(baseline, x, rows=20):
    """Distance of the mean over 20 rows. Its covariance is that of means in the baseline and, as these are few, to
    seven tenths that of a mean of independent rows."""
    a = 1 - np.exp(-1 / rows)
    of_means = covariance(smooth(baseline, rows)[2 * rows :])
    return distance(0.3 * of_means + 0.7 * a / (2 - a) * covariance(baseline), smooth(x, rows))


def pca(baseline, x):
    """T2 within the components that hold 90 % of the variance, Q beside them, the larger one of both over its 99 % quantile."""
    mean = baseline.mean(0)
    _, scale, axes = np.linalg.svd(baseline - mean, full_matrices=False)
    variance = scale**2 / (len(baseline) - 1)
    kept = 1 + int(np.searchsorted(np.cumsum(variance) / variance.sum(), 0.9))
    axes, variance = axes[:kept], variance[:kept]

    def both(rows):
        within = (rows - mean) @ axes.T
        beside = rows - mean - within @ axes
        return np.c_[(within**2 / variance).sum(1), (beside**2).sum(1)]

    return (both(x) / (np.quantile(both(baseline), 0.99, axis=0) + 1e-9)).max(1)


def var_mewma(baseline, x):
    """MEWMA of the errors of a one-step predictor, by ridge regression."""

    def before(rows):
        return np.c_[np.vstack([rows[:1], rows[:-1]]), np.ones(len(rows))]

    z = before(baseline)[1:]
    b = np.linalg.solve(z.T @ z + np.eye(z.shape[1]), z.T @ baseline[1:])
    return mewma((baseline - before(baseline) @ b)[1:], x - before(x) @ b)


def isolation_forest(baseline, x):
    from sklearn.ensemble import IsolationForest

    return -IsolationForest(random_state=0, n_jobs=1).fit(baseline).score_samples(x)


# Score, the rows over which it is smoothed, and the factor on the 99 % quantile of the baseline.
PEERS = {
    "Hotelling T2": (hotelling, 20, 3),
    "PCA T2/Q 90 %": (pca, 10, 1.5),
    "MEWMA(20)": (mewma, 1, 13),
    "VAR(1) + MEWMA(20)": (var_mewma, 5, 20),
    "isolation forest": (isolation_forest, 5, 1),
}
METHODS = [OURS, *PEERS]


def deviations(table, baseline):
    """Values in deviations of the baseline; gaps hold the value before."""
    x = table.astype(float).ffill().bfill().fillna(0).to_numpy()
    mean, sd = x[:baseline].mean(0), x[:baseline].std(0)
    sd = np.where(sd > 1e-9 * (1 + np.abs(mean)), sd, 1)
    return np.clip((x - mean) / sd, -1e3, 1e3)


def peer(name, z, baseline):
    """Score and flag of each row by a peer."""
    method, rows, factor = PEERS[name]
    score = smooth(np.nan_to_num(method(z[:baseline], z), posinf=1e12), rows)
    # The first rows still hold the start of the means.
    usual = np.quantile(score[min(60, baseline // 2) : baseline], 0.99)
    threshold = factor * usual if usual > 0 else usual / factor
    return np.nan_to_num(score), score > threshold


def ours(binary, table, baseline):
    """Score, flag and isolated channel of each row by `analyze`, as a user runs it."""
    with tempfile.TemporaryDirectory() as folder:
        log, scores = os.path.join(folder, "log.csv"), os.path.join(folder, "scores.csv")
        table.to_csv(log, index=False)
        command = [binary, "analyze", log, "--time", "stamp", "--baseline", str(baseline)]
        ran = subprocess.run([*command, "--out", scores, "--rerun", "off"], capture_output=True, text=True)
        if ran.returncode:
            raise RuntimeError((ran.stderr or ran.stdout).strip()[-300:])
        found = pd.read_csv(scores, usecols=["coherence", "flag", "cause"], dtype={"cause": str})
    # The score is the surprise. Rows without one are not unusual.
    score = (1 / found.coherence.clip(lower=1e-9) - 1).fillna(0).to_numpy()
    return score, found.flag.to_numpy() == 1, found.cause.fillna("").to_numpy()


# --- data ------------------------------------------------------------------------------------------------------------


def files_of(data, kept=None):
    """The files of all sets: where they are, their set, kind, and number of rows to learn from."""
    found = []
    index = os.path.join(data, "detection", "index.json")
    if os.path.isfile(index):
        with open(index) as text:
            for f in json.load(text)["files"]:
                path = os.path.join(data, "detection", f["file"])
                found.append((path, f["set"], f["kind"], f["baseline"]))
    valve = os.path.join(data, "skab", "valve1")
    if os.path.isdir(valve):
        names = sorted(os.listdir(valve))
        found += [(os.path.join(valve, n), "skab valve1", "valve", 400) for n in names if n.endswith(".csv")]
    return [f for f in found if kept is None or f[1] in kept]


def read(path):
    """Stamp and channels, and the label of each row."""
    if path.endswith(".gz"):
        with gzip.open(path) as file:
            table = pd.read_csv(file)
        return table.drop(columns="label"), table.label.to_numpy()
    table = pd.read_csv(path, sep=";").rename(columns={"datetime": "stamp"})
    return table.drop(columns=["anomaly", "changepoint"]), table.anomaly.to_numpy()


def all_methods(binary, table, baseline):
    """Score and flag of each row by each method."""
    score, flag, _ = ours(binary, table, baseline)
    yield OURS, score, flag
    z = deviations(table.drop(columns="stamp"), baseline)
    for name in PEERS:
        yield (name, *peer(name, z, baseline))


# --- parts -----------------------------------------------------------------------------------------------------------


def judge_file(binary, path, baseline):
    table, label = read(path)
    return {
        name: judge(label[baseline:], score[baseline:], flag[baseline:])
        for name, score, flag in all_methods(binary, table, baseline)
    }


def in_parallel(work, items):
    """Results in the order of the items; of a file that the program refuses, its message."""
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        waiting = [pool.submit(work, *item) for item in items]
        for item, result in zip(items, waiting):
            try:
                yield item, result.result()
            except RuntimeError as error:
                print(f"refused: {item}: {error}", file=sys.stderr, flush=True)


def sets(binary, files):
    judged = {}
    paths = {path: name for path, name, _, _ in files}
    for (_, path, _), found in in_parallel(judge_file, [(binary, path, b) for path, _, _, b in files]):
        for method, figures in found.items():
            judged.setdefault(paths[path], {}).setdefault(method, []).append(figures)
    table = []
    for name in sorted(judged):
        for method in METHODS:
            table.append({"set": name, "method": method, **summarise(judged[name][method])})
    return table


def means(table, kept):
    """Means of the sets, each counting once."""
    rows = []
    for method in METHODS:
        of = [r for r in table if r["method"] == method and r["set"] in kept]
        rows.append({"method": method, **{key: float(np.mean([r[key] for r in of])) for key in ("auc", "ap", "balanced")}})
    return rows


# Where faults of the Tennessee Eastman process enter (Downs, Vogel 1993).
ENTERS = {
    "IDV4": ("reactor cooling water inlet", ["xmeas9", "xmeas21", "xmv10"]),
    "IDV14": ("reactor cooling water valve sticks", ["xmeas9", "xmeas21", "xmv10"]),
    "IDV6": ("loss of A feed", ["xmeas1", "xmv3"]),
    "IDV12": ("condenser cooling water inlet", ["xmeas11", "xmeas22", "xmv11"]),
}


def plain(name):
    return "".join(c for c in name.lower() if c.isalnum())


def blame(binary, files):
    rows = []
    for fault, (text, wanted) in ENTERS.items():
        for path, name, _, baseline in files:
            if name != "tep" or not path.endswith(f"_{fault}.csv.gz"):
                continue
            table, label = read(path)
            _, flag, cause = ours(binary, table, baseline)
            named = cause[(label == 1) & flag & (np.arange(len(label)) >= baseline)]
            right = [plain(c) in wanted for c in named]
            rows.append(
                {
                    "fault": fault,
                    "where": text,
                    "wanted": wanted,
                    "first": named[0] if len(named) else None,
                    "right": bool(right and right[0]),
                    "share": float(np.mean(right)) if right else 0.0,
                }
            )
    return rows


def plant(seed, rows):
    """Four sensors of two hidden levels that wander as AR(1), with noise; healthy throughout."""
    random = np.random.default_rng(seed)
    level = np.zeros((rows, 2))
    steps = random.normal(size=(rows, 2)) * np.sqrt(1 - 0.95**2)
    level[0] = random.normal(size=2)
    for i in range(1, rows):
        level[i] = 0.95 * level[i - 1] + steps[i]
    x = level @ np.array([[1.0, 0.6, 0.2, -0.5], [0.0, 0.8, 1.0, 0.7]]) + 0.3 * random.normal(size=(rows, 4))
    table = pd.DataFrame(x, columns=["a", "b", "c", "d"])
    table.insert(0, "stamp", np.arange(rows))
    return table


def healthy_rows(binary, source, baseline):
    """Alarms and flagged rows of each method after the baseline; all rows are healthy."""
    table = plant(*source) if isinstance(source, tuple) else read(source)[0]
    baseline = baseline or len(table) // 2
    found = {}
    for name, _, flag in all_methods(binary, table, baseline):
        flag = np.asarray(flag[baseline:], int)
        begins = int((np.diff(np.r_[0, flag]) == 1).sum())
        found[name] = {"alarms": begins, "flagged": int(flag.sum()), "rows": len(flag)}
    return found


def healthy(binary, files, seeds):
    groups = {"healthy files, second half (first half learned)": []}
    for path, _, kind, _ in files:
        # A flight of this kind that has a labelled event is none.
        if kind == "no_failure" and not read(path)[1].any():
            groups["healthy files, second half (first half learned)"].append((binary, path, None))
    for baseline in (400, 1000, 2000):
        runs = [(binary, (10_000 + seed, baseline + 3000), baseline) for seed in range(seeds)]
        groups[f"simulated plant, baseline of {baseline} rows"] = runs
    rows = []
    for group, runs in groups.items():
        found = [result for _, result in in_parallel(healthy_rows, runs)]
        for method in METHODS if found else []:
            of = [f[method] for f in found]
            alarmed, flagged = sum(f["alarms"] > 0 for f in of), sum(f["flagged"] for f in of)
            total = sum(f["rows"] for f in of)
            rows.append(
                {
                    "data": group,
                    "method": method,
                    "runs": len(of),
                    "alarmed": alarmed,
                    "alarmed_95": binomial_interval(alarmed, len(of)),
                    "alarms": sum(f["alarms"] for f in of),
                    "rows": total,
                    "flagged": flagged,
                    "flagged_95": binomial_interval(flagged, total),
                }
            )
    return rows


PANDAS = """
import sys, numpy as np, pandas as pd
log, out, baseline = sys.argv[1], sys.argv[2], int(sys.argv[3])
table = pd.read_csv(log)
x = table.drop(columns="stamp").to_numpy()
x = (x - x[:baseline].mean(0)) / x[:baseline].std(0)
c = np.cov(x[:baseline], rowvar=False)
t2 = pd.Series((x @ np.linalg.inv(c) * x).sum(1)).ewm(alpha=1 - np.exp(-1 / 20)).mean()
threshold = 3 * t2[60:baseline].quantile(0.99)
pd.DataFrame({"stamp": table.stamp, "t2": t2, "flag": (t2 > threshold).astype(int)}).to_csv(out, index=False)
"""


def throughput(binary, rows, channels=25, baseline=2000):
    """Rows/s of one large table, from CSV to CSV: the whole process on both sides, by the clock and by CPU time (s)."""
    random = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        log, out = os.path.join(folder, "log.csv"), os.path.join(folder, "out.csv")
        noise = random.normal(size=(rows, channels))
        table = pd.DataFrame(noise).ewm(alpha=0.2).mean() + 0.3 * random.normal(size=(rows, channels))
        table.columns = [f"c{i}" for i in range(channels)]
        table.insert(0, "stamp", np.arange(rows) * 0.01)
        table.to_csv(log, index=False, float_format="%.5g")
        size = os.path.getsize(log)
        del table, noise
        ours = [binary, "analyze", log, "--time", "stamp", "--baseline", str(baseline), "--out", out]
        sides = {
            OURS: [*ours, "--rerun", "off", "--quiet"],
            "pandas + numpy T2": [sys.executable, "-c", PANDAS, log, out, str(baseline)],
        }
        found = []
        for name, command in sides.items():
            begun, before = time.perf_counter(), os.times()
            subprocess.run(command, check=True, capture_output=True)
            seconds, after = time.perf_counter() - begun, os.times()
            busy = sum(after[2:4]) - sum(before[2:4])
            rates = {"rows_s": rows / seconds, "rows_cpu_s": rows / busy}
            found.append({"method": name, "rows": rows, "channels": channels, "csv_mb": size / 1e6, **rates})
        return found


# --- output ----------------------------------------------------------------------------------------------------------


def number(x, digits):
    if x is None or (isinstance(x, float) and np.isnan(x)):
        return "-"
    text = f"{x:.{digits}f}"
    return text[1:] if text.startswith("0.") and digits == 3 else text


def print_table(head, rows):
    print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    sys.stdout.flush()


def print_sets(table):
    head = ["set", "method", "AUC", "AP", "FAR %", "MAR %", "balanced accuracy %", "events found", "median delay (rows)"]
    rows = []
    for r in table:
        areas = [number(r[key], 3) for key in ("auc", "ap")]
        rates = [number(r[key], 1) for key in ("far", "mar", "balanced")]
        delay = number(r["delay"], 0)
        rows.append([r["set"], r["method"], *areas, *rates, f"{r['found']} of {r['events']}", delay])
    print_table(head, rows)


def print_means(text, rows):
    cells = [[r["method"], number(r["auc"], 3), number(r["ap"], 3), number(r["balanced"], 1)] for r in rows]
    print_table([text, "AUC", "AP", "balanced accuracy %"], cells)


def print_healthy(rows):
    def percent(interval):
        return " to ".join(f"{100 * x:.3g}" for x in interval)

    head = ["healthy rows of", "method", "runs with an alarm", "95 % interval (%)", "alarms", "rows flagged (%)", "95 % interval (%)"]
    cells = []
    for r in rows:
        share = f"{100 * r['flagged'] / r['rows']:.3g} of {r['rows']}"
        alarmed = f"{r['alarmed']} of {r['runs']}"
        cells.append(
            [r["data"], r["method"], alarmed, percent(r["alarmed_95"]), r["alarms"], share, percent(r["flagged_95"])]
        )
    print_table(head, cells)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("data")
    parser.add_argument("--parts", default="sets,blame,healthy,throughput")
    parser.add_argument("--sets")
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json")
    options = parser.parse_args()
    parts = options.parts.split(",")
    files = files_of(options.data, options.sets and options.sets.split(","))
    if not files:
        sys.exit(f"{options.data}: found no detection/index.json and no skab/valve1; expected the public recordings")
    figures = {}
    if "sets" in parts:
        figures["sets"] = table = sets(options.binary, files)
        print_sets(table)
        names = sorted({r["set"] for r in table})
        four = [n for n in names if not n.startswith("skab")]
        figures["means"] = {", ".join(kept): means(table, kept) for kept in (four, names) if kept}
        for kept, rows in figures["means"].items():
            print_means(f"mean of {kept}", rows)
    if "blame" in parts:
        figures["blame"] = rows = blame(options.binary, files)
        cells = [
            [r["fault"], r["where"], ", ".join(r["wanted"]), r["first"], "yes" if r["right"] else "no", f"{100 * r['share']:.0f}"]
            for r in rows
        ]
        print_table(["fault", "where", "channels there", "first isolated", "right", "rows of the alarm with a right one (%)"], cells)
    if "healthy" in parts:
        figures["healthy"] = healthy(options.binary, files, options.seeds)
        print_healthy(figures["healthy"])
    if "throughput" in parts:
        figures["throughput"] = rows = throughput(options.binary, options.rows)
        cells = [[r["method"], r["rows"], r["channels"], f"{r['csv_mb']:.0f}", f"{r['rows_s']:.0f}", f"{r['rows_cpu_s']:.0f}"] for r in rows]
        print_table(["CSV to CSV", "rows", "channels", "MB", "rows/s", "rows in 1 s of CPU time"], cells)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
