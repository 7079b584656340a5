/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* See luo_fixture.h. */
#include "tests/lib/luo/luo_fixture.h"

#include <fcntl.h>
#include <stdio.h>

struct luo_script script;

static void note(const char *what, char letter)
{
	size_t used = strlen(script.log);

	snprintf(script.log + used, sizeof(script.log) - used, "%s%s(%c)", used ? " " : "", what,
		 letter);
}

static int scripted(int err, char letter)
{
	return !script.err_for || script.err_for == letter ? err : 0;
}

static void thing_release(struct file *file)
{
	note("release", (char)(uintptr_t)file->private_data);
}

static const struct file_operations thing_fops = { .name = "thing", .release = thing_release };
static const struct file_operations thing2_fops = { .name = "thing2", .release = thing_release };

static bool thing_can_preserve(const struct liveupdate_file_handler *handler, struct file *file)
{
	return file->f_op == &thing_fops;
}

static bool thing2_can_preserve(const struct liveupdate_file_handler *handler, struct file *file)
{
	return file->f_op == &thing2_fops || file->f_op == &thing_fops;
}

static char letter_of(const struct liveupdate_file_op_args *args)
{
	return args->file ? (char)(uintptr_t)args->file->private_data : (char)args->serialized_data;
}

static int thing_preserve(struct liveupdate_file_op_args *args)
{
	int err = scripted(script.preserve_err, letter_of(args));

	note("preserve", letter_of(args));
	script.session = args->session;
	assert_non_null(args->session);
	if (err)
		return err;
	args->serialized_data = (u64)letter_of(args);
	args->private_data = args->file;
	return 0;
}

static void thing_unpreserve(struct liveupdate_file_op_args *args)
{
	note("unpreserve", letter_of(args));
	assert_ptr_equal(args->private_data, args->file);
	assert_non_null(args->session);
}

static int thing_freeze(struct liveupdate_file_op_args *args)
{
	note("freeze", letter_of(args));
	assert_ptr_equal(args->private_data, args->file);
	assert_non_null(args->session);
	if (script.freeze_changes_data)
		args->serialized_data += 1000;
	return scripted(script.freeze_err, letter_of(args));
}

static void thing_unfreeze(struct liveupdate_file_op_args *args)
{
	note("unfreeze", letter_of(args));
}

static int thing_retrieve(struct liveupdate_file_op_args *args)
{
	char letter = (char)args->serialized_data;
	int err = scripted(script.retrieve_err, letter);
	struct file *other;

	note("retrieve", letter);
	assert_null(args->file);
	assert_non_null(args->session);
	script.data_seen = args->serialized_data;
	if (script.retrieve_also) {
		u64 token = script.retrieve_also;

		script.retrieve_also = 0;
		err = liveupdate_get_file_incoming(args->session, token, &other);
		if (!err)
			fput(other);
	}
	if (err)
		return err;
	return ifs_anon_inode_getfile("thing", &thing_fops, (void *)(uintptr_t)(u8)letter, O_RDWR,
				      &args->file);
}

static bool thing_can_finish(struct liveupdate_file_op_args *args)
{
	note("can_finish", letter_of(args));
	script.closing = ifs_liveupdate_session_is_closing(args->session);
	return !script.cannot_finish;
}

static void thing_finish(struct liveupdate_file_op_args *args)
{
	char status[32];

	snprintf(status, sizeof(status), "finish:%d%s", args->retrieve_status,
		 args->file ? "" : "-");
	note(status, letter_of(args));
}

const struct module thing_module = { "thing" }, flb_module = { "flb" };

static const struct liveupdate_file_ops thing_ops = {
	.can_preserve = thing_can_preserve, .preserve = thing_preserve,
	.unpreserve = thing_unpreserve, .freeze = thing_freeze, .unfreeze = thing_unfreeze,
	.retrieve = thing_retrieve, .can_finish = thing_can_finish, .finish = thing_finish,
	.owner = &thing_module,
};
static const struct liveupdate_file_ops thing2_ops = {
	.can_preserve = thing2_can_preserve, .preserve = thing_preserve,
	.unpreserve = thing_unpreserve, .retrieve = thing_retrieve, .finish = thing_finish,
};
const struct liveupdate_file_handler thing_handler = { &thing_ops, "thing-v1" };
const struct liveupdate_file_handler thing2_handler = { &thing2_ops, "thing2-v1" };

static int flb_preserve(struct liveupdate_flb_op_args *args)
{
	note("flb_preserve", args->flb == &flb_one ? '1' : '2');
	if (script.flb_preserve_err && args->flb == &flb_two)
		return script.flb_preserve_err;
	args->data = args->flb == &flb_one ? 0x1111 : 0x2222;
	args->obj = &script.log;
	return 0;
}

static void flb_unpreserve(struct liveupdate_flb_op_args *args)
{
	note("flb_unpreserve", args->flb == &flb_one ? '1' : '2');
}

static int flb_retrieve(struct liveupdate_flb_op_args *args)
{
	note("flb_retrieve", args->flb == &flb_one ? '1' : '2');
	assert_int_equal(args->data, args->flb == &flb_one ? 0x1111 : 0x2222);
	args->obj = &script.log;
	return script.flb_retrieve_err;
}

static void flb_finish(struct liveupdate_flb_op_args *args)
{
	note("flb_finish", args->flb == &flb_one ? '1' : '2');
}

static const struct liveupdate_flb_ops flb_ops = {
	.preserve = flb_preserve, .unpreserve = flb_unpreserve, .retrieve = flb_retrieve,
	.finish = flb_finish, .owner = &flb_module,
};
const struct liveupdate_flb flb_one = { &flb_ops, "flb-one" }, flb_two = { &flb_ops, "flb-two" };

int luo_fixture_boot(struct luo_fixture *fix)
{
	int err = luo_new(fix->kho->base->kernel, &fix->config, fix->reason, &fix->luo);

	if (err) {
		fix->luo = NULL;
		return err;
	}
	assert_int_equal(luo_late_init(fix->luo), 0);
	if (fix->config.enabled && !fix->no_handlers)
		assert_int_equal(liveupdate_register_file_handler(&thing_handler), 0);
	if (fix->flbs) {
		assert_int_equal(liveupdate_register_flb(&thing_handler, &flb_one), 0);
		assert_int_equal(liveupdate_register_flb(&thing_handler, &flb_two), 0);
	}
	return 0;
}

struct luo_fixture *luo_fixture_new(void)
{
	struct luo_fixture *fix = calloc(1, sizeof(*fix));

	assert_non_null(fix);
	script = (struct luo_script){ 0 };
	fix->kho = kho_fixture_new(64ull << 20);
	fix->config = (struct luo_config){ .enabled = true, .exact = true };
	assert_int_equal(luo_fixture_boot(fix), 0);
	return fix;
}

void luo_fixture_free(struct luo_fixture *fix)
{
	struct base_fixture *base = fix->kho->base;

	/* The process exits, then the kernel. */
	for (int fd = 0; fd < 1024; fd++)
		files_close(base->files, fd);
	luo_free(fix->luo);
	kho_fixture_free(fix->kho);
	free(fix);
}

void luo_fixture_end(struct luo_fixture *fix, struct machine_boot_params *params)
{
	assert_int_equal(luo_reboot(fix->luo), 0);
	kho_fixture_end(fix->kho, params);
}

int luo_fixture_begin(struct luo_fixture *fix, const struct machine_boot_params *params)
{
	kho_fixture_begin(fix->kho, params);
	return luo_fixture_boot(fix);
}

void luo_fixture_kexec(struct luo_fixture *fix)
{
	struct machine_boot_params params;

	luo_fixture_end(fix, &params);
	assert_int_equal(luo_fixture_begin(fix, &params), 0);
	script.log[0] = '\0';
}

static int install(struct luo_fixture *fix, struct file *file)
{
	int fd = files_get_unused_fd(fix->kho->base->files, 0);

	assert_true(fd >= 0);
	files_install(fix->kho->base->files, fd, file);
	return fd;
}

int thing_open(struct luo_fixture *fix, char letter)
{
	bool second = letter >= 'A' && letter <= 'Z';
	const struct file_operations *fops = second ? &thing2_fops : &thing_fops;
	void *data = (void *)(uintptr_t)(u8)letter;
	struct file *file;

	assert_int_equal(ifs_anon_inode_getfile("thing", fops, data, O_RDWR, &file), 0);
	return install(fix, file);
}

int dev_open(struct luo_fixture *fix)
{
	struct files *files = fix->kho->base->files;
	int fd = files_get_unused_fd(files, 0), err;
	struct file *file;

	if (fd < 0)
		return fd;
	err = fs_open(fix->kho->base->kernel->fs, "/dev/liveupdate", O_RDWR, &file);
	if (err) {
		files_put_unused_fd(files, fd);
		return err;
	}
	files_install(files, fd, file);
	return fd;
}

long fd_ioctl(struct luo_fixture *fix, int fd, unsigned cmd, void *arg)
{
	struct file *file = files_get(fix->kho->base->files, fd);
	long ret;

	assert_non_null(file);
	ret = file->f_op->ioctl(file, cmd, (uva_t)(uintptr_t)arg);
	fput(file);
	return ret;
}

void fd_close(struct luo_fixture *fix, int fd)
{
	assert_int_equal(files_close(fix->kho->base->files, fd), 0);
}

static int session_get(struct luo_fixture *fix, int dev, const char *name, unsigned cmd)
{
	struct liveupdate_ioctl_create_session arg = { .size = 72, .fd = -99 };
	long err;

	memcpy(arg.name, name, strnlen(name, sizeof(arg.name)));
	err = fd_ioctl(fix, dev, cmd, &arg);
	return err ? (int)err : arg.fd;
}

int session_create(struct luo_fixture *fix, int dev, const char *name)
{
	return session_get(fix, dev, name, LIVEUPDATE_IOCTL_CREATE_SESSION);
}

int session_retrieve(struct luo_fixture *fix, int dev, const char *name)
{
	return session_get(fix, dev, name, LIVEUPDATE_IOCTL_RETRIEVE_SESSION);
}

long session_preserve(struct luo_fixture *fix, int session, int fd, u64 token)
{
	struct liveupdate_session_preserve_fd arg = { .size = 16, .fd = fd, .token = token };

	return fd_ioctl(fix, session, LIVEUPDATE_SESSION_PRESERVE_FD, &arg);
}

int session_retrieve_fd(struct luo_fixture *fix, int session, u64 token)
{
	struct liveupdate_session_retrieve_fd arg = { .size = 16, .token = token };
	long err = fd_ioctl(fix, session, LIVEUPDATE_SESSION_RETRIEVE_FD, &arg);

	return err ? (int)err : arg.fd;
}

long session_finish(struct luo_fixture *fix, int session)
{
	struct liveupdate_session_finish arg = { .size = 8 };

	return fd_ioctl(fix, session, LIVEUPDATE_SESSION_FINISH, &arg);
}

char thing_letter(struct luo_fixture *fix, int fd)
{
	struct file *file = files_get(fix->kho->base->files, fd);
	char letter = file ? (char)(uintptr_t)file->private_data : '?';

	if (file)
		fput(file);
	return letter;
}

int luo_fixture_setup(void **state)
{
	*state = luo_fixture_new();
	return 0;
}

int luo_fixture_setup_flbs(void **state)
{
	struct luo_fixture *fix = luo_fixture_new();

	fix->flbs = true;
	assert_int_equal(liveupdate_register_flb(&thing_handler, &flb_one), 0);
	assert_int_equal(liveupdate_register_flb(&thing_handler, &flb_two), 0);
	*state = fix;
	return 0;
}

int luo_fixture_teardown(void **state)
{
	luo_fixture_free(*state);
	return 0;
}
