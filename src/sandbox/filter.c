/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The filter of system calls (seccomp(2)). libseccomp turns the lists of calls into programs for
 * this machine; they are entered by system calls alone, so that it can be done after a fork.
 *
 * Two programs, of which the kernel takes the stricter answer: one knows what is allowed, the other
 * what is refused whoever needs the call.
 */
#include "sandbox/private.h"

#include <errno.h>

#ifdef HAVE_SECCOMP

#include "util/child.h"
#include "util/fd.h"
#include "util/log.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

struct sandbox_filter {
	struct sock_fprog allowed;
	struct sock_fprog refused;
};

static void release_context(scmp_filter_ctx *context)
{
	if (*context)
		seccomp_release(*context);
}

#define autocontext __attribute__((cleanup(release_context))) scmp_filter_ctx

static int add_comparison(scmp_filter_ctx context, uint32_t action, int number, unsigned int arg,
	uint64_t mask, uint64_t value)
{
	const struct scmp_arg_cmp comparison = SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, mask, value);

	return seccomp_rule_add_array(context, action, number, 1, &comparison);
}

static int add_children(scmp_filter_ctx context, uint32_t action, int number, unsigned int arg)
{
	pid_t pids[CHILD_MAX_COUNT];
	size_t count = child_list(pids);
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < count; i++)
		ret = add_comparison(context, action, number, arg, UINT32_MAX, (uint32_t)-pids[i]);
	return ret;
}

static int add_rule(scmp_filter_ctx context, uint32_t action, const struct sandbox_call *call)
{
	int number = seccomp_syscall_resolve_name(call->name);

	/* Newer than the library, or of another architecture. */
	if (number == __NR_SCMP_ERROR) {
		log_debug("sandbox: this libseccomp does not know '%s'", call->name);
		return 0;
	}
	switch (call->match) {
	case SANDBOX_ANY:
		return seccomp_rule_add(context, action, number, 0);
	case SANDBOX_BITS:
		return add_comparison(context, action, number, call->arg, call->mask, call->value);
	case SANDBOX_OWN_PROCESS:
		return add_comparison(
			context, action, number, call->arg, UINT32_MAX, (uint32_t)getpid());
	case SANDBOX_PARENT_PROCESS:
		return add_comparison(
			context, action, number, call->arg, UINT32_MAX, (uint32_t)getppid());
	case SANDBOX_OWN_CHILDREN:
		return add_children(context, action, number, call->arg);
	}
	return -EINVAL;
}

static int add_calls(scmp_filter_ctx context, uint32_t action, const struct sandbox_call *calls)
{
	int ret = 0;

	for (const struct sandbox_call *call = calls; ret == 0 && call && call->name; call++)
		ret = add_rule(context, action, call);
	return ret;
}

static int add_needs(scmp_filter_ctx context, const struct sandbox_needs *needs)
{
	int ret = 0;

	for (; ret == 0 && needs; needs = needs->base)
		ret = add_calls(context, SCMP_ACT_ALLOW, needs->calls);
	return ret;
}

/* The library writes programs into files only. Return: 0 or a negative errno. */
static int export_program(scmp_filter_ctx context, struct sock_fprog *ret_program)
{
	autofd fd = memfd_create("filter", MFD_CLOEXEC);
	off_t len;
	int ret;

	if (fd < 0)
		return -errno;
	ret = seccomp_export_bpf(context, fd);
	if (ret < 0)
		return ret;
	len = lseek(fd, 0, SEEK_END);
	ret_program->filter = g_malloc((gsize)len);
	ret_program->len = (unsigned short)(len / (off_t)sizeof(struct sock_filter));
	return pread(fd, ret_program->filter, (size_t)len, 0) == len ? 0 : -EIO;
}

static scmp_filter_ctx new_context(uint32_t default_action, bool only_log)
{
	scmp_filter_ctx context = seccomp_init(default_action);

	if (!context)
		return NULL;
	/* Calls of another architecture have other numbers. */
	(void)seccomp_attr_set(
		context, SCMP_FLTATR_ACT_BADARCH, only_log ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS);
	/* A search tree in place of a chain. */
	(void)seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return context;
}

static int make_allowed(const GPtrArray *needs, bool only_log, struct sock_fprog *ret_program)
{
	autocontext context =
		new_context(only_log ? SCMP_ACT_LOG : SCMP_ACT_ERRNO(ENOSYS), only_log);
	int ret = context ? 0 : -ENOMEM;

	for (guint i = 0; ret == 0 && i < needs->len; i++)
		ret = add_needs(context, g_ptr_array_index(needs, i));
	return ret < 0 ? ret : export_program(context, ret_program);
}

/*
 * The flags of clone3() lie in memory, where no filter sees them. Who is told that there is no such
 * call takes clone(). That is so for each thread, and not worth a line in the kernel's log.
 */
static int make_refused(bool only_log, struct sock_fprog *ret_program)
{
	static const struct sandbox_call clone3[] = {SANDBOX_CALL(clone3), {0}};
	autocontext context = new_context(SCMP_ACT_ALLOW, only_log);
	int ret = context ? add_calls(context, only_log ? SCMP_ACT_LOG : SCMP_ACT_ERRNO(EPERM),
				    sandbox_refused_calls)
			  : -ENOMEM;

	if (ret == 0)
		ret = add_calls(context, SCMP_ACT_ERRNO(ENOSYS), clone3);
	return ret < 0 ? ret : export_program(context, ret_program);
}

int sandbox_filter_check(void)
{
	const uint32_t action = SECCOMP_RET_LOG;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0 ? -errno : 0;
}

int sandbox_filter_create(const GPtrArray *needs, bool only_log, struct sandbox_filter **ret_filter)
{
	struct sandbox_filter *filter = g_new0(struct sandbox_filter, 1);
	int ret = make_allowed(needs, only_log, &filter->allowed);

	if (ret == 0)
		ret = make_refused(only_log, &filter->refused);
	if (ret < 0) {
		sandbox_filter_destroy(filter);
		return ret;
	}
	*ret_filter = filter;
	return 0;
}

void sandbox_filter_destroy(struct sandbox_filter *filter)
{
	if (!filter)
		return;
	g_free(filter->allowed.filter);
	g_free(filter->refused.filter);
	g_free(filter);
}

static int enter_program(const struct sock_fprog *program, unsigned long flags)
{
	long ret = syscall(
		SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC | flags, program);

	/* A number of a thread that has other filters: there is none. */
	if (ret > 0)
		return -EBUSY;
	return ret < 0 ? -errno : 0;
}

int sandbox_filter_enter(const struct sandbox_filter *filter)
{
	int ret = enter_program(&filter->refused, 0);

	/* Afterwards there is no seccomp() any more. What is not allowed is in the kernel's log. */
	return ret < 0 ? ret : enter_program(&filter->allowed, SECCOMP_FILTER_FLAG_LOG);
}

#else

int sandbox_filter_check(void)
{
	return -ENOPKG;
}

int sandbox_filter_create(const GPtrArray *needs, bool only_log, struct sandbox_filter **ret_filter)
{
	return -ENOPKG;
}

void sandbox_filter_destroy(struct sandbox_filter *filter)
{
}

int sandbox_filter_enter(const struct sandbox_filter *filter)
{
	return -ENOPKG;
}

#endif
