#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""The example in the README is the one that the tests compile and run, and is under 40 lines."""
import pathlib
import re
import sys

readme = pathlib.Path(sys.argv[1]).read_text()
source = pathlib.Path(sys.argv[2]).read_text()
blocks = re.findall(r"```c\n(.*?)```", readme, flags=re.S)
if not blocks:
    sys.exit("README.md has no C example")
body = source.split("*/\n", 1)[1]
if blocks[0].strip() != body.strip():
    sys.exit("the first C example in README.md is not tests/api/readme_example.c")
lines = len(body.strip().splitlines())
if lines >= 40:
    sys.exit(f"the example has {lines} lines; a newcomer was promised fewer than 40")
print(f"same, {lines} lines")
