/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Starting the library, and what reaches it by the environment. */
#include "renderer/modules/modules.h"
#include "renderer/options.h"
#include "renderer/rutabaga/renderer_rutabaga.h"
#include "util/log.h"

#include <stdlib.h>
#include <string.h>

/*
 * What a front-end in another process can map. Without the first there are only addresses in this
 * process, without the second mappable memory is the driver's own kind.
 */
#define FEATURES "ExternalBlob:enabled,SystemBlob:enabled"

/* Of the start that runs, or NULL. The library is the process's, and so is this; its threads too
 * report errors, perhaps when the start is over. */
static struct rutabaga_start *current_start;
static GMutex current_lock;

static void set_current_start(struct rutabaga_start *start)
{
	g_mutex_lock(&current_lock);
	current_start = start;
	g_mutex_unlock(&current_lock);
}

static void handle_debug(uint64_t user_data, const struct rutabaga_debug *debug)
{
	g_autofree char *line = g_strdup(debug->message);

	/* Some are C++ exceptions with a list behind them. */
	g_strdelimit(g_strstrip(line), "\r\n\t", ' ');
	if (debug->debug_type != RUTABAGA_DEBUG_ERROR) {
		log_debug("rutabaga: %s", line);
		return;
	}
	g_mutex_lock(&current_lock);
	if (current_start)
		g_strlcpy(current_start->reason, line, sizeof(current_start->reason));
	g_mutex_unlock(&current_lock);
	log_peer("rutabaga: %s", line);
}

int renderer_rutabaga_check(const struct renderer_options *options, char **ret_message)
{
	const uint64_t gles = RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_GFXSTREAM_GLES);
	const uint64_t cross_domain = RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_CROSS_DOMAIN);
	g_autoptr(GArray) channels = NULL;
	int ret = renderer_rutabaga_channels_parse(options, &channels, ret_message);

	if (ret < 0)
		return ret;
	if (options->capset_mask == 0)
		return 0;
	if (channels->len > 0 && !(options->capset_mask & cross_domain))
		*ret_message = g_strdup("--channel needs the capset cross-domain");
	else if ((options->capset_mask & gles) &&
		 !renderer_option_is_on(options, &renderer_option_use_gles))
		*ret_message = g_strdup("--use-gles=false leaves no capset gfxstream-gles");
	return *ret_message ? -EINVAL : 0;
}

/* Without the module gfxstream takes the host's loader, with what that is known to be bad for. */
static void set_vulkan_loader(void)
{
	g_autofree char *module = renderer_module_find(RENDERER_RUTABAGA_MODULE);

	if (g_file_test(module, G_FILE_TEST_EXISTS))
		g_setenv(RENDERER_RUTABAGA_VULKAN_LOADER, module, FALSE);
	else
		log_debug("gfxstream: %s is missing", module);
}

void renderer_rutabaga_set_environment(const struct renderer_options *options)
{
	const bool glx = renderer_option_is_on(options, &renderer_option_use_glx);
	const bool egl = renderer_option_is_on(options, &renderer_option_use_egl);

	/* gfxstream's OpenGL ES works on either. */
	g_setenv("ANDROID_EGL_ON_EGL", egl && !glx ? "1" : "0", FALSE);
	/* Without a screen EGL would look for a display server, and wait. */
	if (egl && renderer_option_is_on(options, &renderer_option_use_surfaceless))
		g_setenv("EGL_PLATFORM", "surfaceless", FALSE);
	if (!log_is_enabled(G_LOG_LEVEL_DEBUG))
		g_setenv("EGL_LOG_LEVEL", "fatal", FALSE);
	set_vulkan_loader();
}

int renderer_rutabaga_init(
	struct rutabaga_start *start, void *user_data, struct rutabaga **ret_rutabaga)
{
	struct rutabaga_channels channels = {
		.channels = (struct rutabaga_channel *)(void *)start->channels->data,
		.num_channels = start->channels->len,
	};
	const struct rutabaga_builder builder = {
		.user_data = (uintptr_t)user_data,
		.capset_mask = start->capset_mask,
		.wsi = RUTABAGA_WSI_SURFACELESS,
		.fence_cb = renderer_rutabaga_write_fence,
		.debug_cb = handle_debug,
		.channels = channels.num_channels > 0 ? &channels : NULL,
#ifdef HAVE_RUTABAGA_FEATURES
		.renderer_features = FEATURES,
#endif
	};
	int ret;

	set_current_start(start);
	ret = rutabaga_init(&builder, ret_rutabaga);
	set_current_start(NULL);
	return ret == 0 ? 0 : -ENODEV;
}
