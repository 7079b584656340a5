#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# Compiles the kernel's own selftest programs of iommufd and of live update, unchanged, against the
# simulator and prints how many of their tests pass. Their source is not ours: it stays where it is.
set -eu

usage()
{
	cat <<END
usage: tests/selftests/run.sh KERNEL BUILD [OUT]

  KERNEL  a Linux source tree, 7.3 or newer
  BUILD   a build folder of this project, without sanitizers (./dev build makes one: build)
  OUT     where programs and their output go (default: a new folder in \${TMPDIR:-/tmp})

Each program runs in two modes, the one named iommufd in three:
  exact   the simulator does what 7.3 does, known bugs included
  dmabuf  the same, but the program is handed the descriptor that 7.3's DMABUF_GET loses
  fixed   all known bugs mended (docs/exact.md); tests that ask for one of them fail

Exit status: 0 all programs ran to their end, 1 one did not (its last lines are printed), 2 nothing
was run. Failing tests are named, they are no error. CC is the compiler (default cc). libcap with
its header (Debian: libcap-dev) must be installed.
END
}

die()
{
	echo "run.sh: $*" >&2
	exit 2
}

case ${1-} in
-h | --help | help)
	usage
	exit 0
	;;
esac
if [ $# -lt 2 ] || [ $# -gt 3 ]; then
	usage >&2
	exit 2
fi

top=$(cd "$(dirname "$0")/../.." && pwd)
kernel=$1
selftests=$kernel/tools/testing/selftests
[ -f "$selftests/iommu/iommufd.c" ] || die "$kernel has no tools/testing/selftests/iommu/iommufd.c"
[ -f "$selftests/liveupdate/liveupdate.c" ] ||
	die "$kernel has no selftests of live update: it is too old"
[ -f "$2/libiommufd-sim.so" ] ||
	die "$2 has no libiommufd-sim.so: run 'meson setup $2 && ninja -C $2'"
library=$(cd "$2" && pwd)
! grep -q __asan_init "$library/libiommufd-sim.so" || die "$2 was built with sanitizers"
if [ $# -eq 3 ]; then
	mkdir -p "$3" || die "cannot make the folder $3"
	out=$(cd "$3" && pwd)
else
	out=$(mktemp -d "${TMPDIR:-/tmp}/selftests.XXXXXX")
fi

# build OUTPUT SOURCE-OR-OPTION ...
build()
{
	name=$1
	shift
	"${CC:-cc}" -O2 -w -include iommufd-sim/redirect.h -I"$top/include" -I"$top/include/uapi" \
		-I"$selftests" -I"$kernel/tools/include" -I"$selftests/liveupdate/lib/include" \
		"$@" -o "$out/$name" || die "cannot build $name (is libcap's header installed?)"
}

# run MODE PROGRAM: one line, and the names of the tests that failed
run()
{
	log=$out/$2.$1.log
	exact=1
	program=$2
	case $1 in
	fixed) exact=0 ;;
	dmabuf) program=$2-dmabuf ;;
	esac
	(cd "$out" && IFS_REDIRECT_IOMMUFD_TEST=1 IFS_REDIRECT_HUGEPAGES=80 \
		IFS_REDIRECT_EXACT=$exact timeout 300 "./$program" >"$log" 2>&1 </dev/null) || :
	totals=$(sed -n 's/^# Totals: //p' "$log" | tail -n 1)
	if [ -z "$totals" ]; then
		printf '%-7s %-20s did not end, see %s\n' "$1" "$2" "$log"
		tail -n 3 "$log"
		bad=1
		return
	fi
	printf '%-7s %-20s %s\n' "$1" "$2" "$totals"
	sed -n 's/^not ok [0-9]* /        failed: /p' "$log"
}

echo "programs and their output are in $out"
libs="-L$library -Wl,-rpath,$library -liommufd-sim -lcap"
lu_utils=$selftests/liveupdate/lib/lu_utils.c
# shellcheck disable=SC2086 # several words
{
	build iommufd "$selftests/iommu/iommufd.c" $libs
	build iommufd-dmabuf -include "$top/tests/selftests/dmabuf_get.h" \
		"$selftests/iommu/iommufd.c" $libs
	build iommufd_fail_nth "$selftests/iommu/iommufd_fail_nth.c" $libs
	build liveupdate "$selftests/liveupdate/liveupdate.c" "$lu_utils" $libs
	programs='iommufd iommufd_fail_nth liveupdate'
	# Programs of two stages: their main() is called by ours, before a kexec and after it.
	for source in "$selftests"/liveupdate/luo_*.c; do
		two=$(basename "$source" .c)
		build "$two.o" -Dmain=selftest_main -c "$source"
		build "$two" "$top/tests/selftests/two_stages.c" "$out/$two.o" "$lu_utils" $libs
		programs="$programs $two"
	done
}

bad=0
for name in $programs; do
	run exact "$name"
done
run dmabuf iommufd
for name in $programs; do
	run fixed "$name"
done
exit "$bad"
