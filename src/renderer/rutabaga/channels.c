/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* --channel: which sockets of the host cross-domain contexts may connect to. */
#include "renderer/options.h"
#include "renderer/rutabaga/renderer_rutabaga.h"

#include <string.h>
#include <sys/un.h>

static const struct channel_type {
	const char *name;
	uint32_t type;
} channel_types[] = {
	{"wayland", RUTABAGA_CHANNEL_TYPE_WAYLAND},
#ifdef RUTABAGA_CHANNEL_TYPE_PIPEWIRE
	{"pipewire", RUTABAGA_CHANNEL_TYPE_PIPEWIRE},
	{"x11", RUTABAGA_CHANNEL_TYPE_X11},
	{"dbus-session", RUTABAGA_CHANNEL_TYPE_DBUS_SESSION},
	{"dbus-system", RUTABAGA_CHANNEL_TYPE_DBUS_SYSTEM},
#endif
};

static const struct channel_type *find_type(const char *name, size_t len)
{
	for (size_t i = 0; i < G_N_ELEMENTS(channel_types); i++) {
		if (strlen(channel_types[i].name) == len &&
			strncmp(channel_types[i].name, name, len) == 0)
			return &channel_types[i];
	}
	return NULL;
}

static char *list_types(void)
{
	g_autoptr(GString) list = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(channel_types); i++)
		g_string_append_printf(list, "%s%s", i == 0 ? "" : ", ", channel_types[i].name);
	return g_string_free(g_steal_pointer(&list), FALSE);
}

static bool has_channel(const GArray *channels, uint32_t type)
{
	for (unsigned int i = 0; i < channels->len; i++)
		if (g_array_index(channels, struct rutabaga_channel, i).channel_type == type)
			return true;
	return false;
}

static int add_channel(GArray *channels, const char *value, char **ret_message)
{
	const struct sockaddr_un *address = NULL;
	const char *equals = strchr(value, '=');
	const struct channel_type *type = equals ? find_type(value, equals - value) : NULL;
	struct rutabaga_channel channel;

	if (!type) {
		g_autofree char *known = list_types();

		*ret_message = g_strdup_printf(
			"--channel takes TYPE=PATH, not '%s'; types: %s", value, known);
		return -EINVAL;
	}
	channel = (struct rutabaga_channel){equals + 1, type->type};
	if (channel.channel_name[0] == '\0' ||
		strlen(channel.channel_name) >= sizeof(address->sun_path))
		*ret_message = g_strdup_printf("'%s' is no path of a socket", channel.channel_name);
	else if (has_channel(channels, channel.channel_type))
		*ret_message = g_strdup_printf("--channel %s was given twice", type->name);
	else
		g_array_append_val(channels, channel);
	return *ret_message ? -EINVAL : 0;
}

int renderer_rutabaga_channels_parse(
	const struct renderer_options *options, GArray **ret_channels, char **ret_message)
{
	g_autoptr(GArray) channels = g_array_new(FALSE, FALSE, sizeof(struct rutabaga_channel));

	for (const struct renderer_setting *setting = options->settings; setting->option;
		setting++) {
		int ret = 0;

		if (setting->option == &renderer_option_channel)
			ret = add_channel(channels, setting->value, ret_message);
		if (ret < 0)
			return ret;
	}
	*ret_channels = g_steal_pointer(&channels);
	return 0;
}
