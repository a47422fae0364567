/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Loaded into the render server (LD_PRELOAD, see server.c) when it runs in a sandbox. The filter
 * that it was started with had to let the program itself be executed; from here on nothing is, in
 * the server and in the processes that it forks for the contexts. Runs before the server's main().
 *
 * The filter below is complete: that one knows which architecture's calls there are.
 *
 * The loader goes on without a module that it cannot load. So this one says that it is in force.
 */
#include "renderer/modules/modules.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define IS_REFUSED(call)                                                                           \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1),                                     \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS)

__attribute__((constructor)) static void end_exec(void)
{
	struct sock_filter words[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		IS_REFUSED(execve),
		IS_REFUSED(execveat),
		IS_REFUSED(seccomp),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof(words) / sizeof(words[0]), words};

	/* A server that is not confined as it was said serves nobody. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
		_exit(EXIT_FAILURE);
	/* Nobody may be listening. */
	(void)!write(RENDERER_MODULE_CONFIRM_FD, "", 1);
	close(RENDERER_MODULE_CONFIRM_FD);
}
