// Sensors: those with a link first, with its state; simulated ones in a list that is folded.

import { $, cells, number, rows, set } from "./api.js";
import { stream } from "./stream.js";

/// Time over which readings are counted (s of the run).
const SPAN = 2;
/// Numbers of a sensor that are shown.
const MOST = 3;

/// By sensor: names and units of its numbers.
export const kinds = new Map();
/// By sensor: `[time_s, readings]`.
const counts = new Map();

export function keep(view, began) {
  if (began) counts.clear();
  for (const { sensor, readings } of view.sensors) {
    const past = counts.get(sensor) ?? [];
    counts.set(sensor, past);
    if (past.length > 0 && view.time_s - past.at(-1)[0] < 0.1) continue;
    past.push([view.time_s, readings]);
    while (past.length > 2 && past[1][0] <= view.time_s - SPAN) past.shift();
  }
}

function rate(sensor) {
  const past = counts.get(sensor) ?? [];
  const [first, last] = [past[0], past.at(-1)];
  return past.length < 2 || last[0] - first[0] < 0.5 ? "-" : number((last[1] - first[1]) / (last[0] - first[0]), 1);
}

function values({ sensor, values: all }) {
  const kind = kinds.get(sensor);
  const isRow = kind !== undefined && kind.fields.length === 1 && all.length > 1;
  const few = all.slice(0, MOST).map((x, k) => {
    const name = isRow || kind === undefined ? "" : `${kind.fields[k] ?? ""} `;
    return `${name}${number(x, 3)}`;
  });
  const unit = isRow ? ` ${kind.units[0] ?? ""}` : "";
  return all.length === 0 ? "-" : few.join(", ") + unit + (all.length > MOST ? `, .. of ${all.length}` : "");
}

export function show() {
  const { view } = stream;
  const linked = view.sensors.filter((sensor) => sensor.link !== null);
  const simulated = view.sensors.filter((sensor) => sensor.link === null);
  $("no-links").hidden = linked.length > 0;
  $("links-table").hidden = linked.length === 0;
  rows($("links"), linked, (sensor) => sensor.sensor, (row, sensor) => {
    cells(row, [sensor.sensor, sensor.link + (sensor.is_stale ? ", stale" : ""), rate(sensor.sensor), `${sensor.dropped}`, values(sensor)]);
    row.cells[1].className = sensor.is_stale || sensor.link === "down" || sensor.link === "faulted" ? "alarm" : "";
  });
  $("simulated-list").hidden = simulated.length === 0;
  set("simulated-count", `${simulated.length}`);
  if (!$("simulated-list").open) return;
  rows($("simulated"), simulated, (sensor) => sensor.sensor, (row, sensor) => {
    cells(row, [sensor.sensor, rate(sensor.sensor), `${sensor.dropped}`, values(sensor)]);
  });
}
