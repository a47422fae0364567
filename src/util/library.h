/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A library that is loaded by whoever needs it, and when: a process that does not has neither its
 * memory nor the time that loading it takes.
 *
 * A table lists the functions that are called: a macro of F(result, name, (parameters), (arguments))
 * for each. LIBRARY_NAMESAKES() makes of it functions of these names, which pass on to what
 * library_load() found, so that nothing else in the code knows. The library's header has the
 * prototypes, and the compiler compares them.
 */
#pragma once

#include <stddef.h>

/**
 * struct library_function - Where a function's pointer goes
 * @offset: in the struct of all of a library's
 */
struct library_function {
	const char *name;
	size_t offset;
};

/* Names, which take no parentheses. NOLINTBEGIN(bugprone-macro-parentheses) */
#define LIBRARY_POINTER(result_, name_, parameters_, arguments_) typeof(name_) *name_;
#define LIBRARY_FUNCTION(result_, name_, parameters_, arguments_)                                  \
	{#name_, offsetof(struct library_pointers, name_)},
#define LIBRARY_NAMESAKE(result_, name_, parameters_, arguments_)                                  \
	result_ name_ parameters_                                                                  \
	{                                                                                          \
		return library_pointers.name_ arguments_;                                          \
	}
/* NOLINTEND(bugprone-macro-parentheses) */

/** LIBRARY_NAMESAKES - The functions of a table, and what library_load() fills. One to a file. */
#define LIBRARY_NAMESAKES(table_)                                                                  \
	static struct library_pointers {                                                           \
		table_(LIBRARY_POINTER)                                                            \
	} library_pointers;                                                                        \
	static const struct library_function library_functions[] = {table_(LIBRARY_FUNCTION)};     \
	table_(LIBRARY_NAMESAKE)

/**
 * library_load() - Load a library, before a namesake is called
 * @file: its soname, or a path
 * @pointers: a pointer to each of @functions
 * @ret_message: why not, and what to do; freed by the caller
 *
 * It stays loaded, and everybody's functions are looked for in it, as if it had been linked; a second
 * call is fine. Return: 0, -ENOENT, or -ENOTSUP when it lacks a function.
 */
int library_load(const char *file, const struct library_function *functions, size_t count,
	void *pointers, char **ret_message);
