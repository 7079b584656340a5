#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""What of each layer the seeds reach, by clang's source-based coverage: a table in Markdown.

Usage: coverage.py [--functions] ROOT BUILD

BUILD is configured with CC=clang and -fprofile-instr-generate -fcoverage-mapping (./dev coverage
does all of it). Replays the seeds of each target there. --functions lists, below the table, each
function that no seed calls.
"""
import collections
import json
import os
import pathlib
import subprocess
import sys

TARGETS = ('fuzz_ioctl', 'fuzz_arena')
KINDS = ('functions', 'lines', 'branches')


def replay(root, build, target):
    """One file of counters: what the seeds of @target add up to."""
    program = build / f'tests/fuzz/{target}-replay'
    raw, data = build / f'{target}.profraw', build / f'{target}.profdata'
    subprocess.run([program, root / f'tests/fuzz/seeds/{target}'], check=True,
                   stdout=subprocess.DEVNULL, env={**os.environ, 'LLVM_PROFILE_FILE': str(raw)})
    subprocess.run(['llvm-profdata', 'merge', '-sparse', raw, '-o', data], check=True)
    return program, data


def export(program, data):
    out = subprocess.run(['llvm-cov', 'export', '-skip-expansions', program,
                          f'-instr-profile={data}'], check=True, capture_output=True).stdout
    return json.loads(out)['data'][0]


def layer_of(root, name):
    """lib/iommufd of lib/iommufd/main.c; sim of sim/dma.c; None of tests and headers elsewhere."""
    parts = pathlib.Path(os.path.normpath(name)).parts
    for top in ('lib', 'sim'):
        if top in parts:
            at = len(parts) - 1 - parts[::-1].index(top)
            return '/'.join(parts[at:at + 2]) if top == 'lib' else top
    return None


def sums(root, report):
    """layer -> kind -> [covered, count]"""
    layers = collections.defaultdict(lambda: {kind: [0, 0] for kind in KINDS})
    for file in report['files']:
        layer = layer_of(root, file['filename'])
        for kind in KINDS if layer else ():
            for name in (layer, 'all'):
                layers[name][kind][0] += file['summary'][kind]['covered']
                layers[name][kind][1] += file['summary'][kind]['count']
    return layers


def percent(pair):
    return f'{100 * pair[0] / pair[1]:.0f} %' if pair[1] else '-'


def print_table(reports):
    head = ' | '.join(f'{target}: {", ".join(KINDS)}' for target in reports)
    print(f'| layer | {head} |')
    print('|---' * (len(reports) + 1) + '|')
    layers = {name for report in reports.values() for name in report
              if report[name]['lines'][1]}
    for layer in sorted(layers, key=lambda name: (name == 'all', name)):
        cells = [', '.join(percent(report[layer][kind]) for kind in KINDS)
                 for report in reports.values()]
        print(f'| {layer} | ' + ' | '.join(cells) + ' |')


def print_functions(root, exports):
    """Those that none of the exports counts, by file."""
    called, known = set(), {}
    for data in exports:
        for function in data['functions']:
            name = function['name'].rpartition(':')[2]
            file = function['filenames'][0]
            if not layer_of(root, file):
                continue
            key = (os.path.basename(os.path.dirname(file)) + '/' + os.path.basename(file), name)
            known[key] = True
            if function['count']:
                called.add(key)
    by_file = collections.defaultdict(list)
    for file, name in sorted(set(known) - called):
        by_file[file].append(name)
    print()
    for file, names in by_file.items():
        print(f'{file}: {", ".join(names)}')


def main():
    root, build = (pathlib.Path(arg).resolve() for arg in sys.argv[-2:])
    exports = {target: export(*replay(root, build, target)) for target in TARGETS}
    print_table({target: sums(root, data) for target, data in exports.items()})
    if '--functions' in sys.argv:
        print_functions(root, exports.values())


if __name__ == '__main__':
    main()
