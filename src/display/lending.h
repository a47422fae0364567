/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Pages on loan to a socket: what is sent stays where it is until the other side reads it, which saves
 * a copy of each picture. They go by a pipe, as vmsplice(2) and splice(2) want it.
 *
 * Whoever reads late sees what is in the pages by then. So the end of what is sent has to be copied
 * (@tail_len at least): it is enough that the socket, once it is writable again, has nothing in it that
 * was lent. A Unix socket is writable when at most a quarter of its buffer is taken.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/**
 * struct lending - What is lent to one socket; lending_init() first
 * @pipe_fds: reading and writing end, -1 before the first use
 * @in_pipe: bytes that are lent and not in the socket yet
 * @tail_len: what has to be sent by copy behind anything lent, bytes; 0: this socket borrows nothing
 */
struct lending {
	int pipe_fds[2];
	size_t in_pipe;
	size_t tail_len;
};

/** lending_init() - @socket_fd: borrowed; its send buffer has its final size, and it becomes non-blocking */
void lending_init(struct lending *lending, int socket_fd);

/** lending_finish() - What is in the socket stays lent. May be repeated. */
void lending_finish(struct lending *lending);

/**
 * lending_send() - Lend once
 * @iovs: what comes next, the bytes in the pipe first; in memory of util/lendable.h
 *
 * The process ignores SIGPIPE: splice(2) knows no MSG_NOSIGNAL.
 * Return: bytes that the socket took; -EAGAIN where it is full; another errno where the socket failed;
 * or -ENOTSUP: send the rest by copy, as from now on everything.
 */
ssize_t lending_send(
	struct lending *lending, int socket_fd, const struct iovec *iovs, unsigned int iov_count);

/** lending_take_back() - Forget what is in the pipe: it was not sent. */
void lending_take_back(struct lending *lending);

/** lending_is_over() - Has the other side read all that was lent, if @tail_len was sent behind it? */
bool lending_is_over(int socket_fd);
