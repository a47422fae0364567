/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

/**
 * fd_clear() - Close a file descriptor and forget it
 * @fd: an owned descriptor or -1; -1 afterwards
 *
 * errno is kept.
 */
void fd_clear(int *fd);

/**
 * fd_take() - Move ownership out of a variable
 * @fd: an owned descriptor or -1; -1 afterwards
 *
 * Return: what *@fd was.
 */
static inline int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/** fd_set_nonblocking() - Set O_NONBLOCK. Return: 0 or a negative errno. */
int fd_set_nonblocking(int fd);

/**
 * fd_raise_limit() - Allow this process, and those that it starts, all the descriptors it may have
 *
 * The soft limit on open descriptors (RLIMIT_NOFILE) becomes the hard one. Each blob of a guest
 * takes one or two, and the usual soft limit of 1024 is for programs that use select().
 *
 * Return: the limit that counts now.
 */
uint64_t fd_raise_limit(void);

/** Descriptors that are not for a guest's resources: messages bring some, and so do libraries. */
#define FD_RESERVE 64

/**
 * fd_is_scarce() - Are fewer than FD_RESERVE descriptors left, or than a quarter of a small limit?
 *
 * To be asked before a guest gets something that keeps a descriptor for as long as the guest
 * likes. Costs a dup and a close: the kernel gives out the lowest number that is free, so that a
 * number close to the limit says that all below it are taken.
 */
bool fd_is_scarce(void);

/**
 * fd_holds() - Can all of a mapping of this file be touched without a SIGBUS?
 * @fd: of a file or a dma-buf; its position moves
 * @offset: where the mapping begins, bytes
 * @len: bytes
 */
bool fd_holds(int fd, uint64_t offset, uint64_t len);

/**
 * fd_may_be_eventfd() - Is this an eventfd, or one of its kind?
 *
 * No file, device, pipe or socket is: those are the ones that writing to may change or block.
 * Timers, epoll sets and the like cannot be told apart without using them.
 */
bool fd_may_be_eventfd(int fd);

/**
 * fd_is_counter() - Is this an eventfd whose read takes all that was counted?
 * @fd: non-blocking; what it has counted is lost
 *
 * Who polls one of these sees it readable as often as somebody writes to it. One that counts down
 * (EFD_SEMAPHORE), a timer or an epoll set is readable for ever, at no cost to who gave it.
 */
bool fd_is_counter(int fd);

/**
 * fd_close_from() - Close all descriptors from this number on, whoever made them
 *
 * A system call only, where the kernel has it (Linux 5.9).
 */
void fd_close_from(int first);

/** autofd - A local descriptor that is closed when its scope ends, unless it was taken. */
#define autofd __attribute__((cleanup(fd_clear))) int
