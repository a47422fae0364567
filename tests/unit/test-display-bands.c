/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Updates that go as several messages: through the display, in the size that makes it do so, and
 * through its socket, where small ones reach every place at which a message can be cut.
 */
#include "display/displays.h"
#include "display/socket.h"
#include "display/wire.h"
#include "util/lendable.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_UPDATE_LEN (32u << 20)

/* 44 MB */
#define WIDTH	   5120
#define HEIGHT	   2160
#define PIXELS_LEN ((size_t)WIDTH * HEIGHT * 4)

struct result {
	unsigned int count;
	int error;
};

struct fixture {
	GMainContext *context;
	struct display *display;
	int peer_fd;
	uint8_t *pixels;   /* what is sent */
	uint8_t *original; /* the same, and never changed */
	struct result result;
	/* What the other side got. */
	GByteArray *got;
	/* What a fetch was asked for last. */
	uint32_t fetched;
};

static void on_done(void *opaque, int error)
{
	struct result *result = opaque;

	result->count++;
	result->error = error;
}

static void on_event(void *opaque)
{
}

static const struct display_events events = {
	.ready = on_event,
	.outputs_changed = on_event,
	.closed = on_event,
};

static void iterate(struct fixture *fixture)
{
	while (g_main_context_iteration(fixture->context, FALSE))
		;
}

/* The other side */

/* Takes what is in the socket, at most @max_len. Return: bytes. */
static size_t take_some(struct fixture *fixture, size_t max_len)
{
	static uint8_t buf[64 << 10];
	ssize_t ret = recv(fixture->peer_fd, buf, MIN(max_len, sizeof(buf)), MSG_DONTWAIT);

	if (ret < 0) {
		g_assert_cmpint(errno, ==, EAGAIN);
		return 0;
	}
	g_assert_cmpint(ret, >, 0);
	g_byte_array_append(fixture->got, buf, (guint)ret);
	return (size_t)ret;
}

static void take(struct fixture *fixture, size_t len)
{
	while (len > 0) {
		size_t taken = take_some(fixture, len);

		if (taken == 0)
			g_assert_true(g_main_context_iteration(fixture->context, FALSE));
		len -= taken;
	}
}

static void take_all(struct fixture *fixture)
{
	do
		iterate(fixture);
	while (take_some(fixture, SIZE_MAX) > 0);
}

/* Start and end */

static struct fixture *start_socket(int *ret_fd)
{
	struct fixture *fixture = g_new0(struct fixture, 1);
	int fds[2];

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
	fixture->context = g_main_context_new();
	fixture->got = g_byte_array_new();
	fixture->peer_fd = fds[1];
	*ret_fd = fds[0];
	return fixture;
}

static struct fixture *start(void)
{
	const struct {
		struct display_header header;
		uint64_t features;
	} __attribute__((packed)) answer = {{1, DISPLAY_FLAG_REPLY, 8}, 0};
	int fd;
	struct fixture *fixture = start_socket(&fd);

	fixture->display = display_frontend_create(fd, &events, fixture, fixture->context);
	g_assert_cmpint(send(fixture->peer_fd, &answer, sizeof(answer), 0), ==, sizeof(answer));
	iterate(fixture);
	g_assert_true(fixture->display->ready);
	fixture->display->ops->scanout(fixture->display, 0, WIDTH, HEIGHT);
	take_all(fixture);
	g_byte_array_set_size(fixture->got, 0);
	fixture->pixels = lendable_alloc(PIXELS_LEN);
	for (size_t i = 0; i < PIXELS_LEN / 4; i++)
		((uint32_t *)fixture->pixels)[i] = (uint32_t)i * 2654435761u;
	fixture->original = g_memdup2(fixture->pixels, PIXELS_LEN);
	return fixture;
}

static void stop(struct fixture *fixture)
{
	if (fixture->display)
		fixture->display->ops->destroy(fixture->display);
	if (fixture->peer_fd >= 0)
		close(fixture->peer_fd);
	iterate(fixture);
	g_main_context_unref(fixture->context);
	g_byte_array_unref(fixture->got);
	lendable_free(fixture->pixels, PIXELS_LEN);
	g_free(fixture->original);
	g_free(fixture);
}

static int update(struct fixture *fixture, const struct gpu_rect *rect, bool are_lendable)
{
	const struct display_pixels pixels = {
		.data = fixture->pixels + ((size_t)rect->y * WIDTH + rect->x) * 4,
		.stride = WIDTH * 4,
		.are_lendable = are_lendable,
	};

	return fixture->display->ops->update(
		fixture->display, 0, rect, &pixels, on_done, &fixture->result);
}

static const struct gpu_rect everything = {0, 0, WIDTH, HEIGHT};

/* Are these the pixels as they were? */
static void check_pixels(const struct fixture *fixture, const struct gpu_rect *rect,
	const uint8_t *pixels, size_t pixels_len)
{
	const size_t line_len = (size_t)rect->width * 4;

	g_assert_cmpuint(pixels_len, ==, line_len * rect->height);
	for (uint32_t y = rect->y; y < rect->y + rect->height; y++, pixels += line_len)
		g_assert_true(memcmp(pixels, fixture->original + ((size_t)y * WIDTH + rect->x) * 4,
				      line_len) == 0);
}

/*
 * Looks through what came. @rect: of the whole update. Return: number of updates; @ret_end: where the
 * last line ends that was updated.
 */
static unsigned int check_updates(
	const struct fixture *fixture, const struct gpu_rect *rect, uint32_t *ret_end)
{
	struct display_wire_update head;
	struct gpu_rect band = *rect;
	unsigned int count = 0;
	size_t at = 0;

	for (; at < fixture->got->len; count++) {
		g_assert_cmpuint(at + sizeof(head.header), <=, fixture->got->len);
		memcpy(&head, fixture->got->data + at, sizeof(head.header));
		if (head.header.request != DISPLAY_UPDATE)
			break;
		g_assert_cmpuint(at + sizeof(head), <=, fixture->got->len);
		memcpy(&head, fixture->got->data + at, sizeof(head));
		g_assert_cmpuint(head.header.flags, ==, 0);
		g_assert_cmpuint(sizeof(head.header) + head.header.size, <, MAX_UPDATE_LEN);
		g_assert_cmpuint(head.scanout_id, ==, 0);
		g_assert_cmpuint(head.x, ==, rect->x);
		g_assert_cmpuint(head.width, ==, rect->width);
		g_assert_cmpuint(head.y, ==, band.y);
		g_assert_cmpuint(head.height, >, 0);
		band.height = head.height;
		at += sizeof(head);
		g_assert_cmpuint(at + (size_t)band.width * band.height * 4, <=, fixture->got->len);
		check_pixels(fixture, &band, fixture->got->data + at,
			sizeof(head.header) + head.header.size - sizeof(head));
		at += (size_t)band.width * band.height * 4;
		band.y += band.height;
	}
	*ret_end = band.y;
	g_byte_array_remove_range(fixture->got, 0, (guint)at);
	return count;
}

/* All of an update */

static void check_whole(const struct gpu_rect *rect, bool are_lendable)
{
	struct fixture *fixture = start();
	const size_t pixels_len = (size_t)rect->width * rect->height * 4;
	uint32_t end;

	g_assert_cmpint(update(fixture, rect, are_lendable), ==, DISPLAY_PENDING);
	/* There is room for less than that. */
	take(fixture, pixels_len - (8u << 20));
	iterate(fixture);
	g_assert_cmpuint(fixture->result.count, ==, 0);
	take_all(fixture);
	g_assert_cmpuint(fixture->result.count, ==, 1);
	g_assert_cmpint(fixture->result.error, ==, 0);
	g_assert_cmpuint(check_updates(fixture, rect, &end), >, 1);
	g_assert_cmpuint(end, ==, rect->y + rect->height);
	g_assert_cmpuint(fixture->got->len, ==, 0);
	stop(fixture);
}

static void test_whole_picture(void)
{
	check_whole(&everything, true);
	check_whole(&everything, false);
}

static void test_part_of_a_picture(void)
{
	const struct gpu_rect rect = {3, 5, WIDTH - 10, HEIGHT - 7};

	check_whole(&rect, true);
	check_whole(&rect, false);
}

/* One line more, and it is too large. */
static void test_largest_message(void)
{
	const struct gpu_rect rect = {0, 0, WIDTH, (MAX_UPDATE_LEN - 4096) / (WIDTH * 4)};
	struct fixture *fixture = start();
	uint32_t end;

	update(fixture, &rect, true);
	take_all(fixture);
	g_assert_cmpuint(check_updates(fixture, &rect, &end), ==, 1);
	stop(fixture);
	check_whole(&(struct gpu_rect){0, 0, WIDTH, rect.height + 1}, true);
}

/* The front-end reads as fast as lines are there. */
static void fetch_lines(void *opaque, uint32_t line_count)
{
	struct fixture *fixture = opaque;
	const size_t from = (size_t)fixture->fetched * WIDTH * 4;
	const size_t end = (size_t)line_count * WIDTH * 4;

	g_assert_cmpuint(line_count, >, fixture->fetched);
	g_assert_cmpuint(line_count, <=, HEIGHT);
	while (take_some(fixture, SIZE_MAX) > 0)
		;
	g_assert_cmpuint(fixture->got->len, <=, from + from / 1024 + 4096);
	memcpy(fixture->pixels + from, fixture->original + from, end - from);
	fixture->fetched = line_count;
}

static void test_fetch_in_order(void)
{
	struct fixture *fixture = start();
	const struct display_pixels pixels = {
		.data = fixture->pixels,
		.stride = WIDTH * 4,
		.are_lendable = true,
		.fetch = fetch_lines,
		.fetch_opaque = fixture,
	};
	uint32_t end;
	int ret;

	memset(fixture->pixels, 0xee, PIXELS_LEN);
	ret = fixture->display->ops->update(
		fixture->display, 0, &everything, &pixels, on_done, &fixture->result);
	g_assert_cmpint(ret, >=, 0);
	g_assert_cmpuint(fixture->fetched, ==, HEIGHT);
	/* Most went on the way, while the next lines were fetched. */
	g_assert_cmpuint(fixture->got->len, >, PIXELS_LEN / 4 * 3);
	take_all(fixture);
	g_assert_cmpuint(fixture->result.count, ==, ret == DISPLAY_PENDING ? 1 : 0);
	g_assert_cmpuint(check_updates(fixture, &everything, &end), >, 1);
	g_assert_cmpuint(end, ==, HEIGHT);
	stop(fixture);
}

/* Not all of one */

static void check_cancel(size_t len, bool are_lendable)
{
	const struct display_cursor cursor = {0, 1, 2, 0, 0};
	const uint32_t cursor_message[] = {DISPLAY_CURSOR_POS, 0, 12, 0, 1, 2};
	struct fixture *fixture = start();
	const struct display_ops *ops = fixture->display->ops;
	uint32_t end;

	g_assert_cmpint(update(fixture, &everything, are_lendable), ==, DISPLAY_PENDING);
	take(fixture, len);
	ops->cursor_move(fixture->display, &cursor);
	ops->cancel(fixture->display, &fixture->result);
	memset(fixture->pixels, 0xee, PIXELS_LEN);
	take_all(fixture);
	g_assert_cmpuint(check_updates(fixture, &everything, &end), >, 0);
	/* What was on its way, and no more. */
	g_assert_cmpuint((size_t)end * WIDTH * 4, <=, len + (8u << 20));
	g_assert_cmpmem(
		fixture->got->data, fixture->got->len, cursor_message, sizeof(cursor_message));
	g_assert_cmpuint(fixture->result.count, ==, 0);

	/* The next one is a whole picture again. */
	memcpy(fixture->pixels, fixture->original, PIXELS_LEN);
	g_byte_array_set_size(fixture->got, 0);
	g_assert_cmpint(update(fixture, &everything, are_lendable), ==, DISPLAY_PENDING);
	take_all(fixture);
	check_updates(fixture, &everything, &end);
	g_assert_cmpuint(end, ==, HEIGHT);
	g_assert_cmpuint(fixture->result.count, ==, 1);
	stop(fixture);
}

static void test_cancel_in_the_middle(void)
{
	check_cancel(0, true);
	check_cancel(11u << 20, true);
	check_cancel((11u << 20) + (300u << 10), true);
	check_cancel(11u << 20, false);
}

static void test_hang_up_in_the_middle(void)
{
	struct fixture *fixture = start();

	g_assert_cmpint(update(fixture, &everything, true), ==, DISPLAY_PENDING);
	take(fixture, 11u << 20);
	close(fixture->peer_fd);
	fixture->peer_fd = -1;
	iterate(fixture);
	g_assert_cmpuint(fixture->result.count, ==, 1);
	g_assert_cmpint(fixture->result.error, ==, -ECONNRESET);
	stop(fixture);
}

/* Through the socket: heads of two words, what follows and which one it is, and lines of one number */

#define LINE_LEN       300
#define LINE_COUNT     100
#define LINES_PER_HEAD 7
#define HEAD_COUNT     15
#define SMALL_LEN      (HEAD_COUNT * 8 + LINE_COUNT * LINE_LEN)

struct small {
	struct fixture *fixture;
	struct display_socket socket;
	uint32_t heads[HEAD_COUNT][2];
	uint8_t lines[LINE_COUNT][LINE_LEN + 20];
};

static void on_writable(void *opaque)
{
	display_socket_flush(&((struct small *)opaque)->socket);
}

static const struct display_socket_events socket_events = {
	.writable = on_writable,
	.broken = on_event,
};

static void small_start(struct small *small)
{
	int fd, smallest = 1;

	*small = (struct small){.fixture = start_socket(&fd)};
	display_socket_init(&small->socket, fd, small->fixture->context, &socket_events, small);
	g_assert_cmpint(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &smallest, sizeof(smallest)), ==, 0);
	for (uint32_t i = 0; i < HEAD_COUNT; i++) {
		small->heads[i][0] = MIN(LINES_PER_HEAD, LINE_COUNT - i * LINES_PER_HEAD);
		small->heads[i][1] = i;
	}
	for (unsigned int i = 0; i < LINE_COUNT; i++)
		memset(small->lines[i], (int)i, LINE_LEN);
}

static void small_stop(struct small *small)
{
	display_socket_finish(&small->socket);
	stop(small->fixture);
}

static int small_send(struct small *small, struct result *result)
{
	const struct display_message message = {
		.kind = DISPLAY_MESSAGE_UPDATE,
		.head = small->heads,
		.head_len = sizeof(small->heads[0]),
		.lines_per_head = LINES_PER_HEAD,
		.fd = -1,
		.pixels = small->lines,
		.stride = sizeof(small->lines[0]),
		.line_len = LINE_LEN,
		.line_count = LINE_COUNT,
		.done = on_done,
		.opaque = result,
	};

	return display_socket_send(&small->socket, &message);
}

/* Return: number of bands, which are whole, from @at on. */
static unsigned int check_bands(const struct fixture *fixture, size_t at)
{
	unsigned int line = 0;
	uint32_t band = 0;

	for (uint32_t head[2]; at < fixture->got->len; band++) {
		g_assert_cmpuint(at + sizeof(head), <=, fixture->got->len);
		memcpy(head, fixture->got->data + at, sizeof(head));
		at += sizeof(head);
		g_assert_cmpuint(head[0], ==, MIN(LINES_PER_HEAD, LINE_COUNT - line));
		g_assert_cmpuint(head[1], ==, band);
		g_assert_cmpuint(at + head[0] * LINE_LEN, <=, fixture->got->len);
		for (uint32_t i = 0; i < head[0] * LINE_LEN; i++)
			g_assert_cmpuint(fixture->got->data[at + i], ==, line + i / LINE_LEN);
		line += head[0];
		at += (size_t)head[0] * LINE_LEN;
	}
	return band;
}

/* Return: how many bands were begun. */
static unsigned int count_begun(const struct fixture *fixture)
{
	const unsigned int band_len = 8 + LINES_PER_HEAD * LINE_LEN;
	int waiting;

	g_assert_cmpint(ioctl(fixture->peer_fd, FIONREAD, &waiting), ==, 0);
	return (fixture->got->len + (unsigned int)waiting + band_len - 1) / band_len;
}

static void test_cancel_anywhere(void)
{
	g_autofree struct small *small = g_new(struct small, 1);
	unsigned int least = UINT_MAX;
	unsigned int most = 0;

	/* 8 bytes in a head and 300 in a line have no divisor greater than 4 in common with 31. */
	for (size_t len = 0; len < SMALL_LEN - (16u << 10); len += 31) {
		unsigned int count;

		small_start(small);
		g_assert_cmpint(small_send(small, &small->fixture->result), ==, DISPLAY_PENDING);
		take(small->fixture, len);
		count = count_begun(small->fixture);
		display_socket_cancel(&small->socket, &small->fixture->result);
		memset(small->lines, 0xee, sizeof(small->lines));
		memset(small->heads, 0xee, sizeof(small->heads));
		take_all(small->fixture);
		g_assert_cmpuint(check_bands(small->fixture, 0), ==, count);
		least = MIN(least, count);
		most = MAX(most, count);
		g_assert_cmpuint(small->fixture->result.count, ==, 0);
		small_stop(small);
	}
	g_assert_cmpuint(least, <, HEAD_COUNT / 2);
	g_assert_cmpuint(most, >, HEAD_COUNT / 2);
}

static void test_cancel_one_of_two(void)
{
	g_autofree struct small *small = g_new(struct small, 1);
	struct result second = {0};

	small_start(small);
	g_assert_cmpint(small_send(small, &small->fixture->result), ==, DISPLAY_PENDING);
	g_assert_cmpint(small_send(small, &second), ==, DISPLAY_PENDING);
	display_socket_cancel(&small->socket, &second);
	/* Nor is what was begun dropped for something newer. */
	display_socket_drop(&small->socket, DISPLAY_MESSAGE_UPDATE, 0);
	take_all(small->fixture);
	g_assert_cmpuint(check_bands(small->fixture, 0), ==, HEAD_COUNT);
	g_assert_cmpuint(small->fixture->got->len, ==, SMALL_LEN);
	g_assert_cmpuint(small->fixture->result.count, ==, 1);
	g_assert_cmpuint(second.count, ==, 0);
	small_stop(small);
}

/* The second waits with heads of its own. */
static void test_two_in_order(void)
{
	g_autofree struct small *small = g_new(struct small, 1);
	struct result second = {0};

	small_start(small);
	g_assert_cmpint(small_send(small, &small->fixture->result), ==, DISPLAY_PENDING);
	g_assert_cmpint(small_send(small, &second), ==, DISPLAY_PENDING);
	memset(small->heads, 0xee, sizeof(small->heads));
	take(small->fixture, SMALL_LEN);
	g_assert_cmpuint(check_bands(small->fixture, 0), ==, HEAD_COUNT);
	g_assert_cmpuint(small->fixture->result.count, ==, 1);
	g_assert_cmpuint(second.count, ==, 0);
	take_all(small->fixture);
	g_assert_cmpuint(check_bands(small->fixture, SMALL_LEN), ==, HEAD_COUNT);
	g_assert_cmpuint(second.count, ==, 1);
	small_stop(small);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/display-bands/whole-picture", test_whole_picture);
	g_test_add_func("/display-bands/part-of-a-picture", test_part_of_a_picture);
	g_test_add_func("/display-bands/largest-message", test_largest_message);
	g_test_add_func("/display-bands/fetch-in-order", test_fetch_in_order);
	g_test_add_func("/display-bands/cancel-in-the-middle", test_cancel_in_the_middle);
	g_test_add_func("/display-bands/hang-up-in-the-middle", test_hang_up_in_the_middle);
	g_test_add_func("/display-bands/cancel-anywhere", test_cancel_anywhere);
	g_test_add_func("/display-bands/cancel-one-of-two", test_cancel_one_of_two);
	g_test_add_func("/display-bands/two-in-order", test_two_in_order);
	return g_test_run();
}
