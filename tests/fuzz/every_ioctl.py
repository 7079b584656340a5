#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""Says which ioctls of the headers have no row in the table of fuzz_ioctl.

An ioctl is a macro made with _IO(), or an operation of IOMMU_TEST_CMD.

Usage: every_ioctl.py ROOT | --self-test
"""
import pathlib
import re
import sys


def declared(header):
    names = set(re.findall(r'^#define\s+(\w+)\s+_IO[RW]*\(', header, re.M))
    return names | set(re.findall(r'^\s*(IOMMU_TEST_OP_\w+)\s*=', header, re.M))


def rows(table):
    names = set(re.findall(r'^\tROW\((\w+),', table, re.M))
    return names | {'IOMMU_TEST_OP_' + op for op in re.findall(r'^\tTEST\((\w+),', table, re.M)}


def missing(headers, table):
    return sorted(set().union(*map(declared, headers)) - rows(table))


def self_test():
    header = '#define IOMMU_A _IO(1, 2)\n#define IOMMU_B\t_IO(1, 3)\n\tIOMMU_TEST_OP_C = 3,\n'
    assert missing([header], '\tROW(IOMMU_A, 4)\n\tROW(IOMMU_B, 4)\n\tTEST(C, "")\n') == []
    assert missing([header], '\tROW(IOMMU_A, 4)\n\tTEST(C, "")\n') == ['IOMMU_B']
    assert missing([header], '\tROW(IOMMU_A, 4)\n\tROW(IOMMU_B, 4)\n') == ['IOMMU_TEST_OP_C']


def main():
    if sys.argv[1] == '--self-test':
        self_test()
        return 0
    root = pathlib.Path(sys.argv[1])
    headers = [path.read_text() for path in sorted((root / 'include/uapi/linux').glob('*.h'))]
    assert sum(len(declared(header)) for header in headers) > 50, 'no headers there'
    lacking = missing(headers, (root / 'tests/fuzz/fuzz_table.c').read_text())
    for name in lacking:
        print(f'{name} has no row in tests/fuzz/fuzz_table.c')
    return 1 if lacking else 0


if __name__ == '__main__':
    sys.exit(main())
