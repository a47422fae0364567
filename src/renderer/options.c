/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* The options that modes have, and what was said about them. */
#include "renderer/options.h"

#include <string.h>

const struct renderer_option renderer_option_use_egl = {
	.name = "use-egl",
	.initial = "true",
	.help = "let virglrenderer use EGL",
	.man = "Let virglrenderer create its OpenGL contexts with EGL.",
};

const struct renderer_option renderer_option_use_glx = {
	.name = "use-glx",
	.initial = "false",
	.help = "let virglrenderer use GLX",
	.man = "Let virglrenderer create its OpenGL contexts with GLX, which "
	       "needs an X server.",
};

const struct renderer_option renderer_option_use_gles = {
	.name = "use-gles",
	.initial = "true",
	.help = "allow OpenGL ES contexts on the host",
	.man = "Allow virglrenderer to work on OpenGL ES where the host has no "
	       "desktop OpenGL.",
};

const struct renderer_option renderer_option_use_surfaceless = {
	.name = "use-surfaceless",
	.initial = "true",
	.help = "use EGL without a window system",
	.man = "Let EGL work without a window system, as hosts without a screen "
	       "need it.",
};

bool renderer_option_is_on(
	const struct renderer_options *options, const struct renderer_option *option)
{
	for (const struct renderer_setting *setting = options->settings; setting->option; setting++)
		if (setting->option == option)
			return setting->is_on;
	return strcmp(option->initial, "true") == 0;
}

void renderer_option_set(
	struct renderer_options *options, const struct renderer_option *option, bool is_on)
{
	struct renderer_setting *setting = options->settings;

	while (setting->option && setting->option != option)
		setting++;
	*setting = (struct renderer_setting){option, is_on};
}
