/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What a session gives up before it hears its front-end. Theory of operation:
 *
 * A guest that takes a session over has what the session's process has. So the process gives up
 * what neither it nor a driver needs any more, in two stages, because drivers start in between:
 *
 *	sandbox_begin()	before the renderer's create(), and before there is a second thread:
 *			Landlock binds the thread that asks and what it makes from then on. No new
 *			privileges, no capabilities, no core dumps, and of the file system what the
 *			needs name. A render server is started in it, and inherits all of it.
 *	sandbox_close()	after it, when all that has a path is open: a filter of system calls, for
 *			all threads at once. No exec, no new processes, no sockets.
 *
 * A helper program is started between the two. Its filter is made before, and is entered between
 * fork and exec (sandbox_helper_enter()), with a Landlock domain inside the session's: it cannot
 * signal or look into the session.
 *
 * What has to stay open is said where it is needed, and nowhere else: a layer, a mode or an option
 * has a struct sandbox_needs beside its code, and the filter and the Landlock rules are made of
 * those that a session has. What the C library itself needs is in base.c.
 *
 * A call that is in no list fails with ENOSYS, as if the kernel had none: libraries try new calls
 * first, and go on with older ones after this error, and after no other. Nothing is killed for a
 * call: a driver that tries something would take the VM's display with it.
 *
 * With --sandbox=on a part that the kernel or a container refuses is a warning in the log, and the
 * rest holds. With --sandbox=required it is an error: the daemon does not start to serve, and a
 * session ends before it reads a byte. What a build was made without is a warning in both modes.
 */
#pragma once

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

/** enum sandbox_mode - What --sandbox says */
enum sandbox_mode {
	SANDBOX_ON,
	SANDBOX_OFF,
	SANDBOX_LOG, /* system calls only: what the filter would refuse is done, and logged by the kernel */
	SANDBOX_REQUIRED, /* as SANDBOX_ON, and nobody is served without all parts of the build */
};

/** sandbox_modes - The values of --sandbox in the order of enum sandbox_mode, ended by NULL */
extern const char *const sandbox_modes[];

/** enum sandbox_match - Which calls of a system call are meant */
enum sandbox_match {
	SANDBOX_ANY,
	SANDBOX_BITS,		/* the argument has @value in the bits of @mask */
	SANDBOX_OWN_PROCESS,	/* it is our process's number */
	SANDBOX_PARENT_PROCESS, /* of our parent, when the filter is made */
	SANDBOX_OWN_CHILDREN, /* it is the process group of a child that runs when the filter is made */
};

/**
 * struct sandbox_call - A system call that is needed
 * @name: as in its manual page; those that an architecture does not have are no matter. NULL ends
 *	a list.
 * @arg: which argument @match is about, the first is 0
 *
 * A call that several rows name may be made where one of them fits.
 */
struct sandbox_call {
	const char *name;
	enum sandbox_match match;
	unsigned int arg;
	uint64_t mask;
	uint64_t value;
};

#define SANDBOX_CALL(call)                                                                         \
	{                                                                                          \
		.name = #call                                                                      \
	}
/* An int is compared without the upper half of its register, in which anything may be. */
#define SANDBOX_CALL_IF(call, argument, bits, wanted)                                              \
	{                                                                                          \
		.name = #call, .match = SANDBOX_BITS, .arg = (argument), .mask = (uint32_t)(bits), \
		.value = (uint32_t)(wanted)                                                        \
	}
#define SANDBOX_CALL_IF_INT(call, argument, wanted)                                                \
	SANDBOX_CALL_IF(call, argument, UINT32_MAX, wanted)
#define SANDBOX_CALL_IF_NULL(call, argument)                                                       \
	{                                                                                          \
		.name = #call, .match = SANDBOX_BITS, .arg = (argument), .mask = UINT64_MAX        \
	}

#ifdef __s390__
#define SANDBOX_CLONE_FLAGS_ARG 1
#else
#define SANDBOX_CLONE_FLAGS_ARG 0
#endif
#define SANDBOX_NAMESPACES                                                                         \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
		CLONE_NEWPID | CLONE_NEWNET)
/* clone() with @wanted of the flags @bits, and no new namespace */
#define SANDBOX_CALL_CLONE(bits, wanted)                                                           \
	SANDBOX_CALL_IF(clone, SANDBOX_CLONE_FLAGS_ARG, (bits) | SANDBOX_NAMESPACES, wanted)

/** enum sandbox_access - What may be done with a path, and all that is below it */
enum sandbox_access {
	SANDBOX_READ,	 /* read, and run programs */
	SANDBOX_DEVICE,	 /* read, write and control what is there */
	SANDBOX_WRITE,	 /* make, read, write, rename and remove files and folders; run none */
	SANDBOX_CONNECT, /* connect to a socket */
	SANDBOX_SOCKETS, /* a folder in which sockets are made and removed */
};

/** struct sandbox_path - A path that is needed, or a glob(7) pattern; NULL ends a list. */
struct sandbox_path {
	const char *pattern;
	enum sandbox_access access;
};

/**
 * struct sandbox_needs - What a part of the program needs of the sandbox
 * @base: what it needs as well, or NULL
 * @calls: or NULL
 * @paths: those that are not there are no matter; or NULL
 * @variables: environment variables with paths to read, colons between them; ended by NULL; or NULL
 */
struct sandbox_needs {
	const struct sandbox_needs *base;
	const struct sandbox_call *calls;
	const struct sandbox_path *paths;
	const char *const *variables;
};

struct sandbox;

/** sandbox_mode_parse() - A value of --sandbox. Return: 0 or -EINVAL. */
int sandbox_mode_parse(const char *text, enum sandbox_mode *ret_mode);

/**
 * sandbox_announce() - Say in the log what a sandbox of this mode will consist of here
 *
 * A warning where this kernel, or this build, lacks a part. Changes nothing.
 */
void sandbox_announce(enum sandbox_mode mode);

/** sandbox_create() - A sandbox for this process, not begun; it needs what the C library does. */
struct sandbox *sandbox_create(enum sandbox_mode mode);

/** sandbox_destroy() - Free the object; what is closed stays closed. */
void sandbox_destroy(struct sandbox *sandbox);

/** sandbox_is_on() - Is there one, and does it refuse anything? NULL is fine. */
bool sandbox_is_on(const struct sandbox *sandbox);

/** sandbox_is_required() - Is a part that is not active an error? NULL is fine. */
bool sandbox_is_required(const struct sandbox *sandbox);

/** sandbox_add() - Leave open what is needed. @needs: static; NULL is fine. */
void sandbox_add(struct sandbox *sandbox, const struct sandbox_needs *needs);

/** sandbox_add_path() - Leave one path open, no pattern; NULL is fine. Before sandbox_begin(). */
void sandbox_add_path(struct sandbox *sandbox, const char *path, enum sandbox_access access);

/**
 * sandbox_begin() - The first stage; while there is one thread
 *
 * Return: 0, or -EPERM where a required part is not active. What fails is logged.
 */
int sandbox_begin(struct sandbox *sandbox);

/**
 * sandbox_close() - The second stage; from any thread, for all
 *
 * Return: as sandbox_begin().
 */
int sandbox_close(struct sandbox *sandbox);

/**
 * sandbox_require() - Try before anybody is served whether all required parts become active
 *
 * A child process enters both stages. Call while there is one thread. Other modes require nothing.
 *
 * Return: 0, or a negative errno, logged.
 */
int sandbox_require(enum sandbox_mode mode);

/**
 * sandbox_forget_privileges() - No new privileges from here on, for what has no other sandbox
 *
 * Return: 0 or a negative errno.
 */
int sandbox_forget_privileges(enum sandbox_mode mode);

/* Helper programs */

struct sandbox_helper;

/**
 * sandbox_helper_create() - What a program is confined to, prepared before the fork
 * @sandbox: begun; NULL is fine
 * @needs: all that the program needs beside the C library, execve() among it; its paths are not
 *	looked at, since it has those of @sandbox
 * @ret_helper: NULL where there is no sandbox. Parts that are missing here, which was announced, are
 *	left out.
 *
 * Return: 0 or a negative errno.
 */
int sandbox_helper_create(const struct sandbox *sandbox, const struct sandbox_needs *needs,
	struct sandbox_helper **ret_helper);

void sandbox_helper_destroy(struct sandbox_helper *helper);

/** sandbox_helper_refuses_calls() - Does it have a filter that refuses? NULL is fine. */
bool sandbox_helper_refuses_calls(const struct sandbox_helper *helper);

/**
 * sandbox_helper_enter() - Confine this process, for ever
 *
 * In the child, between fork and exec: makes system calls and nothing else. A part that cannot be
 * entered ends the process, with a line on its standard error.
 */
void sandbox_helper_enter(const struct sandbox_helper *helper);
