/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* The options that modes have, and what was said about them. */
#include "renderer/options.h"

#include "sandbox/sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* An X server's socket; connecting to it is over when the sandbox closes. */
static void confine_glx(struct sandbox *sandbox, const char *value)
{
	sandbox_add_path(sandbox, "/tmp/.X11-unix", SANDBOX_CONNECT);
}

/* Cross-domain contexts connect when a guest makes them. */
static void confine_channel(struct sandbox *sandbox, const char *value)
{
	static const struct sandbox_call calls[] = {
		SANDBOX_CALL_IF_INT(socket, 0, AF_UNIX),
		SANDBOX_CALL(connect),
		{0},
	};
	static const struct sandbox_needs needs = {.calls = calls};
	const char *equals = strchr(value, '=');

	sandbox_add(sandbox, &needs);
	if (equals)
		sandbox_add_path(sandbox, equals + 1, SANDBOX_CONNECT);
}

const struct renderer_option renderer_option_use_egl = {
	.name = "use-egl",
	.initial = "true",
	.help = "let the renderer use EGL",
	.man = "Let the renderer create its OpenGL contexts with EGL.",
};

const struct renderer_option renderer_option_use_glx = {
	.name = "use-glx",
	.initial = "false",
	.help = "let the renderer use GLX",
	.man = "Let the renderer create its OpenGL contexts with GLX, which "
	       "needs an X server.",
	.confine = confine_glx,
};

const struct renderer_option renderer_option_use_gles = {
	.name = "use-gles",
	.initial = "true",
	.help = "allow OpenGL ES contexts on the host",
	.man = "Allow OpenGL ES: virglrenderer works on it where the host has no desktop "
	       "OpenGL, and the mode gfxstream has the capability set gfxstream-gles.",
};

const struct renderer_option renderer_option_use_surfaceless = {
	.name = "use-surfaceless",
	.initial = "true",
	.help = "use EGL without a window system",
	.man = "Let EGL work without a window system, as hosts without a screen "
	       "need it. The mode gfxstream sets EGL_PLATFORM for it, where that is not set.",
};

const struct renderer_option renderer_option_old_virglrenderer = {
	.name = "unsafe-old-virglrenderer",
	.initial = "false",
	.help = "OpenGL although guests can break into this virglrenderer",
	.man = "Offer \\fBvirgl\\fR and \\fBvirgl2\\fR even with a virglrenderer older than "
	       "1.0.1. With a shader a guest can then overwrite the memory of its session and run "
	       "code in it, and only the sandbox is left between the guest and the host. Without "
	       "this option such a library is used for Vulkan only. Under libvirt, name a script "
	       "in its JSON file that runs this program with the option and all of its own "
	       "arguments.",
};

const struct renderer_option renderer_option_channel = {
	.name = "channel",
	.metavar = "TYPE=PATH",
	.help = "socket of the host that cross-domain contexts reach, such as wayland=PATH",
	.man = "A Unix socket of the host that cross\\-domain contexts of the guest connect to, "
	       "as in \\fBwayland=/run/user/1000/wayland\\-0\\fR; once for each type. The types "
	       "are those of the library: \\fBwayland\\fR and, where it is newer than 0.1.3, "
	       "\\fBpipewire\\fR, \\fBx11\\fR, \\fBdbus\\-session\\fR and "
	       "\\fBdbus\\-system\\fR. What listens there is open to the guest.",
	.confine = confine_channel,
};

void renderer_options_confine(const struct renderer_options *options, struct sandbox *sandbox)
{
	for (const struct renderer_setting *setting = options->settings; setting->option; setting++)
		if (setting->option->confine && (setting->value || setting->is_on))
			setting->option->confine(sandbox, setting->value);
}

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
	*setting = (struct renderer_setting){.option = option, .is_on = is_on};
}

int renderer_option_add(
	struct renderer_options *options, const struct renderer_option *option, const char *value)
{
	size_t count = 0;

	while (options->settings[count].option)
		count++;
	if (count >= RENDERER_MAX_SETTINGS)
		return -E2BIG;
	options->settings[count] = (struct renderer_setting){.option = option, .value = value};
	return 0;
}
