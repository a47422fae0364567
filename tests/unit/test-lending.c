/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Pages that are lent to a display socket: that they are, that a message is done when they are the
 * caller's again and no sooner, and whatever may come in between. lending-peer.h is the front-end.
 */
#include "display/displays.h"
#include "display/wire.h"
#include "lending-peer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Lines in no step with pages, long enough to be lent one by one; and short ones. */
#define LINE_LEN       6000
#define SHORT_LINE_LEN 2000
#define GAP	       2576

static unsigned int warning_count;

static GLogWriterOutput count_warnings(
	GLogLevelFlags level, const GLogField *fields, gsize field_count, gpointer user_data)
{
	if (level & G_LOG_LEVEL_WARNING)
		warning_count++;
	return G_LOG_WRITER_HANDLED;
}

static void draw(struct peer *peer, size_t len)
{
	peer_draw(peer, len, LINE_LEN, 0);
}

static void flip_byte(uint8_t *data, size_t at)
{
	data[at] ^= 0xff;
}

/*
 * Sends a fitting picture, and changes it: is it lent? Its first bytes never are, nor a quarter of
 * the buffer at its end.
 */
static void check_lent(struct peer *peer, bool is_lent)
{
	const struct peer_picture *picture = &peer->picture;
	const size_t line_count = picture->line_count, line_len = picture->line_len;
	const size_t first_copied = line_count - MIN(peer->send_len / 4 / line_len, line_count - 1);
	uint8_t *pixels = picture->memory + picture->offset;

	g_assert_cmpint(peer_send(peer), ==, is_lent ? DISPLAY_PENDING : 0);
	g_assert_true(peer_is_all_sent(peer));
	g_assert_cmpuint(peer->done_count, ==, 0);
	if (!is_lent) {
		peer_write_all(peer);
		peer_finish_picture(peer, 0);
		return;
	}
	flip_byte(pixels, 0);
	for (size_t line = first_copied; line < line_count; line++)
		flip_byte(pixels, line * picture->stride);
	flip_byte(pixels, line_count / 2 * picture->stride + line_len / 2);
	flip_byte(peer->expected, peer->head_len + line_count / 2 * line_len + line_len / 2);
	peer_finish_picture(peer, 1);
}

static void check_next_is_lent(struct peer *peer, bool is_lent)
{
	draw(peer, peer_fitting_len(peer));
	check_lent(peer, is_lent);
}

/* Sent and done */

static void test_slow_reader(void)
{
	static const size_t steps[] = {777, 4096, 64u << 10, 300000};

	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
		struct peer *peer = peer_start();

		draw(peer, peer_long_len(peer));
		g_assert_cmpint(peer_send(peer), ==, DISPLAY_PENDING);
		peer_iterate(peer);
		peer_read_rest(peer, steps[i]);
		peer_finish_picture(peer, 1);
		g_assert_cmpint(peer->error, ==, 0);
		check_next_is_lent(peer, true);
		peer_stop(peer);
	}
}

/* Whoever finds that all has been read is done at once. */
static void test_fast_reader(void)
{
	struct peer *peer = peer_start();

	draw(peer, peer_long_len(peer));
	g_assert_cmpint(peer_send(peer), ==, DISPLAY_PENDING);
	while (peer->received < peer->total) {
		g_assert_cmpuint(peer_read(peer, SIZE_MAX), >, 0);
		display_socket_flush(&peer->socket);
	}
	peer_finish_picture(peer, 1);
	peer_stop(peer);
}

/* All is sent, and part of it is still lent. */
static void test_not_done_before_read(void)
{
	struct peer *peer = peer_start();
	size_t lent_end;

	draw(peer, peer_fitting_len(peer));
	lent_end = peer->total - peer->send_len / 4 - 1;
	g_assert_cmpint(peer_send(peer), ==, DISPLAY_PENDING);
	while (peer->received < lent_end) {
		g_assert_true(peer_is_all_sent(peer));
		display_socket_flush(&peer->socket);
		peer_iterate(peer);
		g_assert_cmpuint(peer->done_count, ==, 0);
		peer_read(peer, MIN(10000, lent_end - peer->received));
	}
	peer_finish_picture(peer, 1);
	peer_stop(peer);
}

/* What comes behind it waits until the pages are back. */
static void test_next_message_waits(void)
{
	static const uint8_t next[] = {1, 2, 3, 4};
	const struct display_message message = {
		.kind = DISPLAY_MESSAGE_KEPT,
		.head = next,
		.head_len = sizeof(next),
		.fd = -1,
	};
	struct peer *peer = peer_start();
	uint8_t buf[sizeof(next) + 1];

	draw(peer, peer_fitting_len(peer));
	g_assert_cmpint(peer_send(peer), ==, DISPLAY_PENDING);
	g_assert_cmpint(display_socket_send(&peer->socket, &message), ==, DISPLAY_PENDING);
	peer_iterate(peer);
	g_assert_true(peer_is_all_sent(peer));
	peer_read_rest(peer, 10000);
	g_assert_cmpuint(peer->done_count, ==, 1);
	g_assert_cmpint(recv(peer->fd, buf, sizeof(buf), MSG_DONTWAIT), ==, sizeof(next));
	g_assert_cmpmem(buf, sizeof(next), next, sizeof(next));
	peer_stop(peer);
}

/* Lent or not */

static void test_lent(void)
{
	struct peer *peer = peer_start();
	const size_t len = peer_fitting_len(peer);

	draw(peer, len);
	check_lent(peer, true);
	peer_draw(peer, len, SHORT_LINE_LEN, 0);
	check_lent(peer, true);
	/* Long lines of a wider picture. */
	peer_draw(peer, len, LINE_LEN, GAP);
	check_lent(peer, true);
	peer_draw(peer, len, 4096, 8);
	check_lent(peer, true);
	g_assert_cmpint(peer->socket.lending.pipe_fds[0], >=, 0);
	peer_stop(peer);
}

static void test_not_lent(void)
{
	struct peer *peer = peer_start();

	peer_draw(peer, peer_fitting_len(peer), LINE_LEN, 0)->are_lendable = false;
	check_lent(peer, false);
	/* Too short. */
	draw(peer, peer->send_len / 3);
	check_lent(peer, false);
	/* Many short lines. */
	peer_draw(peer, peer_fitting_len(peer), SHORT_LINE_LEN, GAP);
	check_lent(peer, false);
	g_assert_cmpint(peer->socket.lending.pipe_fds[0], ==, -1);
	peer_stop(peer);
}

/* Lines of a wider picture, more than go into one call; not in memory that ends where they do. */
static void test_lines_in_parts(void)
{
	struct peer *peer = peer_start();

	for (unsigned int i = 0; i < 4; i++) {
		peer_draw(peer, peer_long_len(peer), i % 2 ? SHORT_LINE_LEN : LINE_LEN, GAP);
		peer->picture.are_lendable = i < 2;
		g_assert_cmpint(peer_send(peer), ==, DISPLAY_PENDING);
		peer_finish_picture(peer, 1);
	}
	peer_stop(peer);
}

/* Small damage of a wide picture, about as much as is packed. */
static void test_packed_lines(void)
{
	static const size_t line_lens[] = {4, 256, 260, 1020, 8192};
	struct peer *peer = peer_start();

	for (size_t i = 0; i < G_N_ELEMENTS(line_lens); i++) {
		for (size_t len = 1; len < 2 * DISPLAY_SOCKET_MAX_PACKED_LEN; len += 1019) {
			peer_draw(peer, len, line_lens[i], GAP);
			check_lent(peer, false);
		}
		/* All that fits, and one line more. */
		for (size_t len = 0; len < 2; len++) {
			peer_draw(peer,
				DISPLAY_SOCKET_MAX_PACKED_LEN - PEER_HEAD_LEN -
					(1 - len) * line_lens[i],
				line_lens[i], GAP);
			check_lent(peer, false);
		}
	}
	peer_stop(peer);
}

static void test_other_socket(void)
{
	struct lending lending;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		g_test_skip("there is no other kind of socket");
		return;
	}
	lending_init(&lending, fd);
	g_assert_cmpuint(lending.tail_len, ==, 0);
	lending_finish(&lending);
	close(fd);
}

/*
 * O_NONBLOCK is shared with the front-end, which may clear it at any time; splice() would wait then. A
 * socket of that kind is sent copies.
 */
static void test_blocking_socket(void)
{
	struct peer *peer = peer_start();
	const int fd = peer->socket.fd;

	draw(peer, peer_long_len(peer));
	g_assert_cmpint(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), ==, 0);
	alarm(60); /* this would wait for ever */
	g_assert_cmpint(peer_send(peer), ==, DISPLAY_PENDING);
	peer_finish_picture(peer, 1);
	alarm(0);
	check_next_is_lent(peer, false);
	peer_stop(peer);
}

/* The pipe fails */

/* No descriptor may be opened any more. Return: the limit before. */
static struct rlimit forbid_fds(void)
{
	struct rlimit before, limit;
	int lowest = dup(STDERR_FILENO);

	g_assert_cmpint(lowest, >=, 0);
	close(lowest);
	g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
	limit = before;
	limit.rlim_cur = (rlim_t)lowest;
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
	return before;
}

static void test_no_pipe(void)
{
	struct peer *peer = peer_start();
	struct rlimit limit;

	draw(peer, peer_long_len(peer));
	limit = forbid_fds();
	g_assert_cmpint(peer_send(peer), ==, DISPLAY_PENDING);
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
	peer_finish_picture(peer, 1);
	check_next_is_lent(peer, false);
	peer_stop(peer);
}

/* What was lent stays lent, the rest is copied. */
static void test_pipe_fails_later(void)
{
	struct peer *peer = peer_start();
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	draw(peer, peer_long_len(peer));
	g_assert_cmpint(peer_send(peer), ==, DISPLAY_PENDING);
	g_assert_cmpint(dup2(null_fd, peer->socket.lending.pipe_fds[0]), >=, 0);
	close(null_fd);
	peer_finish_picture(peer, 1);
	g_assert_cmpint(peer->socket.lending.pipe_fds[0], ==, -1);
	check_next_is_lent(peer, false);
	peer_stop(peer);
}

/* Cancelled */

/* Cancels what is sent, after @read_len bytes of it; then the caller draws, and may free it all. */
static void check_cancel(struct peer *peer, size_t read_len, bool frees)
{
	const struct peer_picture *picture = &peer->picture;
	g_autofree uint8_t *before = g_memdup2(picture->memory, picture->memory_len);

	g_assert_cmpint(peer_send(peer), ==, DISPLAY_PENDING);
	while (peer->received < read_len) {
		peer_read(peer, MIN(20000, read_len - peer->received));
		peer_iterate(peer);
	}
	g_assert_cmpuint(peer->done_count, ==, 0);
	g_assert_cmpuint(display_socket_cancel(&peer->socket, peer), ==, 0);
	g_assert_true(memcmp(picture->memory, before, picture->memory_len) == 0);
	peer_write_all(peer);
	if (frees)
		peer_free_picture(peer);
	peer_finish_picture(peer, 0);
}

static void test_cancel_half_sent(void)
{
	static const size_t read_lens[] = {0, 1, 70000, 200000};

	for (size_t i = 0; i < G_N_ELEMENTS(read_lens); i++) {
		struct peer *peer = peer_start();

		draw(peer, peer_long_len(peer));
		check_cancel(peer, read_lens[i], i % 2);
		peer_draw(peer, peer_long_len(peer), LINE_LEN, GAP);
		check_cancel(peer, 2 * peer->send_len + read_lens[i], i % 2);
		check_next_is_lent(peer, true);
		peer_stop(peer);
	}
}

static void test_cancel_all_sent(void)
{
	struct peer *peer = peer_start();

	for (unsigned int i = 0; i < 6; i++) {
		peer_draw(peer, peer_fitting_len(peer), LINE_LEN, i % 2 ? GAP : 0);
		check_cancel(peer, i * 13000, i == 2);
	}
	check_next_is_lent(peer, true);
	peer_stop(peer);
}

/* What is in the pipe is in no socket: it is neither sent twice nor left out. */
static void test_cancel_with_full_pipe(void)
{
	struct peer *peer = peer_start();

	draw(peer, peer_long_len(peer));
	g_assert_cmpint(peer_send(peer), ==, DISPLAY_PENDING);
	while (peer->socket.lending.in_pipe == 0) {
		g_assert_cmpuint(peer_read(peer, 10000), >, 0);
		peer_iterate(peer);
	}
	g_assert_cmpuint(display_socket_cancel(&peer->socket, peer), ==, 0);
	g_assert_cmpuint(peer->socket.lending.in_pipe, ==, 0);
	peer_write_all(peer);
	peer_finish_picture(peer, 0);
	check_next_is_lent(peer, true);
	peer_stop(peer);
}

/* The pages cannot be had back: no other message can follow. */
static void test_cancel_without_memory(void)
{
	struct peer *peer = peer_start();
	struct rlimit before, limit;

	draw(peer, peer_fitting_len(peer));
	g_assert_cmpint(peer_send(peer), ==, DISPLAY_PENDING);
	g_assert_cmpint(getrlimit(RLIMIT_AS, &before), ==, 0);
	limit = before;
	limit.rlim_cur = 1;
	g_assert_cmpint(setrlimit(RLIMIT_AS, &limit), ==, 0);
	warning_count = 0;
	display_socket_cancel(&peer->socket, peer);
	g_assert_cmpint(setrlimit(RLIMIT_AS, &before), ==, 0);
	g_assert_cmpuint(warning_count, ==, 1);
	g_assert_cmpuint(peer->broken_count, ==, 1);
	g_assert_cmpint(peer->socket.fd, ==, -1);
	g_assert_true(g_queue_is_empty(&peer->socket.queue));
	g_assert_cmpuint(peer->done_count, ==, 0);
	peer_stop(peer);
}

/* Others' are left alone. */
static void test_cancel_of_another(void)
{
	struct peer *peer = peer_start();

	draw(peer, peer_fitting_len(peer));
	g_assert_cmpint(peer_send(peer), ==, DISPLAY_PENDING);
	g_assert_cmpuint(display_socket_cancel(&peer->socket, peer->socket.iovs), ==, 0);
	peer_finish_picture(peer, 1);
	peer_stop(peer);
}

/* Lines that are fetched */

static void check_fetch(struct peer *peer)
{
	int ret = peer_send_fetching(peer);

	g_assert_cmpuint(peer->fetched, ==, peer->picture.line_count);
	g_assert_cmpuint(peer->fetch_count, >, 1);
	/* Whoever reads that fast may leave nothing to wait for. */
	if (!peer->reads_in_fetch || ret != 0)
		g_assert_cmpint(ret, ==, DISPLAY_PENDING);
	if (ret == 0)
		peer_write_all(peer);
	peer_finish_picture(peer, ret == DISPLAY_PENDING);
}

/* Also into a socket that gets full: it is tried again when the next lines are there. */
static void test_fetch(void)
{
	struct peer *peer = peer_start();

	for (unsigned int i = 0; i < 4; i++) {
		peer->reads_in_fetch = i % 2;
		draw(peer, peer_fitting_len(peer));
		check_fetch(peer);
		peer_draw(peer, peer_long_len(peer), i < 2 ? LINE_LEN : SHORT_LINE_LEN, GAP);
		check_fetch(peer);
		/* Longer than what is fetched together. */
		peer_draw(peer, peer_long_len(peer), 300000, 0);
		check_fetch(peer);
	}
	peer_stop(peer);
}

static void test_fetch_not_lent(void)
{
	struct peer *peer = peer_start();

	peer_draw(peer, peer_fitting_len(peer), LINE_LEN, 0)->are_lendable = false;
	g_assert_cmpint(peer_send_fetching(peer), ==, 0);
	g_assert_cmpuint(peer->fetched, ==, peer->picture.line_count);
	peer_write_all(peer);
	peer_finish_picture(peer, 0);
	peer_draw(peer, peer_long_len(peer), LINE_LEN, 0)->are_lendable = false;
	check_fetch(peer);
	peer_stop(peer);
}

static void test_fetch_and_cancel(void)
{
	struct peer *peer = peer_start();

	draw(peer, peer_long_len(peer));
	g_assert_cmpint(peer_send_fetching(peer), ==, DISPLAY_PENDING);
	display_socket_cancel(&peer->socket, peer);
	peer_write_all(peer);
	peer_finish_picture(peer, 0);
	peer_stop(peer);
}

/* There is something in front of it: nobody would fetch later. */
static void test_fetch_while_queued(void)
{
	struct peer *peer = peer_start();
	const size_t first_len = 2 * peer->send_len;
	g_autofree uint8_t *first = g_malloc0(first_len);
	const struct display_message message = {
		.kind = DISPLAY_MESSAGE_KEPT,
		.fd = -1,
		.pixels = first,
		.stride = first_len,
		.line_len = first_len,
		.line_count = 1,
	};

	g_assert_cmpint(display_socket_send(&peer->socket, &message), ==, DISPLAY_PENDING);
	draw(peer, peer_long_len(peer));
	peer->total = 0; /* nothing of it is sent */
	g_assert_cmpint(peer_send_fetching(peer), ==, DISPLAY_PENDING);
	g_assert_cmpuint(peer->fetched, ==, peer->picture.line_count);
	g_assert_cmpuint(peer->fetch_count, ==, 1);
	for (size_t read_len = 0; read_len < first_len;) {
		ssize_t len = recv(peer->fd, first, first_len - read_len, MSG_DONTWAIT);

		g_assert_cmpint(len, >, 0);
		read_len += (size_t)len;
		peer_iterate(peer);
	}
	peer->total = peer->head_len + peer->picture.line_count * LINE_LEN;
	peer_finish_picture(peer, 1);
	peer_stop(peer);
}

/* The end */

static void test_hang_up(void)
{
	struct peer *peer = peer_start();

	draw(peer, peer_long_len(peer));
	g_assert_cmpint(peer_send(peer), ==, DISPLAY_PENDING);
	peer_read(peer, 100000);
	peer_hang_up(peer);
	peer_iterate(peer);
	g_assert_cmpuint(peer->broken_count, ==, 1);
	g_assert_cmpuint(peer->done_count, ==, 0);
	display_socket_fail(&peer->socket, -ECONNRESET);
	g_assert_cmpuint(peer->done_count, ==, 1);
	g_assert_cmpint(peer->error, ==, -ECONNRESET);
	g_assert_cmpint(peer_send(peer), ==, -ECONNRESET);
	g_assert_cmpuint(peer->done_count, ==, 1);
	peer_stop(peer);
}

/* It is over either way, once. */
static void test_hang_up_when_all_sent(void)
{
	struct peer *peer = peer_start();

	draw(peer, peer_fitting_len(peer));
	g_assert_cmpint(peer_send(peer), ==, DISPLAY_PENDING);
	peer_hang_up(peer);
	peer_iterate(peer);
	display_socket_fail(&peer->socket, -ECONNRESET);
	g_assert_cmpuint(peer->done_count, ==, 1);
	peer_stop(peer);
}

static void test_hang_up_while_fetching(void)
{
	struct peer *peer = peer_start();

	draw(peer, peer_long_len(peer));
	peer->hangs_up_in_fetch = true;
	g_assert_cmpint(peer_send_fetching(peer), <, 0);
	g_assert_cmpuint(peer->broken_count, ==, 1);
	display_socket_fail(&peer->socket, -ECONNRESET);
	g_assert_cmpuint(peer->done_count, ==, 0);
	peer_stop(peer);
}

/* What is in the socket can be read after the memory has gone. */
static void check_end(void (*end)(struct peer *peer), unsigned int done_count)
{
	struct peer *peer = peer_start();

	draw(peer, peer_long_len(peer));
	g_assert_cmpint(peer_send(peer), ==, DISPLAY_PENDING);
	end(peer);
	g_assert_cmpuint(peer->done_count, ==, done_count);
	g_assert_cmpint(peer->socket.lending.pipe_fds[0], ==, -1);
	g_assert_cmpint(peer->socket.fd, ==, -1);
	peer_free_picture(peer);
	if (done_count == 0)
		while (peer_read(peer, 100000) > 0)
			;
	peer_stop(peer);
}

static void end_by_failure(struct peer *peer)
{
	display_socket_fail(&peer->socket, -EIO);
}

static void end_by_finish(struct peer *peer)
{
	display_socket_finish(&peer->socket);
}

static void test_end_while_lent(void)
{
	check_end(end_by_failure, 1);
	check_end(end_by_finish, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_log_set_writer_func(count_warnings, NULL, NULL);
	signal(SIGPIPE, SIG_IGN); /* as main.c */
	g_test_add_func("/lending/slow-reader", test_slow_reader);
	g_test_add_func("/lending/fast-reader", test_fast_reader);
	g_test_add_func("/lending/not-done-before-read", test_not_done_before_read);
	g_test_add_func("/lending/next-message-waits", test_next_message_waits);
	g_test_add_func("/lending/lent", test_lent);
	g_test_add_func("/lending/not-lent", test_not_lent);
	g_test_add_func("/lending/lines-in-parts", test_lines_in_parts);
	g_test_add_func("/lending/packed-lines", test_packed_lines);
	g_test_add_func("/lending/other-socket", test_other_socket);
	g_test_add_func("/lending/blocking-socket", test_blocking_socket);
	g_test_add_func("/lending/no-pipe", test_no_pipe);
	g_test_add_func("/lending/pipe-fails-later", test_pipe_fails_later);
	g_test_add_func("/lending/cancel-half-sent", test_cancel_half_sent);
	g_test_add_func("/lending/cancel-all-sent", test_cancel_all_sent);
	g_test_add_func("/lending/cancel-with-full-pipe", test_cancel_with_full_pipe);
	g_test_add_func("/lending/cancel-without-memory", test_cancel_without_memory);
	g_test_add_func("/lending/cancel-of-another", test_cancel_of_another);
	g_test_add_func("/lending/fetch", test_fetch);
	g_test_add_func("/lending/fetch-not-lent", test_fetch_not_lent);
	g_test_add_func("/lending/fetch-and-cancel", test_fetch_and_cancel);
	g_test_add_func("/lending/fetch-while-queued", test_fetch_while_queued);
	g_test_add_func("/lending/hang-up", test_hang_up);
	g_test_add_func("/lending/hang-up-when-all-sent", test_hang_up_when_all_sent);
	g_test_add_func("/lending/hang-up-while-fetching", test_hang_up_while_fetching);
	g_test_add_func("/lending/end-while-lent", test_end_while_lent);
	return g_test_run();
}
