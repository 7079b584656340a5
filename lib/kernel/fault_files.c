/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Linux's own triggers of fault injection, as files, for programs that know them. A kernel with the
 * selftest interface has them:
 *
 *   /sys/kernel/debug/{failslab,fail_page_alloc,fail_iommufd}/...      lib/fault-inject.c
 *   /proc/{self,thread-self,PID}[/task/TID]/{fail-nth,make-it-fail}    fs/proc/base.c
 *
 * What they mean is in lib/base/fail_point.c. Touching any of them for writing makes every fail
 * point of the kernel look at all of them from then on.
 *
 * Left out: all else that debugfs and /proc have.
 */
#include "lib/kernel/fault_files.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <linux/capability.h>

#include "lib/kernel/syscall.h"

#define DEBUGFS "/sys/kernel/debug"
#define TEXT_BYTES 64u

#define SLAB ((u32)BIT_ULL(FAULT_FAILSLAB))
#define PAGE ((u32)BIT_ULL(FAULT_FAIL_PAGE_ALLOC))
#define ALL_ATTRS ((u32)BIT_ULL(NR_FAULT_ATTRS) - 1)

enum value_type { VALUE_U64, VALUE_U32, VALUE_ATOMIC, VALUE_BOOL };

struct attr_file {
	const char *name;
	enum value_type type;
	size_t offset;          /* in struct fault_attr */
	u32 attrs;              /* which directories have it */
};

#define FIELD(name) offsetof(struct fault_attr, name)
static const struct attr_file attr_files[] = {
	{ "probability", VALUE_U64, FIELD(probability), ALL_ATTRS },
	{ "interval", VALUE_U64, FIELD(interval), ALL_ATTRS },
	{ "times", VALUE_ATOMIC, FIELD(times), ALL_ATTRS },
	{ "space", VALUE_ATOMIC, FIELD(space), ALL_ATTRS },
	{ "verbose", VALUE_U64, FIELD(verbose), ALL_ATTRS },
	{ "verbose_ratelimit_interval_ms", VALUE_U32, FIELD(ratelimit_interval_ms), ALL_ATTRS },
	{ "verbose_ratelimit_burst", VALUE_U32, FIELD(ratelimit_burst), ALL_ATTRS },
	{ "task-filter", VALUE_BOOL, FIELD(task_filter), ALL_ATTRS },
	{ "ignore-gfp-wait", VALUE_BOOL, FIELD(ignore_gfp_wait), SLAB | PAGE },
	{ "cache-filter", VALUE_BOOL, FIELD(cache_filter), SLAB },
	{ "ignore-gfp-highmem", VALUE_BOOL, FIELD(ignore_gfp_highmem), PAGE },
	{ "min-order", VALUE_U32, FIELD(min_order), PAGE },
};

/* What private_data says: an attribute, or NR_FAULT_ATTRS for the root; and a file, or none. */
static void *attr_id(unsigned attr, unsigned file)
{
	return (void *)(uintptr_t)(attr << 16 | file);
}

static unsigned attr_of(const struct file *file)
{
	return (unsigned)((uintptr_t)file->private_data >> 16);
}

static const struct attr_file *attr_file_of(const struct file *file)
{
	return &attr_files[(uintptr_t)file->private_data & 0xffff];
}

static void *value_of(const struct file *file)
{
	return (u8 *)&current->kernel->fail.attrs[attr_of(file)] + attr_file_of(file)->offset;
}

/* simple_read_from_buffer() */
static long read_text(const char *text, uva_t to, u64 count, u64 *pos)
{
	u64 length = strlen(text);

	if (*pos >= length)
		return 0;
	count = min(count, length - *pos);
	if (copy_to_user(to, text + *pos, count))
		return -EFAULT;
	*pos += count;
	return (long)count;
}

static long attr_read(struct file *file, uva_t to, u64 count, u64 *pos)
{
	const void *value = value_of(file);
	char text[TEXT_BYTES];

	switch (attr_file_of(file)->type) {
	case VALUE_U64:
		snprintf(text, sizeof(text), "%llu\n", (unsigned long long)*(const u64 *)value);
		break;
	case VALUE_U32:
		snprintf(text, sizeof(text), "%u\n", *(const u32 *)value);
		break;
	case VALUE_ATOMIC:
		snprintf(text, sizeof(text), "%lld\n", (long long)*(const s64 *)value);
		break;
	default:
		snprintf(text, sizeof(text), "%c\n", *(const bool *)value ? 'Y' : 'N');
		break;
	}
	return read_text(text, to, count, pos);
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* kstrtoull() and, if @minus may lead, kstrtoll(), of any base: -EINVAL, -ERANGE. */
static int parse_number(const char *text, bool minus, u64 *out)
{
	bool negative = minus && *text == '-', overflow = false;
	u64 value = 0, limit;
	int base = 10, digits;

	text += *text == '+' || negative;
	if (text[0] == '0')
		base = (text[1] | 0x20) == 'x' && digit_of(text[2]) < 16 ? 16 : 8;
	text += base == 16 ? 2 : 0;
	for (digits = 0; digit_of(*text) < base; text++, digits++)
		overflow |= check_mul_overflow(value, (u64)base, &value) ||
			    check_add_overflow(value, (u64)digit_of(*text), &value);
	text += *text == '\n';
	if (!digits || *text)
		return -EINVAL;
	limit = minus ? (u64)INT64_MAX + negative : UINT64_MAX;
	if (overflow || value > limit)
		return -ERANGE;
	*out = negative ? -value : value;
	return 0;
}

/* kstrtobool(). False: it is neither. */
static bool parse_bool(const char *text, bool *out)
{
	char first = text[0];

	if (first == 'o' || first == 'O')
		first = (text[1] | 0x20) == 'n' ? '1' : (text[1] | 0x20) == 'f' ? '0' : '?';
	*out = first && strchr("yYtT1", first);
	return *out || (first && strchr("nNfF0", first));
}

/* At most what fits; the rest is ignored, as Linux does. */
static int take_text(char *text, size_t size, uva_t from, u64 count)
{
	u64 length = min(count, size - 1);

	text[length] = '\0';
	return copy_from_user(text, from, length) ? -EFAULT : 0;
}

/* A word that is no truth value changes nothing, and is no error. */
static long attr_write_bool(struct file *file, uva_t from, u64 count)
{
	char text[4];
	bool value;

	if (!take_text(text, sizeof(text), from, count) && parse_bool(text, &value))
		*(bool *)value_of(file) = value;
	return (long)count;
}

static long attr_write(struct file *file, uva_t from, u64 count, u64 *pos)
{
	enum value_type type = attr_file_of(file)->type;
	char text[24];
	u64 value;
	int err;

	current->kernel->fail.attention |= FAIL_LINUX;
	if (type == VALUE_BOOL)
		return attr_write_bool(file, from, count);
	err = take_text(text, sizeof(text), from, count);
	if (!err)
		err = parse_number(text, type == VALUE_ATOMIC, &value);
	if (err)
		return err;
	if (type == VALUE_U64)
		*(u64 *)value_of(file) = value;
	else if (type == VALUE_U32)
		*(u32 *)value_of(file) = (u32)value;
	else
		*(s64 *)value_of(file) = (s32)value;
	return (long)count;
}

static long attr_llseek(struct file *file, s64 offset, int whence)
{
	s64 at;

	if (whence != SEEK_SET && whence != SEEK_CUR)
		return -EINVAL;
	at = whence == SEEK_CUR ? (s64)file->f_pos + offset : offset;
	if (at < 0)
		return -EINVAL;
	file->f_pos = (u64)at;
	return at;
}

/* Truth values have a position in their two bytes, numbers have none. */
static const struct file_operations bool_fops = {
	.name = "debugfs", .read = attr_read, .write = attr_write, .llseek = attr_llseek,
};

static const struct file_operations number_fops = {
	.name = "debugfs", .read = attr_read, .write = attr_write,
};

static const char *debugfs_dir_entry(struct file *file, u64 index, bool *is_dir)
{
	unsigned attr = attr_of(file);

	*is_dir = attr == NR_FAULT_ATTRS;
	if (*is_dir)
		return index < NR_FAULT_ATTRS ? fault_attr_name((enum fault_attr_id)index) : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(attr_files); i++)
		if (attr_files[i].attrs & BIT_ULL(attr) && !index--)
			return attr_files[i].name;
	return NULL;
}

static long dir_read(struct file *file, uva_t to, u64 count, u64 *pos)
{
	return -EISDIR;
}

static const struct file_operations debugfs_dir_fops = {
	.name = "debugfs", .read = dir_read, .llseek = attr_llseek, .dir_entry = debugfs_dir_entry,
};

/* The directory that @path, below the root, begins with; what follows in *@rest. */
static unsigned debugfs_lookup_dir(const char *path, const char **rest)
{
	unsigned attr;

	*rest = path;
	if (!*path)
		return NR_FAULT_ATTRS;
	for (attr = 0; attr < NR_FAULT_ATTRS; attr++) {
		const char *name = fault_attr_name((enum fault_attr_id)attr);

		*rest = path + 1 + strlen(name);
		if (!strncmp(path + 1, name, strlen(name)) && (!**rest || **rest == '/'))
			return attr;
	}
	return NR_FAULT_ATTRS + 1;
}

static int debugfs_open(struct file *file, void *ctx)
{
	const char *rest;
	unsigned attr = debugfs_lookup_dir(file->name + strlen(DEBUGFS), &rest), i;

	if (current->cred && current->cred->uid)
		return -EACCES;
	if (attr > NR_FAULT_ATTRS)
		return -ENOENT;
	if (!*rest) {
		if (file->f_mode & FMODE_WRITE)
			return -EISDIR;
		file->f_op = &debugfs_dir_fops;
		file->private_data = attr_id(attr, 0);
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(attr_files); i++)
		if (attr_files[i].attrs & BIT_ULL(attr) && !strcmp(attr_files[i].name, rest + 1))
			break;
	if (i == ARRAY_SIZE(attr_files))
		return -ENOENT;
	if (file->f_flags & O_DIRECTORY)
		return -ENOTDIR;
	file->f_op = attr_files[i].type == VALUE_BOOL ? &bool_fops : &number_fops;
	if (attr_files[i].type != VALUE_BOOL)
		file->f_mode |= FMODE_NONSEEKABLE;
	file->private_data = attr_id(attr, i);
	return 0;
}

/* NULL: it has exited. */
static struct ifs_process *find_process(u32 pid)
{
	struct ifs_kernel *kernel = container_of(current->kernel, struct ifs_kernel, base);
	struct ifs_process *process;

	list_for_each_entry(process, &kernel->processes, node)
		if (process->pid == pid)
			return process;
	return NULL;
}

static struct task_faults *faults_of(const struct file *file)
{
	struct ifs_process *process = find_process((u32)(uintptr_t)file->private_data);

	return process ? &process->faults : NULL;
}

static long fail_nth_read(struct file *file, uva_t to, u64 count, u64 *pos)
{
	const struct task_faults *faults = faults_of(file);
	char text[TEXT_BYTES];

	if (!faults)
		return -ESRCH;
	snprintf(text, sizeof(text), "%u\n", faults->fail_nth);
	return read_text(text, to, count, pos);
}

static long fail_nth_write(struct file *file, uva_t from, u64 count, u64 *pos)
{
	struct task_faults *faults = faults_of(file);
	char text[35];
	u64 value;
	int err = take_text(text, sizeof(text), from, count);

	if (!err)
		err = parse_number(text, false, &value);
	if (err)
		return err;
	if (value > UINT32_MAX)
		return -ERANGE;
	if (!faults)
		return -ESRCH;
	faults->fail_nth = (u32)value;
	current->kernel->fail.attention |= FAIL_LINUX;
	return (long)count;
}

static long make_it_fail_read(struct file *file, uva_t to, u64 count, u64 *pos)
{
	const struct task_faults *faults = faults_of(file);

	if (!faults)
		return -ESRCH;
	return read_text(faults->make_it_fail ? "1\n" : "0\n", to, count, pos);
}

static long make_it_fail_write(struct file *file, uva_t from, u64 count, u64 *pos)
{
	struct task_faults *faults = faults_of(file);
	char text[13];
	u64 value;
	int err;

	if (!cred_capable(current->cred, CAP_SYS_RESOURCE))
		return -EPERM;
	err = take_text(text, sizeof(text), from, count);
	if (!err)
		err = parse_number(text, true, &value);
	if (err)
		return err;
	if ((s64)value < INT32_MIN || (s64)value > INT32_MAX)
		return -ERANGE;
	if (value > 1)
		return -EINVAL;
	if (!faults)
		return -ESRCH;
	faults->make_it_fail = value;
	return (long)count;
}

static const struct file_operations fail_nth_fops = {
	.name = "proc", .read = fail_nth_read, .write = fail_nth_write,
};

static const struct file_operations make_it_fail_fops = {
	.name = "proc", .read = make_it_fail_read, .write = make_it_fail_write,
	.llseek = attr_llseek,
};

/* The number that *@path begins with, followed by a '/', both of which are skipped. 0: none. */
static u32 take_pid(const char **path)
{
	u64 pid = 0;

	for (; digit_of(**path) < 10 && pid <= UINT32_MAX; ++*path)
		pid = pid * 10 + (u64)digit_of(**path);
	return *(*path)++ == '/' && pid <= UINT32_MAX ? (u32)pid : 0;
}

static bool take_word(const char **path, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(*path, word, length))
		return false;
	*path += length;
	return true;
}

/* Every process here is one task. */
static int proc_open(struct file *file, void *ctx)
{
	const char *path = file->name + strlen("/proc/");
	bool self = take_word(&path, "self/") || take_word(&path, "thread-self/");
	u32 pid = self ? current->pid : take_pid(&path);
	const struct ifs_process *process = find_process(pid);

	if (!process || (take_word(&path, "task/") && take_pid(&path) != pid))
		return -ENOENT;
	if (!strcmp(path, "fail-nth"))
		file->f_op = &fail_nth_fops;
	else if (!strcmp(path, "make-it-fail"))
		file->f_op = &make_it_fail_fops;
	else
		return -ENOENT;
	if (file->f_flags & O_DIRECTORY)
		return -ENOTDIR;
	if (file->f_mode & FMODE_WRITE && current->cred->uid &&
	    current->cred->uid != process->cred.uid)
		return -EACCES;
	file->private_data = (void *)(uintptr_t)pid;
	return 0;
}

int fault_files_register(struct file_system *fs)
{
	int err = fs_register(fs, DEBUGFS "/", debugfs_open, NULL);

	if (err)
		return err;
	err = fs_register(fs, "/proc/", proc_open, NULL);
	if (err)
		fs_unregister(fs, DEBUGFS "/");
	return err;
}

void fault_files_unregister(struct file_system *fs)
{
	fs_unregister(fs, "/proc/");
	fs_unregister(fs, DEBUGFS "/");
}
