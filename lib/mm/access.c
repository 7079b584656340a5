/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Reading and writing user memory (copy_from_user() and friends).
 *
 * A user address is a host address of this very program, and it may be wrong: the copy is done by
 * the host kernel (sim/host_mem.c), which says so instead of trapping. A trusting
 * address space skips that; for it only addresses that can never be the user's are -EFAULT.
 *
 * Unlike Linux: the copy has no partial result; what was copied before a fault is not told.
 */
#include "lib/base/task.h"
#include "lib/mm/user_mem_internal.h"
#include "sim/host_mem.h"

/* As access_ok(), and the page at 0, which no program maps. */
static bool access_ok(uva_t at, size_t length)
{
	return at >= PAGE_SIZE && at < TASK_SIZE_MAX && length <= TASK_SIZE_MAX - at;
}

static int copy_user(void *kernel_side, uva_t at, size_t length, bool to_user)
{
	struct mm *mm = current->mm;
	void *user = (void *)(uintptr_t)at;
	struct host_mem *host;
	u64 n;

	if (!length)
		return 0;
	if (!mm || mm->dead || !access_ok(at, length))
		return -EFAULT;
	if (mm->trusting) {
		if (to_user)
			memcpy(user, kernel_side, length);
		else
			memcpy(kernel_side, user, length);
		return 0;
	}
	host = machine_host_mem(mm->kernel->machine);
	n = to_user ? host_mem_write(host, HOST_MEM_OWN, user, kernel_side, length)
		    : host_mem_read(host, HOST_MEM_OWN, kernel_side, user, length);
	return n == length ? 0 : -EFAULT;
}

int copy_from_user(void *to, uva_t from, size_t length)
{
	return copy_user(to, from, length, false);
}

int copy_to_user(uva_t to, const void *from, size_t length)
{
	return copy_user((void *)from, to, length, true);
}

size_t copy_from_user_ahead(void *to, uva_t from, size_t length, size_t ahead)
{
	struct mm *mm = current->mm;
	u64 n;

	if (!mm || mm->dead || mm->trusting || !access_ok(from, ahead))
		return copy_user(to, from, length, false) ? 0 : length;
	n = host_mem_read(machine_host_mem(mm->kernel->machine), HOST_MEM_OWN, to,
			  (void *)(uintptr_t)from, ahead);
	return n >= length ? n : 0;
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
