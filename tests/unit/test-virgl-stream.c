/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * renderer/virgl/stream.c: how a stream is walked through, what is left out and where it stops, and that
 * most commands cost no look into a table of resources. test-virgl-table.c is for the checks.
 */
#include "renderer/virgl/stream.h"

#include <dlfcn.h>
#include <string.h>

#define CTX	      1
#define RESOURCE      5
#define SIDE	      64 /* pixels */
#define MAX_WORDS     32
#define VIEWPORTS     4096
#define VIEWPORT      4
#define SAMPLER_VIEWS 10 /* takes any two words */
#define ANY_OBJECT    0x200

static unsigned int lookups;

gpointer g_hash_table_lookup(GHashTable *table, gconstpointer key)
{
	static gpointer (*next)(GHashTable * table, gconstpointer key);

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "g_hash_table_lookup");
	lookups++;
	return next(table, key);
}

/* A command and its words: one that passes, and one that the library does not survive. */
struct row {
	const char *name;
	uint32_t good[MAX_WORDS];
	uint32_t bad[MAX_WORDS];
};

#define HEADER(command, count) ((command) | (count) << 16)

static const struct row rows[] = {
	{"RESOURCE_INLINE_WRITE",
		{HEADER(9, 12), RESOURCE, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0xffffffff},
		{HEADER(9, 12), RESOURCE, 0, 0, 0, 0, 0, 0, 0, UINT32_MAX, 2, 1, 0xffffffff}},
	{"TRANSFER3D to the host",
		{HEADER(43, 13), RESOURCE, 0, 0, 256, 0, 0, 0, 0, 64, 64, 1, 0, 1},
		{HEADER(43, 13), RESOURCE, 0, 0, 256, 0, 0, 0, 0, UINT32_MAX, 2, 1, 0, 1}},
	{"TRANSFER3D from the host",
		{HEADER(43, 13), RESOURCE, 0, 0, 256, 0, 0, 0, 0, 64, 64, 1, 0, 2},
		{HEADER(43, 13), RESOURCE, 0, 0, 256, 0, 0, 0, 0, 64, 64, 2, 0, 2}},
	{"COPY_TRANSFER3D from the host",
		{HEADER(45, 14), RESOURCE, 0, 0, 256, 0, 0, 0, 0, 64, 64, 1, RESOURCE, 0, 2},
		{HEADER(45, 14), RESOURCE, 0, 0, 256, 0, 0, 0, 0, 64, 64, 2, RESOURCE, 0, 2}},
	{"PIPE_RESOURCE_CREATE", {HEADER(48, 11), 2, 1, 10, 64, 64, 1, 1, 0, 0, 0, 9},
		{HEADER(48, 11), 2, 1, 10, UINT32_MAX, UINT32_MAX, 1, 1, 0, 0, 0, 9}},
};

static struct gpu_resource picture = {
	.id = RESOURCE,
	.kind = GPU_RESOURCE_3D,
	.format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
	.width = SIDE,
	.height = SIDE,
	.args_3d = {.target = 2, .bind = 10, .depth = 1, .array_size = 1},
	.iov = &(struct iovec){(char[SIDE * SIDE * 4]){0}, SIDE *SIDE * 4},
	.iov_count = 1,
	.backing_len = SIDE * SIDE * 4,
};

static struct renderer_virgl virgl;

static size_t words_of(const uint32_t *command)
{
	return (command[0] >> 16) + 1;
}

static size_t append(uint32_t *words, const uint32_t *command)
{
	memcpy(words, command, words_of(command) * sizeof(*words));
	return words_of(command);
}

/* As if no command had come before. Return: what the guard returns. */
static size_t guard(uint32_t *words, size_t count, size_t max_words)
{
	g_hash_table_insert(virgl.contexts, GUINT_TO_POINTER(CTX),
		renderer_virgl_context_create(VIRTIO_GPU_CAPSET_VIRGL2));
	return renderer_virgl_stream_guard(&virgl, CTX, words, count, max_words);
}

static const struct renderer_virgl_context *context(void)
{
	return g_hash_table_lookup(virgl.contexts, GUINT_TO_POINTER(CTX));
}

/* Between two others, the first of which ends where the library looks for a length. */
static void check_row(const uint32_t *command, bool is_left_out)
{
	const uint32_t before[] = {HEADER(0, 0)};
	const uint32_t behind[] = {HEADER(SAMPLER_VIEWS, 2), 0xffff0009, 0xffff002b};
	uint32_t words[MAX_WORDS * 2];
	uint32_t expected[MAX_WORDS * 2];
	size_t count = append(words, before);

	count += append(words + count, command);
	count += append(words + count, behind);
	memcpy(expected, words, sizeof(words));
	if (is_left_out)
		expected[1] &= 0xffff0000;
	g_assert_cmpuint(guard(words, count, SIZE_MAX), ==, count);
	g_assert_cmpmem(words, count * sizeof(*words), expected, count * sizeof(*words));
}

static void test_left_out(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		uint32_t with_object[MAX_WORDS];

		g_test_message("%s", rows[i].name);
		check_row(rows[i].good, false);
		check_row(rows[i].bad, true);
		/* The library looks at the lowest byte only. */
		append(with_object, rows[i].bad);
		with_object[0] |= ANY_OBJECT;
		check_row(with_object, true);
		/* One that is not in the table, and has the same words. */
		with_object[0] = rows[i].good[0] + STREAM_COMMANDS;
		check_row(with_object, true);
		g_assert_cmpuint(context()->unknown_count, ==, 1);
	}
}

/* What the library does not carry out is not touched, and nothing behind the end is read. */
static void test_cut(void)
{
	const uint32_t *bad = rows[0].bad;

	for (size_t count = 0; count < words_of(bad); count++) {
		uint32_t *words = g_memdup2(bad, count * sizeof(*bad));

		g_assert_cmpuint(guard(words, count, SIZE_MAX), ==, count);
		if (count > 0)
			g_assert_cmpmem(words, count * sizeof(*bad), bad, count * sizeof(*bad));
		g_free(words);
	}
}

/* State that is set names no resource, whatever its first word looks like. */
static void test_no_lookups(void)
{
	const uint32_t viewport[] = {HEADER(VIEWPORT, 7), RESOURCE, 1, 2, 3, 4, 5, 6};
	g_autofree uint32_t *words = g_new(uint32_t, VIEWPORTS * G_N_ELEMENTS(viewport));
	size_t count = 0;

	for (int i = 0; i < VIEWPORTS; i++)
		count += append(words + count, viewport);
	guard(words, count, SIZE_MAX);
	lookups = 0;
	/* One for the context. */
	renderer_virgl_stream_guard(&virgl, CTX, words, count, SIZE_MAX);
	g_assert_cmpuint(lookups, ==, 1);
	g_assert_cmpuint(context()->left_out_count, ==, 0);
}

/* It goes on where it stopped, behind whole commands, and has looked at no other. */
static void test_parts(void)
{
	uint32_t words[MAX_WORDS * G_N_ELEMENTS(rows)];
	size_t starts[G_N_ELEMENTS(rows) + 1] = {0};
	size_t done = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		starts[i + 1] = starts[i] + append(words + starts[i], rows[i].bad);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const size_t len = starts[i + 1] - starts[i];
		const size_t left = starts[G_N_ELEMENTS(rows)] - done;

		g_assert_cmpuint(guard(words + done, left, 1 + i * (len - 1) / 4), ==, len);
		g_assert_cmphex(words[done] & 0xff, ==, 0);
		done += len;
		if (i + 1 < G_N_ELEMENTS(rows))
			g_assert_cmphex(words[done], ==, rows[i + 1].bad[0]);
	}
	g_assert_cmpuint(guard(words, starts[2], starts[1] + 1), ==, starts[2]);
	g_assert_cmpuint(guard(words, 0, 1), ==, 0);
}

/* What a blob took may be promised again, what was not taken may not. */
static void test_promises(void)
{
	struct gpu_resource blob = {.kind = GPU_RESOURCE_BLOB,
		.blob = {.mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
			.ctx_id = CTX,
			.id = 9 | UINT64_C(1) << 32}};
	struct gpu_resource image;
	uint32_t words[MAX_WORDS];
	const size_t count = append(words, rows[4].good);

	guard(words, count, SIZE_MAX);
	g_assert_cmphex(words[0], ==, rows[4].good[0]);
	renderer_virgl_stream_guard(&virgl, CTX, words, count, SIZE_MAX);
	g_assert_cmphex(words[0] & 0xff, ==, 0);
	g_assert_false(renderer_virgl_image_of(&blob, &image));
	renderer_virgl_image_take(&virgl, &blob);
	g_assert_true(renderer_virgl_image_of(&blob, &image));
	g_assert_cmpuint(image.width, ==, SIDE);
	g_assert_cmpuint(image.args_3d.target, ==, TARGET_TEXTURE_2D);
	append(words, rows[4].good);
	for (uint32_t i = 0; i < 2000; i++) {
		append(words, rows[4].good);
		words[11] = i;
		renderer_virgl_stream_guard(&virgl, CTX, words, count, SIZE_MAX);
		g_assert_cmphex(words[0] & 0xff, ==, i < 1024 ? 48 : 0);
	}
	renderer_virgl_image_drop(&blob);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	/* What is left out is worth a warning, which GLib's tests would die of. */
	g_log_set_always_fatal(G_LOG_FATAL_MASK);
	virgl.contexts = g_hash_table_new_full(
		NULL, NULL, NULL, (GDestroyNotify)renderer_virgl_context_destroy);
	virgl.resources = g_hash_table_new(NULL, NULL);
	g_hash_table_insert(virgl.resources, GUINT_TO_POINTER(RESOURCE), &picture);
	g_test_add_func("/virgl-stream/left-out", test_left_out);
	g_test_add_func("/virgl-stream/cut", test_cut);
	g_test_add_func("/virgl-stream/parts", test_parts);
	g_test_add_func("/virgl-stream/promises", test_promises);
	g_test_add_func("/virgl-stream/no-lookups", test_no_lookups);
	return g_test_run();
}
