/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Server of the back-end channel (vhost-user, "Back-end message types"), for one region. */
#include "bench/shmem.h"

#include "bench/wire.h"
#include "util/checked.h"
#include "util/fd.h"
#include "vhost/protocol.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>

static int map_part(struct shmem *shmem, const struct vhost_wire_mmap *part, int fd)
{
	const int access = PROT_READ | (part->flags & VHOST_SHMEM_WRITABLE ? PROT_WRITE : 0);

	if (!checked_range(part->shm_offset, part->len, shmem->len))
		return -ERANGE;
	if (mmap(shmem->base + part->shm_offset, part->len, access, MAP_SHARED | MAP_FIXED, fd,
		    (off_t)part->fd_offset) == MAP_FAILED)
		return -errno;
	return 0;
}

static int unmap_part(struct shmem *shmem, const struct vhost_wire_mmap *part)
{
	if (!checked_range(part->shm_offset, part->len, shmem->len))
		return -ERANGE;
	if (mmap(shmem->base + part->shm_offset, part->len, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -errno;
	return 0;
}

static int handle_request(struct shmem *shmem)
{
	struct {
		struct vhost_header header;
		struct vhost_wire_mmap part;
	} message = {0};
	struct {
		struct vhost_header header;
		uint64_t result;
	} __attribute__((packed)) answer;
	autofd fd = -1;
	int ret = wire_recv(shmem->fd, &message.header, sizeof(message.header), &fd);

	if (ret < 0)
		return ret;
	if (message.header.size > sizeof(message.part))
		return -EMSGSIZE;
	ret = wire_recv(shmem->fd, &message.part, message.header.size, NULL);
	if (ret < 0)
		return ret;
	if (message.header.request == VHOST_BACKEND_SHMEM_MAP)
		ret = map_part(shmem, &message.part, fd);
	else if (message.header.request == VHOST_BACKEND_SHMEM_UNMAP)
		ret = unmap_part(shmem, &message.part);
	if (!(message.header.flags & VHOST_FLAG_NEED_REPLY))
		return 0;
	answer.header = (struct vhost_header){.request = message.header.request,
		.flags = VHOST_VERSION | VHOST_FLAG_REPLY,
		.size = sizeof(answer.result)};
	answer.result = ret < 0;
	return wire_send(shmem->fd, &answer, sizeof(answer), -1);
}

static gpointer serve_channel(gpointer opaque)
{
	while (handle_request(opaque) == 0)
		;
	return NULL;
}

int shmem_start(struct shmem *shmem, uint64_t len, int *ret_peer_fd)
{
	int fds[2];
	void *base = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		munmap(base, len);
		return -errno;
	}
	*shmem = (struct shmem){.fd = fds[0], .base = base, .len = len};
	shmem->thread = g_thread_new("shmem", serve_channel, shmem);
	*ret_peer_fd = fds[1];
	return 0;
}

void shmem_stop(struct shmem *shmem)
{
	if (!shmem->thread)
		return;
	shutdown(shmem->fd, SHUT_RDWR);
	g_thread_join(g_steal_pointer(&shmem->thread));
	fd_clear(&shmem->fd);
	munmap(shmem->base, shmem->len);
}
