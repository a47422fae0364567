/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Streams that Mesa's driver sent (tests/streams) pass renderer/virgl/stream.c unchanged. Arguments: the
 * recordings.
 */
#include "renderer/virgl/stream.h"

#include <string.h>

#define CTX 1

/* Of a recording, see tests/streams/record. */
enum {
	RECORD_RESOURCE = 1,
	RECORD_UNREF,
	RECORD_STREAM,
};

static struct renderer_virgl virgl;
static unsigned int seen[STREAM_COMMANDS];

static void free_resource(void *opaque)
{
	struct gpu_resource *resource = opaque;

	g_free(resource->iov);
	g_free(resource);
}

static void add_resource(const uint32_t *words)
{
	struct gpu_resource *resource = g_new0(struct gpu_resource, 1);

	*resource = (struct gpu_resource){
		.id = words[0],
		.kind = GPU_RESOURCE_3D,
		.format = words[2],
		.width = words[4],
		.height = words[5],
		.args_3d = {words[1], words[3], words[6], words[7], words[8], words[9], 0},
		.backing_len = words[10],
	};
	g_assert_true(renderer_virgl_size_is_sane(resource));
	if (resource->backing_len > 0) {
		/* Nothing looks into it. */
		resource->iov = g_new0(struct iovec, 1);
		resource->iov->iov_len = resource->backing_len;
		resource->iov_count = 1;
	}
	g_hash_table_insert(virgl.resources, GUINT_TO_POINTER(resource->id), resource);
}

static void check_stream(const uint32_t *words, size_t count)
{
	g_autofree uint32_t *guarded = g_memdup2(words, count * sizeof(*words));

	g_assert_cmpuint(
		renderer_virgl_stream_guard(&virgl, CTX, guarded, count, SIZE_MAX), ==, count);
	for (size_t i = 0; i < count; i += (words[i] >> 16) + 1) {
		if (guarded[i] != words[i])
			g_error("command %u, object %u is left out", words[i] & 0xff,
				words[i] >> 8 & 0xff);
		seen[words[i] & 0xff]++;
	}
	g_assert_cmpmem(guarded, count * sizeof(*words), words, count * sizeof(*words));
}

static void test_recording(const void *opaque)
{
	g_autofree char *bytes = NULL;
	const uint32_t *words;
	size_t len, count, i = 0;

	g_assert_true(g_file_get_contents(opaque, &bytes, &len, NULL));
	words = (const uint32_t *)(const void *)bytes;
	count = len / sizeof(*words);
	virgl.resources = g_hash_table_new_full(NULL, NULL, NULL, free_resource);
	g_hash_table_insert(virgl.contexts, GUINT_TO_POINTER(CTX),
		renderer_virgl_context_create(VIRTIO_GPU_CAPSET_VIRGL2));
	for (; i < count; i += words[i + 1] + 2) {
		g_assert_cmpuint(words[i + 1], <=, count - i - 2);
		if (words[i] == RECORD_RESOURCE)
			add_resource(words + i + 2);
		else if (words[i] == RECORD_UNREF)
			g_hash_table_remove(virgl.resources, GUINT_TO_POINTER(words[i + 2]));
		else
			check_stream(words + i + 2, words[i + 1]);
	}
	g_assert_cmpuint(i, ==, count);
	g_hash_table_unref(virgl.resources);
}

/* The recordings have nearly every command that passes; the others no program of ours sends. */
static void test_commands(void)
{
	static const uint32_t missing[] = {0, 9, 48, 49, 62, 63};

	for (uint32_t i = 0; i < STREAM_COMMANDS; i++) {
		bool is_missing = stream_commands[i].rule == STREAM_LEAVE_OUT;

		for (size_t k = 0; k < G_N_ELEMENTS(missing); k++)
			is_missing |= missing[k] == i;
		if (!is_missing && seen[i] == 0)
			g_error("no recording has %s", stream_commands[i].name);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_assert_cmpint(argc, >, 1);
	virgl.host = (struct renderer_virgl_host){.is_known = true, .copies_images = true};
	virgl.contexts = g_hash_table_new_full(
		NULL, NULL, NULL, (GDestroyNotify)renderer_virgl_context_destroy);
	for (int i = 1; i < argc; i++) {
		g_autofree char *name = g_path_get_basename(argv[i]);
		g_autofree char *path = g_strdup_printf("/virgl-recorded/%s", name);

		g_test_add_data_func(path, argv[i], test_recording);
	}
	g_test_add_func("/virgl-recorded/commands", test_commands);
	return g_test_run();
}
