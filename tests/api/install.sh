#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# Installs into an empty folder, builds the README's example against what is there through
# pkg-config (shared and static), then uses the project as a meson subproject.
# Without this, a header that is not installed or a wrong .pc file is found by users first.
set -euo pipefail
source_root=$1 build_root=$2 example=$3 design=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

meson install -C "$build_root" --no-rebuild --destdir "$work/root" >/dev/null
pc=$(find "$work/root" -name iommufd-sim.pc)
[[ -n $pc ]] || { echo "no .pc file was installed"; exit 1; }
lib=$(dirname "$(dirname "$pc")")
export PKG_CONFIG_PATH=$(dirname "$pc") PKG_CONFIG_SYSROOT_DIR=$work/root
read -ra cflags <<<"$(pkg-config --cflags iommufd-sim)"
read -ra libs <<<"$(pkg-config --libs iommufd-sim)"
cc -Wall -Werror "${cflags[@]}" "$example" "${libs[@]}" -o "$work/shared"
LD_LIBRARY_PATH=$lib "$work/shared"
cc -Wall -Werror "${cflags[@]}" "$example" "$lib/libiommufd-sim.a" -lglib-2.0 -lfdt \
	-o "$work/static"
"$work/static"
cc -Wall -Werror "${cflags[@]}" "$design" "${libs[@]}" -o "$work/design"
LD_LIBRARY_PATH=$lib "$work/design"
echo "installed: shared and static work, and a design on the proto headers"
for page in iommufd-sim.1 libiommufd-sim.7; do
	[[ -n $(find "$work/root" -path "*/man${page##*.}/$page*") ]] ||
		{ echo "$page was not installed"; exit 1; }
done

# Every public header stands alone; autoptr.h is for those who have GLib.
no_pc=(env -u PKG_CONFIG_PATH -u PKG_CONFIG_SYSROOT_DIR)
read -ra glib <<<"$("${no_pc[@]}" pkg-config --cflags glib-2.0)"
while read -r header; do
	echo "#include <${header#"$work/root"/usr/local/include/}>" |
		cc -xc -Wall -Wextra -Werror -D_GNU_SOURCE "${cflags[@]}" "${glib[@]}" \
		   -fsyntax-only -Wno-unused-parameter -Wno-sign-compare -
done < <(find "$work/root" -path '*include/iommufd-sim/*.h' -not -path '*/uapi/*')
echo "every public header stands alone"

mkdir -p "$work/user/subprojects"
ln -s "$source_root" "$work/user/subprojects/iommufd-sim"
cp "$example" "$work/user/main.c"
cat >"$work/user/meson.build" <<'EOF'
project('user', 'c', version: '1', default_options: ['c_std=gnu11'])
sim = dependency('iommufd-sim', fallback: 'iommufd-sim')
test('main', executable('main', 'main.c', dependencies: sim))
EOF
"${no_pc[@]}" meson setup "$work/user/build" "$work/user" >/dev/null
ninja -C "$work/user/build" -j2 --quiet main
"$work/user/build/main"
echo "works as a subproject"
