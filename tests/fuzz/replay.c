/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Without a fuzzer: runs each file named, and each file of a folder named, so that seeds and old
 * finds are ordinary tests.
 *
 * --every-ioctl: fails unless the files together had each ioctl answered with success and with an
 * error. Of a target without ioctls that is nothing.
 */
#include "tests/fuzz/fuzz.h"

#include <glib.h>

/* The number of inputs; below 0: one could not be read. */
static int replay_file(const char *path)
{
	g_autofree char *data = NULL;
	g_autoptr(GError) error = NULL;
	gsize size;

	if (!g_file_get_contents(path, &data, &size, &error)) {
		g_printerr("%s\n", error->message);
		return -1;
	}
	LLVMFuzzerTestOneInput((const uint8_t *)data, size);
	return 1;
}

static int compare(gconstpointer a, gconstpointer b)
{
	return g_strcmp0(*(const char *const *)a, *(const char *const *)b);
}

/* In the order of the names. */
static int replay_folder(const char *path)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir)))
		g_ptr_array_add(names, g_build_filename(path, name, NULL));
	g_ptr_array_sort(names, compare);
	for (guint i = 0; i < names->len; i++) {
		if (replay_file(g_ptr_array_index(names, i)) < 0)
			return -1;
	}
	return (int)names->len;
}

int main(int argc, char **argv)
{
	bool every_ioctl = false;
	int total = 0;

	for (int i = 1; i < argc; i++) {
		bool folder = g_file_test(argv[i], G_FILE_TEST_IS_DIR);
		int nr = 0;

		if (!g_strcmp0(argv[i], "--every-ioctl"))
			every_ioctl = true;
		else
			nr = folder ? replay_folder(argv[i]) : replay_file(argv[i]);
		if (nr < 0)
			return 2;
		total += nr;
	}
	g_print("%d inputs\n", total);
	return every_ioctl && !fuzz_every_ioctl_was_answered(stdout) ? 1 : 0;
}
