/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Without a fuzzer: runs each file named, so that seeds and old finds are ordinary tests. */
#include "tests/fuzz/fuzz.h"

#include <glib.h>

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		g_autofree char *data = NULL;
		g_autoptr(GError) error = NULL;
		gsize size;

		if (!g_file_get_contents(argv[i], &data, &size, &error)) {
			g_printerr("%s\n", error->message);
			return 2;
		}
		LLVMFuzzerTestOneInput((const uint8_t *)data, size);
	}
	g_print("%d inputs\n", argc - 1);
	return 0;
}
