/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What every process needs: memory, threads, time, files that are open already, files that the
 * Landlock rules let it open, and an orderly end. And what none may do, whoever needs the call.
 */
#include "sandbox/private.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

static const struct sandbox_call base_calls[] = {
	/* memory; code is made by drivers only, see there */
	SANDBOX_CALL(brk),
	SANDBOX_CALL_IF(mmap, 2, PROT_EXEC, 0),
	SANDBOX_CALL_IF(mprotect, 2, PROT_EXEC, 0),
	SANDBOX_CALL(munmap),
	SANDBOX_CALL(mremap),
	SANDBOX_CALL(madvise),
	SANDBOX_CALL(msync),
	SANDBOX_CALL(mincore),
	SANDBOX_CALL(membarrier),
	/* threads, but no processes */
	SANDBOX_CALL_CLONE(CLONE_THREAD, CLONE_THREAD),
	SANDBOX_CALL(
		clone3), /* is refused elsewhere, without a line in the kernel's log: filter.c */
	SANDBOX_CALL(futex),
	SANDBOX_CALL(set_robust_list),
	SANDBOX_CALL(rseq),
	SANDBOX_CALL(set_tid_address),
	SANDBOX_CALL(sched_yield),
	SANDBOX_CALL(sched_getaffinity),
	SANDBOX_CALL(getcpu),
	SANDBOX_CALL(exit),
	SANDBOX_CALL(exit_group),
	SANDBOX_CALL_IF_INT(prctl, 0, PR_SET_NAME),
	SANDBOX_CALL_IF_INT(prctl, 0, PR_GET_NAME),
	SANDBOX_CALL_IF_INT(prctl, 0, PR_SET_VMA), /* names of mappings */
	/* signals, to ourselves */
	SANDBOX_CALL(rt_sigaction),
	SANDBOX_CALL(rt_sigprocmask),
	SANDBOX_CALL(rt_sigreturn),
	SANDBOX_CALL(rt_sigtimedwait),
	SANDBOX_CALL(sigaltstack),
	SANDBOX_CALL(restart_syscall),
	{.name = "tgkill", .match = SANDBOX_OWN_PROCESS, .arg = 0},
	/* who and where we are */
	SANDBOX_CALL(getpid),
	SANDBOX_CALL(gettid),
	SANDBOX_CALL(getppid),
	SANDBOX_CALL(getuid),
	SANDBOX_CALL(geteuid),
	SANDBOX_CALL(getgid),
	SANDBOX_CALL(getegid),
	SANDBOX_CALL(getresuid),
	SANDBOX_CALL(getresgid),
	SANDBOX_CALL(uname),
	SANDBOX_CALL(sysinfo),
	SANDBOX_CALL(getrlimit),
	SANDBOX_CALL_IF_NULL(prlimit64, 2), /* ask only */
	SANDBOX_CALL(getrusage),
	SANDBOX_CALL(times),
	SANDBOX_CALL(getrandom),
	/* time */
	SANDBOX_CALL(clock_gettime),
	SANDBOX_CALL(clock_getres),
	SANDBOX_CALL(clock_nanosleep),
	SANDBOX_CALL(nanosleep),
	SANDBOX_CALL(gettimeofday),
	SANDBOX_CALL(time),
	/* descriptors */
	SANDBOX_CALL(read),
	SANDBOX_CALL(readv),
	SANDBOX_CALL(pread64),
	SANDBOX_CALL(write),
	SANDBOX_CALL(writev),
	SANDBOX_CALL(pwrite64),
	SANDBOX_CALL(lseek),
	SANDBOX_CALL(close),
	SANDBOX_CALL(close_range),
	SANDBOX_CALL(dup),
	SANDBOX_CALL(dup2),
	SANDBOX_CALL(dup3),
	SANDBOX_CALL(fcntl),
	SANDBOX_CALL(poll),
	SANDBOX_CALL(ppoll),
	SANDBOX_CALL(pipe),
	SANDBOX_CALL(pipe2),
	/* files, as far as Landlock goes */
	SANDBOX_CALL(open),
	SANDBOX_CALL(openat),
	SANDBOX_CALL(access),
	SANDBOX_CALL(faccessat),
	SANDBOX_CALL(faccessat2),
	SANDBOX_CALL(stat),
	SANDBOX_CALL(lstat),
	SANDBOX_CALL(fstat),
	SANDBOX_CALL(newfstatat),
	SANDBOX_CALL(statx),
	SANDBOX_CALL(statfs),
	SANDBOX_CALL(fstatfs),
	SANDBOX_CALL(readlink),
	SANDBOX_CALL(readlinkat),
	SANDBOX_CALL(getdents64),
	SANDBOX_CALL(getcwd),
#ifdef HAVE_SANITIZERS
	/* Looking for leaks, at the end: a process that shares our memory stops our threads. */
	SANDBOX_CALL(clone),
	SANDBOX_CALL(ptrace),
	SANDBOX_CALL(getdents),
	SANDBOX_CALL(ioctl),
	SANDBOX_CALL(prctl),
	SANDBOX_CALL(wait4),
	SANDBOX_CALL(setrlimit),
	SANDBOX_CALL(prlimit64),
	SANDBOX_CALL(mmap),
	SANDBOX_CALL(kill),
	SANDBOX_CALL(tgkill),
#endif
	{0},
};

static const struct sandbox_path base_paths[] = {
	{"/usr", SANDBOX_READ},
	{"/lib*", SANDBOX_READ},
	{"/bin", SANDBOX_READ},
	{"/sbin", SANDBOX_READ},
	{"/opt", SANDBOX_READ},
	{"/nix/store", SANDBOX_READ},
	{"/gnu/store", SANDBOX_READ},
	{"/etc/ld.so.*", SANDBOX_READ},
	{"/etc/localtime", SANDBOX_READ},
	{"/etc/nsswitch.conf", SANDBOX_READ},
	{"/etc/passwd", SANDBOX_READ},
	/*
	 * All of it, since helpers have numbers that are not known yet, and each reads about itself and
	 * is measured (session/usage.c). Of other processes Landlock leaves what everybody may know.
	 */
	{"/proc", SANDBOX_READ},
	/* Processors, and devices in all the ways in which drivers look for them. */
	{"/sys/bus", SANDBOX_READ},
	{"/sys/class", SANDBOX_READ},
	{"/sys/dev", SANDBOX_READ},
	{"/sys/devices", SANDBOX_READ},
	{"/sys/firmware/devicetree", SANDBOX_READ},
	{"/sys/kernel/mm/transparent_hugepage", SANDBOX_READ},
	{"/sys/module", SANDBOX_READ},
	{"/dev/null", SANDBOX_DEVICE},
	{"/dev/zero", SANDBOX_READ},
	{"/dev/full", SANDBOX_READ},
	{"/dev/random", SANDBOX_READ},
	{"/dev/urandom", SANDBOX_READ},
#ifdef HAVE_SANITIZERS
	{"/proc/self/exe", SANDBOX_READ}, /* names for addresses */
#endif
	{0},
};

static const char *const base_variables[] = {"LD_LIBRARY_PATH", "LD_PRELOAD", NULL};

const struct sandbox_needs sandbox_base_needs = {
	.calls = base_calls,
	.paths = base_paths,
	.variables = base_variables,
};

/*
 * Drivers need any ioctl(), and everybody fcntl(). These reach out of the process: they type into
 * the terminal that it was started from, or have the kernel send a signal to whoever is named.
 */
const struct sandbox_call sandbox_refused_calls[] = {
	SANDBOX_CALL_IF_INT(ioctl, 1, TIOCSTI),
	SANDBOX_CALL_IF_INT(ioctl, 1, TIOCLINUX),
	SANDBOX_CALL_IF_INT(ioctl, 1, TIOCSCTTY),
	SANDBOX_CALL_IF_INT(ioctl, 1, FIOASYNC),
	SANDBOX_CALL_IF_INT(ioctl, 1, FIOSETOWN),
	SANDBOX_CALL_IF_INT(ioctl, 1, SIOCSPGRP),
	SANDBOX_CALL_IF_INT(fcntl, 1, F_SETOWN),
	SANDBOX_CALL_IF_INT(fcntl, 1, F_SETOWN_EX),
	SANDBOX_CALL_IF_INT(fcntl, 1, F_SETSIG),
	SANDBOX_CALL_IF_INT(fcntl, 1, F_NOTIFY),
	/* The supervisor, who ends what outlives a session. */
	{.name = "kill", .match = SANDBOX_PARENT_PROCESS, .arg = 0},
	{.name = "tgkill", .match = SANDBOX_PARENT_PROCESS, .arg = 0},
	{0},
};
