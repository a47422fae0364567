/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The displays. The tests are the front-end: they hold the other end of the socket and decide
 * when it is read, so that every state of the queue is reached without a clock.
 */
#include "display/displays.h"
#include "display/wire.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BOTH_FEATURES (DISPLAY_FEATURE_EDID | DISPLAY_FEATURE_DMABUF2)

/* Larger than a send buffer of the smallest size, which start() sets. */
#define BIG_WIDTH  256
#define BIG_HEIGHT 128

struct result {
	unsigned int count;
	int error;
	struct display_outputs outputs;
	struct display_edid edid;
};

struct fixture {
	GMainContext *context;
	struct display *display;
	int display_fd; /* owned by the display */
	int peer_fd;
	unsigned int ready_count;
	unsigned int closed_count;
	unsigned int changed_count;
	bool destroy_when_closed;
	struct result results[3];
	uint32_t *pixels;
};

static unsigned int warning_count;

static GLogWriterOutput count_warnings(
	GLogLevelFlags level, const GLogField *fields, gsize field_count, gpointer user_data)
{
	if (level & G_LOG_LEVEL_WARNING)
		warning_count++;
	return G_LOG_WRITER_HANDLED;
}

static void on_ready(void *opaque)
{
	((struct fixture *)opaque)->ready_count++;
}

static void on_closed(void *opaque)
{
	struct fixture *fixture = opaque;

	fixture->closed_count++;
	if (fixture->destroy_when_closed) {
		fixture->display->ops->destroy(fixture->display);
		fixture->display = NULL;
	}
}

static void on_outputs_changed(void *opaque)
{
	((struct fixture *)opaque)->changed_count++;
}

static const struct display_events events = {
	.ready = on_ready,
	.outputs_changed = on_outputs_changed,
	.closed = on_closed,
};

static void on_done(void *opaque, int error)
{
	struct result *result = opaque;

	result->count++;
	result->error = error;
}

static void on_outputs(void *opaque, int error, const struct display_outputs *outputs)
{
	struct result *result = opaque;

	on_done(opaque, error);
	g_assert_true((error == 0) == (outputs != NULL));
	if (outputs)
		result->outputs = *outputs;
}

static void on_edid(void *opaque, int error, const struct display_edid *edid)
{
	struct result *result = opaque;

	on_done(opaque, error);
	g_assert_true((error == 0) == (edid != NULL));
	if (edid)
		result->edid = *edid;
}

static void iterate(struct fixture *fixture)
{
	while (g_main_context_iteration(fixture->context, FALSE))
		;
}

/* The peer */

static void peer_read(struct fixture *fixture, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t ret =
			recv(fixture->peer_fd, (uint8_t *)buf + done, len - done, MSG_DONTWAIT);

		if (ret < 0 && errno == EAGAIN) {
			/* The display may have more to write; if not, the test ends here. */
			g_assert_true(g_main_context_iteration(fixture->context, FALSE));
			continue;
		}
		g_assert_cmpint(ret, >, 0);
		done += (size_t)ret;
	}
}

static void peer_expect(struct fixture *fixture, const void *bytes, size_t len)
{
	g_autofree uint8_t *buf = g_malloc(len);

	peer_read(fixture, buf, len);
	g_assert_cmpmem(buf, len, bytes, len);
}

static void peer_expect_words(struct fixture *fixture, const uint32_t *words, size_t count)
{
	peer_expect(fixture, words, count * sizeof(*words));
}

#define EXPECT(fixture, ...)                                                                       \
	peer_expect_words(fixture, (const uint32_t[]){__VA_ARGS__},                                \
		sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void peer_expect_nothing(struct fixture *fixture)
{
	char byte;

	iterate(fixture);
	g_assert_cmpint(recv(fixture->peer_fd, &byte, 1, MSG_DONTWAIT), ==, -1);
	g_assert_cmpint(errno, ==, EAGAIN);
}

/* Reads one message with a descriptor. Return: the descriptor. */
static int peer_read_with_fd(struct fixture *fixture, void *buf, size_t len)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	g_assert_cmpint(recvmsg(fixture->peer_fd, &msg, MSG_DONTWAIT), ==, len);
	g_assert_nonnull(CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static void peer_write(struct fixture *fixture, const void *data, size_t len)
{
	g_assert_cmpint(send(fixture->peer_fd, data, len, MSG_NOSIGNAL), ==, len);
}

static void peer_answer(struct fixture *fixture, uint32_t request, const void *payload, size_t len)
{
	const struct display_header header = {
		.request = request, .flags = DISPLAY_FLAG_REPLY, .size = (uint32_t)len};

	peer_write(fixture, &header, sizeof(header));
	if (len > 0)
		peer_write(fixture, payload, len);
}

/* Start and end */

static struct fixture *start_unready(void)
{
	struct fixture *fixture = g_new0(struct fixture, 1);
	int fds[2];
	int smallest = 1;

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
	fixture->context = g_main_context_new();
	fixture->display_fd = fds[0];
	fixture->peer_fd = fds[1];
	fixture->display = display_frontend_create(fds[0], &events, fixture, fixture->context);
	g_assert_cmpint(
		setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof(smallest)), ==, 0);
	fixture->pixels = g_new(uint32_t, BIG_WIDTH * BIG_HEIGHT);
	for (uint32_t i = 0; i < BIG_WIDTH * BIG_HEIGHT; i++)
		fixture->pixels[i] = i * 2654435761u;
	EXPECT(fixture, 1, 0, 0);
	return fixture;
}

static struct fixture *start_with(uint64_t features)
{
	struct fixture *fixture = start_unready();
	uint64_t agreed = features & BOTH_FEATURES;

	g_assert_false(fixture->display->ready);
	peer_answer(fixture, 1, &features, sizeof(features));
	iterate(fixture);
	g_assert_true(fixture->display->ready);
	g_assert_cmpuint(fixture->ready_count, ==, 1);
	EXPECT(fixture, 2, 0, 8);
	peer_expect(fixture, &agreed, sizeof(agreed));
	return fixture;
}

static struct fixture *start(void)
{
	return start_with(BOTH_FEATURES);
}

static void stop(struct fixture *fixture)
{
	if (fixture->display)
		fixture->display->ops->destroy(fixture->display);
	if (fixture->peer_fd >= 0)
		close(fixture->peer_fd);
	iterate(fixture);
	g_main_context_unref(fixture->context);
	g_free(fixture->pixels);
	g_free(fixture);
}

static void hang_up(struct fixture *fixture)
{
	close(fixture->peer_fd);
	fixture->peer_fd = -1;
}

static int update_big(struct fixture *fixture, uint32_t scanout_id, struct result *result)
{
	const struct gpu_rect rect = {0, 0, BIG_WIDTH, BIG_HEIGHT};
	const struct display_pixels pixels = {.data = fixture->pixels, .stride = BIG_WIDTH * 4};

	return fixture->display->ops->update(
		fixture->display, scanout_id, &rect, &pixels, on_done, result);
}

#define BIG_PIXELS_LEN ((size_t)BIG_WIDTH * BIG_HEIGHT * 4)
#define EXPECT_BIG_HEAD(fixture, scanout)                                                          \
	EXPECT(fixture, 8, 0, 20 + BIG_PIXELS_LEN, scanout, 0, 0, BIG_WIDTH, BIG_HEIGHT)

/* Messages */

static void test_features_are_cut(void)
{
	stop(start_with(UINT64_MAX));
	stop(start_with(0));
}

static void test_scanout_and_update(void)
{
	struct fixture *fixture = start();
	const struct display_ops *ops = fixture->display->ops;
	const struct gpu_rect rect = {2, 1, 3, 2};
	const struct display_pixels pixels = {.data = fixture->pixels + 10, .stride = 64};
	const uint32_t *p = fixture->pixels;

	ops->scanout(fixture->display, 1, 8, 4);
	EXPECT(fixture, 7, 0, 12, 1, 8, 4);
	g_assert_cmpint(ops->update(fixture->display, 1, &rect, &pixels, on_done, NULL), ==, 0);
	EXPECT(fixture, 8, 0, 20 + 24, 1, 2, 1, 3, 2, p[10], p[11], p[12], p[26], p[27], p[28]);
	ops->scanout(fixture->display, 1, 0, 0);
	EXPECT(fixture, 7, 0, 12, 1, 0, 0);
	peer_expect_nothing(fixture);
	stop(fixture);
}

static void test_no_update_without_surface(void)
{
	struct fixture *fixture = start();
	const struct display_ops *ops = fixture->display->ops;
	const struct gpu_rect rect = {0, 0, 4, 4};
	const struct gpu_rect too_wide = {5, 0, 4, 4};
	const struct display_pixels pixels = {.data = fixture->pixels, .stride = 16};

	g_assert_cmpint(ops->update(fixture->display, 0, &rect, &pixels, on_done, NULL), <, 0);
	ops->scanout(fixture->display, 0, 8, 8);
	EXPECT(fixture, 7, 0, 12, 0, 8, 8);
	g_assert_cmpint(ops->update(fixture->display, 1, &rect, &pixels, on_done, NULL), <, 0);
	g_assert_cmpint(ops->update(fixture->display, 0, &too_wide, &pixels, on_done, NULL), <, 0);
	ops->scanout(fixture->display, 0, 0, 0);
	EXPECT(fixture, 7, 0, 12, 0, 0, 0);
	g_assert_cmpint(ops->update(fixture->display, 0, &rect, &pixels, on_done, NULL), <, 0);
	ops->scanout(fixture->display, VIRTIO_GPU_MAX_SCANOUTS, 8, 8);
	peer_expect_nothing(fixture);
	stop(fixture);
}

static void test_cursor_messages(void)
{
	struct fixture *fixture = start();
	const struct display_ops *ops = fixture->display->ops;
	const struct display_cursor cursor = {2, 30, 40, 5, 6};

	ops->cursor_update(fixture->display, &cursor, fixture->pixels);
	EXPECT(fixture, 6, 0, 20 + 64 * 64 * 4, 2, 30, 40, 5, 6);
	peer_expect_words(fixture, fixture->pixels, 64 * 64);
	ops->cursor_move(fixture->display, &cursor);
	EXPECT(fixture, 4, 0, 12, 2, 30, 40);
	ops->cursor_hide(fixture->display, &cursor);
	EXPECT(fixture, 5, 0, 12, 2, 30, 40);
	peer_expect_nothing(fixture);
	stop(fixture);
}

static struct renderer_dmabuf make_dmabuf(int fd)
{
	return (struct renderer_dmabuf){
		.fd = fd,
		.width = 100,
		.height = 50,
		.fourcc = DRM_FORMAT_XRGB8888,
		.modifier = UINT64_C(0x0102030405060708),
		.stride = 448,
		.y_0_top = true,
	};
}

static void check_same_file(int fd, int other_fd)
{
	g_assert_cmpint(fd, !=, other_fd);
	g_assert_cmpint(write(other_fd, "x", 1), ==, 1);
	g_assert_cmpint(lseek(fd, 0, SEEK_CUR), ==, lseek(other_fd, 0, SEEK_CUR));
	close(fd);
}

static void test_dmabuf_scanout(void)
{
	struct fixture *fixture = start();
	const struct display_ops *ops = fixture->display->ops;
	g_autofree char *name = NULL;
	int fd = g_file_open_tmp("display-XXXXXX", &name, NULL);
	struct renderer_dmabuf dmabuf = make_dmabuf(fd);
	const struct gpu_rect rect = {8, 4, 80, 40};
	uint32_t words[15];

	g_assert_cmpint(ops->scanout_dmabuf(fixture->display, 3, &dmabuf, &rect), ==, 0);
	check_same_file(peer_read_with_fd(fixture, words, sizeof(words)), fd);
	g_assert_cmpmem(words, sizeof(words),
		((const uint32_t[]){12, 0, 48, 3, 8, 4, 80, 40, 100, 50, 448, 1,
			DRM_FORMAT_XRGB8888, 0x05060708, 0x01020304}),
		sizeof(words));

	/* Back to pixels: first the dma-buf is released. */
	ops->scanout(fixture->display, 3, 80, 40);
	EXPECT(fixture, 9, 0, 40, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	EXPECT(fixture, 7, 0, 12, 3, 80, 40);
	ops->scanout(fixture->display, 3, 0, 0);
	EXPECT(fixture, 7, 0, 12, 3, 0, 0);

	/* A modifier that is not known goes without one; an offset cannot be said. */
	dmabuf.modifier = DRM_FORMAT_MOD_INVALID;
	g_assert_cmpint(ops->scanout_dmabuf(fixture->display, 3, &dmabuf, &rect), ==, 0);
	close(peer_read_with_fd(fixture, words, 13 * 4));
	g_assert_cmpuint(words[0], ==, 9);
	g_assert_cmpuint(words[2], ==, 40);
	dmabuf.offset = 64;
	g_assert_cmpint(ops->scanout_dmabuf(fixture->display, 3, &dmabuf, &rect), ==, -ENOTSUP);
	peer_expect_nothing(fixture);
	close(fd);
	unlink(name);
	stop(fixture);
}

static void test_dmabuf_without_modifier(void)
{
	struct fixture *fixture = start_with(DISPLAY_FEATURE_EDID);
	int fd = dup(STDERR_FILENO);
	struct renderer_dmabuf dmabuf = make_dmabuf(fd);
	const struct gpu_rect rect = {0, 0, 100, 50};
	uint32_t words[13];

	g_assert_cmpint(
		fixture->display->ops->scanout_dmabuf(fixture->display, 0, &dmabuf, &rect), ==, 0);
	close(peer_read_with_fd(fixture, words, sizeof(words)));
	g_assert_cmpmem(words, sizeof(words),
		((const uint32_t[]){
			9, 0, 40, 0, 0, 0, 100, 50, 100, 50, 448, 1, DRM_FORMAT_XRGB8888}),
		sizeof(words));
	close(fd);
	stop(fixture);
}

/* Answers */

static void test_display_info(void)
{
	struct fixture *fixture = start();
	struct result *result = &fixture->results[0];
	struct virtio_gpu_resp_display_info info = {.hdr.type = GUINT32_TO_LE(0x1101)};

	info.pmodes[0].r.width = GUINT32_TO_LE(800);
	info.pmodes[3].r.height = GUINT32_TO_LE(600);
	info.pmodes[3].r.x = GUINT32_TO_LE(11);
	info.pmodes[3].r.y = GUINT32_TO_LE(12);
	info.pmodes[4].flags = GUINT32_TO_LE(13);
	info.pmodes[15].enabled = GUINT32_TO_LE(1);
	g_assert_cmpint(fixture->display->ops->get_outputs(fixture->display, on_outputs, result),
		==, DISPLAY_PENDING);
	EXPECT(fixture, 3, 0, 0);
	iterate(fixture);
	g_assert_cmpuint(result->count, ==, 0);
	peer_answer(fixture, 3, &info, sizeof(info));
	iterate(fixture);
	g_assert_cmpuint(result->count, ==, 1);
	g_assert_cmpint(result->error, ==, 0);
	g_assert_cmpuint(result->outputs.output[0].rect.width, ==, 800);
	g_assert_cmpuint(result->outputs.output[3].rect.height, ==, 600);
	g_assert_cmpuint(result->outputs.output[3].rect.x, ==, 11);
	g_assert_cmpuint(result->outputs.output[3].rect.y, ==, 12);
	g_assert_cmpuint(result->outputs.output[4].flags, ==, 13);
	g_assert_false(result->outputs.output[0].connected);
	g_assert_true(result->outputs.output[15].connected);
	stop(fixture);
}

static void test_edid_in_pieces(void)
{
	struct fixture *fixture = start();
	struct result *result = &fixture->results[0];
	struct virtio_gpu_resp_edid edid = {.size = GUINT32_TO_LE(256)};
	const struct display_header header = {11, DISPLAY_FLAG_REPLY, sizeof(edid)};

	for (unsigned int i = 0; i < sizeof(edid.edid); i++)
		edid.edid[i] = (uint8_t)(i * 3);
	g_assert_cmpint(fixture->display->ops->get_edid(fixture->display, 5, on_edid, result), ==,
		DISPLAY_PENDING);
	EXPECT(fixture, 11, 0, 4, 5);
	for (size_t i = 0; i < sizeof(header); i++) {
		peer_write(fixture, (const uint8_t *)&header + i, 1);
		iterate(fixture);
	}
	peer_write(fixture, &edid, 100);
	iterate(fixture);
	g_assert_cmpuint(result->count, ==, 0);
	peer_write(fixture, (const uint8_t *)&edid + 100, sizeof(edid) - 100);
	iterate(fixture);
	g_assert_cmpuint(result->count, ==, 1);
	g_assert_cmpuint(result->edid.len, ==, 256);
	g_assert_cmpmem(result->edid.data, sizeof(result->edid.data), edid.edid, sizeof(edid.edid));
	stop(fixture);
}

static void test_edid_made_here(void)
{
	struct fixture *fixture = start_with(0);
	struct result *result = &fixture->results[0];
	struct virtio_gpu_resp_display_info info = {0};
	const uint8_t *edid = result->edid.data;

	info.pmodes[2].r.width = GUINT32_TO_LE(1440);
	info.pmodes[2].r.height = GUINT32_TO_LE(900);
	g_assert_cmpint(fixture->display->ops->get_edid(fixture->display, 2, on_edid, result), ==,
		DISPLAY_PENDING);
	EXPECT(fixture, 3, 0, 0);
	peer_answer(fixture, 3, &info, sizeof(info));
	iterate(fixture);
	g_assert_cmpuint(result->count, ==, 1);
	g_assert_cmpuint(result->edid.len, ==, 128);
	g_assert_cmpuint(edid[54 + 2] | (edid[54 + 4] & 0xf0) << 4, ==, 1440);
	g_assert_cmpuint(edid[54 + 5] | (edid[54 + 7] & 0xf0) << 4, ==, 900);
	stop(fixture);
}

static void test_dmabuf_update(void)
{
	struct fixture *fixture = start();
	const struct display_ops *ops = fixture->display->ops;
	int fd = dup(STDERR_FILENO);
	struct renderer_dmabuf dmabuf = make_dmabuf(fd);
	const struct gpu_rect rect = {1, 2, 3, 4};
	uint32_t words[15];

	g_assert_cmpint(ops->update_dmabuf(fixture->display, 0, &rect, on_done, NULL), <, 0);
	for (uint32_t id = 0; id < 2; id++) {
		const struct gpu_rect all = {0, 0, 100, 50};

		ops->scanout_dmabuf(fixture->display, id, &dmabuf, &all);
		close(peer_read_with_fd(fixture, words, sizeof(words)));
		g_assert_cmpint(ops->update_dmabuf(fixture->display, id, &rect, on_done,
					&fixture->results[id]),
			==, DISPLAY_PENDING);
		EXPECT(fixture, 10, 0, 20, id, 1, 2, 3, 4);
	}
	/* Answers belong to the requests in order. */
	peer_answer(fixture, 10, NULL, 0);
	iterate(fixture);
	g_assert_cmpuint(fixture->results[0].count, ==, 1);
	g_assert_cmpuint(fixture->results[1].count, ==, 0);
	peer_answer(fixture, 10, NULL, 0);
	iterate(fixture);
	g_assert_cmpuint(fixture->results[1].count, ==, 1);
	g_assert_cmpint(fixture->results[1].error, ==, 0);
	close(fd);
	stop(fixture);
}

static void test_answer_left_out(void)
{
	struct fixture *fixture = start();
	const struct display_ops *ops = fixture->display->ops;
	struct virtio_gpu_resp_display_info info = {0};

	ops->get_edid(fixture->display, 9, on_edid, &fixture->results[0]);
	ops->get_outputs(fixture->display, on_outputs, &fixture->results[1]);
	EXPECT(fixture, 11, 0, 4, 9, 3, 0, 0);
	peer_answer(fixture, 3, &info, sizeof(info));
	iterate(fixture);
	g_assert_cmpint(fixture->results[0].error, ==, -EIO);
	g_assert_cmpuint(fixture->results[1].count, ==, 1);
	g_assert_cmpint(fixture->results[1].error, ==, 0);
	g_assert_cmpuint(fixture->closed_count, ==, 0);
	stop(fixture);
}

static void check_breaks(uint32_t request, uint32_t flags, uint32_t size)
{
	struct fixture *fixture = start();
	const struct display_header header = {request, flags, size};

	fixture->display->ops->get_outputs(fixture->display, on_outputs, &fixture->results[0]);
	EXPECT(fixture, 3, 0, 0);
	peer_write(fixture, &header, sizeof(header));
	warning_count = 0;
	iterate(fixture);
	g_assert_cmpuint(warning_count, ==, 1);
	g_assert_cmpuint(fixture->closed_count, ==, 1);
	g_assert_cmpuint(fixture->results[0].count, ==, 1);
	g_assert_cmpint(fixture->results[0].error, ==, -ECONNRESET);
	stop(fixture);
}

static void test_wrong_answers(void)
{
	const uint32_t len = sizeof(struct virtio_gpu_resp_display_info);

	check_breaks(3, 0, len);
	check_breaks(3, DISPLAY_FLAG_REPLY, len - 1);
	check_breaks(3, DISPLAY_FLAG_REPLY, UINT32_MAX);
	check_breaks(11, DISPLAY_FLAG_REPLY, sizeof(struct virtio_gpu_resp_edid));
	check_breaks(99, DISPLAY_FLAG_REPLY, 0);
}

/* A front-end that does not read */

static void test_slow_reader(void)
{
	struct fixture *fixture = start();
	const struct display_ops *ops = fixture->display->ops;
	struct result *result = &fixture->results[0];
	const struct display_cursor cursor = {0, 1, 2, 0, 0};

	ops->scanout(fixture->display, 0, BIG_WIDTH, BIG_HEIGHT);
	g_assert_cmpint(update_big(fixture, 0, result), ==, DISPLAY_PENDING);
	/* Messages wait behind it and do not get between its bytes. */
	ops->cursor_move(fixture->display, &cursor);
	iterate(fixture);
	g_assert_cmpuint(result->count, ==, 0);
	EXPECT(fixture, 7, 0, 12, 0, BIG_WIDTH, BIG_HEIGHT);
	EXPECT_BIG_HEAD(fixture, 0);
	peer_expect(fixture, fixture->pixels, BIG_PIXELS_LEN);
	iterate(fixture);
	g_assert_cmpuint(result->count, ==, 1);
	g_assert_cmpint(result->error, ==, 0);
	EXPECT(fixture, 4, 0, 12, 0, 1, 2);
	peer_expect_nothing(fixture);
	stop(fixture);
}

static void test_slow_reader_of_lines(void)
{
	struct fixture *fixture = start();
	const struct gpu_rect rect = {1, 0, BIG_WIDTH - 1, BIG_HEIGHT};
	const struct display_pixels pixels = {.data = fixture->pixels + 1, .stride = BIG_WIDTH * 4};
	struct result *result = &fixture->results[0];

	fixture->display->ops->scanout(fixture->display, 0, BIG_WIDTH, BIG_HEIGHT);
	g_assert_cmpint(
		fixture->display->ops->update(fixture->display, 0, &rect, &pixels, on_done, result),
		==, DISPLAY_PENDING);
	EXPECT(fixture, 7, 0, 12, 0, BIG_WIDTH, BIG_HEIGHT);
	EXPECT(fixture, 8, 0, 20 + (BIG_WIDTH - 1) * BIG_HEIGHT * 4, 0, 1, 0, BIG_WIDTH - 1,
		BIG_HEIGHT);
	for (unsigned int y = 0; y < BIG_HEIGHT; y++)
		peer_expect_words(fixture, fixture->pixels + y * BIG_WIDTH + 1, BIG_WIDTH - 1);
	iterate(fixture);
	g_assert_cmpuint(result->count, ==, 1);
	stop(fixture);
}

static void test_two_scanouts_pending(void)
{
	struct fixture *fixture = start();

	fixture->display->ops->scanout(fixture->display, 0, BIG_WIDTH, BIG_HEIGHT);
	fixture->display->ops->scanout(fixture->display, 1, BIG_WIDTH, BIG_HEIGHT);
	EXPECT(fixture, 7, 0, 12, 0, BIG_WIDTH, BIG_HEIGHT, 7, 0, 12, 1, BIG_WIDTH, BIG_HEIGHT);
	g_assert_cmpint(update_big(fixture, 0, &fixture->results[0]), ==, DISPLAY_PENDING);
	g_assert_cmpint(update_big(fixture, 1, &fixture->results[1]), ==, DISPLAY_PENDING);
	EXPECT_BIG_HEAD(fixture, 0);
	peer_expect(fixture, fixture->pixels, BIG_PIXELS_LEN);
	iterate(fixture);
	g_assert_cmpuint(fixture->results[0].count, ==, 1);
	g_assert_cmpuint(fixture->results[1].count, ==, 0);
	EXPECT_BIG_HEAD(fixture, 1);
	peer_expect(fixture, fixture->pixels, BIG_PIXELS_LEN);
	iterate(fixture);
	g_assert_cmpuint(fixture->results[1].count, ==, 1);
	stop(fixture);
}

static void test_cancel_in_the_middle(void)
{
	struct fixture *fixture = start();
	const struct display_ops *ops = fixture->display->ops;
	g_autofree uint32_t *before = NULL;
	struct virtio_gpu_resp_display_info info = {0};

	ops->scanout(fixture->display, 0, BIG_WIDTH, BIG_HEIGHT);
	ops->scanout(fixture->display, 1, BIG_WIDTH, BIG_HEIGHT);
	EXPECT(fixture, 7, 0, 12, 0, BIG_WIDTH, BIG_HEIGHT, 7, 0, 12, 1, BIG_WIDTH, BIG_HEIGHT);
	update_big(fixture, 0, &fixture->results[0]);
	update_big(fixture, 1, &fixture->results[1]);
	ops->get_outputs(fixture->display, on_outputs, &fixture->results[2]);
	for (unsigned int i = 0; i < 3; i++)
		ops->cancel(fixture->display, &fixture->results[i]);

	/* From here on the caller's pixels are not read. */
	before = g_memdup2(fixture->pixels, BIG_PIXELS_LEN);
	memset(fixture->pixels, 0xee, BIG_PIXELS_LEN);
	ops->cancel(fixture->display, &fixture->results[0]);
	EXPECT_BIG_HEAD(fixture, 0);
	peer_expect(fixture, before, BIG_PIXELS_LEN);
	peer_expect_nothing(fixture);
	for (unsigned int i = 0; i < 3; i++)
		g_assert_cmpuint(fixture->results[i].count, ==, 0);

	/* What was dropped is not awaited either: the next answer is the next request's. */
	ops->get_outputs(fixture->display, on_outputs, &fixture->results[2]);
	EXPECT(fixture, 3, 0, 0);
	peer_answer(fixture, 3, &info, sizeof(info));
	iterate(fixture);
	g_assert_cmpuint(fixture->results[2].count, ==, 1);
	stop(fixture);
}

static void test_cancel_awaited_answer(void)
{
	struct fixture *fixture = start();
	const struct display_ops *ops = fixture->display->ops;
	struct virtio_gpu_resp_display_info info = {0};

	ops->get_outputs(fixture->display, on_outputs, &fixture->results[0]);
	EXPECT(fixture, 3, 0, 0);
	ops->cancel(fixture->display, &fixture->results[0]);
	ops->get_outputs(fixture->display, on_outputs, &fixture->results[1]);
	EXPECT(fixture, 3, 0, 0);
	peer_answer(fixture, 3, &info, sizeof(info));
	iterate(fixture);
	g_assert_cmpuint(fixture->results[1].count, ==, 0);
	info.pmodes[0].enabled = GUINT32_TO_LE(1);
	peer_answer(fixture, 3, &info, sizeof(info));
	iterate(fixture);
	g_assert_cmpuint(fixture->results[0].count, ==, 0);
	g_assert_cmpuint(fixture->results[1].count, ==, 1);
	g_assert_true(fixture->results[1].outputs.output[0].connected);
	stop(fixture);
}

static void test_newest_state_wins(void)
{
	struct fixture *fixture = start();
	const struct display_ops *ops = fixture->display->ops;
	struct display_cursor cursor = {0};

	ops->scanout(fixture->display, 0, BIG_WIDTH, BIG_HEIGHT);
	EXPECT(fixture, 7, 0, 12, 0, BIG_WIDTH, BIG_HEIGHT);
	update_big(fixture, 0, &fixture->results[0]);
	for (uint32_t i = 0; i < 1000; i++) {
		cursor.x = i;
		cursor.scanout_id = i % 2;
		ops->cursor_update(fixture->display, &cursor, fixture->pixels + i);
		ops->cursor_move(fixture->display, &cursor);
		ops->cursor_hide(fixture->display, &cursor);
		cursor.y = i + 1;
		ops->cursor_move(fixture->display, &cursor);
		ops->scanout(fixture->display, 1, i + 1, 7);
	}
	EXPECT_BIG_HEAD(fixture, 0);
	peer_expect(fixture, fixture->pixels, BIG_PIXELS_LEN);
	EXPECT(fixture, 6, 0, 20 + 64 * 64 * 4, 0, 998, 998, 0, 0);
	peer_expect_words(fixture, fixture->pixels + 998, 64 * 64);
	EXPECT(fixture, 4, 0, 12, 0, 998, 999);
	EXPECT(fixture, 6, 0, 20 + 64 * 64 * 4, 1, 999, 999, 0, 0);
	peer_expect_words(fixture, fixture->pixels + 999, 64 * 64);
	EXPECT(fixture, 4, 0, 12, 1, 999, 1000);
	EXPECT(fixture, 7, 0, 12, 1, 1000, 7);
	peer_expect_nothing(fixture);
	stop(fixture);
}

static void test_release_is_not_lost(void)
{
	struct fixture *fixture = start();
	const struct display_ops *ops = fixture->display->ops;
	int fd = dup(STDERR_FILENO);
	struct renderer_dmabuf dmabuf = make_dmabuf(fd);
	const struct gpu_rect rect = {0, 0, 100, 50};
	uint32_t words[15];

	ops->scanout_dmabuf(fixture->display, 1, &dmabuf, &rect);
	close(peer_read_with_fd(fixture, words, sizeof(words)));
	ops->scanout(fixture->display, 0, BIG_WIDTH, BIG_HEIGHT);
	EXPECT(fixture, 7, 0, 12, 0, BIG_WIDTH, BIG_HEIGHT);
	update_big(fixture, 0, &fixture->results[0]);
	/* A descriptor that waits in the queue, and the release that replaces it. */
	ops->scanout_dmabuf(fixture->display, 1, &dmabuf, &rect);
	close(fd);
	ops->scanout(fixture->display, 1, 10, 10);
	ops->scanout(fixture->display, 1, 20, 20);
	EXPECT_BIG_HEAD(fixture, 0);
	peer_expect(fixture, fixture->pixels, BIG_PIXELS_LEN);
	EXPECT(fixture, 9, 0, 40, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	EXPECT(fixture, 7, 0, 12, 1, 20, 20);
	peer_expect_nothing(fixture);
	stop(fixture);
}

static void test_queued_descriptor(void)
{
	struct fixture *fixture = start();
	const struct display_ops *ops = fixture->display->ops;
	int fd = dup(STDERR_FILENO);
	struct renderer_dmabuf dmabuf = make_dmabuf(fd);
	const struct gpu_rect rect = {0, 0, 100, 50};
	uint32_t words[15];

	ops->scanout(fixture->display, 0, BIG_WIDTH, BIG_HEIGHT);
	EXPECT(fixture, 7, 0, 12, 0, BIG_WIDTH, BIG_HEIGHT);
	update_big(fixture, 0, &fixture->results[0]);
	ops->scanout_dmabuf(fixture->display, 1, &dmabuf, &rect);
	close(fd);
	EXPECT_BIG_HEAD(fixture, 0);
	peer_expect(fixture, fixture->pixels, BIG_PIXELS_LEN);
	iterate(fixture);
	close(peer_read_with_fd(fixture, words, sizeof(words)));
	g_assert_cmpuint(words[0], ==, 12);
	stop(fixture);
}

/* The end */

static void test_hang_up_while_pending(void)
{
	struct fixture *fixture = start();
	const struct display_ops *ops = fixture->display->ops;

	ops->scanout(fixture->display, 0, BIG_WIDTH, BIG_HEIGHT);
	g_assert_cmpint(update_big(fixture, 0, &fixture->results[0]), ==, DISPLAY_PENDING);
	ops->get_outputs(fixture->display, on_outputs, &fixture->results[1]);
	hang_up(fixture);
	/* The hook notices the end first, and must not call up. */
	g_assert_cmpint(fixture->closed_count, ==, 0);
	iterate(fixture);
	for (unsigned int i = 0; i < 2; i++) {
		g_assert_cmpuint(fixture->results[i].count, ==, 1);
		g_assert_cmpint(fixture->results[i].error, ==, -ECONNRESET);
	}
	g_assert_cmpuint(fixture->closed_count, ==, 1);

	/* Afterwards everything is accepted, and a question still gets its answer. */
	ops->scanout(fixture->display, 0, 5, 5);
	g_assert_cmpint(update_big(fixture, 0, &fixture->results[0]), ==, 0);
	g_assert_cmpint(ops->get_edid(fixture->display, 0, on_edid, &fixture->results[2]), ==,
		DISPLAY_PENDING);
	g_assert_cmpuint(fixture->results[2].count, ==, 0);
	iterate(fixture);
	g_assert_cmpint(fixture->results[2].error, ==, -ECONNRESET);
	g_assert_cmpuint(fixture->results[2].count, ==, 1);
	g_assert_cmpuint(fixture->closed_count, ==, 1);
	stop(fixture);
}

static void test_hang_up_seen_by_hook(void)
{
	struct fixture *fixture = start();
	const struct display_cursor cursor = {0};

	hang_up(fixture);
	fixture->display->ops->cursor_move(fixture->display, &cursor);
	fixture->display->ops->cursor_update(fixture->display, &cursor, fixture->pixels);
	g_assert_cmpuint(fixture->closed_count, ==, 0);
	iterate(fixture);
	g_assert_cmpuint(fixture->closed_count, ==, 1);
	stop(fixture);
}

static void test_destroy_when_closed(void)
{
	struct fixture *fixture = start();

	fixture->destroy_when_closed = true;
	fixture->display->ops->get_outputs(fixture->display, on_outputs, &fixture->results[0]);
	hang_up(fixture);
	iterate(fixture);
	g_assert_cmpuint(fixture->closed_count, ==, 1);
	g_assert_null(fixture->display);
	stop(fixture);
}

static void test_destroy_while_pending(void)
{
	struct fixture *fixture = start();

	fixture->display->ops->scanout(fixture->display, 0, BIG_WIDTH, BIG_HEIGHT);
	update_big(fixture, 0, &fixture->results[0]);
	fixture->display->ops->get_outputs(fixture->display, on_outputs, &fixture->results[1]);
	fixture->display->ops->destroy(fixture->display);
	fixture->display = NULL;
	iterate(fixture);
	g_assert_cmpuint(fixture->results[0].count + fixture->results[1].count, ==, 0);
	g_assert_cmpuint(fixture->closed_count, ==, 0);
	stop(fixture);
}

/* Others' requests stay, sent or not, and so does the order of answers. */
static void test_cancel_one_of_several(void)
{
	struct fixture *fixture = start();
	const struct display_ops *ops = fixture->display->ops;
	struct virtio_gpu_resp_display_info info = {0};

	ops->get_outputs(fixture->display, on_outputs, &fixture->results[0]);
	EXPECT(fixture, 3, 0, 0);
	ops->scanout(fixture->display, 0, BIG_WIDTH, BIG_HEIGHT);
	EXPECT(fixture, 7, 0, 12, 0, BIG_WIDTH, BIG_HEIGHT);
	update_big(fixture, 0, &fixture->results[1]);
	ops->get_outputs(fixture->display, on_outputs, &fixture->results[1]);
	ops->get_outputs(fixture->display, on_outputs, &fixture->results[2]);
	ops->cancel(fixture->display, &fixture->results[1]);
	EXPECT_BIG_HEAD(fixture, 0);
	peer_expect(fixture, fixture->pixels, BIG_PIXELS_LEN);
	EXPECT(fixture, 3, 0, 0);
	peer_expect_nothing(fixture);
	peer_answer(fixture, 3, &info, sizeof(info));
	info.pmodes[1].enabled = GUINT32_TO_LE(1);
	peer_answer(fixture, 3, &info, sizeof(info));
	iterate(fixture);
	g_assert_cmpuint(fixture->results[0].count, ==, 1);
	g_assert_false(fixture->results[0].outputs.output[1].connected);
	g_assert_cmpuint(fixture->results[1].count, ==, 0);
	g_assert_cmpuint(fixture->results[2].count, ==, 1);
	g_assert_true(fixture->results[2].outputs.output[1].connected);
	stop(fixture);
}

/* A front-end starts an empty picture at each SCANOUT: it is not sent for the same size again. */
static void test_size_is_sent_once(void)
{
	struct fixture *fixture = start();
	const struct display_ops *ops = fixture->display->ops;
	int fd = dup(STDERR_FILENO);
	struct renderer_dmabuf dmabuf = make_dmabuf(fd);
	const struct gpu_rect rect = {0, 0, 8, 4};
	uint32_t words[15];

	ops->scanout(fixture->display, 1, 8, 4);
	EXPECT(fixture, 7, 0, 12, 1, 8, 4);
	ops->scanout(fixture->display, 1, 8, 4);
	peer_expect_nothing(fixture);
	ops->scanout(fixture->display, 1, 8, 5);
	EXPECT(fixture, 7, 0, 12, 1, 8, 5);
	ops->scanout(fixture->display, 1, 0, 0);
	EXPECT(fixture, 7, 0, 12, 1, 0, 0);
	ops->scanout(fixture->display, 1, 8, 5);
	EXPECT(fixture, 7, 0, 12, 1, 8, 5);
	/* After a dma-buf it is a new picture in any case. */
	ops->scanout_dmabuf(fixture->display, 1, &dmabuf, &rect);
	close(peer_read_with_fd(fixture, words, sizeof(words)));
	ops->scanout(fixture->display, 1, 8, 5);
	EXPECT(fixture, 9, 0, 40, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	EXPECT(fixture, 7, 0, 12, 1, 8, 5);
	close(fd);
	stop(fixture);
}

static const struct display_outputs two_outputs = {
	.output =
		{
			{.connected = true, .rect = {.width = 1280, .height = 720}},
			{.rect = {.width = 640, .height = 480}},
		},
};

static void test_headless(void)
{
	GMainContext *context = g_main_context_new();
	struct display *display = display_headless_create(&two_outputs, &events, NULL, context);
	struct result results[2] = {0};

	g_assert_true(display->ready);
	g_assert_cmpint(
		display->ops->get_outputs(display, on_outputs, &results[0]), ==, DISPLAY_PENDING);
	g_assert_cmpuint(results[0].count, ==, 0);
	g_main_context_iteration(context, FALSE);
	g_assert_cmpuint(results[0].count, ==, 1);
	g_assert_cmpmem(
		&results[0].outputs, sizeof(results[0].outputs), &two_outputs, sizeof(two_outputs));

	display->ops->get_edid(display, 0, on_edid, &results[1]);
	display->ops->cancel(display, &results[1]);
	g_main_context_iteration(context, FALSE);
	g_assert_cmpuint(results[1].count, ==, 0);
	display->ops->get_edid(display, 0, on_edid, &results[1]);
	/* Somebody else's end is not ours. */
	display->ops->cancel(display, &results[0]);
	g_main_context_iteration(context, FALSE);
	g_assert_cmpuint(results[1].count, ==, 1);
	g_assert_cmpuint(results[1].edid.len, ==, 128);
	display->ops->destroy(display);
	g_main_context_unref(context);
}

static void test_headless_changes(void)
{
	const struct display_output output = {
		.connected = true, .rect = {.width = 1920, .height = 1080}};
	GMainContext *context = g_main_context_new();
	struct fixture fixture = {0};
	struct display *display = display_headless_create(&two_outputs, &events, &fixture, context);
	struct result result = {0};
	struct display_outputs now;

	g_assert_cmpint(display_headless_set_output(display, 1, &output), ==, 0);
	g_assert_cmpuint(fixture.changed_count, ==, 1);
	g_assert_cmpint(display_headless_set_output(display, 16, &output), ==, -EINVAL);
	g_assert_cmpuint(fixture.changed_count, ==, 1);
	display_headless_get_outputs(display, &now);
	g_assert_cmpuint(now.output[1].rect.width, ==, 1920);
	display->ops->get_outputs(display, on_outputs, &result);
	g_main_context_iteration(context, FALSE);
	g_assert_true(result.outputs.output[1].connected);
	g_assert_cmpuint(result.outputs.output[1].rect.height, ==, 1080);
	g_assert_true(result.outputs.output[0].connected);
	display->ops->get_edid(display, 1, on_edid, &result);
	g_main_context_iteration(context, FALSE);
	g_assert_cmpuint(
		result.edid.data[54 + 2] | (result.edid.data[54 + 4] & 0xf0) << 4, ==, 1920);
	display->ops->destroy(display);
	g_main_context_unref(context);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_log_set_writer_func(count_warnings, NULL, NULL);
	g_test_add_func("/display/features-are-cut", test_features_are_cut);
	g_test_add_func("/display/scanout-and-update", test_scanout_and_update);
	g_test_add_func("/display/no-update-without-surface", test_no_update_without_surface);
	g_test_add_func("/display/cursor-messages", test_cursor_messages);
	g_test_add_func("/display/dmabuf-scanout", test_dmabuf_scanout);
	g_test_add_func("/display/dmabuf-without-modifier", test_dmabuf_without_modifier);
	g_test_add_func("/display/display-info", test_display_info);
	g_test_add_func("/display/edid-in-pieces", test_edid_in_pieces);
	g_test_add_func("/display/edid-made-here", test_edid_made_here);
	g_test_add_func("/display/dmabuf-update", test_dmabuf_update);
	g_test_add_func("/display/answer-left-out", test_answer_left_out);
	g_test_add_func("/display/wrong-answers", test_wrong_answers);
	g_test_add_func("/display/slow-reader", test_slow_reader);
	g_test_add_func("/display/slow-reader-of-lines", test_slow_reader_of_lines);
	g_test_add_func("/display/two-scanouts-pending", test_two_scanouts_pending);
	g_test_add_func("/display/cancel-in-the-middle", test_cancel_in_the_middle);
	g_test_add_func("/display/cancel-awaited-answer", test_cancel_awaited_answer);
	g_test_add_func("/display/cancel-one-of-several", test_cancel_one_of_several);
	g_test_add_func("/display/size-is-sent-once", test_size_is_sent_once);
	g_test_add_func("/display/newest-state-wins", test_newest_state_wins);
	g_test_add_func("/display/release-is-not-lost", test_release_is_not_lost);
	g_test_add_func("/display/queued-descriptor", test_queued_descriptor);
	g_test_add_func("/display/hang-up-while-pending", test_hang_up_while_pending);
	g_test_add_func("/display/hang-up-seen-by-hook", test_hang_up_seen_by_hook);
	g_test_add_func("/display/destroy-when-closed", test_destroy_when_closed);
	g_test_add_func("/display/destroy-while-pending", test_destroy_while_pending);
	g_test_add_func("/display/headless", test_headless);
	g_test_add_func("/display/headless-changes", test_headless_changes);
	return g_test_run();
}
