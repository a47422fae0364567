/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The whole table in renderer/virgl/stream_table.c, without a library: each row with each length, and
 * each check with each kind of resource and with bad numbers. docs/virgl.md shows the table as
 * `test-virgl-table --print` prints it.
 */
#include "renderer/virgl/stream.h"

#include <stdio.h>
#include <string.h>

#define SIDE	  64
#define MAX_WORDS 32
#define MAX_TRIED 200 /* lengths */

/* Resources */
enum {
	NOTHING = 99,
	TEXTURE = 1, /* SIDE x SIDE, with backing */
	BUFFER,	     /* 4096 bytes, with backing */
	BARE,	     /* as TEXTURE, without backing */
	SHORT,	     /* a buffer of 8 bytes, with as much backing */
	SAMPLES,     /* as TEXTURE, multisampled */
	DEEP,	     /* 3D */
	BLOB,	     /* of the host, of which nothing is known */
	MEMORY,	     /* a blob of the guest's pages */
	RESOURCES,
};

#define ONLY(id) (1u << (id))
#define TEXTURES (ONLY(TEXTURE) | ONLY(BARE) | ONLY(SAMPLES) | ONLY(DEEP))

static uint8_t memory[SIDE * SIDE * 16];
static struct iovec long_iov = {memory, sizeof(memory)};
static struct iovec short_iov = {memory, 8};
static struct gpu_resource resources[RESOURCES];
static struct renderer_virgl virgl;

/* A word that makes a good command bad. */
struct fault {
	uint8_t word;
	uint32_t value;
};

/* @allowed: for each word of the row with a resource, the ones that pass, as bits */
struct sample {
	uint8_t command;
	uint8_t object;
	uint32_t words[MAX_WORDS];
	uint32_t allowed[2];
	struct fault faults[12];
};

#define WHOLE 0, 0, 0, SIDE, SIDE, 1
#define STATE SIDE * 4, 0

static const struct sample samples[] = {
	{9, 0, {0, TEXTURE, 0, 0, STATE, 0, 0, 0, 1, 1, 1, 7},
		{TEXTURES | ONLY(BUFFER) | ONLY(SHORT)},
		{{9, UINT32_MAX}, {7, INT32_MAX}, {8, 1u << 31}}},
	{43, 0, {0, TEXTURE, 0, 0, STATE, 0, 0, 0, 1, 1, 1, 0, 1},
		{ONLY(TEXTURE) | ONLY(BUFFER) | ONLY(SHORT) | ONLY(SAMPLES) | ONLY(DEEP)},
		{{9, UINT32_MAX}, {13, 0}, {13, 3}, {10, 1u << 31}}},
	/* From the host: of a multisampled texture OpenGL reads nothing. */
	{43, 0, {0, TEXTURE, 0, 0, STATE, 0, 0, 0, 1, 1, 1, 0, 2},
		{ONLY(TEXTURE) | ONLY(BUFFER) | ONLY(SHORT) | ONLY(DEEP)},
		{{11, 2}, {9, UINT32_MAX}}},
	{45, 0, {0, TEXTURE, 0, 0, STATE, 0, 0, 0, 1, 1, 1, BUFFER, 0, 2},
		{ONLY(TEXTURE) | ONLY(BARE) | ONLY(BUFFER) | ONLY(SHORT) | ONLY(DEEP),
			ONLY(TEXTURE) | ONLY(BUFFER) | ONLY(SHORT) | ONLY(SAMPLES) | ONLY(DEEP) |
				ONLY(MEMORY)},
		{{11, 2}, {13, 1u << 30}, {9, UINT32_MAX}}},
	{16, 0, {0, 0, 0, 0, TEXTURE, 0, 1, WHOLE, TEXTURE, 0, 1, WHOLE}, {TEXTURES, TEXTURES},
		{{5, 1}, {5, 64}, {14, 1}, {12, 2}, {9, 1}, {12, INT32_MAX}, {21, 2},
			{18, UINT32_MAX}, {7, 1u << 31}, {10, INT32_MAX}}},
	{17, 0, {0, TEXTURE, 0, 0, 0, 0, TEXTURE, 0, WHOLE},
		{TEXTURES & ~ONLY(SAMPLES), TEXTURES & ~ONLY(SAMPLES)},
		{{2, 1}, {3, 1}, {4, 1}, {5, 1}, {7, 1}, {8, 1}, {10, 1}, {10, UINT32_MAX},
			{11, SIDE + 1}, {12, SIDE + 1}, {13, 2}, {11, UINT32_MAX}}},
	{17, 0, {0, BUFFER, 0, 0, 0, 0, BUFFER, 0, 0, 0, 0, 8, 1, 1},
		{ONLY(BUFFER) | ONLY(SHORT), ONLY(BUFFER) | ONLY(SHORT)},
		{{3, 4089}, {8, 4089}, {11, 4097}, {11, UINT32_MAX}, {12, 2}}},
	{17, 0, {0, SAMPLES, 0, 0, 0, 0, SAMPLES, 0, WHOLE}, {ONLY(SAMPLES), ONLY(SAMPLES)},
		{{10, 1}}},
	{35, 0, {0, 5, 0, 67, 1, 0, 0, TEXTURE}, {ONLY(RESOURCES) - 1},
		{{3, 322}, {3, UINT32_MAX}}},
	{42, 0, {0, 2, BUFFER, 1, 3, 0, 0}, {ONLY(BUFFER) | ONLY(SHORT)},
		{{5, 4089}, {5, UINT32_MAX}}},
	{46, 0, {0, 2, 1024}, {0}, {{1, 3}, {1, UINT32_MAX}}},
	{47, 0, {0, TEXTURE, 0, WHOLE}, {TEXTURES},
		{{2, 1}, {3, 1}, {5, 1}, {6, SIDE + 1}, {8, 2}, {6, UINT32_MAX}}},
	{48, 0, {0, 2, 1, 10, SIDE, SIDE, 1, 1, 0, 0, 0, 9}, {0},
		{{4, UINT32_MAX}, {9, 4}, {7, 1u << 31}}},
	{49, 0, {0, BLOB, 1, 10, SIDE, SIDE, 0, 0, 0, SIDE * 4, 0}, {ONLY(BLOB)},
		{{9, SIDE * 8}, {10, SIDE *SIDE * 4}, {5, SIDE * 2}, {5, UINT32_MAX}}},
	{50, 0, {0, BUFFER},
		{ONLY(BUFFER) | ONLY(TEXTURE) | ONLY(SAMPLES) | ONLY(DEEP) | ONLY(MEMORY)}, {{0}}},
	{63, 0, {0, BUFFER, TEXTURE},
		{ONLY(BUFFER) | ONLY(TEXTURE) | ONLY(SAMPLES) | ONLY(DEEP) | ONLY(MEMORY),
			ONLY(RESOURCES) - 2},
		{{0}}},
	{1, 9, {0, 3, 0, 0, BUFFER}, {ONLY(BUFFER)}, {{0}}},
};

static void context_reset(void)
{
	/* Types that commands gave. */
	for (int i = BLOB; i < RESOURCES; i++)
		renderer_virgl_image_drop(&resources[i]);
	g_hash_table_insert(virgl.contexts, GUINT_TO_POINTER(1),
		renderer_virgl_context_create(VIRTIO_GPU_CAPSET_VIRGL2));
}

/* Does it pass unchanged? If not, it must have become a NOP of the same length. */
static bool passes(const uint32_t *command)
{
	const size_t count = (command[0] >> 16) + 1;
	g_autofree uint32_t *words = g_memdup2(command, count * sizeof(*command));

	context_reset();
	g_assert_cmpuint(renderer_virgl_stream_guard(&virgl, 1, words, count, SIZE_MAX), ==, count);
	g_assert_cmpmem(
		words + 1, (count - 1) * sizeof(*words), command + 1, (count - 1) * sizeof(*words));
	if (words[0] == command[0])
		return true;
	g_assert_cmphex(words[0], ==, command[0] & 0xffff0000);
	return false;
}

static const struct sample *sample_find(uint32_t command, uint32_t object)
{
	for (size_t i = 0; i < G_N_ELEMENTS(samples); i++)
		if (samples[i].command == command && samples[i].object == object)
			return &samples[i];
	return NULL;
}

static void check_length(
	const struct stream_row *row, uint32_t command, uint32_t object, uint32_t len)
{
	const struct sample *sample = sample_find(command, object);
	g_autofree uint32_t *words = g_new0(uint32_t, len + 1 + MAX_WORDS);
	bool is_right = len >= row->min_len && len <= row->max_len;

	if (row->step > 0 && is_right)
		is_right = (len - row->min_len) % row->step == 0;
	if (sample)
		memcpy(words, sample->words, sizeof(sample->words));
	words[0] = command | object << 8 | len << 16;
	/* A NOP that is made a NOP is what it was. */
	g_assert_true(
		passes(words) == (command == 0 || (is_right && row->rule != STREAM_LEAVE_OUT)));
}

static void check_lengths(const struct stream_row *row, uint32_t command, uint32_t object)
{
	for (uint32_t len = 0; len <= MIN(row->max_len + 2u, MAX_TRIED); len++)
		check_length(row, command, object, len);
	check_length(row, command, object, STREAM_MAX_LEN);
}

static void test_lengths(void)
{
	for (uint32_t i = 0; i < STREAM_COMMANDS; i++)
		if (i != STREAM_CREATE_OBJECT)
			check_lengths(&stream_commands[i], i, 0);
	for (uint32_t i = 0; i < STREAM_OBJECTS; i++)
		if (stream_objects[i].name)
			check_lengths(&stream_objects[i], STREAM_CREATE_OBJECT, i);
}

static void sample_words(const struct sample *sample, uint32_t words[MAX_WORDS])
{
	const struct stream_row *row = sample->command == STREAM_CREATE_OBJECT
					       ? &stream_objects[sample->object]
					       : &stream_commands[sample->command];
	uint32_t len = MAX(row->min_len, 2 + row->step);

	if (row->min_len == row->max_len || row->step == 0)
		len = row->min_len;
	if (sample->command == 49)
		len = row->min_len;
	memcpy(words, sample->words, MAX_WORDS * sizeof(*words));
	words[0] = sample->command | (uint32_t)sample->object << 8 | len << 16;
}

/* Each resource in each of the words that name one, and one that is not there. */
static void check_resources(const struct sample *sample, const struct stream_row *row)
{
	for (size_t i = 0; i < G_N_ELEMENTS(row->resources); i++) {
		uint32_t words[MAX_WORDS];

		if (row->resources[i].first == 0)
			continue;
		for (uint32_t id = 1; id <= RESOURCES; id++) {
			const bool may = id < RESOURCES && sample->allowed[i] & ONLY(id);

			sample_words(sample, words);
			words[row->resources[i].first] = id < RESOURCES ? id : NOTHING;
			/* What a copy can be made of depends on both: the size of the other. */
			if (sample->command == 17 && (id == SHORT || id == DEEP))
				continue;
			if (sample->command == 35)
				g_assert_true(passes(words));
			else if (passes(words) != may)
				g_error("command %u, word %u: resource %u", sample->command,
					row->resources[i].first, id);
		}
	}
}

static void test_checks(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
		const struct sample *sample = &samples[i];
		uint32_t words[MAX_WORDS];

		g_test_message("command %u", sample->command);
		sample_words(sample, words);
		g_assert_true(passes(words));
		for (size_t k = 0; k < G_N_ELEMENTS(sample->faults); k++) {
			if (sample->faults[k].word == 0)
				break;
			sample_words(sample, words);
			words[sample->faults[k].word] = sample->faults[k].value;
			if (passes(words))
				g_error("command %u, word %u: %u", sample->command,
					sample->faults[k].word, sample->faults[k].value);
		}
		check_resources(sample, sample->command == STREAM_CREATE_OBJECT
						? &stream_objects[sample->object]
						: &stream_commands[sample->command]);
	}
}

/* Every check has a sample. */
static void test_samples(void)
{
	for (uint32_t i = 0; i < STREAM_COMMANDS; i++) {
		g_assert_nonnull(stream_commands[i].name);
		g_assert_true(
			!stream_commands[i].check == (stream_commands[i].rule != STREAM_CHECK));
		g_assert_true(!sample_find(i, 0) == (stream_commands[i].rule != STREAM_CHECK));
	}
	for (uint32_t i = 0; i < STREAM_OBJECTS; i++)
		g_assert_true(!sample_find(STREAM_CREATE_OBJECT, i) ==
			      (stream_objects[i].rule != STREAM_CHECK));
}

/* Hosts whose OpenGL cannot copy parts of textures */
static void test_copies(void)
{
	uint32_t words[MAX_WORDS];

	sample_words(sample_find(17, 0), words);
	virgl.host = (struct renderer_virgl_host){.is_known = true, .is_gles = true};
	g_assert_false(passes(words));
	virgl.host.renderable[0] = 1 << 1;
	g_assert_true(passes(words));
	virgl.host = (struct renderer_virgl_host){.is_known = true};
	g_assert_true(passes(words));
	resources[TEXTURE].format = 136; /* the stencil of a depth format: not to be read */
	g_assert_false(passes(words));
	resources[TEXTURE].format = 1;
	words[1] = words[6] = SAMPLES;
	g_assert_false(passes(words));
	virgl.host.copies_images = true;
	g_assert_true(passes(words));
}

static uint32_t cap_of(const uint8_t *caps, size_t at)
{
	uint32_t value;

	memcpy(&value, caps + at, sizeof(value));
	return value;
}

/* A library that offers everything, and a newer one's bits. */
static void test_capset(void)
{
	uint8_t caps[1408 + 64];
	const size_t lens[] = {308, 1376, 1384, 1408};

	for (size_t i = 0; i < G_N_ELEMENTS(lens); i++) {
		memset(caps, 0xff, sizeof(caps));
		renderer_virgl_mask_capset(caps, lens[i]);
		for (size_t k = lens[i]; k < sizeof(caps); k++)
			g_assert_cmphex(caps[k], ==, 0xff);
		for (size_t k = 0; k < 308; k++)
			g_assert_cmphex(caps[k], ==, 0xff);
		if (lens[i] == 308)
			continue;
		/* GUEST_MAY_INIT_LOG; STRING_MARKER and what came after 1.3.0 */
		g_assert_cmphex(cap_of(caps, 392), ==, ~(1u << 14));
		g_assert_cmphex(cap_of(caps, 688), ==, 0x7ffff & ~(1u << 4));
		g_assert_cmpuint(cap_of(caps, 556), ==, 23);
		g_assert_cmpuint(cap_of(caps, 856), ==, 0);
		g_assert_cmphex(cap_of(caps, 860), ==, UINT32_MAX);
	}
}

/* The documentation */

static void print_lengths(GString *text, const struct stream_row *row)
{
	if (row->rule == STREAM_LEAVE_OUT)
		g_string_append(text, "any");
	else if (row->max_len == STREAM_MAX_LEN)
		g_string_append_printf(text, "%u or more", row->min_len);
	else if (row->min_len == row->max_len)
		g_string_append_printf(text, "%u", row->min_len);
	else
		g_string_append_printf(text, "%u to %u", row->min_len, row->max_len);
	if (row->step > 0)
		g_string_append_printf(text, " by %u", row->step);
}

static void print_resources(GString *text, const struct stream_row *row)
{
	for (size_t i = 0; i < G_N_ELEMENTS(row->resources); i++) {
		if (row->resources[i].first == 0)
			continue;
		g_string_append_printf(text, "%s%u", i > 0 ? ", " : "", row->resources[i].first);
		if (row->resources[i].step > 0)
			g_string_append_printf(text, ", %u, ...",
				row->resources[i].first + row->resources[i].step);
	}
}

static void print_gate(GString *text, const struct stream_row *row)
{
	static const char *const names[] = {
		[STREAM_BIT] = "bit",
		[STREAM_BIT_V2] = "v2 bit",
		[STREAM_VERSION] = "version",
	};

	if (row->gate == STREAM_VIDEO)
		g_string_append(text, "video");
	else if (row->gate != STREAM_ALWAYS)
		g_string_append_printf(text, "%s %u", names[row->gate], row->gate_value);
}

static void print_row(GString *text, const char *number, const struct stream_row *row)
{
	static const char *const rules[] = {"left out", "passes", "checked"};

	g_string_append_printf(text, "| %s | %s%s%s%s | ", number, row->name,
		row->since ? " (" : "", row->since ? row->since : "", row->since ? ")" : "");
	print_lengths(text, row);
	g_string_append(text, " | ");
	print_resources(text, row);
	g_string_append(text, " | ");
	print_gate(text, row);
	g_string_append_printf(text, " | %s%s%s |\n", rules[row->rule], row->why ? ": " : "",
		row->why ? row->why : "");
}

static char *print_table(void)
{
	GString *text = g_string_new("| number | command | words | resources | capset | |\n"
				     "|---|---|---|---|---|---|\n");

	for (uint32_t i = 0; i < STREAM_COMMANDS; i++) {
		g_autofree char *number = g_strdup_printf("%u", i);

		print_row(text, number, &stream_commands[i]);
		for (uint32_t k = 0; i == STREAM_CREATE_OBJECT && k < STREAM_OBJECTS; k++) {
			g_autofree char *both = g_strdup_printf("1, %u", k);

			if (stream_objects[k].name)
				print_row(text, both, &stream_objects[k]);
		}
	}
	return g_string_free(text, FALSE);
}

static void test_documentation(void)
{
	g_autofree char *page = NULL;
	g_autofree char *table = print_table();

	g_assert_true(g_file_get_contents(VIRGL_PAGE, &page, NULL, NULL));
	if (!strstr(page, table))
		g_error("docs/virgl.md does not show the table; see the top of this file");
}

static void resources_init(void)
{
	const struct gpu_resource image = {.kind = GPU_RESOURCE_3D,
		.format = 1,
		.width = SIDE,
		.height = SIDE,
		.args_3d = {.target = TARGET_TEXTURE_2D, .bind = 10, .depth = 1, .array_size = 1}};

	virgl.contexts = g_hash_table_new_full(
		NULL, NULL, NULL, (GDestroyNotify)renderer_virgl_context_destroy);
	virgl.resources = g_hash_table_new(NULL, NULL);
	virgl.host = (struct renderer_virgl_host){.is_known = true, .copies_images = true};
	for (uint32_t i = 1; i < RESOURCES; i++) {
		resources[i] = image;
		resources[i].id = i;
		resources[i].iov = &long_iov;
		resources[i].iov_count = 1;
		resources[i].backing_len = sizeof(memory);
		g_hash_table_insert(virgl.resources, GUINT_TO_POINTER(i), &resources[i]);
	}
	resources[BUFFER].args_3d.target = resources[SHORT].args_3d.target = TARGET_BUFFER;
	resources[BUFFER].format = resources[SHORT].format = 64;
	resources[BUFFER].width = 4096;
	resources[SHORT].width = resources[SHORT].backing_len = short_iov.iov_len;
	resources[SHORT].iov = &short_iov;
	resources[BUFFER].height = resources[SHORT].height = 1;
	resources[BARE].iov = NULL;
	resources[BARE].iov_count = 0;
	resources[SAMPLES].args_3d.nr_samples = 4;
	resources[DEEP].args_3d.target = TARGET_TEXTURE_3D;
	resources[DEEP].args_3d.depth = 4;
	resources[BLOB].kind = resources[MEMORY].kind = GPU_RESOURCE_BLOB;
	resources[BLOB].blob.mem = VIRTIO_GPU_BLOB_MEM_HOST3D;
	resources[BLOB].blob.size = SIDE * SIDE * 4;
	resources[BLOB].iov = NULL;
	resources[BLOB].iov_count = 0;
	resources[MEMORY].blob.mem = VIRTIO_GPU_BLOB_MEM_GUEST;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--print") == 0) {
		g_autofree char *table = print_table();

		fputs(table, stdout);
		return 0;
	}
	g_test_init(&argc, &argv, NULL);
	/* What is left out is worth a warning, which GLib's tests would die of. */
	g_log_set_always_fatal(G_LOG_FATAL_MASK);
	resources_init();
	g_test_add_func("/virgl-table/samples", test_samples);
	g_test_add_func("/virgl-table/lengths", test_lengths);
	g_test_add_func("/virgl-table/checks", test_checks);
	g_test_add_func("/virgl-table/copies", test_copies);
	g_test_add_func("/virgl-table/capset", test_capset);
	g_test_add_func("/virgl-table/documentation", test_documentation);
	return g_test_run();
}
