#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""Turns the programs in programs/*.txt into seeds of fuzz_ioctl (docs/fuzzing.md has the language).

Usage: assemble.py DIR          makes DIR/seeds/fuzz_ioctl/program-NAME of DIR/programs/NAME.txt
       assemble.py --check DIR  says which of them are not what it would write
"""
import pathlib
import re
import sys

BOOT = {'not-exact': 1, 'posted-v1': 2, 'huge-folios': 4, 'one-device': 8, 'stream': 16,
        'selftest': 32}
PATHS = ['iommu', 'vfio0', 'vfio1', 'liveupdate', 'none', 'container', 'null']
ID_TYPES = 'ahdqvwexs'
OPEN, FILE, PROCESS, MEMORY, DMA, KEXEC, FILL, QUEUE, IOCTL = 0, 3, 6, 7, 9, 10, 11, 12, 14
FILE_OPS = ['truncate', 'fallocate', 'seal', 'pwrite', 'pread', 'write', 'read', 'seek', 'dup',
            'setfl', 'poll', 'close']
QUEUE_OPS = {'read8': 0, 'read': 2, 'write8': 3, 'write': 5, 'poll': 6, 'close': 7}
PROCESSES = {'fork': 0, 'new': 2, 'exit': 3, 'send': 4, 'switch': 6}
RIGHTS = {'user': 1, 'no-ipc-lock': 2, 'no-resource': 4, 'no-rawio': 8, 'memlock': 16,
          'nofile': 32}
LISTS = {
    'T': [0, 1, 2, 3, 0xdead, 0xdeadbeef, 0xbeefbeef, 0xfeedbeef, 0xbadbeef, 0xbaddad, 0xdadbeef,
          4],
    'L': [0, 4, 8, 12, 16, 24, 32, 1, 64, 4096, 0xffffffff],
    'P': [0, 1, 2, 3, 1024, 0xfffff, 0x100000, 0xffffffff],
    't': [0x1001, 0x2002, 0x300000000, 0x300000001, 0x4000000000000001, 0, 1, 2**64 - 1],
}
NAMES = ['vmm', 'other', '-', 'third']
ANY_FILE = 'MIVSFEADCL'


def number_table():
    """What fuzz_number() makes of each pair of bytes, turned around."""
    table = {}
    for kind in range(256):
        for value in range(256):
            n = [value, value << 12, value << 21, (1 << value % 64) + (kind >> 5) - 4,
                 2**64 - 1 - value, value << 16, 0x1000000 + (value << 11) if value else 0,
                 (value << 12) + (kind >> 3)][kind % 8]
            table.setdefault(n % 2**64, bytes([kind, value]))
    return table


NUMBERS = number_table()


def number(word):
    n = int(word, 0) % 2**64
    if n not in NUMBERS:
        raise ValueError(f'no two bytes make the number {word}')
    return NUMBERS[n]


def descriptor(word):
    """3: the fourth of its kind; fd3: that number; d0, container by bits that choose the kind."""
    if word.startswith('fd'):
        return bytes([0xf0 + int(word[2:])])
    if word.startswith('d'):
        return bytes([0x80 + int(word[1:])])
    if word.startswith('i'):
        return bytes([0x40 + int(word[1:])])
    return bytes([int(word)])


def identifier(word, types):
    """a0: the first IOAS that is known; #7: that number."""
    if word.startswith('#'):
        return bytes([0xc0 + int(word[1:])])
    if word[0] not in types:
        raise ValueError(f'{word} is none of the types {types}')
    return bytes([types.index(word[0]) << 4 | int(word[1:])])


def pointer(word):
    """page3+1: of the buffer; map1+4: page 4 of a mapping; bad: nothing."""
    name, _, plus = word.partition('+')
    if name == 'bad':
        return b'\xff'
    if name.startswith('map'):
        return bytes([0x80 + (int(name[3:]) | int(plus or '0') << 2)])
    return bytes([int(name[4:]) | int(plus or '0') << 4])


def field(letter, word):
    if letter in LISTS:
        return bytes([LISTS[letter].index(int(word, 0))])
    if letter in 'ny':
        return number(word)
    if letter == 'p':
        return pointer(word)
    if letter == 'N':
        return bytes([NAMES.index(word)])
    if letter == 'F':
        return bytes([ANY_FILE.index(word[0])]) + descriptor(word[1:])
    if letter in 'IAMD':
        return descriptor(word)
    if letter == 'k':
        return identifier(word, 'ahv')
    if letter == 'o':
        return identifier(word, ID_TYPES)
    if letter in ID_TYPES:
        return identifier(word, letter)
    if letter == 'G' and word.startswith('syz'):
        return bytes([0x80 | int(word[4:] or '0')])
    return bytes([int(word, 0)])


class Assembler:
    def __init__(self, table):
        self.rows = {}
        text = table.read_text()
        pattern = r'^\t(ROW|TEST)\((\w+),(?: \w+, \'(.)\',)? "([^"]*)"'
        for place, row in enumerate(re.finditer(pattern, text, re.M)):
            self.rows[row.group(2)] = (place, row.group(4).replace('.', ''))

    def ioctl(self, name, words):
        place, letters = self.rows[name]
        size, code = b'', IOCTL
        fd = '0'
        while words and '=' in words[0] or words[:1] == ['ro']:
            key, _, value = words.pop(0).partition('=')
            if key == 'on':
                fd = value
            else:
                code, size = code | 0x40, bytes([0xff if key == 'ro' else int(value)])
        if len(words) != len(letters):
            raise ValueError(f'{name} takes {len(letters)} arguments ({letters})')
        fields = b''.join(field(l, w) for l, w in zip(letters, words))
        return code, bytes([place]) + size + descriptor(fd) + fields

    def call(self, words):
        """The call's number and bits, and what follows it."""
        name = words.pop(0)
        if name in self.rows:
            return self.ioctl(name, words)
        if name == 'open':
            return OPEN, bytes([PATHS.index(words[0])])
        if name == 'memfd':
            return OPEN, bytes([0x80 | int(words[0], 0)])
        if name == 'file':      # file OPERATION KIND+FD OFFSET COUNT [LENGTH]
            kind = 'IVLS'.find(words[1][0])
            what = FILE_OPS.index(words[0]) | (0x80 | kind << 5 if kind >= 0 else 0)
            rest = b''.join(number(word) for word in words[4:])
            return FILE, (bytes([what]) + descriptor(words[1][1:]) + number(words[2]) +
                          int(words[3], 0).to_bytes(2, 'little') + rest)
        if name == 'queue':     # queue OPERATION KIND+FD COUNT POINTER
            what = 'FEADCIVL'.index(words[1][0]) | QUEUE_OPS[words[0]] << 3
            return QUEUE, (bytes([what]) + descriptor(words[1][1:]) + bytes([int(words[2])]) +
                           pointer(words[3]))
        if name == 'process':
            how, fd = 0, b''
            if words[0] == 'new':
                how = sum(RIGHTS[word] for word in words[1:])
            elif words[0] == 'send':
                how = 'ICFEADMV'.index(words[1][0]) << 5
                fd = descriptor(words[1][1:])
            return PROCESS, bytes([PROCESSES[words[0]], how]) + fd
        if name == 'mmap':      # mmap SLOT KIND+FD PROT OFFSET PAGES [private]
            what = int(words[0]) | (0x40 if words[1][0] == 'I' else 0)
            prot = int(words[2]) | (0x80 if 'private' in words else 0)
            return MEMORY, (bytes([what]) + descriptor(words[1][1:]) + bytes([prot]) +
                            number(words[3]) + bytes([int(words[4]) - 1]))
        if name == 'munmap':    # munmap SLOT SKIP PAGES
            return MEMORY, bytes([int(words[0]), int(words[1]), int(words[2]) - 1])
        if name == 'mprotect':  # mprotect SLOT PROT SKIP PAGES
            return MEMORY, bytes([0x80 | int(words[1]) << 4 | int(words[0]), int(words[2]),
                                  int(words[3]) - 1])
        if name == 'dma':       # dma write|read DEVICE IOVA LENGTH
            what = int(words[1]) | (0x40 if words[0] == 'read' else 0)
            return DMA, (bytes([what]) + number(words[2]) +
                         int(words[3], 0).to_bytes(2, 'little'))
        if name == 'kexec':
            return KEXEC, b''
        if name == 'fill':      # fill PAGE A B C D: the words A, A + B, C, C + D
            return FILL, bytes([int(words[0])]) + b''.join(number(word) for word in words[1:])
        raise ValueError(f'no call {name}')

    def program(self, text):
        boot, steps, calls = 0, 0, b''
        for line in text.splitlines():
            words = line.partition(';')[0].split()
            if not words:
                continue
            if words[0] == 'boot':
                boot = sum(BOOT[word] for word in words[1:])
            elif words[0] == 'steps':
                steps = int(words[1])
            else:
                fail = b''
                if words[0].startswith('fail='):
                    word = words.pop(0)[5:]
                    fail = bytes([int(word.rstrip('+')) - 1 | (0x80 if '+' in word else 0)])
                code, rest = self.call(words)
                calls += bytes([code | (0x80 if fail else 0)]) + fail + rest
        return bytes([boot, steps]) + calls


def main():
    check = sys.argv[1] == '--check'
    here = pathlib.Path(sys.argv[-1])
    assembler = Assembler(here / 'fuzz_table.c')
    failed = 0
    for source in sorted((here / 'programs').glob('*.txt')):
        seed = here / 'seeds/fuzz_ioctl' / ('program-' + source.stem)
        try:
            data = assembler.program(source.read_text())
        except (ValueError, KeyError, IndexError) as error:
            sys.exit(f'{source}: {error}')
        if not check:
            seed.write_bytes(data)
        elif not seed.exists() or seed.read_bytes() != data:
            print(f'{seed}: not what {source} makes; run assemble.py')
            failed = 1
    return failed


if __name__ == '__main__':
    sys.exit(main())
