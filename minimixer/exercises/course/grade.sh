#!/bin/sh
# Grades a class in the container: ./grade.sh SUBMISSIONS OUT [options of `minimixer exercises grade`]
set -eu
engine=$(command -v podman || command -v docker) || { echo "neither podman nor docker is installed" >&2; exit 1; }
[ $# -ge 2 ] || { echo "usage: $0 SUBMISSIONS OUT [options]" >&2; exit 2; }
submissions=$(realpath "$1") && mkdir -p "$2" && out=$(realpath "$2") && shift 2
exec "$engine" run --rm --network none --memory 4g --pids-limit 512 --cap-drop all --security-opt no-new-privileges \
    --user "$(id -u):$(id -g)" --volume "$submissions:/in:ro" --volume "$out:/out" minimixer-grader \
    grade /in --out /out/grades.csv --feedback /out/pages --trust-submissions "$@"
