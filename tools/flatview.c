/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The parser for QEMU's "info mtree -f" (system/memory.c, mtree_print_flatview()):
 *
 *   FlatView #2
 *    AS "memory", root: system
 *    Root memory region: system
 *     0000000000000000-00000000000c2fff (prio 0, ram): pc.ram
 *     00000000000c3000-00000000000e7fff (prio 0, rom): pc.ram @00000000000c3000
 *     00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic
 *
 * A file may hold several views; the one of the address space "memory" is the guest. What is
 * around the views (prompts, blank lines) does not matter; a line within the view that cannot be
 * read does.
 *
 * As QEMU's VFIO listener does, only memory is kept: ram, nv-ram and rom. i/o, romd (flash in its
 * command mode) and ramd (another device's memory, not the guest's) are skipped.
 */
#include "tools/flatview.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define GUEST_PAGE_BYTES 4096ull
#define MAX_FILE_BYTES (16u << 20)
#define IOVA_BITS 48
#define MSI_START 0xfee00000ull         /* writes there are interrupts; no IOVA may lie there */
#define MSI_LAST 0xfeefffffull
#define MAX_REGIONS 4096u
#define X64 "0x%" G_GINT64_MODIFIER "x"

struct parser {
	const char *path;
	guint line;
	struct guest *guest;
	gboolean any_view, in_view, found;
	char *error;
};

static gboolean fail(struct parser *p, guint line, const char *format, ...) G_GNUC_PRINTF(3, 4);

static gboolean fail(struct parser *p, guint line, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	g_free(p->error);
	p->error = line ? g_strdup_printf("%s:%u: %s", p->path, line, text)
			: g_strdup_printf("%s: %s", p->path, text);
	g_free(text);
	return FALSE;
}

/* Exactly 16 hexadecimal digits, as QEMU prints addresses. */
static gboolean hex16(const char **at, guint64 *out)
{
	guint64 value = 0;

	for (int i = 0; i < 16; i++) {
		int digit = g_ascii_xdigit_value((*at)[i]);

		if (digit < 0)
			return FALSE;
		value = value << 4 | (guint64)digit;
	}
	*at += 16;
	*out = value;
	return TRUE;
}

static gboolean literal(const char **at, const char *text)
{
	size_t length = strlen(text);

	if (strncmp(*at, text, length))
		return FALSE;
	*at += length;
	return TRUE;
}

static struct guest_region *region_at(struct guest *guest, guint i)
{
	return &g_array_index(guest->regions, struct guest_region, i);
}

static guint block_by_name(struct guest *guest, const char *name)
{
	struct guest_block block = { 0 };

	for (guint i = 0; i < guest->blocks->len; i++) {
		if (!strcmp(g_array_index(guest->blocks, struct guest_block, i).name, name))
			return i;
	}
	block.name = g_strdup(name);
	g_array_append_val(guest->blocks, block);
	return guest->blocks->len - 1;
}

/* "pc.ram @00000000000c3000 KVM": the name may hold blanks, what follows it is fixed. */
static gboolean split_name(char *rest, guint64 *offset)
{
	char *owner = strstr(rest, " owner:"), *at;
	const char *digits;

	*offset = 0;
	if (owner)
		*owner = '\0';
	g_strchomp(rest);
	if (g_str_has_suffix(rest, " KVM"))
		rest[strlen(rest) - 4] = '\0';
	at = g_strrstr(rest, " @");
	if (at) {
		digits = at + 2;
		if (hex16(&digits, offset) && !*digits)
			*at = '\0';
		else
			*offset = 0;
	}
	return *rest != '\0';
}

static gboolean region_check(struct parser *p, const struct guest_region *r, guint64 offset)
{
	guint64 bytes = r->last - r->start, end;

	if (r->start % GUEST_PAGE_BYTES || (r->last + 1) % GUEST_PAGE_BYTES)
		return fail(p, p->line, "region " X64 "-" X64 " is not aligned to 4 KiB pages",
			    r->start, r->last);
	if (r->last >> IOVA_BITS)
		return fail(p, p->line, "region " X64 "-" X64 " is beyond the %d-bit addresses of "
			    "the IOMMU", r->start, r->last, IOVA_BITS);
	if (r->start <= MSI_LAST && r->last >= MSI_START)
		return fail(p, p->line, "region " X64 "-" X64 " covers the interrupt window " X64
			    "-" X64, r->start, r->last, (guint64)MSI_START, (guint64)MSI_LAST);
	if (offset % GUEST_PAGE_BYTES)
		return fail(p, p->line, "offset " X64 " is not aligned to 4 KiB pages", offset);
	if (__builtin_add_overflow(offset, bytes, &end) || end > G_MAXINT64 - GUEST_PAGE_BYTES)
		return fail(p, p->line, "region of " X64 " bytes at offset " X64
			    " is larger than any file", bytes, offset);
	return TRUE;
}

static gboolean region_add(struct parser *p, guint64 start, guint64 last, gboolean writable,
			   const char *name, guint64 offset)
{
	struct guest_region region = { .start = start, .last = last, .writable = writable,
				       .line = p->line, .block_offset = offset };
	struct guest_block *block;

	if (!region_check(p, &region, offset))
		return FALSE;
	if (p->guest->regions->len >= MAX_REGIONS)
		return fail(p, p->line, "more than %u memory regions", MAX_REGIONS);
	region.block = block_by_name(p->guest, name);
	block = &g_array_index(p->guest->blocks, struct guest_block, region.block);
	block->bytes = MAX(block->bytes, offset + (last - start) + 1);
	g_array_append_val(p->guest->regions, region);
	return TRUE;
}

static gboolean parse_region(struct parser *p, const char *line)
{
	gboolean writable, readable, named;
	guint64 start, last, offset;
	const char *at = line, *end;
	char *type, *rest;

	if (!hex16(&at, &start) || !literal(&at, "-") || !hex16(&at, &last) ||
	    !literal(&at, " (prio "))
		return fail(p, p->line, "not a region of a flat view: \"%.60s\"", line);
	at += *at == '-';
	at += strspn(at, "0123456789");
	end = strstr(at, "): ");
	if (!literal(&at, ", ") || !end)
		return fail(p, p->line, "not a region of a flat view: \"%.60s\"", line);
	if (last < start)
		return fail(p, p->line, "region ends before it starts: " X64 "-" X64, start, last);
	type = g_strndup(at, end - at);
	writable = !strcmp(type, "ram") || !strcmp(type, "nv-ram");
	readable = writable || !strcmp(type, "rom") || !strcmp(type, "nv-rom");
	g_free(type);
	if (!readable) {
		p->guest->skipped++;
		return TRUE;
	}
	rest = g_strdup(end + 3);
	named = split_name(rest, &offset);
	if (named)
		named = region_add(p, start, last, writable, rest, offset);
	else
		fail(p, p->line, "region without a name");
	g_free(rest);
	return named;
}

/* Sets in_view for lines that belong to the guest's view. */
static gboolean parse_line(struct parser *p, char *line)
{
	char *text = g_strstrip(line);

	if (g_str_has_prefix(text, "FlatView #")) {
		p->any_view = TRUE;
		p->in_view = FALSE;
		return TRUE;
	}
	if (!p->any_view || !*text)
		return TRUE;
	if (g_str_has_prefix(text, "AS \"")) {
		if (g_str_has_prefix(text, "AS \"memory\"")) {
			if (p->found)
				return fail(p, p->line,
					    "a second view of address space \"memory\"");
			p->in_view = p->found = TRUE;
		}
		return TRUE;
	}
	if (!p->in_view || g_str_has_prefix(text, "Root memory region") ||
	    g_str_has_prefix(text, "Dispatch") || g_str_has_prefix(text, "(qemu)"))
		return TRUE;
	return parse_region(p, text);
}

static gint by_start(gconstpointer a, gconstpointer b)
{
	const struct guest_region *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static gboolean check_overlaps(struct parser *p)
{
	g_array_sort(p->guest->regions, by_start);
	for (guint i = 1; i < p->guest->regions->len; i++) {
		struct guest_region *before = region_at(p->guest, i - 1);
		struct guest_region *region = region_at(p->guest, i);

		if (region->start <= before->last)
			return fail(p, MAX(region->line, before->line), "region " X64 "-" X64
				    " overlaps " X64 "-" X64 " of line %u", region->start,
				    region->last, before->start, before->last,
				    MIN(region->line, before->line));
	}
	return TRUE;
}

/* Blocks one after another; a block that is smaller than the alignment does not need it. */
static gboolean lay_out(struct parser *p, guint64 align_bytes)
{
	struct guest *guest = p->guest;
	guint64 at = 0, align, end;

	for (guint i = 0; i < guest->blocks->len; i++) {
		struct guest_block *block = &g_array_index(guest->blocks, struct guest_block, i);

		align = block->bytes >= align_bytes ? align_bytes : GUEST_PAGE_BYTES;
		block->file_offset = (at + align - 1) / align * align;
		if (__builtin_add_overflow(block->file_offset, block->bytes, &end) ||
		    end > G_MAXINT64 - align_bytes)
			return fail(p, 0, "the guest's blocks are larger than any file");
		at = end;
	}
	guest->file_bytes = (at + align_bytes - 1) / align_bytes * align_bytes;
	for (guint i = 0; i < guest->regions->len; i++) {
		struct guest_region *region = region_at(guest, i);

		region->file_offset = region->block_offset +
			g_array_index(guest->blocks, struct guest_block, region->block).file_offset;
		guest->mapped_bytes += region->last - region->start + 1;
	}
	return TRUE;
}

static gboolean parse(struct parser *p, char *text, guint64 align_bytes)
{
	char **lines = g_strsplit(text, "\n", -1);
	gboolean ok = TRUE;

	for (guint i = 0; ok && lines[i]; i++) {
		p->line = i + 1;
		ok = parse_line(p, lines[i]);
	}
	g_strfreev(lines);
	if (!ok)
		return FALSE;
	if (!p->any_view)
		return fail(p, 0,
			    "not a flat view: no line starts with \"FlatView #\" (QEMU prints one "
			    "with \"info mtree -f\")");
	if (!p->found)
		return fail(p, 0, "no flat view of address space \"memory\"");
	if (!p->guest->regions->len)
		return fail(p, 0, "the flat view of \"memory\" has no RAM");
	return check_overlaps(p) && lay_out(p, align_bytes);
}

static struct guest *guest_new(void)
{
	struct guest *guest = g_new0(struct guest, 1);

	guest->regions = g_array_new(FALSE, TRUE, sizeof(struct guest_region));
	guest->blocks = g_array_new(FALSE, TRUE, sizeof(struct guest_block));
	return guest;
}

/* At most one byte more than a flat view may have: the file may be endless. */
static char *read_file(const char *path, size_t *length)
{
	FILE *file = fopen(path, "re");
	char *text;
	int err;

	if (!file)
		return NULL;
	text = g_malloc(MAX_FILE_BYTES + 2);
	*length = fread(text, 1, MAX_FILE_BYTES + 1, file);
	err = ferror(file) ? errno : 0;
	fclose(file);
	if (err) {
		g_free(text);
		errno = err;
		return NULL;
	}
	text[*length] = '\0';
	return text;
}

struct guest *guest_load(const char *path, guint64 align_bytes, char **error)
{
	struct parser parser = { .path = path };
	size_t length;
	char *text = read_file(path, &length);

	if (!text) {
		*error = g_strdup_printf("%s: cannot be read: %s", path, g_strerror(errno));
		return NULL;
	}
	parser.guest = guest_new();
	if (length > MAX_FILE_BYTES)
		fail(&parser, 0, "not a flat view: larger than %u MiB", MAX_FILE_BYTES >> 20);
	else if (strlen(text) != length)
		fail(&parser, 0, "not a flat view: byte %zu is NUL", strlen(text));
	else if (parse(&parser, text, align_bytes)) {
		g_free(text);
		return parser.guest;
	}
	g_free(text);
	guest_free(parser.guest);
	*error = parser.error;
	return NULL;
}

void guest_free(struct guest *guest)
{
	if (!guest)
		return;
	for (guint i = 0; i < guest->blocks->len; i++)
		g_free(g_array_index(guest->blocks, struct guest_block, i).name);
	g_array_free(guest->regions, TRUE);
	g_array_free(guest->blocks, TRUE);
	g_free(guest);
}
