//! What there is to call, and its arguments.

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a tool does to the world.
enum Kind {
    /// It only reads.
    Reads,
    /// It changes the run, in a way that can be changed back.
    Changes,
    /// It moves a machine, or ends something.
    Acts,
}

/// Name, title, description, kind and arguments of a tool.
type Row = (&'static str, &'static str, &'static str, Kind, Value);

fn rows() -> Vec<Row> {
    use Kind::{Acts, Changes, Reads};
    let agent = || {
        (
            "agent",
            json!({"type": "string", "description": "Name of the agent; the only one where it is left out."}),
        )
    };
    let run = || {
        (
            "run",
            json!({"type": "string", "description": "Name of the run, of a server of several; the only one where it is left out."}),
        )
    };
    let lease = || {
        (
            "lease",
            json!({"type": "string", "description": "`id` of a lease; the one that this session was granted where it is left out."}),
        )
    };
    let number = |text: &str| json!({"type": "number", "description": text});
    let text = |text: &str| json!({"type": "string", "description": text});
    let fields = |fields: &[(&str, Value)], needed: &[&str]| {
        let properties = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        let properties: JsonObject = properties.collect();
        json!({"type": "object", "properties": properties, "required": needed, "additionalProperties": false})
    };
    vec![
        (
            "status",
            "Status",
            "Where every agent is (m, rad), how it moves (m/s, rad/s), who decides what it does, its kernel and alarm, at the end of a tick.",
            Reads,
            fields(&[run()], &[]),
        ),
        (
            "diagnose",
            "Diagnosis",
            "What is wrong now: alarms and the isolated sensor, surprise against its threshold of 1, stale sensors, lost readings, latched stops, the last events.",
            Reads,
            fields(&[run(), agent()], &[]),
        ),
        (
            "history",
            "History",
            "Events after a cursor, oldest first: alarms, collisions, goals, stops, refused requests, watches that fired.",
            Reads,
            fields(
                &[
                    run(),
                    (
                        "after",
                        json!({"type": "integer", "minimum": 0, "description": "Number of the last event that is known; 0 for all that are kept."}),
                    ),
                    (
                        "most",
                        json!({"type": "integer", "minimum": 1, "maximum": 1000, "description": "Most events; 50 where it is left out."}),
                    ),
                ],
                &[],
            ),
        ),
        (
            "explain_event",
            "Explain an event",
            "An event, what else happened within 5 s of it, and what its agent's kernel says now.",
            Reads,
            fields(
                &[
                    run(),
                    (
                        "number",
                        json!({"type": "integer", "minimum": 1, "description": "Number of the event, of `history`."}),
                    ),
                ],
                &["number"],
            ),
        ),
        (
            "watch",
            "Watch",
            "Watches an agent in every tick, also between calls; when the condition is met, `history` has an event with the watch's id, once an episode. At most 64.",
            Changes,
            fields(
                &[
                    run(),
                    agent(),
                    (
                        "what",
                        json!({"type": "string", "enum": ["surprise", "coherence", "speed", "channel", "sensor", "event"], "description": "`speed` in m/s; `channel`: energy of the residual of a predicted channel, 1 while healthy."}),
                    ),
                    (
                        "how",
                        json!({"type": "string", "enum": ["above", "below", "rises", "falls", "crosses", "silent", "event"], "description": "`silent` of a sensor that is stale, `event` of events, the others of a value."}),
                    ),
                    (
                        "value",
                        number(
                            "The threshold; of the surprise 1 where it is left out. `rises` and `falls` of others without it: a change from the mean of the last 10 s.",
                        ),
                    ),
                    ("channel", text("Of `channel`: `encoders/0`.")),
                    ("sensor", text("Of `sensor`, its name on the agent: `imu`.")),
                    (
                        "event",
                        json!({"type": "string", "enum": ["collision", "alarm", "goal", "stop", "fault", "stale", "any"], "description": "Of `event`."}),
                    ),
                    (
                        "hysteresis",
                        number(
                            "How far the value has to be back before it may fire again; 10 % of the threshold where it is left out.",
                        ),
                    ),
                    (
                        "dwell_s",
                        number(
                            "How long the condition has to hold (s of the run); 0 where it is left out.",
                        ),
                    ),
                    (
                        "key",
                        text("A name of your own: the same key again replaces the watch."),
                    ),
                ],
                &["what", "how"],
            ),
        ),
        (
            "watches",
            "Watches",
            "The watches of the run, their values and how often they fired.",
            Reads,
            fields(&[run()], &[]),
        ),
        (
            "unwatch",
            "End a watch",
            "Ends a watch.",
            Changes,
            fields(
                &[run(), ("id", text("Its id, of `watches`: `w1`."))],
                &["id"],
            ),
        ),
        (
            "recall",
            "Recall",
            "What an agent remembers: events of this run and of earlier ones, strongest first.",
            Reads,
            fields(&[run(), agent()], &[]),
        ),
        (
            "read_sensor",
            "Read a sensor",
            "The latest reading of a sensor, each number with its name and unit; without `sensor`, the sensors that there are.",
            Reads,
            fields(
                &[
                    run(),
                    agent(),
                    ("sensor", text("Its name on the agent: `imu`.")),
                ],
                &[],
            ),
        ),
        (
            "picture",
            "Picture",
            "The run as it is now: agents, obstacles, goals and places (green and blue pins), the last scans (red dots).",
            Reads,
            fields(
                &[
                    run(),
                    ("agent", text("Agent to look at; all where it is left out.")),
                    (
                        "distance_m",
                        number(
                            "Distance of the camera (m); as far as everything fits where it is left out.",
                        ),
                    ),
                    (
                        "yaw_rad",
                        number("Direction in which it looks, counter-clockwise from x (rad)."),
                    ),
                    (
                        "pitch_rad",
                        number(
                            "How far down it looks: 0 to the horizon, 1.57 to 1.6 straight down, as a map (rad).",
                        ),
                    ),
                ],
                &[],
            ),
        ),
        (
            "list_scenes",
            "List scenes",
            "Scenes that can be run.",
            Reads,
            fields(&[], &[]),
        ),
        (
            "list_runs",
            "List runs",
            "Runs of the server and their states.",
            Reads,
            fields(&[], &[]),
        ),
        (
            "run_scene",
            "Run a scene",
            "Starts a run of a scene, in a process of its own, recorded.",
            Changes,
            fields(
                &[
                    ("scene", text("Name of a scene of `list_scenes`.")),
                    (
                        "seed",
                        json!({"type": "integer", "minimum": 0, "description": "Seed of all random numbers."}),
                    ),
                    ("duration_s", number("Simulated time to run (s).")),
                    (
                        "rate",
                        number(
                            "Multiple of real time; 0: as fast as possible; real time where it is left out.",
                        ),
                    ),
                ],
                &["scene"],
            ),
        ),
        (
            "end_run",
            "End a run",
            "Ends a run; its recording is closed.",
            Acts,
            fields(&[run()], &["run"]),
        ),
        (
            "score",
            "Score a scene",
            "Injects faults into runs of a scene and measures detection, delay, isolation and false alarms. Takes minutes.",
            Changes,
            fields(
                &[
                    ("scene", text("Name of a scene of `list_scenes`.")),
                    (
                        "faults",
                        text("A part of the names of the faults; all where it is left out."),
                    ),
                    (
                        "runs",
                        json!({"type": "integer", "minimum": 1, "maximum": 100, "description": "Runs per fault; 5 where it is left out."}),
                    ),
                ],
                &["scene"],
            ),
        ),
        (
            "record",
            "Recordings",
            "Recordings of the server; of one, what it contains (`info`), or whether its replay is equal to the bit (`verify`).",
            Reads,
            fields(
                &[
                    ("recording", text("Name of a recording.")),
                    (
                        "action",
                        json!({"type": "string", "enum": ["list", "info", "verify"], "description": "`list` where it is left out."}),
                    ),
                ],
                &[],
            ),
        ),
        (
            "pause",
            "Pause",
            "Pauses the run after the tick that is on its way, or lets it go on.",
            Changes,
            fields(
                &[
                    run(),
                    (
                        "paused",
                        json!({"type": "boolean", "description": "False to go on; true where it is left out."}),
                    ),
                ],
                &[],
            ),
        ),
        (
            "step",
            "Step",
            "Runs some ticks of a paused run.",
            Changes,
            fields(
                &[
                    run(),
                    (
                        "ticks",
                        json!({"type": "integer", "minimum": 1, "maximum": 1_000_000, "description": "How many."}),
                    ),
                ],
                &["ticks"],
            ),
        ),
        (
            "set",
            "Set a number",
            "Sets the speed of the run (`rate`), or a number of an agent's controller (`parameter` and `value`), which needs a lease. A wrong `parameter` is answered by those that there are.",
            Changes,
            fields(
                &[
                    run(),
                    (
                        "rate",
                        number("Multiple of real time; 0: as fast as possible."),
                    ),
                    agent(),
                    lease(),
                    ("parameter", text("`controller.speed_m_s`.")),
                    (
                        "value",
                        number("In the unit that the name of the parameter ends with."),
                    ),
                ],
                &[],
            ),
        ),
        (
            "fault",
            "Inject a fault",
            "Begins a fault of a simulated sensor or drive of an agent, as scenes have them, or ends those that were begun so. Needs a lease.",
            Acts,
            fields(
                &[
                    run(),
                    agent(),
                    lease(),
                    (
                        "target",
                        text("Sensor or drive, and the part: `imu/gyro_z`, `drive/0`."),
                    ),
                    (
                        "fault",
                        text(
                            "`Bias(0.1)`, `Scale(1.5)`, `Drift(0.01)`, `Freeze`, `Delay(0.2)`, `DropOut(0.3)`, `Block(0.5)`; of a drive `Slip(0.5)`, `Torque(0.5)`.",
                        ),
                    ),
                    (
                        "for_s",
                        number(
                            "It ends after this time of the run (s); without end where it is left out.",
                        ),
                    ),
                    (
                        "end",
                        json!({"type": "boolean", "description": "True to end the faults that were begun so."}),
                    ),
                ],
                &[],
            ),
        ),
        (
            "reset",
            "Reset",
            "Begins the scene anew. Stops that are latched stay so.",
            Acts,
            fields(&[run()], &[]),
        ),
        (
            "lease",
            "Lease",
            "Asks a person for the right to move an agent, for a time and within limits; with `release`, gives it back.",
            Acts,
            fields(
                &[
                    run(),
                    agent(),
                    (
                        "for_s",
                        number(
                            "It ends after this time (s), at most 3600; 60 where it is left out.",
                        ),
                    ),
                    ("max_linear_m_s", number("Largest speed (m/s).")),
                    ("max_angular_rad_s", number("Largest yaw rate (rad/s).")),
                    (
                        "release",
                        json!({"type": "boolean", "description": "True to give it back."}),
                    ),
                ],
                &[],
            ),
        ),
        (
            "drive",
            "Drive",
            "Speed and yaw rate of an agent on wheels, for a time; then its controller goes on. Needs a lease.",
            Acts,
            fields(
                &[
                    run(),
                    agent(),
                    lease(),
                    ("linear_m_s", number("Forward (m/s).")),
                    ("angular_rad_s", number("To the left (rad/s).")),
                    (
                        "for_s",
                        number(
                            "For this time of the run (s), at most 60; 0.5 where it is left out.",
                        ),
                    ),
                ],
                &["linear_m_s"],
            ),
        ),
        (
            "move",
            "Move",
            "A distance straight ahead (`distance_m`) or an angle on the spot (`angle_rad`), by odometry, of an agent on wheels. Needs a lease.",
            Acts,
            fields(
                &[
                    run(),
                    agent(),
                    lease(),
                    ("distance_m", number("Forward positive (m).")),
                    ("angle_rad", number("To the left positive (rad).")),
                ],
                &[],
            ),
        ),
        (
            "go_to",
            "Go to",
            "Sends an agent to a place of the scene, or to a position, around obstacles. Needs a lease.",
            Acts,
            fields(
                &[
                    run(),
                    agent(),
                    lease(),
                    ("place", text("Name of a place of the scene.")),
                    ("x_m", number("World position (m).")),
                    ("y_m", number("World position (m).")),
                ],
                &[],
            ),
        ),
        (
            "stop",
            "Stop",
            "Stops an agent, or all, from the next tick on, and latches: only `clear_stop` ends it. Needs no lease.",
            Acts,
            fields(
                &[
                    run(),
                    (
                        "agent",
                        text("Name of the agent; all where it is left out."),
                    ),
                ],
                &[],
            ),
        ),
        (
            "clear_stop",
            "Clear a stop",
            "Asks a person to clear the latched stop of an agent.",
            Acts,
            fields(&[run(), agent()], &[]),
        ),
    ]
}

/// All tools.
pub(super) fn all() -> Vec<Tool> {
    let tool = |(name, title, description, kind, schema): Row| {
        let Value::Object(schema) = schema else {
            return Tool::new(name, description, Arc::new(JsonObject::new()));
        };
        let annotations = ToolAnnotations::with_title(title)
            .read_only(matches!(kind, Kind::Reads))
            .destructive(matches!(kind, Kind::Acts))
            .idempotent(
                matches!(kind, Kind::Reads) || matches!(name, "stop" | "pause" | "set" | "unwatch"),
            )
            .open_world(false);
        Tool::new(name, description, Arc::new(schema))
            .with_title(title)
            .with_annotations(annotations)
    };
    rows().into_iter().map(tool).collect()
}
