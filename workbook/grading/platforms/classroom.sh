#!/usr/bin/env bash
# Grades one lesson on GitHub Classroom: the step's output `result` is what the reporter reads.
set -euo pipefail
cd "${BASH_SOURCE%/*}/../../.."
lesson=$1
result=$(mktemp)
trap 'rm -f "$result"' EXIT
deno=(npx -y deno@2.9.6)
if command -v deno >/dev/null; then deno=(deno); fi
# There is a result also where the grading fails: the step tells it, and the report has no gap.
"${deno[@]}" task grade lessons --lesson "$lesson" --format classroom --out "$result" || true
echo "result=$(tr -d '\n' <"$result")" >>"$GITHUB_OUTPUT"
