//! From one laptop to a cluster: sweeps on threads, in arrays of jobs, on Ray.
//!
//! **How do I run a scene ten thousand times, and what do I change when one machine is too slow?** Nothing in the plan, and nothing
//! in the table: only where it is run.
//!
//! ```sh
//! becomingone sweep robot --seeds 0..1000 --vary agents.rover.controller.speed_m_s=0.5,1.0,1.5 --out results.parquet
//! ```
//!
//! ```python
//! import becomingone as b1
//!
//! table = b1.sweep("robot", seeds=range(1000), vary={"agents.rover.controller.speed_m_s": [0.5, 1.0, 1.5]},
//!                  out="results.parquet")
//! table.to_polars().group_by("agents.rover.controller.speed_m_s").mean()
//! ```
//!
//! A *run* is one scene with one point of the values and one seed. A *chunk* is about 20 s of runs. The folder
//! `results.parquet.parts` has the *plan*, with all files of the scene, and a *part* for each chunk that is done, written under
//! another name and renamed. The process that finds all parts there merges them into `results.parquet`. So:
//!
//! - The same command goes on after Ctrl-C, `kill -9` or a lost machine, and runs only what is missing.
//! - A sweep begun on threads goes on on Ray or in an array job, and the other way round.
//! - A run that fails is a row with its `error`; it is not tried again. Exit status 1 says that there is one.
//! - Rows and hashes are the same wherever they are run; only `wall_s` differs.
//!
//! | where | command | needs | who retries after a lost machine |
//! |---|---|---|---|
//! | this machine | `becomingone sweep ..` | nothing | you: the same command |
//! | Slurm array | `.. --shard I/N` | a shared folder | Slurm (`--requeue`) |
//! | Kubernetes Job | `.. --shard I/N` | a shared volume | the Job |
//! | Ray | `.. --on ray --address auto` | `pip install "becomingone[ray]"`, the program on each node | Ray; it also grows and shrinks |
//!
//! ## This machine
//!
//! All processors, or `--threads N`. Each run is made, stepped and dropped on one thread.
//!
//! ## Slurm
//!
//! An array of shards, each on one processor, all with the same `--out` on the shared file system:
//!
//! ```sh
//! #!/bin/sh
//! #SBATCH --job-name=speeds
//! #SBATCH --array=1-100
//! #SBATCH --cpus-per-task=4
//! #SBATCH --time=02:00:00
//! #SBATCH --requeue
//! cd "$SLURM_SUBMIT_DIR"
//! exec becomingone sweep robot --seeds 0..10000 --vary agents.rover.controller.speed_m_s=0.5,1.0,1.5 \
//!     --out results.parquet --shard "$SLURM_ARRAY_TASK_ID/100" --threads "$SLURM_CPUS_PER_TASK" --quiet
//! ```
//!
//! Chunk *k* belongs to shard *k mod N*; no process asks another. The first one makes the plan, the last one merges. A shard that
//! is requeued does only what is missing. A shard whose share has failed runs ends with exit status 1, which Slurm shows as
//! `FAILED`: its rows are there nevertheless.
//!
//! Choose fewer shards than chunks: `becomingone sweep` makes at least four chunks a shard of the first one that is started, where
//! there are enough runs. If one shard dies for good, start it again alone (`--array=17`), or the whole command without `--shard`
//! on any machine that sees the folder.
//!
//! ## Kubernetes, without Ray
//!
//! An indexed Job: each pod is a shard. `JOB_COMPLETION_INDEX` counts from 0, shards from 1.
//!
//! ```yaml
//! apiVersion: batch/v1
//! kind: Job
//! metadata:
//!   name: speeds
//! spec:
//!   completionMode: Indexed
//!   completions: 100
//!   parallelism: 50
//!   backoffLimitPerIndex: 3
//!   template:
//!     spec:
//!       restartPolicy: Never
//!       containers:
//!         - name: sweep
//!           image: registry.example.org/becomingone:0.1.0
//!           command: ["sh", "-c"]
//!           args:
//!             - >-
//!               becomingone sweep robot --seeds 0..10000 --out /results/results.parquet
//!               --shard $((JOB_COMPLETION_INDEX + 1))/100 --threads 1 --quiet
//!           resources:
//!             requests: {cpu: "1", memory: 256Mi}
//!             limits: {cpu: "1", memory: 512Mi}
//!           volumeMounts:
//!             - {name: results, mountPath: /results}
//!       volumes:
//!         - name: results
//!           persistentVolumeClaim: {claimName: results}    # ReadWriteMany
//! ```
//!
//! The image is any one with the program in it: `FROM python:3.12-slim`, `COPY becomingone-*.whl /` and `RUN pip install /*.whl`; the package is
//! not on the index of Python packages, `maturin build --release` in `plugins/python` makes the wheel. A pod with failed runs
//! ends with exit status 1 and is tried again up to `backoffLimitPerIndex` times; that costs a few seconds, as nothing is missing
//! then. AWS Batch's array jobs have `AWS_BATCH_JOB_ARRAY_INDEX`, which counts from 0 too.
//!
//! ## Ray
//!
//! ```sh
//! pip install "becomingone[ray]"
//! becomingone sweep robot --seeds 0..10000 --out results.parquet --on ray                   # the cluster on this machine
//! becomingone sweep robot --seeds 0..10000 --out results.parquet --on ray --address auto    # on a node of a cluster
//! ```
//!
//! ```python
//! b1.sweep("robot", seeds=range(10_000), out="results.parquet", on="ray")
//! b1.sweep("robot", seeds=range(10_000), out="results.parquet", on=b1.Ray("auto", ship=True, retries=20))
//! ```
//!
//! The driver, the process that you start, makes the plan, sends it to the cluster once, has at most four chunks a processor under
//! way, and writes the parts that come back. The nodes need no shared folder. A chunk is a task of one processor. Where its
//! node is lost, Ray gives it to another one, 5 times unless `retries` says otherwise: on spot machines, `retries=-1`. The chunks
//! that wait are what Ray's autoscaler sees: the cluster grows as long as there are more of them than processors.
//!
//! **The program on the nodes.** One of:
//!
//! - an image with the wheel in it, the same version as the driver's: best, as nothing is sent;
//! - `b1.Ray(.., ship=True)`: the package of the driver is sent once to each node, without pip. It needs the same system and numpy
//!   there, which Ray's images have;
//! - `b1.Ray(.., runtime_env={"py_modules": ["becomingone-0.1.0-cp311-abi3-manylinux_2_28_x86_64.whl"]})`: pip installs the wheel
//!   on each node, with what it depends on.
//!
//! The command line takes the same from the environment:
//! `BECOMINGONE_RAY='{"ship": true, "retries": -1}' becomingone sweep .. --on ray`. A program of your own, with plugins of your own,
//! is called by its path: it must be at the same path on each node. Plans of another version are refused, not run.
//!
//! **Thresholds and scores** take many runs too: `becomingone calibrate robot --on ray`, `becomingone score robot --on ray`. Each
//! run is a task, known by its number, and the tables and thresholds are those of threads, to the byte. A calibration is done
//! eight runs at a time on threads; a cluster begins with as many as the first ones let expect, at most 256 ahead.
//!
//! **Recordings** of a sweep go to any file system of fsspec, from Python:
//!
//! ```python
//! b1.sweep("robot", seeds=range(100), out="results.parquet", on="ray", record="s3://bucket/runs")
//! ```
//!
//! Each worker puts those of a chunk there once it is done; it needs fsspec and the library of the file system, and rights of its
//! own there. `record_options` are those of fsspec.
//!
//! **Authentication.** Ray has a token since 2.52: `RAY_AUTH_MODE=token` and the same `RAY_AUTH_TOKEN` (or a file,
//! `RAY_AUTH_TOKEN_PATH`) for all nodes and for the driver. BecomingONE never switches it off, and sends no usage statistics
//! (`RAY_USAGE_STATS_ENABLED=0`, unless you set it). A driver with another token gives up after about 20 s with an error that names the variables. The token
//! does not encrypt: keep a cluster in a network of its own.
//!
//! **By hand**, on machines without Kubernetes:
//!
//! ```sh
//! export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=..
//! ray start --head --port=6379 --node-ip-address=10.0.0.1 --include-dashboard=false       # the first machine
//! ray start --address=10.0.0.1:6379                                                        # each further one, one after the other
//! becomingone sweep robot --seeds 0..10000 --out results.parquet --on ray --address auto   # on any of them
//! ```
//!
//! **In a Slurm job**: the same lines, `ray start --head` on the first node of the job and `srun .. ray start --address=.. --block`
//! on the others. For a sweep, the array above needs less.
//!
//! **`KubeRay`** (1.5.1 or later, for `authOptions`):
//!
//! ```yaml
//! apiVersion: ray.io/v1
//! kind: RayJob
//! metadata:
//!   name: speeds
//! spec:
//!   entrypoint: >-
//!     becomingone sweep robot --seeds 0..10000 --out /results/results.parquet --on ray --address auto
//!   shutdownAfterJobFinishes: true
//!   rayClusterSpec:
//!     rayVersion: "2.60.0"
//!     authOptions: {mode: token}
//!     enableInTreeAutoscaling: true
//!     headGroupSpec:
//!       rayStartParams: {num-cpus: "0"}
//!       template:
//!         spec:
//!           containers:
//!             - name: ray-head
//!               image: registry.example.org/becomingone-ray:0.1.0
//!               resources:
//!                 requests: {cpu: "2", memory: 4Gi}
//!                 limits: {cpu: "2", memory: 4Gi}
//!               volumeMounts:
//!                 - {name: results, mountPath: /results}
//!           volumes:
//!             - name: results
//!               persistentVolumeClaim: {claimName: results}     # ReadWriteOnce is enough
//!     workerGroupSpecs:
//!       - groupName: runs
//!         replicas: 1
//!         minReplicas: 0
//!         maxReplicas: 125
//!         rayStartParams: {}
//!         template:
//!           spec:
//!             containers:
//!               - name: ray-worker
//!                 image: registry.example.org/becomingone-ray:0.1.0
//!                 resources:
//!                   requests: {cpu: "8", memory: 4Gi}
//!                   limits: {cpu: "8", memory: 4Gi}
//! ```
//!
//! The image: `FROM rayproject/ray:2.60.0-py312`, with the wheel as above.
//!
//! **Recordings** (`--record FOLDER`) are written on the machine where the run is run: with Ray or Kubernetes, give a folder that
//! all nodes share.
//!
//! ## What it costs
//!
//! Measured on a machine of 2 processors on which other work ran (load 2.5 to 5, so the least of three), 16 runs of `robot`, 20 s
//! each, in chunks of 2 runs; the engines themselves need 7.1 s:
//!
//! | | wall s | runs/s | beside the loop |
//! |---|---|---|---|
//! | plain loop of `becomingone run`, one after the other | 7.5 | 2.1 | 1 |
//! | `sweep --threads 1` | 7.4 | 2.2 | x 1.01 |
//! | `sweep --threads 2` | 4.0 | 4.0 | x 1.9 |
//! | Ray, one node of one processor | 9.1 | 1.8 | x 0.82 |
//! | Ray, two nodes of one processor | 5.3 | 3.0 | x 1.4 |
//!
//! Ray's share is paid mostly once: about 1.7 s to make the plan, to connect, and to start a worker on each node. With 40 runs in
//! place of 16, one node took 19.4 s, the loop 19.1 s. What each further thing costs:
//!
//! | what | cost | how measured |
//! |---|---|---|
//! | a cluster, to start | 8 to 18 s for the head, 3 to 12 s for each node | two nodes here; `KubeRay` also pulls images |
//! | memory | head 380 MB, each further node 220 MB, driver 130 MB | PSS; the driver with 20 000 rows |
//! | a run of 0.5 s simulated, 0.015 s of work, in chunks of 5 | 20 ms of a processor beside its engine, 16 ms without what is paid once | 1000 runs on two nodes in 17.4 s |
//! | a chunk, on its node | 15 ms of two processors: a program is started, the plan is read | 400 chunks of one tick against 100 |
//! | a chunk, in the driver | 4 ms of a processor, with an fsync of its part | the same |
//! | merging | 10 µs a row | 20 000 rows of 70 columns in 0.2 s |
//! | a lost node | what it was doing is run again, after 0 to 15 s in which Ray notices | SIGKILL of all processes of one of two nodes |
//!
//! **Reckoned, not measured, for 1000 processors**, 1 000 000 runs of 0.44 s (122 processor hours), chunks of 20 s:
//!
//! | processors | time | of which not running |
//! |---|---|---|
//! | 1 | 122 h | |
//! | 2 | 61 h | 0.2 %: starting a program for each chunk |
//! | 100 | 74 min | 0.2 %, 10 s of merging, 20 s for the last chunk |
//! | 1000 | 8 min | 0.2 %, 10 s of merging, 20 s for the last chunk, starting the cluster |
//!
//! With 1000 processors the driver receives 50 chunks a second and is busy 20 % of the time; its limit is reckoned at 250 chunks a
//! second, 5000 processors with chunks of 20 s. What this leaves out: Ray's own scheduling over a network, which we have not seen
//! beyond two nodes, and machines that differ. `--shard` has no driver: its limit is the shared file system, which sees a file of
//! 25 kB and more for each chunk.
//!
//! Ray gives its workers the niceness 15 (`RAY_worker_niceness`): on a machine that others use too, a sweep on threads is faster.
//!
//! ## What was run, and what was not
//!
//! Run, in the tests of this repository: threads, shards, resume after `kill -9` (`tests/tests/sweep.rs`,
//! `plugins/python/tests/test_sweep.py`); Ray with two nodes on one machine in a network namespace, token on
//! (`test_ray.py`): one node killed in the middle, the driver killed, the program killed, Ctrl-C, another token, a failed run, the
//! package and a wheel sent to the nodes, `calibrate` and `score`, recordings, and that nothing listens beyond the loopback and nothing stays.
//!
//! Not run: more than one machine, more than two nodes, Slurm, Kubernetes, `KubeRay`, autoscaling, spot machines, `ray://` addresses,
//! macOS and Windows. These recipes are written from the documentation of Ray 2.60, `KubeRay` 1.5, Slurm and Kubernetes 1.33.
