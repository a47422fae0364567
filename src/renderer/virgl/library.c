/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The library itself. A process loads it when it starts this renderer and not before: some twenty
 * others come with it, which would take the listener more memory than all that it does, and time
 * before it listens.
 */
#include "renderer/virgl/renderer_virgl.h"
#include "util/library.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* The same from 0.10 to 1.3. */
#define LIBRARY "libvirglrenderer.so.1"

/* The file behind it: 1.7.7 is release 0.10.4, 1.8.8 is 1.0.0, 1.8.9 is 1.0.1, 1.9.0 is 1.1.0. */
#define FIRST_SOUND_MINOR 8
#define FIRST_SOUND_MICRO 9
/* Exported since 1.2.0 */
#define NEW_FUNCTION "virgl_renderer_attach_fence"

/* clang-format off */
#ifdef HAVE_VIRGL_SET_LOG_CALLBACK
#define LOG_FUNCTION(F) \
	F(void, virgl_set_log_callback, (virgl_log_callback_type cb, void *user_data, \
		virgl_free_data_callback_type free_user_data_cb), \
		(cb, user_data, free_user_data_cb))
#else
#define LOG_FUNCTION(F) \
	F(virgl_debug_callback_type, virgl_set_debug_callback, (virgl_debug_callback_type cb), \
		(cb))
#endif

#ifdef HAVE_VIRGL_RENDERER_RESOURCE_GET_INFO_EXT
#define INFO_FUNCTION(F) \
	F(int, virgl_renderer_resource_get_info_ext, \
		(int res_handle, struct virgl_renderer_resource_info_ext *info), (res_handle, info))
#else
#define INFO_FUNCTION(F) \
	F(int, virgl_renderer_resource_get_info, \
		(int res_handle, struct virgl_renderer_resource_info *info), (res_handle, info))
#endif

#define LIBRARY_FUNCTIONS(F) \
	LOG_FUNCTION(F) \
	INFO_FUNCTION(F) \
	F(void, virgl_renderer_cleanup, (void *cookie), (cookie)) \
	F(int, virgl_renderer_context_create_fence, \
		(uint32_t ctx_id, uint32_t flags, uint32_t ring_idx, uint64_t fence_id), \
		(ctx_id, flags, ring_idx, fence_id)) \
	F(int, virgl_renderer_context_create_with_flags, \
		(uint32_t ctx_id, uint32_t ctx_flags, uint32_t nlen, const char *name), \
		(ctx_id, ctx_flags, nlen, name)) \
	F(void, virgl_renderer_context_destroy, (uint32_t handle), (handle)) \
	F(int, virgl_renderer_create_fence, \
		(int client_fence_id, uint32_t ctx_id), \
		(client_fence_id, ctx_id)) \
	F(void, virgl_renderer_ctx_attach_resource, \
		(int ctx_id, int res_handle), \
		(ctx_id, res_handle)) \
	F(void, virgl_renderer_ctx_detach_resource, \
		(int ctx_id, int res_handle), \
		(ctx_id, res_handle)) \
	F(void, virgl_renderer_fill_caps, \
		(uint32_t set, uint32_t version, void *caps), \
		(set, version, caps)) \
	F(void, virgl_renderer_force_ctx_0, (void), ()) \
	F(void, virgl_renderer_get_cap_set, \
		(uint32_t set, uint32_t *max_ver, uint32_t *max_size), \
		(set, max_ver, max_size)) \
	F(int, virgl_renderer_get_fd_for_texture2, \
		(uint32_t tex_id, int *fd, int *stride, int *offset), \
		(tex_id, fd, stride, offset)) \
	F(int, virgl_renderer_get_poll_fd, (void), ()) \
	F(int, virgl_renderer_init, \
		(void *cookie, int flags, struct virgl_renderer_callbacks *cb), \
		(cookie, flags, cb)) \
	F(void, virgl_renderer_poll, (void), ()) \
	F(int, virgl_renderer_resource_attach_iov, \
		(int res_handle, struct iovec *iov, int num_iovs), \
		(res_handle, iov, num_iovs)) \
	F(int, virgl_renderer_resource_create, \
		(struct virgl_renderer_resource_create_args *args, struct iovec *iov, \
		uint32_t num_iovs), \
		(args, iov, num_iovs)) \
	F(int, virgl_renderer_resource_create_blob, \
		(const struct virgl_renderer_resource_create_blob_args *args), \
		(args)) \
	F(void, virgl_renderer_resource_detach_iov, \
		(int res_handle, struct iovec **iov, int *num_iovs), \
		(res_handle, iov, num_iovs)) \
	F(int, virgl_renderer_resource_export_blob, \
		(uint32_t res_id, uint32_t *fd_type, int *fd), \
		(res_id, fd_type, fd)) \
	F(int, virgl_renderer_resource_get_map_info, \
		(uint32_t res_handle, uint32_t *map_info), \
		(res_handle, map_info)) \
	F(int, virgl_renderer_resource_import_blob, \
		(const struct virgl_renderer_resource_import_blob_args *args), \
		(args)) \
	F(int, virgl_renderer_resource_map, \
		(uint32_t res_handle, void **map, uint64_t *out_size), \
		(res_handle, map, out_size)) \
	F(int, virgl_renderer_resource_unmap, (uint32_t res_handle), (res_handle)) \
	F(void, virgl_renderer_resource_unref, (uint32_t res_handle), (res_handle)) \
	F(int, virgl_renderer_submit_cmd, \
		(void *buffer, int ctx_id, int ndw), \
		(buffer, ctx_id, ndw)) \
	F(int, virgl_renderer_transfer_read_iov, \
		(uint32_t handle, uint32_t ctx_id, uint32_t level, uint32_t stride, \
		uint32_t layer_stride, struct virgl_box *box, uint64_t offset, \
		struct iovec *iov, int iovec_cnt), \
		(handle, ctx_id, level, stride, layer_stride, box, offset, iov, iovec_cnt)) \
	F(int, virgl_renderer_transfer_write_iov, \
		(uint32_t handle, uint32_t ctx_id, int level, uint32_t stride, \
		uint32_t layer_stride, struct virgl_box *box, uint64_t offset, \
		struct iovec *iovec, unsigned int iovec_cnt), \
		(handle, ctx_id, level, stride, layer_stride, box, offset, iovec, iovec_cnt))

LIBRARY_NAMESAKES(LIBRARY_FUNCTIONS)
/* clang-format on */

int renderer_virgl_library_load(char **ret_message)
{
	return library_load(LIBRARY, library_functions, G_N_ELEMENTS(library_functions),
		&library_pointers, ret_message);
}

/* Takes "libvirglrenderer.so.1.8.9" apart. Return: false where there are no three numbers. */
static bool parse_file_name(const char *name, guint64 *ret_minor, guint64 *ret_micro)
{
	g_auto(GStrv) parts = NULL;

	if (!g_str_has_prefix(name, LIBRARY "."))
		return false;
	parts = g_strsplit(name + strlen(LIBRARY "."), ".", -1);
	return g_strv_length(parts) == 2 &&
	       g_ascii_string_to_unsigned(parts[0], 10, 0, UINT_MAX, ret_minor, NULL) &&
	       g_ascii_string_to_unsigned(parts[1], 10, 0, UINT_MAX, ret_micro, NULL);
}

bool renderer_virgl_library_is_sound(const char *file_name, bool has_new_function)
{
	guint64 minor, micro;

	if (!parse_file_name(file_name, &minor, &micro))
		return has_new_function;
	return minor > FIRST_SOUND_MINOR ||
	       (minor == FIRST_SOUND_MINOR && micro >= FIRST_SOUND_MICRO);
}

int renderer_virgl_library_check(char **ret_reason)
{
	g_autofree char *name = NULL;
	bool has_new_function;
	char *path = NULL;
	Dl_info info;

	if (dladdr((void *)library_pointers.virgl_renderer_init, &info) != 0)
		path = realpath(info.dli_fname, NULL);
	name = g_path_get_basename(path ? path : LIBRARY);
	free(path);
	has_new_function = dlsym(RTLD_DEFAULT, NEW_FUNCTION) != NULL;
	if (renderer_virgl_library_is_sound(name, has_new_function))
		return 0;
	*ret_reason = g_strdup_printf("%s is older than virglrenderer 1.0.1: a guest's shader can "
				      "overwrite memory of its session",
		name);
	return -ENOTSUP;
}
