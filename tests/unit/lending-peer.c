/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#include "lending-peer.h"

#include "util/lendable.h"

#include <dirent.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

unsigned int peer_count_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned int count = 0;

	g_assert_nonnull(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* Start and end */

static void on_writable(void *opaque)
{
	display_socket_flush(&((struct peer *)opaque)->socket);
}

static void on_broken(void *opaque)
{
	((struct peer *)opaque)->broken_count++;
}

static const struct display_socket_events events = {
	.writable = on_writable,
	.broken = on_broken,
};

struct peer *peer_start(void)
{
	struct peer *peer = g_new0(struct peer, 1);
	int fds[2], len;
	socklen_t option_len = sizeof(len);

	peer->fds_before = peer_count_fds();
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
	peer->context = g_main_context_new();
	peer->fd = fds[1];
	display_socket_init(&peer->socket, fds[0], peer->context, &events, peer);
	g_assert_cmpint(getsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &len, &option_len), ==, 0);
	peer->send_len = (size_t)len;
	return peer;
}

void peer_hang_up(struct peer *peer)
{
	close(peer->fd);
	peer->fd = -1;
}

void peer_stop(struct peer *peer)
{
	display_socket_finish(&peer->socket);
	if (peer->fd >= 0)
		peer_hang_up(peer);
	peer_free_picture(peer);
	g_free(peer->expected);
	g_main_context_unref(peer->context);
	g_assert_cmpuint(peer_count_fds(), ==, peer->fds_before);
	g_free(peer);
}

void peer_iterate(struct peer *peer)
{
	while (g_main_context_iteration(peer->context, FALSE))
		;
}

/* Pictures */

size_t peer_fitting_len(const struct peer *peer)
{
	return (64u << 10) + peer->send_len * 5 / 8;
}

size_t peer_long_len(const struct peer *peer)
{
	return 4 * peer->send_len;
}

static void fill_pattern(uint8_t *data, size_t len, size_t seed)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)((uint32_t)(i + seed) * 2654435761u >> 23);
}

static uint8_t *line_at(const struct peer *peer, size_t line)
{
	return peer->picture.memory + peer->picture.offset + line * peer->picture.stride;
}

static uint8_t *expected_at(const struct peer *peer, size_t line)
{
	return peer->expected + peer->head_len + line * peer->picture.line_len;
}

struct peer_picture *peer_draw(struct peer *peer, size_t len, size_t line_len, size_t gap)
{
	struct peer_picture *picture = &peer->picture;

	peer_free_picture(peer);
	g_free(peer->expected);
	*picture = (struct peer_picture){
		.offset = gap,
		.stride = line_len + gap,
		.line_len = line_len,
		.line_count = len / line_len + 1,
		.are_lendable = true,
	};
	picture->memory_len = picture->offset + picture->stride * picture->line_count;
	picture->memory = lendable_alloc(picture->memory_len);
	fill_pattern(picture->memory, picture->memory_len, len);
	peer->head_len = PEER_HEAD_LEN;
	peer->total = peer->head_len + line_len * picture->line_count;
	peer->received = 0;
	peer->done_count = 0;
	peer->expected = g_malloc(peer->total);
	fill_pattern(peer->expected, peer->head_len, 1);
	for (size_t line = 0; line < picture->line_count; line++)
		memcpy(expected_at(peer, line), line_at(peer, line), line_len);
	return picture;
}

void peer_write_all(struct peer *peer)
{
	memset(peer->picture.memory, 0xee, peer->picture.memory_len);
}

void peer_free_picture(struct peer *peer)
{
	lendable_free(peer->picture.memory, peer->picture.memory_len);
	peer->picture.memory = NULL;
}

/* Sending */

static void on_done(void *opaque, int error)
{
	struct peer *peer = opaque;

	peer->done_count++;
	peer->error = error;
	peer_write_all(peer);
}

static void on_fetch(void *opaque, uint32_t line_count)
{
	struct peer *peer = opaque;
	const struct peer_picture *picture = &peer->picture;

	g_assert_true(peer->may_fetch);
	g_assert_cmpuint(line_count, >, peer->fetched);
	g_assert_cmpuint(line_count, <=, picture->line_count);
	peer->fetch_count++;
	if (peer->hangs_up_in_fetch && peer->fetch_count == 3)
		peer_hang_up(peer);
	if (peer->fd >= 0 && peer->received < peer->total)
		g_assert_cmpuint(peer->received + peer_unread(peer), <=,
			peer->head_len + peer->fetched * picture->line_len);
	if (peer->reads_in_fetch)
		peer_read(peer, SIZE_MAX);
	for (; peer->fetched < line_count; peer->fetched++)
		memcpy(line_at(peer, peer->fetched), expected_at(peer, peer->fetched),
			picture->line_len);
}

static int send_message(struct peer *peer, void (*fetch)(void *opaque, uint32_t line_count))
{
	uint8_t head[PEER_HEAD_LEN];
	const struct peer_picture *picture = &peer->picture;
	const struct display_message message = {
		.kind = DISPLAY_MESSAGE_UPDATE,
		.head = head,
		.head_len = sizeof(head),
		.fd = -1,
		.pixels = line_at(peer, 0),
		.stride = picture->stride,
		.line_len = picture->line_len,
		.line_count = picture->line_count,
		.are_lendable = picture->are_lendable,
		.fetch = fetch,
		.fetch_opaque = peer,
		.done = on_done,
		.opaque = peer,
	};

	fill_pattern(head, sizeof(head), 1);
	return display_socket_send(&peer->socket, &message);
}

int peer_send(struct peer *peer)
{
	return send_message(peer, NULL);
}

int peer_send_fetching(struct peer *peer)
{
	int ret;

	peer_write_all(peer);
	peer->fetched = peer->fetch_count = 0;
	peer->may_fetch = true;
	ret = send_message(peer, on_fetch);
	peer->may_fetch = false;
	return ret;
}

/* The reader */

size_t peer_unread(const struct peer *peer)
{
	int len = 0;

	g_assert_cmpint(ioctl(peer->fd, FIONREAD, &len), ==, 0);
	return (size_t)len;
}

bool peer_is_all_sent(const struct peer *peer)
{
	return peer->received + peer_unread(peer) == peer->total;
}

size_t peer_read(struct peer *peer, size_t max)
{
	const size_t len = MIN(MIN(max, peer_unread(peer)), peer->total - peer->received);
	g_autofree uint8_t *buf = g_malloc(len + 1);
	size_t same_len = 0;

	if (len == 0)
		return 0;
	g_assert_cmpint(recv(peer->fd, buf, len, MSG_DONTWAIT | MSG_WAITALL), ==, len);
	/* g_assert_cmpmem() would print all of it. */
	while (same_len < len && buf[same_len] == peer->expected[peer->received + same_len])
		same_len++;
	g_assert_cmpuint(same_len, ==, len);
	peer->received += len;
	return len;
}

void peer_read_rest(struct peer *peer, size_t step)
{
	while (peer->received < peer->total) {
		g_assert_cmpuint(peer_read(peer, step), >, 0);
		peer_iterate(peer);
	}
}

void peer_finish_picture(struct peer *peer, unsigned int done_count)
{
	peer_read_rest(peer, 64u << 10);
	g_assert_cmpuint(peer->done_count, ==, done_count);
	g_assert_cmpuint(peer_unread(peer), ==, 0);
	g_assert_true(g_queue_is_empty(&peer->socket.queue));
	g_assert_true(g_queue_is_empty(&peer->socket.queue));
	g_assert_cmpuint(peer->broken_count, ==, 0);
}
