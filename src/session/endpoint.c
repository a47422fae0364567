/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The socket file. It is there from endpoint_open() to endpoint_remove(), and a file that is not
 * ours is never removed, but for a socket on which nobody listens any more.
 *
 * Looking whether somebody listens and replacing the file are two steps; the directory is locked
 * meanwhile, so that of two daemons that are started at once one finds the other.
 */
#include "session/endpoint.h"

#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

/* Of the socket file, at most. */
#define SOCKET_MODE 0600

/* A stranger who holds the lock delays us by no more than this. */
#define LOCK_TRIES    50
#define LOCK_PAUSE_US 10000

static char *explain_bind(const char *path, int error)
{
	g_autofree char *dir = g_path_get_dirname(path);

	switch (error) {
	case EACCES:
	case EPERM:
	case EROFS:
		return g_strdup_printf("cannot create the socket '%s': the directory '%s' is not "
				       "writable for this user",
			path, dir);
	case ENOENT:
	case ENOTDIR:
		return g_strdup_printf(
			"cannot create the socket '%s': there is no directory '%s'", path, dir);
	default:
		return g_strdup_printf(
			"cannot create the socket '%s': %s", path, g_strerror(error));
	}
}

static int make_address(const char *path, struct sockaddr_un *ret_address, char **ret_message)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path)) {
		*ret_message = g_strdup_printf(
			"the socket path has %zu bytes, more than the %zu that the system "
			"allows; choose a shorter one",
			strlen(path), sizeof(address.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
	*ret_address = address;
	return 0;
}

static int open_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Return: 0 when nobody listens at @address; else a negative errno. */
static int check_dead(const struct sockaddr_un *address, char **ret_message)
{
	autofd fd = open_socket();

	if (fd < 0) {
		*ret_message = g_strdup_printf("cannot open a socket: %s", g_strerror(errno));
		return -errno;
	}
	/* A full backlog (EAGAIN) is a sign of life too. */
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		errno == EAGAIN) {
		*ret_message = g_strdup_printf("the socket '%s' is in use: a running daemon "
					       "listens on it; choose another path",
			address->sun_path);
		return -EADDRINUSE;
	}
	if (errno == ECONNREFUSED || errno == ENOENT)
		return 0;
	*ret_message = g_strdup_printf("cannot tell whether the socket '%s' is in use: %s",
		address->sun_path, g_strerror(errno));
	return -errno;
}

static int remove_stale(const struct sockaddr_un *address, char **ret_message)
{
	struct stat st;
	int ret;

	if (lstat(address->sun_path, &st) < 0)
		return 0; /* nothing there; what else is wrong, bind() tells */
	if (!S_ISSOCK(st.st_mode)) {
		*ret_message = g_strdup_printf(
			"'%s' exists and is not a socket; choose another path", address->sun_path);
		return -EEXIST;
	}
	ret = check_dead(address, ret_message);
	if (ret < 0)
		return ret;
	if (unlink(address->sun_path) < 0 && errno != ENOENT) {
		*ret_message = g_strdup_printf("cannot replace the stale socket '%s': %s",
			address->sun_path, g_strerror(errno));
		return -errno;
	}
	return 0;
}

/*
 * Who can write to the socket can make us draw. So the file is for this user only from its first
 * moment on, whatever the umask says; it may take more away. No other thread is there to notice.
 */
static int bind_private(int fd, const struct sockaddr_un *address)
{
	const mode_t before = umask(0777);
	int ret;

	umask(before | (0777 & ~SOCKET_MODE));
	ret = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	umask(before);
	return ret;
}

static int bind_and_listen(
	const struct sockaddr_un *address, struct endpoint *ret_endpoint, char **ret_message)
{
	autofd fd = open_socket();
	struct stat st = {0};

	if (fd < 0 || bind_private(fd, address) < 0 || listen(fd, BACKLOG) < 0) {
		int error = errno;

		*ret_message = explain_bind(address->sun_path, error);
		return -error;
	}
	(void)lstat(address->sun_path, &st);
	*ret_endpoint = (struct endpoint){
		.fd = fd_take(&fd),
		.path = g_strdup(address->sun_path),
		.device = st.st_dev,
		.inode = st.st_ino,
	};
	return 0;
}

/* Return: the locked directory, which unlocks when closed; or -1, and we go on without. */
static int lock_directory(const char *path)
{
	g_autofree char *dir = g_path_get_dirname(path);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	for (int i = 0; i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) < 0; i++)
		g_usleep(LOCK_PAUSE_US);
	return fd;
}

int endpoint_open(const char *path, struct endpoint *ret_endpoint, char **ret_message)
{
	struct sockaddr_un address;
	autofd lock_fd = -1;
	int ret = make_address(path, &address, ret_message);

	if (ret < 0)
		return ret;
	/* Held until the end of this function. NOLINTNEXTLINE(clang-analyzer-deadcode.DeadStores) */
	lock_fd = lock_directory(path);
	ret = remove_stale(&address, ret_message);
	if (ret < 0)
		return ret;
	return bind_and_listen(&address, ret_endpoint, ret_message);
}

void endpoint_remove(struct endpoint *endpoint)
{
	struct stat st;

	if (endpoint->path && lstat(endpoint->path, &st) == 0 && st.st_dev == endpoint->device &&
		st.st_ino == endpoint->inode)
		unlink(endpoint->path);
	endpoint_close(endpoint);
}

void endpoint_close(struct endpoint *endpoint)
{
	fd_clear(&endpoint->fd);
	g_clear_pointer(&endpoint->path, g_free);
}
