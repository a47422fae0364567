/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A small vhost-user front-end for tests (vhost-user specification, "Front-end message types").
 * Owns its end of the socket and the memory that it shares.
 */
#include "vhost-peer.h"

#include "util/source.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

unsigned int peer_count_fds(void)
{
	GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
	unsigned int count = 0;

	g_assert_nonnull(dir);
	while (g_dir_read_name(dir))
		count++;
	g_dir_close(dir);
	return count;
}

static void on_set_features(void *opaque, uint64_t features)
{
	struct peer *peer = opaque;

	peer->seen.set_features++;
	peer->seen.features = features;
}

static void on_get_config(void *opaque, uint32_t offset, void *buf, uint32_t len)
{
	g_assert_cmpuint(len, >, 0);
	g_assert_cmpuint(offset + len, <=, VHOST_MAX_CONFIG_LEN);
	for (uint32_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)(offset + i + 1);
}

static int on_set_config(void *opaque, uint32_t offset, const void *buf, uint32_t len)
{
	struct peer *peer = opaque;

	peer->seen.config_offset = offset;
	peer->seen.config_len = len;
	memcpy(peer->seen.config, buf, len);
	return 0;
}

static void on_display(void *opaque, int fd)
{
	struct peer *peer = opaque;

	peer->seen.display++;
	if (peer->seen.display_fd >= 0)
		close(peer->seen.display_fd);
	peer->seen.display_fd = fd;
}

static void on_changing(void *opaque)
{
	struct peer *peer = opaque;

	g_assert_false(peer->seen.is_changing);
	peer->seen.is_changing = true;
	peer->seen.changing++;
}

static void on_changed(void *opaque)
{
	struct peer *peer = opaque;

	peer->seen.changed++;
	peer->seen.is_changing = false;
}

static void on_ready(void *opaque, unsigned int index)
{
	struct peer *peer = opaque;
	struct virtq *vq = vhost_get_queue(peer->vhost, index);
	struct virtq_chain *chain;

	g_assert_true(vhost_queue_is_enabled(peer->vhost, index));
	g_assert_false(peer->seen.is_changing);
	peer->seen.ready[index]++;
	while (virtq_pop(vq, &chain) == 1) {
		peer->seen.popped[index]++;
		virtq_push(vq, chain, 0);
	}
	virtq_notify(vq);
}

static void on_stopping(void *opaque, unsigned int index)
{
	struct peer *peer = opaque;

	g_assert_true(virtq_is_started(vhost_get_queue(peer->vhost, index)));
	peer->seen.stopping[index]++;
}

static void on_started(void *opaque, unsigned int index, bool is_new)
{
	struct peer *peer = opaque;

	peer->seen.started[index]++;
	peer->seen.is_new[index] = is_new;
}

static void on_reset(void *opaque)
{
	struct peer *peer = opaque;

	for (unsigned int i = 0; i < PEER_QUEUES; i++)
		g_assert_false(virtq_is_started(vhost_get_queue(peer->vhost, i)));
	peer->seen.reset++;
}

static void on_closed(void *opaque, int error, const char *reason)
{
	struct peer *peer = opaque;

	peer->seen.closed++;
	peer->seen.error = error;
	g_strlcpy(peer->seen.reason, reason, sizeof(peer->seen.reason));
}

static const struct vhost_events events = {
	.set_features = on_set_features,
	.get_config = on_get_config,
	.set_config = on_set_config,
	.set_display_socket = on_display,
	.memory_changing = on_changing,
	.memory_changed = on_changed,
	.queue_started = on_started,
	.queue_ready = on_ready,
	.queue_stopping = on_stopping,
	.reset = on_reset,
	.closed = on_closed,
};

void peer_init(struct peer *peer, bool has_shmem)
{
	struct vhost_device device = {
		.features = BIT(0) | BIT(1),
		.queue_count = PEER_QUEUES,
		.max_queue_size = 1024,
		.has_shmem = has_shmem,
	};
	int fds[2];

	*peer = (struct peer){.seen.display_fd = -1};
	device.shmem_sizes[1] = has_shmem ? UINT64_C(1) << 32 : 0;
	peer->context = g_main_context_new();
	g_assert_cmpint(source_epoll_begin(peer->context), ==, 0);
	/* GLib opens descriptors of its own the first time that a context runs. */
	g_main_context_iteration(peer->context, FALSE);
	peer->fds_before = peer_count_fds();
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
	peer->fd = fds[1];
	peer->mem_fd = memfd_create("peer", MFD_CLOEXEC);
	g_assert_cmpint(ftruncate(peer->mem_fd, PEER_MEM_LEN), ==, 0);
	peer->mem = mmap(NULL, PEER_MEM_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, peer->mem_fd, 0);
	g_assert_true(peer->mem != MAP_FAILED);
	peer->vhost = vhost_create(fds[0], &device, &events, peer, peer->context);
}

void peer_finish(struct peer *peer)
{
	vhost_destroy(peer->vhost);
	munmap(peer->mem, PEER_MEM_LEN);
	close(peer->mem_fd);
	if (peer->fd >= 0)
		close(peer->fd);
	if (peer->seen.display_fd >= 0)
		close(peer->seen.display_fd);
	g_assert_cmpuint(peer_count_fds(), ==, peer->fds_before);
	source_epoll_end();
	g_main_context_unref(peer->context);
}

void peer_negotiate(struct peer *peer, uint64_t protocol_features)
{
	uint64_t features = BIT(VHOST_F_PROTOCOL_FEATURES) | BIT(VIRTIO_F_VERSION_1);

	peer_send(peer, VHOST_SET_PROTOCOL_FEATURES, 0, &protocol_features, 8, -1);
	peer_send(peer, VHOST_SET_OWNER, 0, NULL, 0, -1);
	peer_send(peer, VHOST_SET_FEATURES, 0, &features, 8, -1);
	peer_pump(peer);
	g_assert_cmpuint(peer->seen.closed, ==, 0);
}

void peer_pump(struct peer *peer)
{
	while (g_main_context_iteration(peer->context, FALSE))
		;
}

void peer_send_bytes(int socket_fd, const void *bytes, size_t len, const int *fds, size_t fd_count)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * 16)];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd_count > 0) {
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(&control.align), fds, sizeof(int) * fd_count);
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
	}
	g_assert_cmpint(sendmsg(socket_fd, &msg, MSG_NOSIGNAL), ==, len);
}

void peer_send(struct peer *peer, uint32_t request, uint32_t flags, const void *payload,
	uint32_t len, int fd)
{
	const struct vhost_header header = {request, VHOST_VERSION | flags, len};
	uint8_t bytes[sizeof(header) + 8192];

	memcpy(bytes, &header, sizeof(header));
	if (len > 0)
		memcpy(bytes + sizeof(header), payload, len);
	peer_send_bytes(peer->fd, bytes, sizeof(header) + len, &fd, fd >= 0 ? 1 : 0);
}

bool peer_receive(int socket_fd, struct vhost_header *header, void *payload, int *ret_fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = header, .iov_len = sizeof(*header)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf)};
	ssize_t done = recvmsg(socket_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (ret_fd)
		*ret_fd = -1;
	if (done <= 0)
		return false;
	g_assert_cmpint(done, ==, sizeof(*header));
	if (CMSG_FIRSTHDR(&msg)) {
		g_assert_nonnull(ret_fd);
		memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	}
	if (header->size > 0)
		g_assert_cmpint(
			recv(socket_fd, payload, header->size, MSG_DONTWAIT), ==, header->size);
	return true;
}

uint64_t peer_call(struct peer *peer, uint32_t request, uint32_t flags, const void *payload,
	uint32_t len, int fd)
{
	struct vhost_header header;
	uint64_t value;

	peer_send(peer, request, flags, payload, len, fd);
	peer_pump(peer);
	g_assert_true(peer_receive(peer->fd, &header, &value, NULL));
	g_assert_cmpuint(header.request, ==, request);
	g_assert_cmphex(header.flags, ==, VHOST_VERSION | VHOST_FLAG_REPLY);
	g_assert_cmpuint(header.size, ==, sizeof(value));
	return value;
}

struct vhost_wire_region peer_region(void)
{
	return (struct vhost_wire_region){.gpa = PEER_GPA, .len = PEER_MEM_LEN, .uva = PEER_UVA};
}

void peer_set_memory(struct peer *peer)
{
	struct vhost_wire_table table = {.region_count = 1, .regions[0] = peer_region()};

	peer_send(peer, VHOST_SET_MEM_TABLE, 0, &table, 8 + sizeof(table.regions[0]), peer->mem_fd);
	peer_pump(peer);
}

void peer_set_ring(struct peer *peer, unsigned int queue)
{
	struct vhost_vring_state state = {.index = queue, .num = PEER_RING_SIZE};
	struct vhost_vring_addr addr = {
		.index = queue,
		.desc_user_addr = PEER_UVA + PEER_DESC(queue),
		.avail_user_addr = PEER_UVA + PEER_AVAIL(queue),
		.used_user_addr = PEER_UVA + PEER_USED(queue),
	};

	peer_send(peer, VHOST_SET_VRING_NUM, 0, &state, sizeof(state), -1);
	state.num = 0;
	peer_send(peer, VHOST_SET_VRING_BASE, 0, &state, sizeof(state), -1);
	peer_send(peer, VHOST_SET_VRING_ADDR, 0, &addr, sizeof(addr), -1);
}

void peer_set_kick(struct peer *peer, unsigned int queue, int fd)
{
	uint64_t value = queue | (fd < 0 ? VHOST_VRING_NO_FD : 0);

	peer_send(peer, VHOST_SET_VRING_KICK, 0, &value, sizeof(value), fd);
	peer_pump(peer);
}

void peer_enable(struct peer *peer, unsigned int queue, bool enable)
{
	struct vhost_vring_state state = {.index = queue, .num = enable};

	peer_send(peer, VHOST_SET_VRING_ENABLE, 0, &state, sizeof(state), -1);
	peer_pump(peer);
}

void peer_add_chain(struct peer *peer, unsigned int queue)
{
	struct vring_desc *desc = (struct vring_desc *)(peer->mem + PEER_DESC(queue));
	struct vring_avail *avail = (struct vring_avail *)(peer->mem + PEER_AVAIL(queue));

	desc[0] = (struct vring_desc){
		.addr = PEER_GPA + PEER_MEM_LEN - 64, .len = 64, .flags = VRING_DESC_F_WRITE};
	avail->ring[avail->idx % PEER_RING_SIZE] = 0;
	avail->idx++;
}
