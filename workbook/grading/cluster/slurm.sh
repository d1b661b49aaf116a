#!/usr/bin/env bash
#SBATCH --job-name=class
#SBATCH --array=1-8
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --requeue
# A class on a Slurm cluster: each task of the array grades its part, and goes on where it was if it is requeued.
#
#   SUBMISSIONS=/shared/submissions RESULTS=/shared/parts sbatch workbook/grading/cluster/slurm.sh
#   deno task class merge /shared/parts/* --out /shared/results
#
# Start it in the workbook's folder, which all nodes can read. Further options are given to every part.
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:-.}"
exec deno task class "$SUBMISSIONS" --out "$RESULTS/part-$SLURM_ARRAY_TASK_ID" \
  --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" "$@"
