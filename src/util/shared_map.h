/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Mappings of files that another process can make shorter while we use them: the guest's memory,
 * which is the front-end's, and blobs, whose memory a render server made.
 *
 * An access behind the end of a file is a SIGBUS, in whichever thread and library it happens. Once
 * shared_map_guard() was called, such an access finds zeroes instead, from its page to the
 * mapping's end, and an event says that the session must end. So it ends in order: what was
 * mapped for the guest is unmapped, helpers are told, the log says why. A SIGBUS anywhere else ends
 * the process as ever.
 *
 * Signal handlers are a process's, and so is the list of these mappings.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/**
 * shared_map_create() - As mmap(2), shared
 * @fd: borrowed
 * @offset: of @fd, bytes; a multiple of @page_len, as is @len
 * @prot: PROT_READ, PROT_WRITE
 * @page_len: the file's pages, bytes
 * @what: a literal for the log, such as "the guest's memory"
 *
 * Main loop thread. Return: the mapping, for shared_map_destroy(); MAP_FAILED with errno set.
 */
void *shared_map_create(
	int fd, uint64_t offset, size_t len, int prot, size_t page_len, const char *what);

/** shared_map_destroy() - Unmap it. @len: as it was created. Main loop thread. */
void shared_map_destroy(void *map, size_t len);

/**
 * shared_map_guard() - Catch accesses to what is no longer there
 *
 * Return: an eventfd, borrowed and valid for ever, which becomes readable when one was caught; or a
 * negative errno.
 */
int shared_map_guard(void);

/**
 * shared_map_report_fault() - A system call said EFAULT of memory that is mapped here
 *
 * That is how the same access shows when the kernel makes it. errno stays as it is.
 */
void shared_map_report_fault(void);

/** shared_map_get_cut() - What was found to be cut short, @what of its mapping; or NULL. */
const char *shared_map_get_cut(void);
