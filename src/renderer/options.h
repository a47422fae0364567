/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/renderer.h"

/* Options that more than one mode understands, or may. */
extern const struct renderer_option renderer_option_use_egl;
extern const struct renderer_option renderer_option_use_glx;
extern const struct renderer_option renderer_option_use_gles;
extern const struct renderer_option renderer_option_use_surfaceless;

extern const struct renderer_option renderer_option_old_virglrenderer;
extern const struct renderer_option renderer_option_channel;

/** renderer_option_is_on() - What the user said, or the option's initial value. */
bool renderer_option_is_on(
	const struct renderer_options *options, const struct renderer_option *option);

/** renderer_option_set() - Say what the user said. Room for all options there are. */
void renderer_option_set(
	struct renderer_options *options, const struct renderer_option *option, bool is_on);

/**
 * renderer_option_add() - Say what the user said of an option that has a value
 * @value: borrowed
 *
 * Return: 0, or -E2BIG where there is no room for one more.
 */
int renderer_option_add(
	struct renderer_options *options, const struct renderer_option *option, const char *value);

/** renderer_options_confine() - Add to a sandbox what the options that were given need. */
void renderer_options_confine(const struct renderer_options *options, struct sandbox *sandbox);
