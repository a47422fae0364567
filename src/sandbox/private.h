/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* The parts of the sandbox, for the files of this folder. */
#pragma once

#include "sandbox/sandbox.h"

#include <glib.h>

/* base.c: what every process needs, and what none may do whoever needs the call. */
extern const struct sandbox_needs sandbox_base_needs;
extern const struct sandbox_call sandbox_refused_calls[];

/** sandbox_landlock_version() - Return: the kernel's version of Landlock, or a negative errno. */
int sandbox_landlock_version(void);

/**
 * sandbox_landlock_open() - An empty set of rules, of all that this version can restrict
 *
 * Return: a descriptor, owned by the caller, or a negative errno.
 */
int sandbox_landlock_open(int version);

/**
 * sandbox_landlock_allow() - Add a rule for a path
 * @version: of the set
 *
 * Return: 0, or a negative errno: -ENOENT where there is no such path.
 */
int sandbox_landlock_allow(
	int ruleset_fd, int version, const char *path, enum sandbox_access access);

/** sandbox_landlock_enter() - For this thread; a system call only. Return: 0 or a negative errno. */
int sandbox_landlock_enter(int ruleset_fd);

/** struct sandbox_filter - Programs for seccomp(2): what is allowed, and what of it is refused */
struct sandbox_filter;

/** sandbox_filter_check() - Return: 0, or a negative errno where the kernel or the build has none. */
int sandbox_filter_check(void);

/**
 * sandbox_filter_create() - Make the programs
 * @needs: of struct sandbox_needs
 * @only_log: refuse nothing
 *
 * Return: 0 or a negative errno.
 */
int sandbox_filter_create(
	const GPtrArray *needs, bool only_log, struct sandbox_filter **ret_filter);

void sandbox_filter_destroy(struct sandbox_filter *filter);

/**
 * sandbox_filter_enter() - For all threads of this process
 *
 * System calls only. No new privileges must be set. Return: 0 or a negative errno.
 */
int sandbox_filter_enter(const struct sandbox_filter *filter);
