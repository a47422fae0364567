/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * vhost/: the back-end channel with its shared-memory requests, and what waits for a peer that does
 * not read. No descriptor is left open by any of it (peer_finish()).
 */
#include "vhost-peer.h"

#include "util/log.h"
#include "vhost/private.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHMEM_PROTOCOL                                                                             \
	(BIT(VHOST_PROTOCOL_F_REPLY_ACK) | BIT(VHOST_PROTOCOL_F_BACKEND_REQ) |                     \
		BIT(VHOST_PROTOCOL_F_CONFIG) | BIT(VHOST_PROTOCOL_F_BACKEND_SEND_FD) |             \
		BIT(VHOST_PROTOCOL_F_SHMEM_MAP))

static const struct vhost_shmem_range range = {
	.shmid = 1, .shm_offset = 0x2000, .fd_offset = 0x1000, .len = 0x3000, .writable = true};

struct outcome {
	unsigned int count;
	int last_error;
};

static void on_done(void *opaque, int error)
{
	struct outcome *outcome = opaque;

	outcome->count++;
	outcome->last_error = error;
}

/* Gives the back-end a channel. Return: the front-end's end of it. */
static int open_channel(struct peer *peer)
{
	int fds[2];

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
	peer_send(peer, VHOST_SET_BACKEND_REQ_FD, VHOST_FLAG_NEED_REPLY, NULL, 0, fds[0]);
	close(fds[0]);
	peer_pump(peer);
	return fds[1];
}

static int start(struct peer *peer)
{
	struct vhost_header header;
	uint64_t status = 1;
	int fd;

	peer_init(peer, true);
	peer_negotiate(peer, SHMEM_PROTOCOL);
	fd = open_channel(peer);
	g_assert_true(peer_receive(peer->fd, &header, &status, NULL));
	g_assert_cmpuint(status, ==, 0);
	g_assert_true(vhost_has_shmem(peer->vhost));
	return fd;
}

static void answer(struct peer *peer, int fd, uint32_t request, uint64_t status)
{
	struct {
		struct vhost_header header;
		uint8_t status[8];
	} message = {{request, VHOST_VERSION | VHOST_FLAG_REPLY, 8}, {0}};

	memcpy(message.status, &status, sizeof(status));
	peer_send_bytes(fd, &message, sizeof(message), NULL, 0);
	peer_pump(peer);
}

static void test_shmem_config(void)
{
	struct vhost_wire_shmem_config config;
	struct vhost_header header;
	struct peer peer;

	peer_init(&peer, true);
	g_assert_cmphex(peer_call(&peer, VHOST_GET_PROTOCOL_FEATURES, 0, NULL, 0, -1) & BIT(22), ==,
		BIT(22));
	peer_send(&peer, VHOST_GET_SHMEM_CONFIG, 0, NULL, 0, -1);
	peer_pump(&peer);
	g_assert_true(peer_receive(peer.fd, &header, &config, NULL));
	g_assert_cmpuint(header.size, ==, 8 + 256 * 8);
	g_assert_cmpuint(config.region_count, ==, 1);
	for (size_t i = 0; i < 256; i++)
		g_assert_cmpuint(config.sizes[i], ==, i == 1 ? UINT64_C(1) << 32 : 0);
	peer_finish(&peer);
}

static void test_needs(void)
{
	struct outcome outcome = {0};
	struct peer peer;
	int fd;

	peer_init(&peer, true);
	peer_negotiate(&peer, SHMEM_PROTOCOL & ~BIT(VHOST_PROTOCOL_F_SHMEM_MAP));
	fd = open_channel(&peer);
	g_assert_false(vhost_has_shmem(peer.vhost));
	g_assert_cmpint(
		vhost_shmem_map(peer.vhost, &range, peer.mem_fd, on_done, &outcome), ==, -ENOTSUP);
	close(fd);
	peer_finish(&peer);

	peer_init(&peer, true);
	peer_negotiate(&peer, SHMEM_PROTOCOL);
	g_assert_false(vhost_has_shmem(peer.vhost));
	g_assert_cmpint(vhost_shmem_unmap(peer.vhost, &range, on_done, &outcome), ==, -ENOTSUP);
	vhost_notify_config(peer.vhost);
	peer_finish(&peer);
	g_assert_cmpuint(outcome.count, ==, 0);
}

static void test_map_and_unmap(void)
{
	struct outcome map = {0}, unmap = {0};
	struct vhost_header header;
	struct vhost_wire_mmap mmap;
	struct stat ours, theirs;
	struct peer peer;
	int fd = start(&peer), file_fd;

	g_assert_cmpint(vhost_shmem_map(peer.vhost, &range, peer.mem_fd, on_done, &map), ==, 0);
	g_assert_cmpint(vhost_shmem_unmap(peer.vhost, &range, on_done, &unmap), ==, 0);
	vhost_notify_config(peer.vhost);

	g_assert_true(peer_receive(fd, &header, &mmap, &file_fd));
	g_assert_cmpuint(header.request, ==, 9);
	g_assert_cmphex(header.flags, ==, VHOST_VERSION | VHOST_FLAG_NEED_REPLY);
	g_assert_cmpuint(header.size, ==, 40);
	g_assert_cmpuint(mmap.shmid, ==, 1);
	g_assert_cmphex(mmap.shm_offset, ==, 0x2000);
	g_assert_cmphex(mmap.fd_offset, ==, 0x1000);
	g_assert_cmphex(mmap.len, ==, 0x3000);
	g_assert_cmphex(mmap.flags, ==, 1);
	g_assert_cmpint(fstat(file_fd, &theirs), ==, 0);
	g_assert_cmpint(fstat(peer.mem_fd, &ours), ==, 0);
	g_assert_cmpuint(ours.st_ino, ==, theirs.st_ino);
	close(file_fd);

	g_assert_true(peer_receive(fd, &header, &mmap, &file_fd));
	g_assert_cmpuint(header.request, ==, 10);
	g_assert_cmphex(mmap.shm_offset, ==, 0x2000);
	g_assert_cmphex(mmap.fd_offset, ==, 0);
	g_assert_cmphex(mmap.flags, ==, 0);
	g_assert_cmpint(file_fd, ==, -1);
	g_assert_true(peer_receive(fd, &header, &mmap, &file_fd));
	g_assert_cmpuint(header.request, ==, 2);
	g_assert_cmpuint(header.size, ==, 0);
	g_assert_cmphex(header.flags, ==, VHOST_VERSION);

	g_assert_cmpuint(map.count, ==, 0);
	answer(&peer, fd, 9, 0);
	g_assert_cmpuint(map.count, ==, 1);
	g_assert_cmpint(map.last_error, ==, 0);
	g_assert_cmpuint(unmap.count, ==, 0);
	answer(&peer, fd, 10, 22);
	g_assert_cmpuint(unmap.count, ==, 1);
	g_assert_cmpint(unmap.last_error, ==, -EIO);
	g_assert_cmpuint(map.count, ==, 1);
	close(fd);
	peer_finish(&peer);
}

static void test_wrong_answers(void)
{
	struct outcome outcome = {0};
	struct peer peer;
	int fd = start(&peer);

	/* One that nobody asked for. */
	answer(&peer, fd, 9, 0);
	g_assert_false(vhost_has_shmem(peer.vhost));
	close(fd);
	fd = open_channel(&peer);
	g_assert_true(vhost_has_shmem(peer.vhost));
	/* One out of order. */
	g_assert_cmpint(vhost_shmem_map(peer.vhost, &range, peer.mem_fd, on_done, &outcome), ==, 0);
	answer(&peer, fd, 10, 0);
	g_assert_cmpuint(outcome.count, ==, 1);
	g_assert_cmpint(outcome.last_error, ==, -ECONNRESET);
	g_assert_false(vhost_has_shmem(peer.vhost));
	g_assert_cmpuint(peer.seen.closed, ==, 0);
	close(fd);
	peer_finish(&peer);
}

static void test_hang_up(void)
{
	struct outcome outcome = {0};
	struct peer peer;
	int fd = start(&peer);
	int next_fd;

	for (unsigned int i = 0; i < 5; i++)
		g_assert_cmpint(vhost_shmem_unmap(peer.vhost, &range, on_done, &outcome), ==, 0);
	close(fd);
	g_assert_cmpuint(outcome.count, ==, 0);
	peer_pump(&peer);
	g_assert_cmpuint(outcome.count, ==, 5);
	g_assert_cmpint(outcome.last_error, ==, -ECONNRESET);
	g_assert_cmpuint(peer.seen.closed, ==, 0);

	/* A new channel in place of one that is in use. */
	fd = open_channel(&peer);
	g_assert_cmpint(vhost_shmem_unmap(peer.vhost, &range, on_done, &outcome), ==, 0);
	next_fd = open_channel(&peer);
	g_assert_cmpuint(outcome.count, ==, 6);
	close(fd);
	peer_pump(&peer);
	g_assert_true(vhost_has_shmem(peer.vhost));

	/* The write finds out first; the outcome still comes from the main loop. */
	close(next_fd);
	g_assert_cmpint(vhost_shmem_unmap(peer.vhost, &range, on_done, &outcome), ==, -EPIPE);
	g_assert_false(vhost_has_shmem(peer.vhost));
	peer_pump(&peer);
	g_assert_cmpuint(outcome.count, ==, 6);
	g_assert_cmpuint(peer.seen.closed, ==, 0);

	/* The front-end leaves as a whole. */
	fd = open_channel(&peer);
	g_assert_cmpint(vhost_shmem_unmap(peer.vhost, &range, on_done, &outcome), ==, 0);
	close(peer.fd);
	peer.fd = -1;
	peer_pump(&peer);
	g_assert_cmpuint(peer.seen.closed, ==, 1);
	/* The other channel is open still, for what is mapped. */
	g_assert_cmpuint(outcome.count, ==, 6);
	g_assert_cmpint(vhost_shmem_unmap(peer.vhost, &range, on_done, &outcome), ==, 0);
	close(fd);
	peer_finish(&peer);
	g_assert_cmpuint(outcome.count, ==, 6);
}

/* More requests than the socket holds, each with a descriptor that its owner closes at once. */
static void test_many_in_flight(void)
{
	struct outcome outcome = {0};
	struct vhost_header header;
	struct vhost_wire_mmap mmap;
	struct peer peer;
	int fd = start(&peer);
	const unsigned int count = 700;
	unsigned int received = 0;

	for (unsigned int i = 0; i < count; i++) {
		struct vhost_shmem_range next = range;
		int file_fd = dup(peer.mem_fd);

		next.shm_offset = i;
		g_assert_cmpint(file_fd, >=, 0);
		g_assert_cmpint(
			vhost_shmem_map(peer.vhost, &next, file_fd, on_done, &outcome), ==, 0);
		close(file_fd);
	}
	g_assert_false(g_queue_is_empty(&peer.vhost->backend.channel.queued));
	while (received < count) {
		int file_fd;

		peer_pump(&peer);
		g_assert_true(peer_receive(fd, &header, &mmap, &file_fd));
		g_assert_cmphex(mmap.shm_offset, ==, received);
		g_assert_cmpint(file_fd, >=, 0);
		close(file_fd);
		received++;
	}
	for (unsigned int i = 0; i < count; i++)
		answer(&peer, fd, 9, i == count - 1);
	g_assert_cmpuint(outcome.count, ==, count);
	g_assert_cmpint(outcome.last_error, ==, -EIO);
	close(fd);
	peer_finish(&peer);
}

/* Taken down with requests in flight: no call into an owner that may be gone. */
static void test_destroy(void)
{
	struct outcome outcome = {0};
	struct peer peer;
	int fd = start(&peer);

	for (unsigned int i = 0; i < 600; i++)
		g_assert_cmpint(
			vhost_shmem_map(peer.vhost, &range, peer.mem_fd, on_done, &outcome), ==, 0);
	close(fd);
	peer_finish(&peer);
	g_assert_cmpuint(outcome.count, ==, 0);
}

/* Answers wait for a peer that is slow, in order; one that never reads is not waited for. */
static void test_slow_peer(void)
{
	struct vhost_wire_shmem_config config;
	struct vhost_header header;
	struct peer peer;
	unsigned int count = 0, sent = 0;

	peer_init(&peer, true);
	while (g_queue_is_empty(&peer.vhost->channel.queued)) {
		peer_send(&peer, VHOST_GET_SHMEM_CONFIG, 0, NULL, 0, -1);
		peer_pump(&peer);
		sent++;
	}
	peer_send(&peer, VHOST_GET_QUEUE_NUM, 0, NULL, 0, -1);
	peer_pump(&peer);
	while (count < sent && peer_receive(peer.fd, &header, &config, NULL)) {
		g_assert_cmpuint(header.request, ==, VHOST_GET_SHMEM_CONFIG);
		g_assert_cmpuint(config.sizes[1], ==, UINT64_C(1) << 32);
		count++;
		peer_pump(&peer);
	}
	g_assert_cmpuint(count, ==, sent);
	g_assert_true(peer_receive(peer.fd, &header, &config, NULL));
	g_assert_cmpuint(header.request, ==, VHOST_GET_QUEUE_NUM);

	for (sent = 0; peer.seen.closed == 0 && sent < 10000; sent++) {
		peer_send(&peer, VHOST_GET_SHMEM_CONFIG, 0, NULL, 0, -1);
		peer_pump(&peer);
	}
	g_assert_cmpuint(peer.seen.closed, ==, 1);
	g_assert_cmpint(peer.seen.error, ==, -ENOBUFS);
	peer_finish(&peer);
}

/* The place where a fuzzer sits: bytes from an array, a few at a time. */
struct script {
	const uint8_t *bytes;
	size_t len;
	size_t written_len;
	uint8_t written[64];
};

static ssize_t script_read(
	void *transport, void *buf, size_t len, int *fds, size_t max_fds, size_t *ret_fd_count)
{
	struct script *script = transport;
	size_t done = MIN(MIN(len, script->len), 5);

	*ret_fd_count = 0;
	if (done == 0)
		return -EAGAIN;
	memcpy(buf, script->bytes, done);
	script->bytes += done;
	script->len -= done;
	return (ssize_t)done;
}

static ssize_t script_write(void *transport, const void *buf, size_t len, int fd)
{
	struct script *script = transport;
	size_t done = MIN(len, 7);

	g_assert_cmpuint(script->written_len + done, <=, sizeof(script->written));
	memcpy(script->written + script->written_len, buf, done);
	script->written_len += done;
	return (ssize_t)done;
}

static void test_transport(void)
{
	static const struct vhost_transport_ops ops = {.read = script_read, .write = script_write};
	const struct vhost_header headers[2] = {
		{VHOST_GET_QUEUE_NUM, VHOST_VERSION, 0}, {VHOST_GET_QUEUE_NUM, VHOST_VERSION, 0}};
	struct script script = {.bytes = (const uint8_t *)headers, .len = sizeof(headers)};
	uint64_t value;
	struct peer peer;

	peer_init(&peer, false);
	vhost_channel_set_transport(&peer.vhost->channel, &ops, &script);
	vhost_channel_pump(&peer.vhost->channel);
	g_assert_cmpuint(script.written_len, ==, 2 * (sizeof(headers[0]) + sizeof(value)));
	memcpy(&value, script.written + sizeof(headers[0]), sizeof(value));
	g_assert_cmpuint(value, ==, PEER_QUEUES);
	peer_finish(&peer);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	log_init(G_LOG_LEVEL_CRITICAL);
	g_test_add_func("/vhost-backend/shmem-config", test_shmem_config);
	g_test_add_func("/vhost-backend/needs", test_needs);
	g_test_add_func("/vhost-backend/map-and-unmap", test_map_and_unmap);
	g_test_add_func("/vhost-backend/wrong-answers", test_wrong_answers);
	g_test_add_func("/vhost-backend/hang-up", test_hang_up);
	g_test_add_func("/vhost-backend/many-in-flight", test_many_in_flight);
	g_test_add_func("/vhost-backend/destroy", test_destroy);
	g_test_add_func("/vhost-backend/slow-peer", test_slow_peer);
	g_test_add_func("/vhost-backend/transport", test_transport);
	return g_test_run();
}
