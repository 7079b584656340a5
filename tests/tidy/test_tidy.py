#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""Proves that tidy.py fires where it should and is silent where it should be."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tidy     # noqa: E402

LICENCE = '/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */\n'


class Tidy(unittest.TestCase):
    def offences(self, path, text, licence=LICENCE):
        return ['%d: %s' % found for found in tidy.check_file(path, licence + text)]

    def fires(self, path, text, words, line=None, licence=LICENCE):
        found = self.offences(path, text, licence)
        self.assertEqual(len(found), 1, found)
        self.assertIn(words, found[0])
        if line:
            self.assertTrue(found[0].startswith('%d:' % line), found)

    def silent(self, path, text):
        self.assertEqual(self.offences(path, text), [])

    def test_licence_missing(self):
        self.fires('sim/a.c', 'int f(void);\n', 'licence', 1, licence='')

    def test_licence_of_any_tracked_file(self):
        def found(path, data, covered=()):
            return ['%d: %s' % offence for offence in tidy.check_tracked(path, data, covered)]

        for path in ('tests/a.py', 'meson.build', 'lib/a/meson.build', 'docs/a.md', 'dev'):
            self.assertEqual(len(found(path, b'pass\n')), 1, path)
            self.assertIn('licence', found(path, b'pass\n')[0])
            self.assertEqual(found(path, b'#!/x\n# ' + LICENCE[3:-4].encode() + b'\n'), [])
        self.assertEqual(found('docs/a.md', b'text\n', ['docs/*.md']), [])
        self.assertEqual(len(found('docs/a.txt', b'text\n', ['docs/*.md'])), 1)
        self.assertEqual(len(found('tests/fuzz/seeds/a', b'\xff\0')), 1)
        self.assertEqual(found('tests/fuzz/seeds/a', b'\xff\0', ['tests/fuzz/seeds/*']), [])
        self.assertEqual(found('LICENSES/a.txt', b'text\n'), [])

    def test_file_too_long(self):
        self.silent('sim/a.c', '\n' * 499)
        self.fires('sim/a.c', '\n' * 500, '501 lines')

    def test_function_too_long(self):
        body = 'int f(int a,\n\tint b)\n{\n%s}\n'
        self.silent('sim/a.c', body % ('\ta++;\n' * 66))
        self.fires('sim/a.c', body % ('\ta++;\n' * 67), '71 lines', 2)

    def test_line_too_wide_counts_columns(self):
        self.silent('sim/a.c', '\t/* ' + '.' * 86 + ' */\n')
        self.fires('sim/a.c', '\t/* ' + '.' * 87 + ' */\n', '101 columns', 2)
        self.silent('sim/a.c', '/* ' + '\u00e9' * 94 + ' */\n')

    def test_white_space(self):
        self.fires('sim/a.c', 'int f(void); \n', 'at the end', 2)
        self.fires('sim/a.c', 'int f(void)\n{\n        return 1;\n}\n', 'spaces', 4)
        self.silent('sim/a.c', '/*\n *        a drawing\n */\n')
        self.silent('sim/a.c', 'int f(int a,\n      int b);\n')

    def test_includes_go_down(self):
        inc = '#include "%s"\n'
        self.silent('lib/mm/a.c', inc % 'lib/base/task.h' + inc % 'sim/phys_mem.h')
        self.fires('lib/mm/a.c', inc % 'lib/kho/kho.h', 'upwards', 2)
        self.fires('lib/base/a.h', inc % 'lib/mm/page_alloc.h', 'upwards')
        self.fires('sim/a.c', inc % 'lib/base/kheap.h', 'sim/ knows no lib/')
        self.silent('lib/kho/a.c', inc % 'lib/abi/kho.h')
        self.fires('lib/mm/a.c', inc % 'lib/abi/kho.h', 'handed over')
        self.fires('lib/abi/a.h', inc % 'lib/base/task.h', 'bytes only')
        self.silent('lib/kernel/a.c', inc % 'lib/vfio/vfio.h' + inc % 'kernel.h')
        self.fires('lib/kernel/a.c', inc % 'tests/harness/x.h', 'tests/')

    def test_includes_of_designs(self):
        inc = '#include %s\n'
        self.silent('lib/designs/x/a.c', inc % '<iommufd-sim/proto/luo.h>' +
                    inc % '"lib/abi/luo.h"' + inc % '"lib/designs/x/x.h"')
        self.fires('lib/designs/x/a.c', inc % '"lib/luo/luo.h"', 'alone')
        self.fires('lib/designs/x/a.c', inc % '"sim/phys_mem.h"', 'alone')

    def test_includes_of_public_headers(self):
        inc = '#include %s\n'
        self.silent('include/iommufd-sim/proto/a.h', inc % '<iommufd-sim/proto/types.h>')
        self.silent('include/iommufd-sim/a.h', inc % '<sys/types.h>')
        self.fires('include/iommufd-sim/a.h', inc % '<iommufd-sim/proto/types.h>', 'in-kernel')
        self.fires('include/iommufd-sim/a.h', inc % '"lib/base/kheap.h"', 'not installed')

    def test_glib_in_lib(self):
        self.silent('sim/a.c', '#include <glib.h>\n')
        self.fires('lib/base/a.c', '#include <glib.h>\n', 'GLib')

    def test_state_at_file_scope(self):
        for text in ('static int n;', 'int n = 3;', 'static const char *names[] = { "a" };',
                     'static struct list_head all = { 0 };', 'static struct { int a; } x;',
                     'static int (*hook)(void) = f;', 'static _Thread_local int n;',
                     'struct foo { int a; } x;'):
            found = self.offences('lib/base/a.c', text + '\n')
            self.assertTrue(any('file scope' in f for f in found), text)
        self.fires('sim/a.c', 'int f(void)\n{\n\tstatic int n;\n\n\treturn n++;\n}\n',
                   'in a function', 4)

    def test_no_state_at_file_scope(self):
        for text in ('static const int n = 3;', 'static const char *const names[] = { "a", ";" };',
                     'static const struct ops ops = {\n\t.f = g,\n};', 'struct foo {\n\tint a;\n};',
                     'typedef int (*fn)(void);', 'extern int n;', 'int f(int a);',
                     '_Static_assert(1 == 1, "=");', 'enum { A = 1, B };',
                     'static int f(int a)\n{\n\tint b = a;\n\n\treturn b;\n}',
                     'static const struct op *find(int a)\n{\n\treturn 0;\n}',
                     '#define X(a) \\\n\tstatic int a;', 'int *f(void) __attribute__((pure));'):
            self.silent('lib/base/a.c', text + '\n')
        self.silent('tests/a.c', 'static int n;\n')
        self.silent('lib/base/task.c', 'static _Thread_local struct task *t;\n')

    def test_words(self):
        self.fires('lib/base/a.c', '/* TO' 'DO later */\n', 'unfinished', 2)
        self.fires('tests/meson.build', "x = '/wo" "rk/main'\n", 'machine', 2)
        self.silent('tests/a.c', '/* mkstemp("XXXXXX"), a/work/b */\n')
        self.fires('lib/base/a.c', 'void f(void)\n{\n\tabort();\n}\n', 'abort')
        self.silent('tests/a.c', 'void f(void)\n{\n\tabort();\n}\n')
        self.silent('lib/base/a.c', '/* luo_abort() calls abort() */\nvoid luo_abort(void);\n'
                    'void f(struct ops *ops)\n{\n\tops->abort(ops);\n}\n')


if __name__ == '__main__':
    unittest.main()
