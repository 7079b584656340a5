#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""Checks the rules of the tree that a compiler does not: one line per offence, file:line: text.

Every tracked text file names its licence in its first lines, or REUSE.toml does. Sources are
looked at more closely.

Usage: tidy.py ROOT
"""
import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tomllib

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 70
MAX_COLUMNS = 100
C_TREES = ('lib', 'sim', 'include', 'tools', 'tests')
SKIPPED = ('tests/data', 'tools/data', 'tests/difftest/kernel')
SPDX = 'SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause'

# Each may include itself and what stands left of it. sim is below all of lib.
LAYERS = ('base', 'mm', 'kho', 'fs', 'luo', 'memfd', 'iommu', 'iommufd', 'vfio', 'designs',
          'kernel')
ABI_FROM = 'kho'        # lib/abi/ is visible from here on

# Spelt in two halves, so that this file does not offend itself.
BANNED = (
    (re.compile(r'\b(TO' r'DO|FIX' r'ME|XX' r'X)\b'), 'unfinished business'),
    (re.compile(r'(?<![\w.~*])/(wo' r'rk|ho' r'me|ro' r'ot)/'), 'a path of one machine'),
)
ABORT = re.compile(r'(?<![\w>.])abort\s*\(')
THREAD_LOCAL_HOME = 'lib/base/task.c'


def blank_comments_and_strings(text):
    """The same text, line for line, with comments and the insides of literals as spaces."""
    def blank(match):
        s = match.group(0)
        if s[0] in '"\'':
            return s[0] + ' ' * (len(s) - 2) + s[0]
        return re.sub(r'[^\n]', ' ', s)
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.S)


def blank_directives(text):
    """Preprocessor lines, with their continuations, as empty lines."""
    return re.sub(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', lambda m: '\n' * m.group(0).count('\n'), text,
                  flags=re.M)


def statements(code):
    """Yields (first line, last line, text) of everything at file scope; bodies are '{}'."""
    text, depth, line, first = '', 0, 1, 0
    for c in code:
        if c == '\n':
            line += 1
        if depth == 0 and not text.strip() and not c.isspace():
            first = line
        if c == '{':
            depth += 1
            if depth == 1:
                text += '{'
        elif c == '}':
            depth -= 1
            if depth == 0:
                text += '}'
                if is_function(text):
                    yield first, line, text.strip()
                    text = ''
        elif c == ';' and depth == 0:
            yield first, line, text.strip()
            text = ''
        elif depth == 0:
            text += c


def is_function(text):
    head = text.split('{')[0]
    return text.rstrip().endswith('}') and '(' in head and '=' not in head.split('(')[0]


def is_mutable_object(text):
    """A definition at file scope of something that is not const."""
    head = text.split('=')[0]
    if not head or re.match(r'(typedef|extern|_Static_assert)\b', head):
        return False
    if re.match(r'(static\s+)?(const\s+)?(struct|union|enum)\s*\w*\s*(\{\}\s*)?$', head):
        return False            # a type, nothing else
    if '(' in re.sub(r'__attribute__\s*\(\(.*?\)\)', '', head):
        return '(*' in head and not re.search(r'\*\s*const', head) and '=' in text
    if '*' in head:
        return not re.search(r'\*\s*const\b[^*]*$', head)
    return not re.search(r'\bconst\b', head)


def layer_offence(path, target):
    """Why @path may not include "@target", or None."""
    parts, to = path.split('/'), target.split('/')
    if len(to) == 1:
        return None             # a neighbour
    if parts[0] == 'include':
        if to[0] in ('lib', 'sim', 'tests', 'tools'):
            return 'a public header includes what is not installed'
        if to[:2] == ['iommufd-sim', 'proto'] and parts[2] != 'proto':
            return 'the public API includes the in-kernel one'
        return None
    if parts[0] == 'sim':
        return 'sim/ knows no lib/' if to[0] == 'lib' else None
    if parts[0] != 'lib' or len(parts) < 3:
        return None
    mine = parts[1]
    if mine == 'abi':
        return None if to[0] == 'iommufd-sim' or to[:2] == ['lib', 'abi'] else \
            'lib/abi/ is bytes only: it includes types and itself'
    if to[0] == 'tests' or to[0] == 'tools':
        return 'the library includes %s/' % to[0]
    if mine == 'designs':
        if to[0] in ('iommufd-sim', 'linux') or to[:2] in (['lib', 'abi'], ['lib', 'designs']):
            return None
        return 'a design stands on iommufd-sim/proto/ and lib/abi/ alone'
    if to[0] != 'lib':
        return None
    if to[1] == 'abi':
        return None if LAYERS.index(mine) >= LAYERS.index(ABI_FROM) else \
            'lib/%s/ is below what is handed over' % mine
    if mine in LAYERS and to[1] in LAYERS and LAYERS.index(to[1]) > LAYERS.index(mine):
        return 'lib/%s/ includes upwards' % mine
    return None


def check_includes(path, text):
    for number, line in enumerate(text.split('\n'), 1):
        m = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if not m:
            continue
        why = layer_offence(path, m.group(2))
        if why:
            yield number, '%s: %s' % (m.group(2), why)
        if path.startswith('lib/') and m.group(2).startswith('glib'):
            yield number, 'GLib aborts when memory is short: not in lib/'


def check_lines(path, text):
    for number, line in enumerate(text.split('\n'), 1):
        columns = len(line.expandtabs(8))
        if columns > MAX_COLUMNS:
            yield number, '%d columns, at most %d' % (columns, MAX_COLUMNS)
        if line != line.rstrip():
            yield number, 'white space at the end'


def check_c(path, text):
    lines = text.count('\n')
    code = blank_comments_and_strings(text)
    if SPDX not in text.split('\n')[0]:
        yield 1, 'the first line is not the licence'
    if lines > MAX_FILE_LINES:
        yield lines, '%d lines, at most %d' % (lines, MAX_FILE_LINES)
    for number, line in enumerate(code.split('\n'), 1):
        if re.match(r'\t* +\S', line) and re.match(r' {8}|\t* +\t', line):
            yield number, 'indented with spaces'
        if ABORT.search(line) and not path.startswith('tests/'):
            yield number, 'abort(): return an error, or assert'
    yield from check_includes(path, text)
    in_library = path.startswith(('lib/', 'sim/'))
    code = blank_directives(code)
    for first, last, statement in statements(code):
        if is_function(statement):
            if last - first + 1 > MAX_FUNCTION_LINES:
                yield first, 'a function of %d lines, at most %d' % (last - first + 1,
                                                                     MAX_FUNCTION_LINES)
        elif in_library and path.endswith('.c') and is_mutable_object(statement):
            if not (path == THREAD_LOCAL_HOME and '_Thread_local' in statement):
                yield first, 'mutable state at file scope: ' + ' '.join(statement.split())[:60]
    if not in_library:
        return
    for number, line in enumerate(code.split('\n'), 1):
        if re.match(r'\s+static\s+(?!const\b|inline\b)', line):
            yield number, 'mutable static in a function'
        if '_Thread_local' in line and path != THREAD_LOCAL_HOME:
            yield number, 'per-thread state belongs to %s alone' % THREAD_LOCAL_HOME


def check_words(path, text):
    for number, line in enumerate(text.split('\n'), 1):
        for pattern, why in BANNED:
            if pattern.search(line):
                yield number, '%s: %s' % (why, line.strip()[:60])


def check_file(path, text):
    """All offences in the file @path (relative to the root) with contents @text."""
    yield from check_words(path, text)
    yield from check_lines(path, text)
    if path.endswith(('.c', '.h')):
        yield from check_c(path, text)


def is_source(path):
    return path.startswith(tuple(tree + '/' for tree in C_TREES)) and \
        (path.endswith(('.c', '.h', '.py', '.sh')) or path.endswith('meson.build')) and \
        not path.startswith(SKIPPED)


def check_licence(path, text, covered):
    """@covered: the patterns of REUSE.toml, for files that have no room for a comment."""
    if SPDX in '\n'.join(text.split('\n')[:3]) or path.startswith('LICENSES/'):
        return
    if not any(fnmatch.fnmatchcase(path, pattern) for pattern in covered):
        yield 1, 'no licence in the first lines, nor in REUSE.toml'


def check_tracked(path, data, covered):
    """All offences in the tracked file @path with the bytes @data."""
    try:
        text = data.decode('utf-8')
    except UnicodeDecodeError:
        text = '\0'
    if '\0' in text:
        text = ''               # not text: REUSE.toml has to know it
    yield from check_licence(path, text, covered)
    if is_source(path):
        yield from check_file(path, text)
    elif not path.startswith(SKIPPED):
        yield from check_words(path, text)


def covered_by_reuse(root):
    try:
        with open(os.path.join(root, 'REUSE.toml'), 'rb') as f:
            annotations = tomllib.load(f)['annotations']
    except FileNotFoundError:
        return []
    return [path for annotation in annotations for path in annotation['path']]


def files(root):
    """What git tracks; without git, all but build folders."""
    if os.path.exists(os.path.join(root, '.git')) and shutil.which('git'):
        listed = subprocess.run(['git', '-C', root, 'ls-files', '-z'], capture_output=True)
        if listed.returncode == 0:
            yield from sorted(path for path in listed.stdout.decode().split('\0')
                              if path and os.path.isfile(os.path.join(root, path)))
            return
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(s for s in subfolders
                               if not s.startswith(('build', '.git', '__pycache__')))
        for name in sorted(names):
            yield os.path.relpath(os.path.join(folder, name), root)


def main(root):
    bad = 0
    covered = covered_by_reuse(root)
    for path in files(root):
        with open(os.path.join(root, path), 'rb') as f:
            for number, why in sorted(check_tracked(path, f.read(), covered)):
                print('%s:%d: %s' % (path, number, why))
                bad += 1
    if bad:
        print('%d offences' % bad)
    return 1 if bad else 0


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
