#!/bin/bash
# loopback.sh COMMAND..: runs a command within dbus-run-session, with a sound card that records what it plays: PipeWire's
# null sink, by its PulseAudio server and ALSA's pulse plugin. It ends what it started.
set -eu
dir=$(mktemp -d)
mkdir -m 700 "$dir/run" "$dir/home"
printf '</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\nctl.!default { type pulse }\n' >"$dir/alsa.conf"
export XDG_RUNTIME_DIR=$dir/run ALSA_CONFIG_PATH=$dir/alsa.conf
started=()
start() {
    HOME=$dir/home "$@" >"$dir/$1.log" 2>&1 &
    started+=($!)
}
trap 'kill "${started[@]}" 2>/dev/null || true; rm -rf "$dir"' EXIT
start pipewire
sleep 0.5
start wireplumber
start pipewire-pulse
# For tests that end the server and start it again.
export LOOPBACK_HOME=$dir/home LOOPBACK_SERVER=$!
for _ in $(seq 100); do pactl info >/dev/null 2>&1 && break; sleep 0.1; done
pactl load-module module-null-sink sink_name=spk rate=48000 channels=1 channel_map=mono >/dev/null
sleep 0.5
pactl set-default-sink spk
pactl set-default-source spk.monitor
"$@"
