/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The library itself, and gfxstream's behind it, which is large. A process loads them when it starts
 * this renderer and not before.
 */
#include "renderer/rutabaga/renderer_rutabaga.h"
#include "util/library.h"

/* The same for both ABIs. */
#define LIBRARY "librutabaga_gfx_ffi.so.0"

/* clang-format off */
#define LIBRARY_FUNCTIONS(F) \
	F(int32_t, rutabaga_context_attach_resource, \
		(struct rutabaga *ptr, uint32_t ctx_id, uint32_t resource_id), \
		(ptr, ctx_id, resource_id)) \
	F(int32_t, rutabaga_context_create, \
		(struct rutabaga *ptr, uint32_t ctx_id, uint32_t context_init, \
		const char *context_name, uint32_t context_name_len), \
		(ptr, ctx_id, context_init, context_name, context_name_len)) \
	F(int32_t, rutabaga_context_destroy, \
		(struct rutabaga *ptr, uint32_t ctx_id), \
		(ptr, ctx_id)) \
	F(int32_t, rutabaga_context_detach_resource, \
		(struct rutabaga *ptr, uint32_t ctx_id, uint32_t resource_id), \
		(ptr, ctx_id, resource_id)) \
	F(int32_t, rutabaga_create_fence, \
		(struct rutabaga *ptr, const struct rutabaga_fence *fence), \
		(ptr, fence)) \
	F(int32_t, rutabaga_finish, (struct rutabaga **ptr), (ptr)) \
	F(int32_t, rutabaga_get_capset, \
		(struct rutabaga *ptr, uint32_t capset_id, uint32_t version, uint8_t *capset, \
		uint32_t capset_size), \
		(ptr, capset_id, version, capset, capset_size)) \
	F(int32_t, rutabaga_get_capset_info, \
		(struct rutabaga *ptr, uint32_t capset_index, uint32_t *capset_id, \
		uint32_t *capset_version, uint32_t *capset_size), \
		(ptr, capset_index, capset_id, capset_version, capset_size)) \
	F(int32_t, rutabaga_get_num_capsets, \
		(struct rutabaga *ptr, uint32_t *num_capsets), \
		(ptr, num_capsets)) \
	F(int32_t, rutabaga_init, \
		(const struct rutabaga_builder *builder, struct rutabaga **ptr), \
		(builder, ptr)) \
	F(int32_t, rutabaga_resource_attach_backing, \
		(struct rutabaga *ptr, uint32_t resource_id, \
		const struct rutabaga_iovecs *iovecs), \
		(ptr, resource_id, iovecs)) \
	F(int32_t, rutabaga_resource_create_3d, \
		(struct rutabaga *ptr, uint32_t resource_id, \
		const struct rutabaga_create_3d *create_3d), \
		(ptr, resource_id, create_3d)) \
	F(int32_t, rutabaga_resource_create_blob, \
		(struct rutabaga *ptr, uint32_t ctx_id, uint32_t resource_id, \
		const struct rutabaga_create_blob *create_blob, \
		const struct rutabaga_iovecs *iovecs, const struct rutabaga_handle *handle), \
		(ptr, ctx_id, resource_id, create_blob, iovecs, handle)) \
	F(int32_t, rutabaga_resource_detach_backing, \
		(struct rutabaga *ptr, uint32_t resource_id), \
		(ptr, resource_id)) \
	F(int32_t, rutabaga_resource_export_blob, \
		(struct rutabaga *ptr, uint32_t resource_id, struct rutabaga_handle *handle), \
		(ptr, resource_id, handle)) \
	F(int32_t, rutabaga_resource_map_info, \
		(struct rutabaga *ptr, uint32_t resource_id, uint32_t *map_info), \
		(ptr, resource_id, map_info)) \
	F(int32_t, rutabaga_resource_transfer_read, \
		(struct rutabaga *ptr, uint32_t ctx_id, uint32_t resource_id, \
		const struct rutabaga_transfer *transfer, const struct iovec *iovec), \
		(ptr, ctx_id, resource_id, transfer, iovec)) \
	F(int32_t, rutabaga_resource_transfer_write, \
		(struct rutabaga *ptr, uint32_t ctx_id, uint32_t resource_id, \
		const struct rutabaga_transfer *transfer), \
		(ptr, ctx_id, resource_id, transfer)) \
	F(int32_t, rutabaga_resource_unref, \
		(struct rutabaga *ptr, uint32_t resource_id), \
		(ptr, resource_id)) \
	F(int32_t, rutabaga_submit_command, \
		(struct rutabaga *ptr, struct rutabaga_command *cmd), \
		(ptr, cmd))

LIBRARY_NAMESAKES(LIBRARY_FUNCTIONS)
/* clang-format on */

int renderer_rutabaga_library_load(char **ret_message)
{
	return library_load(LIBRARY, library_functions, G_N_ELEMENTS(library_functions),
		&library_pointers, ret_message);
}
