#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""The shared library shows ifs_ symbols and nothing else, and everything the headers promise.

Without this, an internal function could leak into the ABI, or a public one be forgotten: programs
would then fail to link only where nobody of us looks.
"""
import pathlib
import re
import subprocess
import sys

library = sys.argv[1]
root = pathlib.Path(__file__).resolve().parents[2]
nm = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True,
                    check=True)
exported = {line.split()[-1].split("@")[0] for line in nm.stdout.splitlines() if " A " not in line}
exported.discard("IOMMUFD_SIM_0")

declared = set()
for header in (root / "include" / "iommufd-sim").rglob("*.h"):
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    for match in re.finditer(r"IFS_PUBLIC\s[^;{]*?\b(ifs_\w+)\s*[(;]", text):
        declared.add(match.group(1))

failures = [f"exported but not ifs_: {s}" for s in sorted(exported) if not s.startswith("ifs_")]
failures += [f"declared IFS_PUBLIC but not exported: {s}" for s in sorted(declared - exported)]
failures += [f"exported but in no public header: {s}" for s in sorted(exported - declared)
             if s.startswith("ifs_") and not s.startswith("ifs___")]
print("\n".join(failures) or f"{len(exported)} symbols, all declared and all ifs_")
sys.exit(bool(failures))
