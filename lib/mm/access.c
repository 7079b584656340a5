/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Reading and writing user memory (copy_from_user() and friends).
 *
 * A user address is a host address of this very program, and it may be wrong: the copy is done by
 * the host kernel (process_vm_readv() on ourselves), which says so instead of trapping. A trusting
 * address space skips that; for it only addresses that can never be the user's are -EFAULT.
 *
 * Unlike Linux: the copy has no partial result; what was copied before a fault is not told.
 */
#include <sys/uio.h>
#include <unistd.h>

#include "lib/base/task.h"
#include "lib/mm/user_mem_internal.h"

/* As access_ok(), and the page at 0, which no program maps. */
static bool access_ok(uva_t at, size_t length)
{
	return at >= PAGE_SIZE && at < TASK_SIZE_MAX && length <= TASK_SIZE_MAX - at;
}

static int copy_user(void *kernel_side, uva_t at, size_t length, bool to_user)
{
	struct iovec local = { .iov_base = kernel_side, .iov_len = length };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)at, .iov_len = length };
	struct mm *mm = current->mm;
	ssize_t n;

	if (!length)
		return 0;
	if (!mm || mm->dead || !access_ok(at, length))
		return -EFAULT;
	if (mm->trusting) {
		if (to_user)
			memcpy(remote.iov_base, kernel_side, length);
		else
			memcpy(kernel_side, remote.iov_base, length);
		return 0;
	}
	n = to_user ? process_vm_writev(getpid(), &local, 1, &remote, 1, 0)
		    : process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	return n >= 0 && (size_t)n == length ? 0 : -EFAULT;
}

int copy_from_user(void *to, uva_t from, size_t length)
{
	return copy_user(to, from, length, false);
}

int copy_to_user(uva_t to, const void *from, size_t length)
{
	return copy_user((void *)from, to, length, true);
}

/*
 * 0: only zeros, -E2BIG: not, -EFAULT. Whichever comes first decides: an aligned chunk lies in one
 * page, and so is read or not as a whole.
 */
static int check_zeroed_user(uva_t from, size_t length)
{
	u8 bytes[256];

	if (!access_ok(from, length))
		return -EFAULT;
	while (length) {
		size_t chunk = min(length, sizeof(bytes) - from % sizeof(bytes));

		if (copy_from_user(bytes, from, chunk))
			return -EFAULT;
		for (size_t i = 0; i < chunk; i++)
			if (bytes[i])
				return -E2BIG;
		from += chunk;
		length -= chunk;
	}
	return 0;
}

int copy_struct_from_user(void *to, size_t ksize, uva_t from, size_t usize)
{
	size_t size = min(ksize, usize);
	int err = 0;

	if (usize > ksize)
		err = check_zeroed_user(from + ksize, usize - ksize);
	else
		memset((u8 *)to + size, 0, ksize - size);
	return err ? err : copy_from_user(to, from, size);
}
