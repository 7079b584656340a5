/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * For those of the kernel's live update selftests that have a stage before a kexec and one after
 * it: runs the first, which leaves a process with the sessions behind, then the kexec, then the
 * second. Such a program's main() is selftest_main() here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

int selftest_main(int argc, char **argv);

static int run_stage(char *program, char *stage)
{
	char option[] = "-s", *argv[] = { program, option, stage, NULL };
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		exit(selftest_main(3, argv));
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int main(int argc, char **argv)
{
	char first[] = "1", second[] = "2";
	unsigned long long leaked;
	int ok;

	ok = run_stage(argv[0], first);
	if (ok && ifs_redirect_kexec()) {
		perror("kexec");
		ok = 0;
	}
	if (ok)
		ok = run_stage(argv[0], second);
	leaked = ifs_redirect_shutdown();
	if (leaked) {
		printf("# %llu objects leaked\n", leaked);
		ok = 0;
	}
	printf("%sok 1 both stages\n", ok ? "" : "not ");
	printf("# Totals: pass:%d fail:%d xfail:0 xpass:0 skip:0 error:0\n", ok, !ok);
	return !ok;
}
