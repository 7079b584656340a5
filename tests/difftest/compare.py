#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""Runs difftest on the simulator and compares what it prints with what a real kernel printed.

Usage: compare.py DIFFTEST RECORDED, where RECORDED is .../PROFILE.SEED.gz
"""
import gzip
import os
import re
import subprocess
import sys

program, path = sys.argv[1:]
profile, seed = re.fullmatch(r"(\w+)\.(\d+)\.gz", os.path.basename(path)).groups()
with gzip.open(path, "rt") as file:
    recorded = file.read().splitlines()
run = subprocess.run([program, profile, seed, str(len(recorded))], stdin=subprocess.DEVNULL,
                     stdout=subprocess.PIPE, text=True, close_fds=True)
printed = run.stdout.splitlines()
for number, (ours, theirs) in enumerate(zip(printed, recorded)):
    if ours != theirs:
        context = "\n".join("        " + line for line in recorded[max(0, number - 5):number])
        sys.exit(f"{profile}, seed {seed}: the first difference\n{context}\n"
                 f"Linux:  {theirs}\nours:   {ours}")
if run.returncode or len(printed) != len(recorded):
    sys.exit(f"{profile}, seed {seed}: {len(printed)} of {len(recorded)} calls, "
             f"exit status {run.returncode}")
failed = sum(" = -E" in line for line in recorded)
print(f"{profile}, seed {seed}: {len(recorded)} calls answered as Linux does, "
      f"{failed} with an error")
