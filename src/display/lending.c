/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#include "display/lending.h"

#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Wanted size of the pipe: a page has one place in it, wherever it begins. The kernel may allow less. */
#define PIPE_LEN (1 << 20)

/* Return: a quarter of the send buffer of a Unix socket, or 0 for any other. */
static size_t get_tail_len(int socket_fd)
{
	int domain, send_len;
	socklen_t len = sizeof(int);

	if (getsockopt(socket_fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 || domain != AF_UNIX)
		return 0;
	len = sizeof(int);
	if (getsockopt(socket_fd, SOL_SOCKET, SO_SNDBUF, &send_len, &len) < 0)
		return 0;
	return (size_t)send_len / 4 + 1;
}

/* splice() asks the descriptor whether it may wait, and the other side can change that. */
static bool may_wait(int socket_fd)
{
	int flags = fcntl(socket_fd, F_GETFL);

	return flags < 0 || !(flags & O_NONBLOCK);
}

void lending_init(struct lending *lending, int socket_fd)
{
	int flags = fcntl(socket_fd, F_GETFL);

	*lending = (struct lending){.pipe_fds = {-1, -1}};
	if (flags >= 0 && fcntl(socket_fd, F_SETFL, flags | O_NONBLOCK) == 0)
		lending->tail_len = get_tail_len(socket_fd);
}

void lending_take_back(struct lending *lending)
{
	fd_clear(&lending->pipe_fds[0]);
	fd_clear(&lending->pipe_fds[1]);
	lending->in_pipe = 0;
}

void lending_finish(struct lending *lending)
{
	lending_take_back(lending);
	lending->tail_len = 0;
}

static bool is_broken_socket(int error)
{
	return error == EPIPE || error == ECONNRESET || error == ENOTCONN;
}

static ssize_t give_up(struct lending *lending)
{
	lending_finish(lending);
	return -ENOTSUP;
}

static bool open_pipe(struct lending *lending)
{
	if (pipe2(lending->pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	(void)fcntl(lending->pipe_fds[1], F_SETPIPE_SZ, PIPE_LEN);
	return true;
}

ssize_t lending_send(
	struct lending *lending, int socket_fd, const struct iovec *iovs, unsigned int iov_count)
{
	ssize_t len;

	if (lending->pipe_fds[0] < 0 && !open_pipe(lending))
		return give_up(lending);
	if (lending->in_pipe == 0) {
		len = vmsplice(lending->pipe_fds[1], iovs, iov_count, SPLICE_F_NONBLOCK);
		if (len <= 0)
			return give_up(lending);
		lending->in_pipe = (size_t)len;
	}
	if (may_wait(socket_fd))
		return give_up(lending);
	do
		len = splice(lending->pipe_fds[0], NULL, socket_fd, NULL, lending->in_pipe,
			SPLICE_F_NONBLOCK);
	while (len < 0 && errno == EINTR);
	if (len > 0) {
		lending->in_pipe -= (size_t)len;
		return len;
	}
	if (len < 0 && (errno == EAGAIN || is_broken_socket(errno)))
		return -errno;
	return give_up(lending);
}

bool lending_is_over(int socket_fd)
{
	struct pollfd item = {.fd = socket_fd, .events = POLLOUT};

	return poll(&item, 1, 0) > 0;
}
